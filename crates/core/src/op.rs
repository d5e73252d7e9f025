//! What members of a room write: ops, which are sealed, signed, and never change.

mod id;

pub use id::OpId;

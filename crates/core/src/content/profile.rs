//! What a member is called.

use minicbor::{Decode, Encode};

/// What the wallet that writes it is called in this room.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Profile {
    /// One line of at most [`super::MAX_NAME`] bytes; empty for no name.
    #[n(0)]
    pub name: String,
}

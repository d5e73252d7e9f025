//! An op is taken away.

use crate::op::OpId;
use minicbor::{Decode, Encode};

/// An op is taken away: whoever holds its body drops it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Tombstone {
    /// Which op.
    #[n(0)]
    pub target: OpId,
}

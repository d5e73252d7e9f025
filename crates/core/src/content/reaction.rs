//! What somebody thinks of an op.

use super::{ContentError, check_line};
use crate::op::OpId;
use minicbor::{Decode, Encode};

/// The longest emoji in bytes.
const MAX_EMOJI: usize = 32;

/// An emoji is put to an op, or taken away.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Reaction {
    /// To which op.
    #[n(0)]
    pub target: OpId,
    /// One emoji, 1 to 32 bytes; that it is one is not checked.
    #[n(1)]
    pub emoji: String,
    /// Put, or taken away.
    #[n(2)]
    pub set: bool,
}

impl Reaction {
    pub(super) fn check(&self) -> Result<(), ContentError> {
        if self.emoji.is_empty() {
            return Err(ContentError::Empty("emoji"));
        }
        check_line("emoji", &self.emoji, MAX_EMOJI)
    }
}

//! Something said, and said better.

use super::ContentError;
use crate::ascending::Ascending;
use crate::id::Wallet;
use crate::op::OpId;
use minicbor::{Decode, Encode};

/// The most characters (Unicode scalar values) of a text.
pub const MAX_CHARACTERS: usize = 10_000;
/// The most wallets that a text mentions.
pub const MAX_MENTIONS: usize = 32;

/// The wallets that a text mentions.
pub type Mentions = Ascending<Wallet, MAX_MENTIONS>;

/// Something said.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Text {
    /// What, at most [`MAX_CHARACTERS`].
    #[n(0)]
    pub markdown: String,
    /// To which op.
    #[n(1)]
    pub reply: Option<OpId>,
    /// Who should know.
    #[n(2)]
    pub mentions: Mentions,
}

/// Something said before, said better.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Edit {
    /// In place of which op's text.
    #[n(0)]
    pub target: OpId,
    /// What, at most [`MAX_CHARACTERS`].
    #[n(1)]
    pub markdown: String,
    /// Who should know.
    #[n(2)]
    pub mentions: Mentions,
}

/// Checks the length of a text.
pub(super) fn check(markdown: &str) -> Result<(), ContentError> {
    let (is, most) = (markdown.chars().count(), MAX_CHARACTERS);
    if is > most {
        return Err(ContentError::TooLong { what: "text", unit: "characters", is, most });
    }
    Ok(())
}

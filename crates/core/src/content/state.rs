//! What a room is called and how it is used.

use super::{ContentError, MAX_NAME, check_line};
use crate::epoch::Policy;
use crate::op::OpId;
use minicbor::encode::{Error, Write};
use minicbor::{Decode, Encode, Encoder};

/// The longest topic in bytes.
const MAX_TOPIC: usize = 256;

/// Changes to a room; what is `None` stays as it was.
#[derive(Debug, Clone, PartialEq, Eq, Default, Decode)]
#[cbor(array)]
pub struct RoomState {
    /// What it is called: one line of at most [`MAX_NAME`] bytes.
    #[n(0)]
    pub name: Option<String>,
    /// What it is about: one line of at most 256 bytes; empty for nothing.
    #[n(1)]
    pub topic: Option<String>,
    /// An op is pinned, or no longer.
    #[n(2)]
    pub pin: Option<Pin>,
    /// How much newcomers may read.
    #[n(3)]
    pub policy: Option<Policy>,
}

/// An op is pinned, or no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Pin {
    /// Which op.
    #[n(0)]
    pub target: OpId,
    /// Pinned, or no longer.
    #[n(1)]
    pub set: bool,
}

impl<C> Encode<C> for RoomState {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, ctx: &mut C) -> Result<(), Error<W::Error>> {
        // A derived `Encode` would leave out the last fields that are `None`.
        (&self.name, &self.topic, self.pin, self.policy).encode(e, ctx)
    }
}

impl RoomState {
    pub(super) fn check(&self) -> Result<(), ContentError> {
        let lines = [("name", &self.name, MAX_NAME), ("topic", &self.topic, MAX_TOPIC)];
        for (what, line, most) in lines {
            check_line(what, line.as_deref().unwrap_or_default(), most)?;
        }
        Ok(())
    }
}

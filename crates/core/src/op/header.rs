//! Who wrote an op, and after what: for members alone.

use super::{OpError, OpId, Signed};
use crate::ascending::Ascending;
use crate::epoch::{EpochId, RoomId, RoomTag};
use crate::hlc::Hlc;
use crate::id::{Community, DeviceKey, DeviceSignature};
use crate::seal::Nonce;
use crate::wire;
use minicbor::{Decode, Encode};

/// The most parents that an op names.
pub const MAX_PARENTS: usize = 8;
/// The longest header in bytes.
pub const MAX_HEADER: usize = 1 + 34 + 9 + 34 + (1 + MAX_PARENTS * 34) + 3 + 66;

const CONTEXT: &[u8] = b"community-chats/op/1\0";

/// What is sealed besides the content.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Header {
    /// Who wrote it.
    #[n(0)]
    pub device: DeviceKey,
    /// How many ops this device wrote in this room before.
    #[n(1)]
    pub sequence: u64,
    /// The last of those.
    #[n(2)]
    pub previous: Option<OpId>,
    /// The newest ops that it had seen, besides `previous`.
    #[n(3)]
    pub parents: Parents,
    /// What the content is; see [`crate::content`].
    #[n(4)]
    pub content_type: u16,
    /// The device's signature; see [`super::Envelope::verify_header`].
    #[n(5)]
    pub signature: DeviceSignature,
}

impl Header {
    /// Whether what it names as earlier is earlier than `hlc`, its own moment.
    pub(super) fn check(&self, hlc: Hlc) -> Result<(), OpError> {
        let first = self.sequence == 0;
        let named = self.previous.iter().chain(self.parents.as_slice());
        let twice = self.previous.is_some_and(|id| self.parents.as_slice().contains(&id));
        if first != self.previous.is_none() || twice || named.clone().any(|id| id.hlc() >= hlc) {
            return Err(OpError::Order);
        }
        Ok(())
    }

    /// Whether `earlier`, the header of the op that this one names as its previous, is of the same
    /// device and the one before. Then an op whose signature was checked vouches for that one.
    #[must_use]
    pub fn follows(&self, earlier: &Self) -> bool {
        self.device == earlier.device && earlier.sequence.checked_add(1) == Some(self.sequence)
    }

    /// What the device signs.
    pub(super) fn message(
        &self,
        community: &Community,
        room: &RoomId,
        signed: &Signed<'_>,
    ) -> Vec<u8> {
        let message = Message {
            community,
            room,
            version: signed.version,
            suite: signed.suite,
            tag: signed.room,
            hlc: signed.hlc,
            epoch: signed.epoch,
            header_nonce: signed.header_nonce,
            body_nonce: signed.body_nonce,
            device: self.device,
            sequence: self.sequence,
            previous: self.previous,
            parents: &self.parents,
            content_type: self.content_type,
            body_hash: signed.body_hash,
        };
        [CONTEXT, &wire::encode(&message)].concat()
    }
}

#[derive(Encode)]
#[cbor(array)]
struct Message<'a> {
    #[n(0)]
    community: &'a Community,
    #[n(1)]
    room: &'a RoomId,
    #[n(2)]
    version: u8,
    #[n(3)]
    suite: u8,
    #[n(4)]
    tag: RoomTag,
    #[n(5)]
    hlc: Hlc,
    #[n(6)]
    epoch: EpochId,
    #[cbor(n(7), with = "minicbor::bytes")]
    header_nonce: Nonce,
    #[cbor(n(8), with = "minicbor::bytes")]
    body_nonce: Nonce,
    #[n(9)]
    device: DeviceKey,
    #[n(10)]
    sequence: u64,
    #[n(11)]
    previous: Option<OpId>,
    #[n(12)]
    parents: &'a Parents,
    #[n(13)]
    content_type: u16,
    #[cbor(n(14), with = "minicbor::bytes")]
    body_hash: [u8; 32],
}

/// The ids of up to [`MAX_PARENTS`] ops.
pub type Parents = Ascending<OpId, MAX_PARENTS>;

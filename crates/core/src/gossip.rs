//! What a member tells all members, passed on from one to the next over direct links.
//!
//! The network layer floods frames and keeps each from being seen twice, by [`id`]. Whether a
//! frame is passed on is for the [`Node`](crate::node::Node) to judge, with exactly one
//! [`GossipVerdict`] for each. Relays carry none of this.

use crate::id::DeviceKey;
use crate::presence::SignedPresence;
use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

/// The longest frame in bytes that is published or accepted.
pub const MAX_FRAME: usize = 16 * 1024;

/// Tells one frame from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct GossipId(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 32]);

/// The id of a frame: BLAKE3 of its bytes, with a context of its own.
#[must_use]
pub fn id(frame: &[u8]) -> GossipId {
    GossipId(blake3::derive_key("community-chats/1 gossip id", frame))
}

/// What becomes of a frame, as gossipsub's application validation knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum GossipVerdict {
    /// It is passed on.
    #[n(0)]
    Accept,
    /// It is not, and nobody is blamed: late, of the future, too much, or of somebody who is not
    /// known here.
    #[n(1)]
    Ignore,
    /// It is not, and whoever delivered it should have known: bytes that mean nothing, or a
    /// signature that is not right.
    #[n(2)]
    Reject,
}

/// A published frame.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum GossipMessage {
    /// Where a device is, in its own words.
    #[n(0)]
    Presence {
        /// The device that signed it.
        #[n(0)]
        device: DeviceKey,
        /// Its words.
        #[n(1)]
        signed: SignedPresence,
    },
    /// About rooms; see [`RoomGossip`](crate::rooms::RoomGossip).
    #[n(1)]
    Rooms {
        /// What.
        #[n(0)]
        message: ByteVec,
    },
}

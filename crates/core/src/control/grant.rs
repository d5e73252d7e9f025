//! A device gives another one keys.

use crate::control::signed::device_signed;
use crate::epoch::RoomTag;
use crate::id::{Community, DeviceKey, DeviceSignature};
use crate::time::Time;
use minicbor::{Decode, Encode};

/// Keys of a room, sealed to a device that asked for them. See
/// [`wrap::seal_grant`](crate::wrap::seal_grant).
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Grant {
    /// Of which community.
    #[n(0)]
    pub community: Community,
    /// Of which room.
    #[n(1)]
    pub room_tag: RoomTag,
    /// Who asked.
    #[n(2)]
    pub to: DeviceKey,
    /// Who gives.
    #[n(3)]
    pub from: DeviceKey,
    /// When that was asked for which it answers.
    #[n(4)]
    pub time: Time,
    /// HPKE's encapsulated key.
    #[cbor(n(5), with = "minicbor::bytes")]
    pub encapsulated: [u8; 32],
    /// HPKE's ciphertext of `[* [epoch-id, secret]]`.
    #[cbor(n(6), with = "minicbor::bytes")]
    pub sealed: Vec<u8>,
    /// Of `from`, context `grant`.
    #[n(7)]
    pub signature: DeviceSignature,
}

impl Grant {
    /// The most keys in one grant: what fits into its 16 kB.
    pub const MAX_KEYS: usize = 300;
}

device_signed!(Grant, "grant", from);

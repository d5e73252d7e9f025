//! A device asks for keys.

use crate::control::signed::device_signed;
use crate::epoch::{EpochId, RoomTag};
use crate::id::{Community, DeviceKey, DeviceSignature};
use crate::time::Time;
use minicbor::{Decode, Encode};

/// A device asks the others for keys of a room.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct KeyRequest {
    /// Of which community.
    #[n(0)]
    pub community: Community,
    /// Of which room.
    #[n(1)]
    pub room_tag: RoomTag,
    /// Who asks.
    #[n(2)]
    pub device: DeviceKey,
    /// For which epochs, at most [`Self::MAX_WANTED`]; none: for all that it may have.
    #[n(3)]
    pub wanted: Vec<EpochId>,
    /// When.
    #[n(4)]
    pub time: Time,
    /// Of `device`, context `key-request`.
    #[n(5)]
    pub signature: DeviceSignature,
}

impl KeyRequest {
    /// The most epochs named in one request.
    pub const MAX_WANTED: usize = 64;

    pub(super) const fn form(&self) -> Result<(), &'static str> {
        if self.wanted.len() > Self::MAX_WANTED { Err("at most 64 epochs") } else { Ok(()) }
    }
}

device_signed!(KeyRequest, "key-request", device);

//! A device got a key that is not right.

use crate::control::signed::device_signed;
use crate::epoch::{EpochId, RoomTag};
use crate::id::{Community, DeviceKey, DeviceSignature};
use crate::time::Time;
use minicbor::{Decode, Encode};

/// What was sealed to a device as the secret of an epoch is not the one that the epoch's id was
/// made of.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct BadWrap {
    /// Of which community.
    #[n(0)]
    pub community: Community,
    /// Of which room.
    #[n(1)]
    pub room_tag: RoomTag,
    /// Of which epoch.
    #[n(2)]
    pub epoch: EpochId,
    /// Who got it.
    #[n(3)]
    pub device: DeviceKey,
    /// When it noticed.
    #[n(4)]
    pub time: Time,
    /// Of `device`, context `bad-wrap`.
    #[n(5)]
    pub signature: DeviceSignature,
}

device_signed!(BadWrap, "bad-wrap", device);

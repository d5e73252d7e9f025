//! An op that a cut left out.

use crate::control::signed::device_signed;
use crate::epoch::RoomTag;
use crate::id::{Community, DeviceKey, DeviceSignature};
use crate::op::OpId;
use crate::time::Time;
use minicbor::{Decode, Encode};

/// A device holds an op of another one that was cut off, and held it before it knew of that: the op
/// and those before it count too.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct CutHead {
    /// Of which community.
    #[n(0)]
    pub community: Community,
    /// Of which room.
    #[n(1)]
    pub room_tag: RoomTag,
    /// The device that was cut off.
    #[n(2)]
    pub cut: DeviceKey,
    /// Its op.
    #[n(3)]
    pub head: OpId,
    /// Who holds it.
    #[n(4)]
    pub holder: DeviceKey,
    /// When it says so.
    #[n(5)]
    pub time: Time,
    /// Of `holder`, context `cut-head`.
    #[n(6)]
    pub signature: DeviceSignature,
}

impl CutHead {
    pub(super) fn form(&self) -> Result<(), &'static str> {
        if self.holder == self.cut { Err("nobody vouches for itself") } else { Ok(()) }
    }
}

device_signed!(CutHead, "cut-head", holder);

//! The keys of a room, sealed to its devices.

use crate::control::ascend;
use crate::epoch::EpochId;
use crate::id::DeviceKey;
use crate::time::Time;
use minicbor::{Decode, Encode};

/// An epoch's secret, sealed to one device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Wrap {
    /// To whom.
    #[n(0)]
    pub device: DeviceKey,
    /// HPKE's encapsulated key.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub encapsulated: [u8; 32],
    /// HPKE's ciphertext: the secret and the tag.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub sealed: [u8; 48],
}

/// An epoch's secret, sealed to some of its devices. A record names its pages by their ids, so a
/// page needs no signature.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct WrapPage {
    /// Of which epoch.
    #[n(0)]
    pub epoch: EpochId,
    /// When the epoch was made.
    #[n(1)]
    pub time: Time,
    /// One for each device, ascending.
    #[n(2)]
    pub wraps: Vec<Wrap>,
}

impl WrapPage {
    /// The most wraps in a page.
    pub const MAX_WRAPS: usize = 500;

    /// The wrap for a device.
    #[must_use]
    pub fn wrap(&self, device: DeviceKey) -> Option<&Wrap> {
        let place = self.wraps.binary_search_by(|wrap| wrap.device.cmp(&device)).ok()?;
        self.wraps.get(place)
    }

    pub(super) fn form(&self) -> Result<(), &'static str> {
        let full = !self.wraps.is_empty();
        match full && ascend(&self.wraps, Self::MAX_WRAPS, |wrap| wrap.device) {
            true => Ok(()),
            false => Err("1 to 500 wraps, ascending by device"),
        }
    }
}

//! What is known of the devices of one wallet.

use super::{DeviceKey, Devices, OpId, SmallMap};

/// A wallet with devices.
#[derive(Debug, Clone, Default)]
pub(super) struct Person {
    /// What it issued until then is void, in unix seconds; 0 if it never said so.
    pub(super) cutoff: u64,
    pub(super) devices: SmallMap<DeviceKey, Known>,
}

/// What a wallet said of a device.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// In the order of their issue.
    pub(super) certificates: Vec<Vouched>,
    pub(super) revoked: Option<OpId>,
}

/// What counts of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Vouched {
    /// In unix seconds.
    pub(super) issued: u64,
    pub(super) id: OpId,
    /// In unix seconds.
    pub(super) expires: u64,
}

impl Person {
    /// The place of a device, unless there are too many.
    pub(super) fn device(&mut self, device: DeviceKey) -> Option<&mut Known> {
        let room = self.devices.len() < Devices::MAX_OF_WALLET;
        (room || self.devices.contains_key(&device))
            .then(|| self.devices.entry(device).or_default())
    }
}

impl Known {
    /// The most certificates of a device that are kept; more are not taken.
    const MAX_CERTIFICATES: usize = 2048;

    /// Takes a certificate. Returns whether it is new.
    pub(super) fn vouch(&mut self, vouched: Vouched) -> bool {
        let room = self.certificates.len() < Self::MAX_CERTIFICATES;
        let place = self.certificates.binary_search(&vouched).err().filter(|_| room);
        place.into_iter().for_each(|at| self.certificates.insert(at, vouched));
        place.is_some()
    }

    /// Those that were issued after `cutoff`.
    pub(super) fn after(&self, cutoff: u64) -> impl Iterator<Item = &Vouched> {
        self.certificates.iter().filter(move |it| it.issued > cutoff)
    }
}

//! Who is there, and when what goes wrong.

use super::device::Device;
use super::faults::{Fault, Reorg};
use super::town::{Happening, Town};
use chats_core::epoch::Policy;
use rand::Rng;

/// How many times the community falls apart.
const PARTITIONS: u64 = 3;
/// How far the clocks of two devices are apart at most, in milliseconds.
const SKEW: i64 = 300_000;
/// How long a device is away at most, and how often one goes, in milliseconds.
const AWAY: u64 = 90_000;
const KILLED_EVERY: u64 = 200_000;
/// How often a device's link is cut, in milliseconds.
const CUT_EVERY: u64 = 60_000;

impl Town {
    /// How many wallets come later.
    pub(super) const fn newcomers(&self) -> usize {
        self.config.members.div_ceil(10)
    }

    /// Wallets and devices: first one of each wallet, then second ones.
    pub(super) fn settle_in(&mut self) {
        let members = self.config.members;
        let seconds = members.div_ceil(10);
        for number in 0..members + seconds {
            let second = number >= members;
            // The owner has one device, and those who come late too.
            let wallet = if second { number - members + 2 } else { number + 1 };
            let (seed, ahead) = (self.rng.random(), self.rng.random_range(-SKEW / 2..=SKEW / 2));
            // Two are as far apart as clocks may be.
            let ahead = match number {
                1 => SKEW / 2,
                2 => -SKEW / 2,
                _ => ahead,
            };
            let device = Device::new(wallet as u8, seed, ahead);
            self.by_key.insert(device.key, number);
            self.devices.push(device);
        }
        for number in 0..members - self.newcomers() {
            let kind = match number {
                0 => 3,
                1 => 2,
                2 if members >= 10 => 2,
                _ => 1,
            };
            self.chain.change(0, self.devices[number].address, kind);
        }
    }

    fn fault_at(&mut self, at: u64, fault: Fault) {
        self.happen_at(at, Happening::Fault(fault));
    }

    fn between(&mut self, from: f64, to: f64) -> u64 {
        let all = self.config.minutes * 60_000;
        (self.rng.random_range(from..to) * all as f64) as u64
    }

    /// All that goes wrong, apart from what follows from it.
    pub(super) fn plan(&mut self) {
        let (members, end) = (self.config.members, self.config.minutes * 60_000);
        let early = members - self.newcomers();
        for device in 0..early {
            let at = self.within(0, 8000);
            self.fault_at(at, Fault::Open { device });
        }
        let policies = [Policy::OpenHistory, Policy::FromJoin, Policy::OpenHistory];
        let rooms = if members < 10 { 2 } else { 3 };
        for (number, policy) in policies.into_iter().take(rooms).enumerate() {
            let at = self.within(9000, 14_000);
            self.fault_at(at, Fault::Found { number, policy });
        }
        for device in early..members {
            let at = self.between(0.1, 0.6);
            self.fault_at(at, Fault::Seat { device, kind: 1 });
            let at = at.saturating_sub(5000) + self.rng.random_range(0..20_000);
            self.fault_at(at, Fault::Open { device });
        }
        for device in members..self.devices.len() {
            let at = self.between(0.1, 0.6);
            self.fault_at(at, Fault::Open { device });
        }
        let slot = end / PARTITIONS;
        for number in 0..PARTITIONS {
            let at = slot * number + slot / 4 + self.rng.random_range(0..slot / 10);
            let length = slot / 2 + self.rng.random_range(0..slot / 10);
            let parts = self.rng.random_range(2..=3);
            self.fault_at(at, Fault::FallApart { parts, length });
            let reorg = match self.rng.random_range(0..4) {
                0 => Reorg::Swapped,
                1 => Reorg::Later,
                2 => Reorg::Replaced,
                _ => Reorg::Undone,
            };
            let at = at + length / 2 + self.rng.random_range(0..length / 3);
            self.fault_at(at, Fault::Reorg(reorg));
        }
        let at = self.between(0.4, 0.9);
        self.fault_at(at, Fault::Revoke);
        for _ in 0..members.div_ceil(20) {
            let at = self.between(0.2, 0.8);
            self.fault_at(at, Fault::Promote);
        }
        self.often(KILLED_EVERY, |town| {
            let device = town.rng.random_range(0..town.devices.len());
            let away = town.rng.random_range(500..AWAY);
            Fault::Kill { device, away }
        });
        self.often(CUT_EVERY, |_| Fault::Cut);
    }

    /// Has something happen so often for each device.
    fn often(&mut self, every: u64, mut fault: impl FnMut(&mut Self) -> Fault) {
        let end = self.config.minutes * 60_000;
        let pace = every / self.devices.len() as u64;
        let mut at = 20_000;
        while at < end {
            let next = fault(self);
            self.fault_at(at, next);
            at += self.rng.random_range(pace / 2..pace * 3 / 2);
        }
    }
}

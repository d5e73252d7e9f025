//! What a node does before the rooms of its device: it reads the chain, and lets members through.

use super::town::{Happening, Town};
use chats_core::id::Wallet;
use chats_core::rooms::Incoming;
use chats_core::seats::Head;
use rand::Rng;

/// How often the version is asked for, in milliseconds.
const POLL: u64 = 60_000;

impl Town {
    /// Which of the chain's lists a device reads now; never one from before the last it read.
    fn reads(&mut self, device: usize) -> Option<usize> {
        let lag = self.devices[device].lag?;
        let jitter = self.rng.random_range(0..3000);
        let state = self.chain.at(self.now.saturating_sub(lag + jitter));
        let reads = &mut self.devices[device].reads;
        *reads = state.max(*reads);
        Some(*reads)
    }

    /// Whether a device lets another one's wallet through, as far as it has read. Who has no seat
    /// is taken to let all through.
    pub(super) fn lets_through(&self, device: usize, other: usize) -> bool {
        let seats = self.chain.state(self.devices[device].reads);
        let admits = |it: usize| seats.admits(self.devices[it].address, seats.newest());
        !admits(device) || admits(other)
    }

    /// What a device does every few seconds.
    pub(super) fn look_around(&mut self, device: usize) {
        let page = &self.devices[device];
        if page.polled == 0 || page.polled + POLL < self.now || page.told_version == 0 {
            self.devices[device].polled = self.now;
            if let Some(state) = self.reads(device) {
                let version = self.chain.state(state).newest();
                self.hear_version(device, version);
            }
        }
        let gone: Vec<_> = self.devices[device].sessions.keys().copied().collect();
        for other in gone {
            if !self.lets_through(device, other) {
                self.cut_where(|ends| ends.contains(&device) && ends.contains(&other));
            }
        }
        self.find_others(device);
        let (life, at) = (self.devices[device].life, self.within(3000, 6000));
        self.happen_at(at, Happening::Look { device, life });
    }

    /// Somebody speaks of a version: rooms are told when it is a higher one.
    pub(super) fn hear_version(&mut self, device: usize, version: u64) {
        if version > self.devices[device].told_version {
            self.devices[device].told_version = version;
            self.tell(device, Incoming::Version { version });
        }
    }

    pub(super) fn read_changes(&mut self, device: usize, from: u64) {
        let (life, at) = (self.devices[device].life, self.within(50, 1500));
        let Some(state) = self.reads(device) else {
            let incoming = Incoming::NoChanges;
            return self.happen_at(at, Happening::Tell { device, life, incoming });
        };
        let seats = self.chain.state(state);
        let version = seats.newest();
        let rolling = seats.rolling(version).unwrap_or_default();
        let changes = seats.after(from).to_vec();
        let incoming = Incoming::Changes { from, changes, head: Head { version, rolling } };
        self.happen_at(at, Happening::Tell { device, life, incoming });
    }

    pub(super) fn check_access(&mut self, device: usize, wallet: Wallet) {
        let (life, at) = (self.devices[device].life, self.within(50, 900));
        if let Some(state) = self.reads(device) {
            let seats = self.chain.state(state);
            let admitted = seats.admits(wallet, seats.newest());
            let incoming = Incoming::Access { wallet, admitted, cutoff: 0 };
            self.happen_at(at, Happening::Tell { device, life, incoming });
        }
    }
}

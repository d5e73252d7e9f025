//! What goes wrong.

use super::promises::Deed;
use super::town::{Happening, Town};
use chats_core::control::Revoke;
use chats_core::epoch::Policy;
use chats_core::rooms::Action;
use chats_core::seats::Change;
use chats_core::time::Time;
use rand::Rng;

/// What happened on the chain within this time may be taken back, in milliseconds.
const TAKEN_BACK: u64 = 60_000;

/// One member loses the seat in each partition, and one more of so many.
const REMOVED: usize = 25;

/// One thing that goes wrong, or is done.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
    /// A page is opened.
    Open { device: usize },
    /// It is closed in the middle of whatever it does, and opened again later.
    Kill { device: usize, away: u64 },
    /// A link is cut.
    Cut,
    /// The community falls into parts.
    FallApart { parts: u8, length: u64 },
    /// It comes together again.
    Heal,
    /// The owner or a moderator makes a room.
    Found { number: usize, policy: Policy },
    /// A wallet's seat changes.
    Seat { device: usize, kind: u8 },
    /// Somebody's rank changes.
    Promote,
    /// The chain takes blocks back.
    Reorg(Reorg),
    /// What was taken back comes again.
    Again { change: Change },
    /// Somebody writes just now.
    Write { device: usize },
    /// A wallet takes back its word for its second device.
    Revoke,
}

/// What comes in place of the blocks that were taken back.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reorg {
    /// The same changes in another order.
    Swapped,
    /// Nothing at first, the same later.
    Later,
    /// Another change, and then the same.
    Replaced,
    /// Another change alone.
    Undone,
}

impl Town {
    fn in_a_while(&mut self, from: u64, to: u64, fault: Fault) {
        let at = self.within(from, to);
        self.happen_at(at, Happening::Fault(fault));
    }

    pub(super) fn on_fault(&mut self, fault: Fault) {
        if self.config.verbose {
            eprintln!("{:>8}    {fault:?}", self.now);
        }
        match fault {
            Fault::Open { device } => self.open_page(device),
            Fault::Kill { device, away } => {
                if self.devices[device].is_open() {
                    self.kill_page(device);
                    self.in_a_while(away, away + 1000, Fault::Open { device });
                }
            }
            Fault::Cut => self.cut_some(),
            Fault::FallApart { parts, length } => self.fall_apart(parts, length),
            Fault::Heal => self.heal(),
            Fault::Found { number, policy } => self.found(number, policy),
            Fault::Seat { device, kind } => self.seat(device, kind),
            Fault::Promote => {
                let kind = self.rng.random_range(1..=2);
                if let Some(device) = self.somebody() {
                    self.chain.change(self.now, self.devices[device].address, kind);
                }
            }
            Fault::Reorg(reorg) => self.reorg(reorg),
            Fault::Again { change } => self.again(change),
            Fault::Write { device } => self.write(device),
            Fault::Revoke => self.revoke(),
        }
    }

    /// A member with one device, who is no owner and no moderator and has a seat.
    fn somebody(&mut self) -> Option<usize> {
        let (one, other) = (self.config.members.min(4), self.config.members);
        let seats = self.chain.now();
        let devices: Vec<_> = (one - 1..other)
            .filter(|device| {
                let of = |it: &&super::device::Device| it.address == self.devices[*device].address;
                seats.admits(self.devices[*device].address, seats.newest())
                    && self.devices[*device].is_open()
                    && self.devices.iter().filter(of).count() == 1
            })
            .collect();
        (!devices.is_empty()).then(|| devices[self.rng.random_range(0..devices.len())])
    }

    /// Parts that hear nothing of each other; in them a seat is lost of which one part hears late,
    /// and everywhere people write on.
    fn fall_apart(&mut self, parts: u8, length: u64) {
        self.apart = true;
        self.report.faults.partitions += 1;
        for device in 0..self.devices.len() {
            self.devices[device].side = self.rng.random_range(0..parts);
        }
        let sides: Vec<_> = self.devices.iter().map(|device| device.side).collect();
        self.cut_where(|[one, other]| sides[one] != sides[other]);
        let late = self.rng.random_range(0..parts);
        let lag = self.rng.random_bool(0.5).then(|| self.rng.random_range(10_000..length));
        for device in self.devices.iter_mut().filter(|device| device.side == late) {
            device.lag = lag;
        }
        for _ in 0..=self.config.members / REMOVED {
            let Some(victim) = self.somebody() else { break };
            self.in_a_while(1000, length / 8, Fault::Write { device: victim });
            self.in_a_while(1000, length / 8, Fault::Write { device: victim });
            let kind = if self.rng.random_bool(0.5) { 0 } else { 255 };
            self.in_a_while(length / 8, length / 4, Fault::Seat { device: victim, kind });
            // It does not know yet, and writes on.
            self.in_a_while(length / 4, length / 2, Fault::Write { device: victim });
            if self.rng.random_bool(0.4) {
                self.in_a_while(length, 2 * length, Fault::Seat { device: victim, kind: 1 });
            }
        }
        for _ in 0..4 * parts {
            let device = self.rng.random_range(0..self.config.members);
            self.in_a_while(length / 3, length, Fault::Write { device });
        }
        self.in_a_while(length, length + 1, Fault::Heal);
    }

    fn heal(&mut self) {
        self.apart = false;
        for device in &mut self.devices {
            (device.side, device.lag) = (0, Some(0));
        }
    }

    fn found(&mut self, number: usize, policy: Policy) {
        let device = number % 2;
        let name = format!("room {number}");
        let action = Action::CreateRoom { name, policy };
        self.act(device, action, Deed::Found { number, policy });
    }

    fn reorg(&mut self, reorg: Reorg) {
        let seats = self.chain.now();
        let depth = self.chain.changes_since(self.now.saturating_sub(TAKEN_BACK));
        if depth == 0 {
            return;
        }
        let depth = self.rng.random_range(1..=depth.min(3));
        let before = seats.newest() - depth;
        let taken = seats.after(before).to_vec();
        let ever = |wallet| (0..=before).any(|version| seats.admits(wallet, version));
        // Who had no seat before gets it later: what was written with it would be nobody's.
        let first: Vec<_> = taken.iter().copied().filter(|it| !ever(it.account)).collect();
        let other = self.somebody().map(|device| Change {
            account: self.devices[device].address,
            kind: if self.rng.random_bool(0.3) { 0 } else { 2 },
            time: Time(taken[0].time.0),
        });
        let changes: Vec<Change> = match reorg {
            Reorg::Swapped => taken.into_iter().rev().collect(),
            Reorg::Later => {
                self.owed.extend(&taken);
                for change in taken {
                    self.in_a_while(10_000, 30_000, Fault::Again { change });
                }
                Vec::new()
            }
            Reorg::Replaced => other.into_iter().chain(taken).collect(),
            Reorg::Undone => {
                self.owed.extend(&first);
                for change in first {
                    self.in_a_while(10_000, 30_000, Fault::Again { change });
                }
                other.into_iter().collect()
            }
        };
        let (all, apart) = &mut self.report.faults.reorgs;
        *all += 1;
        *apart += u64::from(self.apart);
        self.chain.reorg(self.now, depth, &changes);
    }

    fn seat(&mut self, device: usize, kind: u8) {
        let (address, seats) = (self.devices[device].address, self.chain.now());
        if seats.admits(address, seats.newest()) && matches!(kind, 0 | 255) {
            let (all, apart) = &mut self.report.faults.removals;
            *all += 1;
            *apart += u64::from(self.apart);
        }
        self.chain.change(self.now, address, kind);
    }

    fn again(&mut self, change: Change) {
        if let Some(at) = self.owed.iter().position(|owed| *owed == change) {
            self.owed.remove(at);
            self.chain.change(self.now, change.account, change.kind);
        }
    }

    fn revoke(&mut self) {
        let members = self.config.members;
        let second = self.rng.random_range(members..self.devices.len());
        let wallet = self.devices[second].address;
        let open = |device: &usize| self.devices[*device].is_open();
        let first = (0..members).find(|device| self.devices[*device].address == wallet);
        let Some(first) = first.filter(open) else { return };
        let (time, device) = (Time::from_secs(self.clock(first).secs()), self.devices[second].key);
        let signature = self.devices[first].wallet.sign(&Revoke::text(wallet, device, time));
        let signature = signature.try_into().expect("65 bytes");
        let revoke = Revoke { wallet, device, time, signature };
        self.promises.revoked.entry(device).or_insert(self.now);
        self.act(first, Action::Revoke { revoke }, Deed::Other);
    }

    /// All that goes wrong is over: everybody who has a seat comes, and every device is approved.
    pub(super) fn end_faults(&mut self) {
        self.quiet = true;
        self.heal();
        for change in self.owed.clone() {
            self.again(change);
        }
        // Nobody can tell a list that is shorter for good from an endpoint that lags.
        let longest = self.chain.longest();
        while self.chain.now().newest() <= longest {
            let (moderator, now) = (self.devices[1].address, self.now);
            self.chain.change(now, moderator, 2);
        }
        for device in 0..self.devices.len() {
            let seats = self.chain.now();
            if seats.admits(self.devices[device].address, seats.newest()) {
                self.open_page(device);
            }
        }
        for second in self.config.members..self.devices.len() {
            let device = self.devices[second].key;
            if !self.promises.revoked.contains_key(&device) {
                self.act(0, Action::Approve { device }, Deed::Other);
            }
        }
    }
}

//! The contract's list of changes, which may be replaced by another one.

use chats_core::fixtures::{NOW, next_rolling};
use chats_core::id::Wallet;
use chats_core::seats::{Change, Head, Seats};
use chats_core::time::Duration;
use std::collections::BTreeSet;

/// Each list that the chain ever had, and since when.
#[derive(Debug, Default)]
pub(super) struct Chain {
    states: Vec<(u64, Seats)>,
    /// Whose changes were taken back or came in place of others: since or until which version they
    /// have a seat is another then, also for what was written before.
    moved: BTreeSet<Wallet>,
}

impl Chain {
    /// The list that it has now.
    pub(super) fn now(&self) -> &Seats {
        self.state(self.states.len() - 1)
    }

    pub(super) fn state(&self, index: usize) -> &Seats {
        &self.states[index].1
    }

    /// Which list it had at a moment.
    pub(super) fn at(&self, moment: u64) -> usize {
        self.states.partition_point(|(since, _)| *since <= moment).saturating_sub(1)
    }

    /// A list that has this digest at this version.
    pub(super) fn find(&self, version: u64, rolling: [u8; 32]) -> Option<usize> {
        self.states.iter().position(|(_, seats)| seats.rolling(version) == Some(rolling))
    }

    /// Somebody's role changes.
    pub(super) fn change(&mut self, now: u64, account: Wallet, kind: u8) {
        let change = Change { account, kind, time: NOW + Duration::from_millis(now) };
        self.replace(now, u64::MAX, &[change]);
    }

    /// Blocks are taken back: these changes stand in place of the last `depth`.
    pub(super) fn reorg(&mut self, now: u64, depth: u64, changes: &[Change]) {
        let from = self.now().newest().saturating_sub(depth);
        let taken = self.now().after(from).to_vec();
        self.moved.extend(taken.iter().chain(changes).map(|change| change.account));
        self.replace(now, from, changes);
    }

    fn replace(&mut self, now: u64, from: u64, changes: &[Change]) {
        let mut seats = self.states.last().map(|(_, seats)| seats.clone()).unwrap_or_default();
        let from = from.min(seats.newest());
        let mut rolling = seats.rolling(from).expect("a version of the list");
        let mut version = from;
        for change in changes {
            version += 1;
            rolling = next_rolling(rolling, change, version);
        }
        seats.replace(from, changes, Head { version, rolling }).expect("it fits");
        self.states.push((now, seats));
    }

    /// How many of the last changes came after a moment.
    pub(super) fn changes_since(&self, moment: u64) -> u64 {
        let before = self.state(self.at(moment)).newest();
        self.now().newest().saturating_sub(before)
    }

    /// The longest that it ever was.
    pub(super) fn longest(&self) -> u64 {
        self.states.iter().map(|(_, seats)| seats.newest()).max().unwrap_or(0)
    }

    /// Whether a wallet had, in each of the lists from the first that gave it one, a seat of the
    /// same rank.
    pub(super) fn steady(&self, wallet: Wallet) -> bool {
        let roles = self.states.iter().map(|(_, seats)| seats.role(wallet, seats.newest()));
        let mut roles = roles.skip_while(|role| !role.is_some_and(|it| it.admits()));
        let first = roles.next();
        let same = first.is_some() && roles.all(|role| Some(role) == first);
        same && !self.moved.contains(&wallet)
    }

    /// Whether a wallet had a seat in one of the lists from this one on.
    pub(super) fn seated_since(&self, index: usize, wallet: Wallet) -> bool {
        let later = self.states.iter().skip(index);
        later.map(|(_, seats)| seats).any(|seats| seats.admits(wallet, seats.newest()))
    }

    /// When a wallet that once had a seat first had none. At the start, if that was taken back:
    /// nobody can say then what it wrote with a seat.
    pub(super) fn first_lost(&self, wallet: Wallet) -> Option<u64> {
        if self.moved.contains(&wallet) {
            return Some(0);
        }
        let admits = |seats: &Seats| seats.admits(wallet, seats.newest());
        let mut states = self.states.iter().skip_while(|(_, seats)| !admits(seats));
        states.find(|(_, seats)| !admits(seats)).map(|(since, _)| *since)
    }
}

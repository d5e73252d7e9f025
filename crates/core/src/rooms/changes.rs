//! When the community's list of changes is read.
//!
//! It is read when somebody speaks of a version that is not known here, when a record tells of
//! another list than the one that is known, and every now and then: a chain that takes blocks back
//! may end up with another list of the same length, of which no version speaks.

use super::restore::{name, named};
use super::{Outgoing, Rooms};
use crate::control::EpochRecord;
use crate::epoch::RoomTag;
use crate::history::Position;
use crate::id::Wallet;
use crate::seats::{Change, Head, Seats, SeatsError};
use crate::small::SmallSet;
use crate::store::{Batch, RowKind};
use crate::time::{Duration, Time};
use crate::wire;
use zeroize::Zeroizing;

/// How long after a reading it is read again although nobody speaks of news, at least, and how much
/// later at most.
const AGAIN: (Duration, Duration) = (Duration::from_secs(600), Duration::from_secs(300));
/// The same if a record tells of another list.
const DOUBT: Duration = Duration::from_secs(30);
/// How long after a reading that failed or told of nothing new, and how often that doubles.
const FAILED: (Duration, u32) = (Duration::from_secs(2), 5);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Reread {
    under_way: bool,
    /// The newest version of the seats that anybody spoke of.
    spoken_of: u64,
    /// A record tells of another list.
    doubt: bool,
    /// When it was last read.
    read: Time,
    /// When it is read again in any case.
    due: Option<Time>,
    failures: u32,
}

impl Reread {
    /// The community has this version at least.
    pub(super) fn hear(&mut self, version: u64) {
        self.spoken_of = self.spoken_of.max(version);
    }

    /// A record tells of another list than is known here.
    pub(super) const fn doubt(&mut self) {
        self.doubt = true;
    }

    /// Whether there may be another list than the one that is known here.
    pub(super) const fn is_doubted(&self) -> bool {
        self.doubt || self.under_way
    }

    /// The endpoints know of this version. If somebody spoke of a later one they lag behind it: they
    /// are asked again, until it is more likely that there is no such version any more.
    const fn compare(&mut self, read: u64) {
        if self.spoken_of > read && self.failures <= FAILED.1 {
            self.failures += 1;
        } else {
            (self.spoken_of, self.failures) = (read, 0);
        }
    }

    /// When it is read next, if `known` is the newest version known.
    fn at(&self, known: u64) -> Option<Time> {
        if self.under_way {
            return None;
        }
        let after = |wanted: bool, pause: Duration| wanted.then(|| self.read + pause);
        let failed = FAILED.0 * (1 << self.failures.min(FAILED.1));
        let news =
            after(self.spoken_of > known, if self.failures > 0 { failed } else { Duration::ZERO });
        let doubt = after(self.doubt, failed.max(DOUBT));
        [news, doubt, self.due].into_iter().flatten().min()
    }
}

impl Rooms {
    /// When the list of changes is read next.
    pub(super) fn changes_wake_at(&self) -> Option<Time> {
        self.changes.at(self.log.seats.newest())
    }

    /// Asks for the list of changes from a version on, unless that is under way.
    pub(super) fn ask_changes(&mut self, from: u64) {
        if !std::mem::replace(&mut self.changes.under_way, true) {
            self.say(Outgoing::ReadChanges { from });
        }
    }

    /// Reads on if it is time.
    pub(super) fn read_changes(&mut self, now: Time) {
        let known = self.log.seats.newest();
        if self.changes.at(known).is_some_and(|at| at <= now) {
            self.ask_changes(known);
        }
    }

    fn have_read(&mut self, now: Time) {
        let more = u64::try_from(AGAIN.1.as_millis()).unwrap_or(u64::MAX);
        let pause = AGAIN.0 + Duration::from_millis(self.random.below(more));
        let Reread { under_way, read, due, .. } = &mut self.changes;
        (*under_way, *read, *due) = (false, now, Some(now + pause));
    }

    /// The chain could not be read.
    pub(super) fn no_changes(&mut self, now: Time) {
        self.have_read(now);
        self.changes.failures = self.changes.failures.saturating_add(1);
    }

    /// A quorum of endpoints told of changes.
    pub(super) fn changes(&mut self, from: u64, changes: &[Change], head: Head, now: Time) {
        self.have_read(now);
        self.changes.doubt = false;
        let known = self.log.seats.newest();
        let before = (from < known).then(|| self.log.seats.clone());
        match self.log.seats.replace(from, changes, head) {
            Ok(()) => {
                self.changes.compare(head.version);
                self.take_back(before);
                if (from, head.version) != (known, known) {
                    self.keep_changes(from);
                    self.everything_unsettled();
                    self.log.changed = true;
                }
            }
            // Blocks were taken back, or what is kept here is another chain's.
            Err(SeatsError::Digest) if from > 0 => self.ask_changes(0),
            Err(_) if self.is_other(head) => self.ask_changes(0),
            Err(_) => self.changes.compare(known),
        }
    }

    /// Who had a seat by the list before, and never had one by that which is known now, may have
    /// been given keys meanwhile. No change takes that seat away, so this is remembered.
    fn take_back(&mut self, before: Option<Seats>) {
        let Some(before) = before else { return };
        let accounts = before.after(0).iter().map(|change| change.account);
        let seats = &self.log.seats;
        let had = accounts.filter(|it| before.ever(*it) && !seats.ever(*it));
        let had: SmallSet<Wallet> = had.collect();
        for room in self.rooms.values_mut() {
            let kind = room.keyring.kind();
            room.taken_back |= had.iter().any(|it| kind.is_some_and(|kind| kind.includes(*it)));
        }
    }

    /// Notes of which epochs of a room a wallet may have keys whose seat was taken back.
    pub(super) fn note_leak(&mut self, tag: RoomTag) {
        let Some(room) = self.rooms.get_mut(&tag) else { return };
        if !std::mem::take(&mut room.taken_back) {
            return;
        }
        let leaked = room.keyring.sending().map(EpochRecord::position);
        room.leaked = room.leaked.max(leaked);
        if let Some(Position { version, generation }) = room.leaked {
            let value = Zeroizing::new(wire::encode(&(version, generation)));
            let mut batch = Batch::default();
            batch.put(RowKind::Meta, &named(name::LEAKED, &[&tag.0]), value);
            self.disk.commit(batch, Vec::new(), true);
        }
    }

    /// Whether a list that is shorter than the one known here is no part of it.
    fn is_other(&self, head: Head) -> bool {
        self.log.seats.rolling(head.version).is_some_and(|rolling| rolling != head.rolling)
    }
}

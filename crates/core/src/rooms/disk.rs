//! What is asked of the store, and why; one commit after the other.

use super::Output;
use crate::epoch::RoomTag;
use crate::id::DeviceKey;
use crate::op::OpId;
use crate::small::SmallMap;
use crate::store::{Batch, Request, RowKind, SetId, StoreError};
use crate::sync::Ticket;
use crate::time::{Duration, Time};
use std::collections::VecDeque;

/// Commits that wait are made one as long as they have at most this many changes.
const MERGED: usize = 1024;
/// How long until a commit that failed is tried again, and how often that doubles.
const AGAIN: (Duration, u32) = (Duration::from_secs(1), 6);
/// Commits that may wait when one of others' items fails, so that it is tried again, and when more of
/// those are taken; what comes after is not kept, and is fetched again.
const MAX_WAITING: usize = 64;

/// Why something is read.
#[derive(Debug)]
pub(super) enum Read {
    /// At the start: rows of a kind.
    Rows(RowKind),
    /// At the start: which sets there are.
    Sets,
    /// At the start: the ids in a set.
    Entries(SetId),
    /// At the start: the control log, newest first.
    Control,
    /// At the start: a room, newest first.
    Room(RoomTag),
    /// Pages on which keys may be.
    Pages,
    /// Ops that may be opened now, or whose time has come.
    Again(RoomTag),
    /// What is to be shown.
    Words(RoomTag),
    /// Ops whose bodies need not be kept.
    Spent(RoomTag),
    /// What goes into a backup.
    Export,
    /// What was found damaged.
    Damage,
    /// What another device asked for.
    Sync(Ticket, Vec<OpId>),
}

/// What follows when something is on disk.
#[derive(Debug, Clone)]
pub(super) enum Then {
    /// An op or item of our own may go out.
    Own { set: SetId, id: OpId, bytes: Vec<u8> },
    /// An action was carried out.
    Acted { number: u64, room: Option<RoomTag> },
    /// A session is to hear of it.
    Synced { ticket: Ticket, set: SetId, ids: Vec<OpId>, invalid: usize },
    /// It came live; if from its author, that is to be told.
    Live { set: SetId, id: OpId, tell: Option<DeviceKey> },
}

impl Then {
    /// What follows if no session waits for it any more.
    fn without_session(self) -> Vec<Self> {
        match self {
            Self::Synced { set, ids, .. } => {
                ids.into_iter().map(|id| Self::Live { set, id, tell: None }).collect()
            }
            other => vec![other],
        }
    }
}

#[derive(Debug)]
struct Commit {
    batch: Batch,
    then: Vec<Then>,
    /// It has what nobody else has: it is tried until it is done.
    own: bool,
}

/// The store, as seen from here.
#[derive(Debug, Default)]
pub(super) struct Disk {
    tickets: Ticket,
    reads: SmallMap<Ticket, Read>,
    waiting: VecDeque<Commit>,
    /// The commit that is being made; its changes too, as it may have to be tried again.
    under_way: Option<(Ticket, Commit)>,
    failures: u32,
    retry_at: Option<Time>,
}

/// What came of a commit.
#[derive(Debug)]
pub(super) enum Outcome {
    Done(Vec<Then>),
    /// It failed. Unless too much waits, it is tried again.
    Failed(Vec<Then>, StoreError),
}

impl Disk {
    fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        self.tickets
    }

    pub(super) fn read(&mut self, why: Read, request: Request, out: &mut VecDeque<Output>) {
        let ticket = self.ticket();
        self.reads.insert(ticket, why);
        out.push_back(Output::Store { ticket, request });
    }

    /// Why this was read, if it was.
    pub(super) fn was_read(&mut self, ticket: Ticket) -> Option<Read> {
        self.reads.remove(&ticket)
    }

    /// Whether more of others' items may be given to [`Self::commit`].
    pub(super) fn has_room(&self) -> bool {
        self.waiting.len() < MAX_WAITING
    }

    /// Has changes made after all that were given before.
    pub(super) fn commit(&mut self, mut batch: Batch, then: Vec<Then>, own: bool) {
        while batch.changes.len() + batch.rows.len() > MERGED {
            let changes: Vec<_> =
                batch.changes.drain(..batch.changes.len().min(MERGED / 2)).collect();
            let rows = batch.rows.drain(..batch.rows.len().min(MERGED / 2)).collect();
            self.waiting.push_back(Commit {
                batch: Batch { changes, rows },
                then: Vec::new(),
                own,
            });
        }
        let size = |batch: &Batch| batch.changes.len() + batch.rows.len();
        match self.waiting.back_mut() {
            Some(last) if last.own == own && size(&last.batch) + size(&batch) <= MERGED => {
                last.batch.changes.extend(batch.changes);
                last.batch.rows.extend(batch.rows);
                last.then.extend(then);
            }
            _ => self.waiting.push_back(Commit { batch, then, own }),
        }
    }

    /// Begins the next commit, if none is being made.
    pub(super) fn advance(&mut self, now: Time, out: &mut VecDeque<Output>) {
        if self.under_way.is_some() || self.retry_at.is_some_and(|at| at > now) {
            return;
        }
        self.retry_at = None;
        let Some(commit) = self.waiting.pop_front() else { return };
        let ticket = self.ticket();
        let batch = commit.batch.clone();
        self.under_way = Some((ticket, commit));
        out.push_back(Output::Store { ticket, request: Request::Commit(batch) });
    }

    /// The store answered to a commit.
    pub(super) fn committed(
        &mut self,
        ticket: Ticket,
        result: Result<(), StoreError>,
        now: Time,
    ) -> Option<Outcome> {
        let (_, mut commit) = self.under_way.take_if(|(made, _)| *made == ticket)?;
        Some(match result {
            Ok(()) => {
                self.failures = 0;
                Outcome::Done(commit.then)
            }
            // What came from others is shown already, and may be had from nobody else later.
            Err(error) if commit.own || self.has_room() => {
                let wait = AGAIN.0 * (1 << self.failures.min(AGAIN.1));
                self.failures = self.failures.saturating_add(1);
                self.retry_at = Some(now + wait);
                let then = commit.then.clone();
                commit.then = commit.then.into_iter().flat_map(Then::without_session).collect();
                self.waiting.push_front(commit);
                Outcome::Failed(then, error)
            }
            Err(error) => Outcome::Failed(commit.then, error),
        })
    }

    /// Tries again at once what failed.
    pub(super) const fn retry(&mut self) {
        self.retry_at = None;
    }

    pub(super) fn wake_at(&self) -> Option<Time> {
        self.retry_at.filter(|_| self.under_way.is_none())
    }
}

//! The ops of one room: which are held, who follows whom, and which of them count.
//!
//! The set only grows, and its order is that of the ids. What counts is a function of the set and
//! of what the [`Judge`] knows, never of the order in which things arrived.

use crate::access::Role;
use crate::epoch::EpochId;
use crate::id::{DeviceKey, Wallet};
use crate::op::{MAX_PARENTS, OpId};
use crate::time::Time;
use std::collections::{BTreeMap, BTreeSet};

mod judgement;

pub use judgement::{Cut, Judge, Position, Reason, Verdict};

/// What an op's header says, apart from its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// Who wrote it.
    pub device: DeviceKey,
    /// How many the device wrote in this room before it.
    pub sequence: u64,
    /// The one before.
    pub previous: Option<OpId>,
    /// Under which epoch it is sealed.
    pub epoch: EpochId,
    /// The number of its content's type.
    pub content_type: u16,
}

/// An op as it is kept; devices and epochs are numbers, since they repeat.
#[derive(Debug, Clone, Copy)]
struct Held {
    previous: Option<OpId>,
    sequence: u64,
    device: u32,
    epoch: u32,
    content_type: u16,
}

/// A device that wrote here.
#[derive(Debug, Clone, Copy)]
struct Writer {
    key: DeviceKey,
    /// Its op with the highest sequence number, the greatest id among equals.
    last: (u64, OpId),
    /// Its first op, of those that name none before.
    first: Option<OpId>,
    forked: bool,
}

/// The ops of one room.
#[derive(Debug, Default)]
pub struct History {
    ops: BTreeMap<OpId, Held>,
    /// For an op, held or not, and a writer: the first of its ops to name that as the one before.
    successors: BTreeMap<(OpId, u32), OpId>,
    /// Ops that no other names, as parent or as the one before.
    heads: BTreeSet<OpId>,
    /// Ops that are named as parents and not held.
    missing: BTreeSet<OpId>,
    writers: Vec<Writer>,
    epochs: Vec<EpochId>,
}

impl History {
    /// The most ops named as parents and not held that are remembered.
    const MAX_MISSING: usize = 4096;

    /// How many are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ops.len()
    }

    /// Whether none is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    /// Whether this one is.
    #[must_use]
    pub fn holds(&self, id: OpId) -> bool {
        self.ops.contains_key(&id)
    }

    /// Those held, in the order of the room.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = OpId> {
        self.ops.keys().copied()
    }

    /// What the header of a held op says.
    #[must_use]
    pub fn fact(&self, id: OpId) -> Option<Fact> {
        let held = self.ops.get(&id)?;
        Some(Fact {
            device: self.writer(held)?.key,
            sequence: held.sequence,
            previous: held.previous,
            epoch: *self.epochs.get(usize::try_from(held.epoch).ok()?)?,
            content_type: held.content_type,
        })
    }

    /// Whether a held op of this device, the next one by its number, names `id` as the one before:
    /// then what `id` says is what the device signed, and its own signature need not be checked.
    /// Whoever adds many does well to begin with the newest.
    #[must_use]
    pub fn vouched(&self, id: OpId, device: DeviceKey, sequence: u64) -> bool {
        let number = self.writers.iter().position(|writer| writer.key == device);
        number
            .and_then(|number| u32::try_from(number).ok())
            .and_then(|number| self.successors.get(&(id, number)))
            .and_then(|next| self.ops.get(next))
            .is_some_and(|next| sequence.checked_add(1) == Some(next.sequence))
    }

    /// Takes an op whose signature was checked, or which is [vouched for](Self::vouched). `false`
    /// if it is held already.
    pub fn add(&mut self, id: OpId, fact: &Fact, parents: &[OpId]) -> bool {
        if self.holds(id) {
            return false;
        }
        let device = self.note_writer(id, fact);
        let epoch = position(&mut self.epochs, |epoch| *epoch == fact.epoch, fact.epoch);
        let held = Held {
            previous: fact.previous,
            sequence: fact.sequence,
            device,
            epoch,
            content_type: fact.content_type,
        };
        self.ops.insert(id, held);
        if let Some(previous) = fact.previous {
            self.heads.remove(&previous);
            let before = *self.successors.entry((previous, device)).or_insert(id);
            if before != id {
                self.note_fork(device);
            }
        }
        for named in parents.iter().take(MAX_PARENTS) {
            self.heads.remove(named);
            if !self.holds(*named) && self.missing.len() < Self::MAX_MISSING {
                self.missing.insert(*named);
            }
        }
        if !self.missing.remove(&id) && self.successors_of(id).next().is_none() {
            self.heads.insert(id);
        }
        true
    }

    /// What a new op names as its parents: the newest ops that no other names.
    #[must_use]
    pub fn heads(&self) -> Vec<OpId> {
        let mut heads: Vec<_> = self.heads.iter().rev().take(MAX_PARENTS).copied().collect();
        heads.reverse();
        heads
    }

    /// The number and the predecessor of the next op of a device.
    #[must_use]
    pub fn next_of(&self, device: DeviceKey) -> (u64, Option<OpId>) {
        self.writers.iter().find(|writer| writer.key == device).map_or((0, None), |writer| {
            let (sequence, id) = writer.last;
            (sequence.saturating_add(1), Some(id))
        })
    }

    /// All devices that wrote here.
    pub fn writers(&self) -> impl Iterator<Item = DeviceKey> {
        self.writers.iter().map(|writer| writer.key)
    }

    /// The last ops of a device that count and are neither `heads` nor followed by them, one for
    /// each branch if it forked: at most as many as a cut names, the newest first. What does not
    /// count may follow them.
    #[must_use]
    pub fn last_beyond(
        &self,
        device: DeviceKey,
        heads: &[OpId],
        counts: &dyn Fn(OpId) -> bool,
    ) -> Vec<OpId> {
        let Some(number) = self.writers.iter().position(|writer| writer.key == device) else {
            return Vec::new();
        };
        let is_its = |held: &Held| usize::try_from(held.device).is_ok_and(|it| it == number);
        let (mut reached, mut last) = (self.reached(heads), Vec::new());
        for (id, _) in self.ops.iter().rev().filter(|(_, held)| is_its(held)) {
            if last.len() >= MAX_PARENTS {
                break;
            }
            if !reached.contains(id) && counts(*id) {
                last.push(*id);
                self.reach(*id, &mut reached);
            }
        }
        last
    }

    /// Devices that wrote two ops after the same one.
    pub fn forked(&self) -> impl Iterator<Item = DeviceKey> {
        self.writers.iter().filter(|writer| writer.forked).map(|writer| writer.key)
    }

    /// Which ops of a device count although it is cut off: the named ones, and those that they
    /// follow.
    fn reached(&self, heads: &[OpId]) -> BTreeSet<OpId> {
        let mut reached = BTreeSet::new();
        heads.iter().for_each(|head| self.reach(*head, &mut reached));
        reached
    }

    fn reach(&self, from: OpId, reached: &mut BTreeSet<OpId>) {
        let mut next = Some(from);
        while let Some(id) = next.filter(|id| reached.insert(*id)) {
            next = self.ops.get(&id).and_then(|held| held.previous);
        }
    }

    fn writer(&self, held: &Held) -> Option<&Writer> {
        self.writers.get(usize::try_from(held.device).ok()?)
    }

    /// Counts an op as its writer's; gives the writer's number.
    fn note_writer(&mut self, id: OpId, fact: &Fact) -> u32 {
        let last = (fact.sequence, id);
        let new = Writer { key: fact.device, last, first: None, forked: false };
        let number = position(&mut self.writers, |writer| writer.key == fact.device, new);
        let index = usize::try_from(number).unwrap_or_default();
        if let Some(writer) = self.writers.get_mut(index) {
            writer.last = writer.last.max(last);
            if fact.previous.is_none() {
                writer.forked |= writer.first.is_some();
                writer.first.get_or_insert(id);
            }
        }
        number
    }

    fn note_fork(&mut self, device: u32) {
        let index = usize::try_from(device).unwrap_or_default();
        self.writers.get_mut(index).into_iter().for_each(|writer| writer.forked = true);
    }

    fn successors_of(&self, id: OpId) -> impl Iterator<Item = OpId> {
        self.successors.range((id, 0)..=(id, u32::MAX)).map(|(_, next)| *next)
    }
}

/// The place of what `is_it` finds, or of `new` at the end.
fn position<T>(all: &mut Vec<T>, is_it: impl Fn(&T) -> bool, new: T) -> u32 {
    let found = all.iter().position(is_it).unwrap_or_else(|| {
        all.push(new);
        all.len() - 1
    });
    u32::try_from(found).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;

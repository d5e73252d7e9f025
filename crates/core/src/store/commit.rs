//! Batches on their way to the disk.

use super::read::row_key;
use super::segment::{Segment, key};
use super::{
    Backend, Batch, Change, Durability, Entry, Inner, Item, MAX_BATCH, MAX_CHANGES, MAX_ITEM,
    MAX_ITEMS, MAX_NAME, MAX_VALUE, RowKind, SEGMENT_BYTES, SEGMENT_ITEMS, SetId, State,
    StoreError, Table, Write,
};
use crate::op::OpId;
use crate::small::SmallSet;

impl<B: Backend> Inner<B> {
    pub(super) async fn commit(&mut self, batch: Batch) -> Result<(), StoreError> {
        batch.check()?;
        let kept: usize = self.sets.values().map(super::Set::len).sum();
        if kept + batch.appended() > MAX_ITEMS {
            return Err(StoreError::Full);
        }
        let durability = batch.durability();
        let Batch { mut changes, rows } = batch;
        changes.sort_by_key(|(set, _)| *set);

        // From here on memory is ahead of the disk. If this does not come to its end, by an error
        // or because nobody waits for it any more, all is read anew.
        self.stale = true;
        let mut touched = SmallSet::new();
        let mut changes = changes.into_iter().peekable();
        while let Some((set, first)) = changes.next() {
            let mut own = vec![first];
            while let Some((_, change)) = changes.next_if(|(next, _)| *next == set) {
                own.push(change);
            }
            self.change(set, own).await?;
            touched.insert(set);
        }
        // Repairs are of what was on disk before.
        let mut writes = self.repairs.clone();
        for set in touched {
            self.write_set(set, &mut writes);
        }
        let format = self.format();
        for row in rows {
            let key = row_key(row.kind, &row.name);
            let value = row.value.map(|value| self.sealer.seal(format, Table::Rows, &key, &value));
            writes.push(Write { table: Table::Rows, key, value });
        }
        if !writes.is_empty() {
            self.backend.write(writes, durability).await?;
        }
        self.repairs.clear();
        self.stale = false;
        Ok(())
    }

    /// Makes the changes to a set in memory.
    async fn change(&mut self, id: SetId, changes: Vec<Change>) -> Result<(), StoreError> {
        let set = self.sets.entry(id).or_default();
        let (mut fresh, mut others) = (Vec::new(), Vec::new());
        for change in changes {
            match change {
                Change::Append { id, bytes, state, received } => {
                    let size = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
                    fresh.push(Item { entry: Entry { id, received, state, size }, bytes });
                }
                other => others.push(other),
            }
        }
        fresh.sort_by_key(|item| item.entry.id);
        fresh.dedup_by_key(|item| item.entry.id);
        fresh.retain(|item| match set.find(&item.entry.id) {
            None => true,
            Some((at, slot)) => match set.segments.get_mut(at) {
                Some(segment) if item.entry.size > 0 && segment.is_stub(slot) => {
                    segment.remove(slot);
                    true
                }
                _ => false,
            },
        });
        let to_open = set.rewritten(&others);
        self.open_bodies(id, to_open).await?;
        let set = self.sets.entry(id).or_default();
        for change in others {
            let id = *change.id();
            if let Ok(at) = fresh.binary_search_by_key(&id, |item| item.entry.id) {
                change_fresh(&mut fresh, at, change);
            } else if let Some((at, slot)) = set.find(&id)
                && let Some(segment) = set.segments.get_mut(at)
            {
                segment.change(slot, change);
            }
        }
        if fresh.is_empty() {
            return Ok(());
        }
        // Large items have segments of their own.
        let (large, mut fresh): (Vec<_>, Vec<_>) =
            fresh.into_iter().partition(|item| item.bytes.len() > SEGMENT_BYTES / 2);
        set.append(large);
        let small = || set.segments.iter().filter(|segment| segment.is_small());
        let items = fresh.len() + small().map(|segment| segment.entries.len()).sum::<usize>();
        let bytes = fresh.iter().map(|item| item.bytes.len()).sum::<usize>()
            + small().map(Segment::size).sum::<usize>();
        if items >= SEGMENT_ITEMS || bytes >= SEGMENT_BYTES {
            let numbers: SmallSet<u32> = small().map(|segment| segment.number).collect();
            self.open_bodies(id, numbers.iter().copied().collect()).await?;
            let set = self.sets.entry(id).or_default();
            for number in numbers {
                if let Some(segment) = set.segment_mut(number) {
                    fresh.extend(segment.empty());
                }
            }
            fresh.sort_unstable_by_key(|item| item.entry.id);
        }
        self.sets.entry(id).or_default().append(fresh);
        Ok(())
    }

    /// Reads the bodies of these segments into memory.
    async fn open_bodies(
        &mut self,
        id: SetId,
        mut numbers: SmallSet<u32>,
    ) -> Result<(), StoreError> {
        let Some(set) = self.sets.get_mut(&id) else { return Ok(()) };
        numbers.retain(|number| match set.segment_mut(*number) {
            Some(segment) if segment.bytes.is_none() => {
                let without = segment.size() == 0;
                if without {
                    segment.bytes = Some(vec![Vec::new(); segment.entries.len()]);
                }
                !without
            }
            _ => false,
        });
        if numbers.is_empty() {
            return Ok(());
        }
        let bodies = self.bodies(id, numbers).await?;
        let set = self.sets.entry(id).or_default();
        for (number, bytes) in bodies {
            if let Some(segment) = set.segment_mut(number) {
                segment.bytes = Some(bytes);
            }
        }
        Ok(())
    }

    /// Seals what has changed in a set.
    fn write_set(&mut self, id: SetId, writes: &mut Vec<Write>) {
        let format = self.format();
        let Some(set) = self.sets.get_mut(&id) else { return };
        for segment in set.segments.iter_mut() {
            let bytes = segment.bytes.take();
            if !std::mem::take(&mut segment.changed) {
                continue;
            }
            let key = key(id, segment.number);
            let index = (!segment.entries.is_empty())
                .then(|| self.sealer.seal(format, Table::Index, &key, &segment.encode()));
            if bytes.is_some() || segment.size() == 0 {
                let body = bytes.unwrap_or_default().concat();
                let body = (!body.is_empty())
                    .then(|| self.sealer.seal(format, Table::Bodies, &key, &body));
                writes.push(Write { table: Table::Bodies, key: key.clone(), value: body });
            }
            writes.push(Write { table: Table::Index, key, value: index });
        }
        set.segments.retain(|segment| !segment.entries.is_empty());
    }
}

fn change_fresh(fresh: &mut Vec<Item>, at: usize, change: Change) {
    let Some(item) = fresh.get_mut(at) else { return };
    match change {
        Change::State { state, .. } => item.entry.state = state,
        Change::Shrink { bytes, .. } if item.entry.size > 0 => {
            item.entry.size = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            item.bytes = bytes;
        }
        Change::Drop { .. } => {
            fresh.remove(at);
        }
        Change::Shrink { .. } | Change::Append { .. } => {}
    }
}

impl Change {
    const fn id(&self) -> &OpId {
        match self {
            Self::Append { id, .. }
            | Self::State { id, .. }
            | Self::Shrink { id, .. }
            | Self::Drop { id } => id,
        }
    }

    const fn bytes(&self) -> usize {
        match self {
            Self::Append { bytes, .. } | Self::Shrink { bytes, .. } => bytes.len(),
            Self::State { .. } | Self::Drop { .. } => 0,
        }
    }
}

impl super::Set {
    /// The segments whose bodies these changes rewrite. Those that lose all their items need not
    /// be read for it.
    fn rewritten(&self, changes: &[Change]) -> SmallSet<u32> {
        let mut rewritten = SmallSet::new();
        let mut dropped: Vec<(u32, OpId)> = Vec::new();
        for change in changes {
            if let Some((at, slot)) = self.find(change.id())
                && let Some(segment) = self.segments.get(at)
                && !segment.is_stub(slot)
            {
                match change {
                    Change::Shrink { .. } => {
                        rewritten.insert(segment.number);
                    }
                    Change::Drop { id } => dropped.push((segment.number, *id)),
                    Change::State { .. } | Change::Append { .. } => {}
                }
            }
        }
        dropped.sort_unstable();
        dropped.dedup();
        for same in dropped.chunk_by(|(a, _), (b, _)| a == b) {
            if let Some((number, _)) = same.first()
                && let Some(segment) = self.segment(*number)
                && same.len() < segment.entries.iter().filter(|entry| entry.size > 0).count()
            {
                rewritten.insert(*number);
            }
        }
        rewritten
    }
}

impl Segment {
    /// Whether nothing but the entry is left of an item.
    fn is_stub(&self, slot: usize) -> bool {
        self.entries.get(slot).is_none_or(|entry| entry.size == 0)
    }

    fn change(&mut self, slot: usize, change: Change) {
        let Some(entry) = self.entries.get_mut(slot) else { return };
        match change {
            Change::State { state, .. } => {
                self.changed |= entry.state != state;
                entry.state = state;
            }
            Change::Shrink { bytes, .. } => {
                let own = self.bytes.as_mut().and_then(|all| all.get_mut(slot));
                if let Some(own) = own
                    && entry.size > 0
                {
                    self.changed = true;
                    entry.size = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
                    *own = bytes;
                }
            }
            Change::Drop { .. } => self.remove(slot),
            Change::Append { .. } => {}
        }
    }

    /// Takes all items out.
    fn empty(&mut self) -> Vec<Item> {
        let Some(bytes) = self.bytes.take() else { return Vec::new() };
        self.changed = true;
        let entries = std::mem::take(&mut self.entries);
        entries.into_iter().zip(bytes).map(|(entry, bytes)| Item { entry, bytes }).collect()
    }
}

impl Batch {
    /// How many items it may add.
    fn appended(&self) -> usize {
        let appended = |(_, change): &&(SetId, Change)| matches!(change, Change::Append { .. });
        self.changes.iter().filter(appended).count()
    }

    /// Strict if something in it is nowhere else.
    fn durability(&self) -> Durability {
        let own = |(_, change): &(SetId, Change)| {
            matches!(change, Change::Append { state: State::Queued, .. })
        };
        let rows = self.rows.iter().any(|row| row.kind != RowKind::Meta);
        if rows || self.changes.iter().any(own) { Durability::Strict } else { Durability::Relaxed }
    }

    fn check(&self) -> Result<(), StoreError> {
        let values = self.rows.iter().map(|row| row.value.as_ref().map_or(0, |value| value.len()));
        let items = self.changes.iter().map(|(_, change)| change.bytes());
        let all = values.clone().sum::<usize>() + items.clone().sum::<usize>();
        let names = self.rows.iter().map(|row| row.name.len());
        let bounds = [
            ("changes in a batch", self.changes.len() + self.rows.len(), MAX_CHANGES),
            ("bytes in a batch", all, MAX_BATCH),
            ("bytes in an item", items.max().unwrap_or_default(), MAX_ITEM),
            ("bytes in a row", values.max().unwrap_or_default(), MAX_VALUE),
            ("bytes in the name of a row", names.max().unwrap_or_default(), MAX_NAME),
        ];
        match bounds.into_iter().find(|(_, found, limit)| found > limit) {
            Some((what, _, limit)) => Err(StoreError::TooMuch { what, limit }),
            None => Ok(()),
        }
    }
}

//! Reading items and rows.

use super::schema::behind;
use super::segment::key;
use super::{Backend, Damage, Entry, Inner, Item, Row, RowKind, SetId, StoreError, Table, Write};
use crate::op::OpId;
use crate::small::{SmallMap, SmallSet};
use zeroize::Zeroizing;

impl<B: Backend> Inner<B> {
    pub(super) fn entries(&self, set: SetId, after: Option<OpId>, limit: usize) -> Vec<Entry> {
        let set = self.sets.get(&set);
        let selected = set.map(|set| set.select(after, limit, false)).unwrap_or_default();
        selected.into_iter().map(|(entry, _)| entry).collect()
    }

    pub(super) async fn load(&mut self, set: SetId, ids: &[OpId]) -> Result<Vec<Item>, StoreError> {
        let wanted = self.sets.get(&set).map(|index| {
            let places = ids.iter().filter_map(|id| index.find(id));
            let found = places.filter_map(|(at, slot)| {
                let segment = index.segments.get(at)?;
                Some((*segment.entries.get(slot)?, segment.number))
            });
            found.collect()
        });
        self.items(set, wanted.unwrap_or_default()).await
    }

    pub(super) async fn newest(
        &mut self,
        set: SetId,
        before: Option<OpId>,
        limit: usize,
    ) -> Result<Vec<Item>, StoreError> {
        loop {
            let wanted = self.sets.get(&set).map(|index| index.select(before, limit, true));
            let wanted = wanted.unwrap_or_default();
            let none = wanted.is_empty();
            let items = self.items(set, wanted).await?;
            // If all of them were damaged there may be more behind them. Those are dropped, so
            // this comes to an end.
            if none || !items.is_empty() {
                return Ok(items);
            }
        }
    }

    /// These items, in this order, without those that are damaged.
    async fn items(
        &mut self,
        set: SetId,
        wanted: Vec<(Entry, u32)>,
    ) -> Result<Vec<Item>, StoreError> {
        let with_bytes = wanted.iter().filter(|(entry, _)| entry.size > 0);
        let numbers: SmallSet<u32> = with_bytes.map(|(_, number)| *number).collect();
        let bodies = self.bodies(set, numbers).await?;
        let items = wanted.into_iter().filter_map(|(entry, number)| {
            let bytes = if entry.size > 0 {
                let slot = self.sets.get(&set)?.segment(number)?.find(&entry.id)?;
                bodies.get(&number)?.get(slot)?.clone()
            } else {
                Vec::new()
            };
            Some(Item { entry, bytes })
        });
        Ok(items.collect())
    }

    /// The bytes of each entry of these segments. Those that are damaged are left out, reported
    /// and taken out of the set.
    pub(super) async fn bodies(
        &mut self,
        set: SetId,
        numbers: SmallSet<u32>,
    ) -> Result<SmallMap<u32, Vec<Vec<u8>>>, StoreError> {
        let keys = numbers.iter().map(|number| key(set, *number)).collect();
        let rows = self.get(Table::Bodies, keys).await?;
        let mut bodies = SmallMap::new();
        for (number, row) in numbers.into_iter().zip(rows) {
            let key = key(set, number);
            let plain =
                row.and_then(|row| self.sealer.open(self.format(), Table::Bodies, &key, &row));
            let segment = self.sets.get(&set).and_then(|index| index.segment(number));
            match segment.zip(plain).and_then(|(segment, plain)| segment.split(&plain)) {
                Some(bytes) => {
                    bodies.insert(number, bytes);
                }
                None => self.lose(set, number),
            }
        }
        Ok(bodies)
    }

    /// Takes a segment whose body is damaged out of its set, but for entries without bytes.
    fn lose(&mut self, set: SetId, number: u32) {
        let format = self.format();
        let Some(index) = self.sets.get_mut(&set) else { return };
        let Some(segment) = index.segment_mut(number) else { return };
        let mut ids = Vec::new();
        segment.entries.retain(|entry| {
            if entry.size > 0 {
                ids.push(entry.id);
            }
            entry.size == 0
        });
        let key = key(set, number);
        let value = (!segment.entries.is_empty())
            .then(|| self.sealer.seal(format, Table::Index, &key, &segment.encode()));
        index.segments.retain(|other| other.number != number || !other.entries.is_empty());
        self.repairs.push(Write { table: Table::Index, key: key.clone(), value });
        self.repairs.push(Write { table: Table::Bodies, key, value: None });
        self.report(Damage::Items { set, ids });
    }

    pub(super) async fn row(
        &mut self,
        kind: RowKind,
        name: &[u8],
    ) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        let key = row_key(kind, name);
        let row = self.get(Table::Rows, vec![key.clone()]).await?.into_iter().next().flatten();
        Ok(row.and_then(|row| self.open_row(kind, key, &row)).map(|row| row.value))
    }

    pub(super) async fn rows(
        &mut self,
        kind: RowKind,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let mut from =
            after.map_or_else(|| row_key(kind, &[]), |name| behind(&row_key(kind, name)));
        let until = [kind.number() + 1];
        loop {
            let found = self.scan(Table::Rows, &from, &until, limit).await?;
            let Some((last, _)) = found.last() else { return Ok(Vec::new()) };
            from = behind(last);
            let opened = found.into_iter().filter_map(|(key, row)| self.open_row(kind, key, &row));
            let rows: Vec<Row> = opened.collect();
            if !rows.is_empty() {
                return Ok(rows);
            }
        }
    }

    fn open_row(&mut self, kind: RowKind, key: Vec<u8>, row: &[u8]) -> Option<Row> {
        let name = key.get(1..).unwrap_or_default().to_vec();
        match self.sealer.open(self.format(), Table::Rows, &key, row) {
            Some(value) => Some(Row { name, value: Zeroizing::new(value) }),
            None => {
                self.repairs.push(Write { table: Table::Rows, key, value: None });
                self.report(Damage::Row { kind, name });
                None
            }
        }
    }
}

/// The key of a row.
pub(super) fn row_key(kind: RowKind, name: &[u8]) -> Vec<u8> {
    [&[kind.number()], name].concat()
}

impl RowKind {
    const fn number(self) -> u8 {
        match self {
            Self::Meta => 1,
            Self::Key => 2,
            Self::Outbox => 3,
        }
    }
}

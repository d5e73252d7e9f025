//! The format of what is kept, and how older ones become the present one.

use super::segment::{Segment, Set, parse_key};
use super::{Backend, Damage, Durability, Inner, StoreError, Table, Write};
use crate::small::SmallMap;

/// Makes what a row of a format holds into what it holds in the next; `None` if that has no such
/// row.
pub(super) type Step = fn(Table, Vec<u8>) -> Option<Vec<u8>>;

/// From the first format on, what leads from each to the next.
pub(super) const STEPS: &[Step] = &[];

/// The row that names the format, in a kind of its own.
const SCHEMA: &[u8] = b"\0schema";
/// The format of that row itself.
const SCHEMA_FORMAT: u32 = 0;
/// Above all keys: those of segments have 20 bytes, and those of rows begin with their kind.
const END: &[u8] = &[0xff; 21];
/// Rows that are read at once.
const PAGE: usize = 64;
/// Rows of a table that are tried to tell damage from a wrong key.
const TRIED: usize = 16;

/// What the rows tell of themselves when the one that names their format does not.
enum Unnamed {
    Nothing,
    Format(u32),
    OtherKey,
}

impl<B: Backend> Inner<B> {
    /// The format that is written.
    pub(super) fn format(&self) -> u32 {
        u32::try_from(self.steps.len()).unwrap_or(u32::MAX).saturating_add(1)
    }

    /// Reads everything anew that is in memory.
    pub(super) async fn reload(&mut self) -> Result<(), StoreError> {
        self.stale = true;
        self.sets = SmallMap::new();
        self.repairs.clear();
        self.check_format().await?;
        let mut from = Vec::new();
        loop {
            let rows = self.scan(Table::Index, &from, END, PAGE).await?;
            let Some((last, _)) = rows.last() else { break };
            from = behind(last);
            for (key, row) in rows {
                self.load_segment(key, &row);
            }
        }
        self.stale = false;
        Ok(())
    }

    fn load_segment(&mut self, key: Vec<u8>, row: &[u8]) {
        let place = parse_key(&key);
        if let Some((id, number)) = place {
            let set = self.sets.entry(id).or_default();
            set.next = number.saturating_add(1);
            let plain = self.sealer.open(self.format(), Table::Index, &key, row);
            let segment = plain.and_then(|plain| Segment::decode(number, &plain));
            let set: &mut Set = self.sets.entry(id).or_default();
            if let Some(segment) = segment {
                set.segments.push(segment);
                return;
            }
            self.report(Damage::Segment { set: id });
            self.repairs.push(Write { table: Table::Bodies, key: key.clone(), value: None });
        }
        self.repairs.push(Write { table: Table::Index, key, value: None });
    }

    async fn check_format(&mut self) -> Result<(), StoreError> {
        let known = self.format();
        let row = self.get(Table::Rows, vec![SCHEMA.to_vec()]).await?.into_iter().next().flatten();
        let plain = row
            .and_then(|row| self.sealer.open(SCHEMA_FORMAT, Table::Rows, SCHEMA, &row))
            .and_then(|plain| {
                let (found, from) = plain.split_first_chunk()?;
                Some((u32::from_be_bytes(*found), u32::from_be_bytes(from.try_into().ok()?)))
            });
        match plain {
            Some((found, _)) if found > known => Err(StoreError::TooNew { found, known }),
            Some((found, from)) if found == known && from == known => Ok(()),
            Some((_, from)) => self.migrate(from).await,
            None => match self.unnamed().await? {
                Unnamed::Nothing => self.name_format(known).await,
                Unnamed::Format(from) => self.migrate(from).await,
                Unnamed::OtherKey => Err(StoreError::WrongKey),
            },
        }
    }

    /// Writes down that rows are of this format or the present one.
    pub(super) async fn name_format(&mut self, from: u32) -> Result<(), StoreError> {
        let plain = [self.format().to_be_bytes(), from.to_be_bytes()].concat();
        let row = self.sealer.seal(SCHEMA_FORMAT, Table::Rows, SCHEMA, &plain);
        let write = Write { table: Table::Rows, key: SCHEMA.to_vec(), value: Some(row) };
        self.backend.write(vec![write], Durability::Strict).await
    }

    async fn unnamed(&mut self) -> Result<Unnamed, StoreError> {
        let (mut rows, mut oldest) = (0, None);
        for table in Table::ALL {
            for (key, row) in self.scan(table, &[], END, TRIED).await? {
                if key != SCHEMA {
                    rows += 1;
                    let format = self.format_of(1, table, &key, &row).map(|(format, _)| format);
                    oldest = [oldest, format].into_iter().flatten().min();
                }
            }
        }
        Ok(match oldest {
            _ if rows == 0 => Unnamed::Nothing,
            Some(format) => Unnamed::Format(format),
            None => Unnamed::OtherKey,
        })
    }

    /// The format of a row, which is `oldest` or newer, and what it holds.
    fn format_of(
        &self,
        oldest: u32,
        table: Table,
        key: &[u8],
        row: &[u8],
    ) -> Option<(u32, Vec<u8>)> {
        let mut formats = (oldest..=self.format()).rev();
        formats.find_map(|format| Some((format, self.sealer.open(format, table, key, row)?)))
    }

    /// Brings all rows from this format or a newer one to the present one. If it ends early, the
    /// next start goes on.
    async fn migrate(&mut self, from: u32) -> Result<(), StoreError> {
        self.name_format(from).await?;
        for table in Table::ALL {
            let mut start = Vec::new();
            loop {
                let rows = self.scan(table, &start, END, PAGE).await?;
                let Some((last, _)) = rows.last() else { break };
                start = behind(last);
                let mut writes = Vec::new();
                for (key, row) in rows {
                    // What is damaged is found, and reported, when it is read.
                    if let Some((format, plain)) = self.format_of(from, table, &key, &row)
                        && format < self.format()
                    {
                        let value = self.renew(format, table, &key, plain);
                        writes.push(Write { table, key, value });
                    }
                }
                self.backend.write(writes, Durability::Relaxed).await?;
            }
        }
        self.name_format(self.format()).await
    }

    fn renew(&mut self, format: u32, table: Table, key: &[u8], plain: Vec<u8>) -> Option<Vec<u8>> {
        let done = usize::try_from(format).unwrap_or(usize::MAX).saturating_sub(1);
        let mut steps = self.steps.iter().skip(done);
        let plain = steps.try_fold(plain, |plain, step| step(table, plain))?;
        Some(self.sealer.seal(self.format(), table, key, &plain))
    }
}

/// The least key above this one.
pub(super) fn behind(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}

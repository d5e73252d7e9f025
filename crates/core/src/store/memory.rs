//! A backend that keeps rows in memory: for the simulation, and where nothing else is to be had.

use super::{Backend, Durability, StoreError, Table, Write};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

type Rows = BTreeMap<(Table, Vec<u8>), Vec<u8>>;

/// Rows in memory. Clones share them, and keep them as long as one is there.
#[derive(Debug, Clone, Default)]
pub struct Memory(Arc<Mutex<Rows>>);

impl Memory {
    fn with<T>(&self, use_rows: impl FnOnce(&mut Rows) -> T) -> T {
        // Nothing below panics halfway through a change.
        use_rows(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[allow(clippy::unused_async, reason = "others wait")]
impl Backend for Memory {
    async fn get(
        &self,
        table: Table,
        keys: Vec<Vec<u8>>,
    ) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        Ok(self.with(|rows| keys.into_iter().map(|key| rows.get(&(table, key)).cloned()).collect()))
    }

    async fn scan(
        &self,
        table: Table,
        from: &[u8],
        until: &[u8],
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
        Ok(self.with(|rows| {
            rows.range((table, from.to_vec())..)
                .take_while(|((its, key), _)| *its == table && key.as_slice() < until)
                .take(limit)
                .map(|((_, key), value)| (key.clone(), value.clone()))
                .collect()
        }))
    }

    async fn write(&self, writes: Vec<Write>, _: Durability) -> Result<(), StoreError> {
        self.with(|rows| {
            for Write { table, key, value } in writes {
                match value {
                    Some(value) => rows.insert((table, key), value),
                    None => rows.remove(&(table, key)),
                };
            }
        });
        Ok(())
    }
}

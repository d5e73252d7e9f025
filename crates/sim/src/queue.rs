//! What is to happen, by virtual time.

use std::collections::BTreeMap;

/// Events by time; of those at the same time, the first that was put in comes first.
#[derive(Debug)]
pub(crate) struct Queue<E> {
    entries: BTreeMap<(u64, u64), E>,
    next: u64,
}

impl<E> Queue<E> {
    pub(crate) const fn new() -> Self {
        Self { entries: BTreeMap::new(), next: 0 }
    }

    pub(crate) fn push(&mut self, at: u64, event: E) {
        self.entries.insert((at, self.next), event);
        self.next += 1;
    }

    /// When the next one is.
    pub(crate) fn due(&self) -> Option<u64> {
        self.entries.first_key_value().map(|((at, _), _)| *at)
    }

    pub(crate) fn pop(&mut self) -> Option<(u64, E)> {
        self.entries.pop_first().map(|((at, _), event)| (at, event))
    }
}

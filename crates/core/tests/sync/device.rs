//! A device with a store in memory that answers when it is told to.

use chats_core::epoch::RoomTag;
use chats_core::hlc::Hlc;
use chats_core::id::DeviceKey;
use chats_core::op::OpId;
use chats_core::store::SetId;
use chats_core::sync::{IdSet, Input, Output, Sessions, Sets, Window};
use chats_core::time::Time;
use std::collections::{BTreeMap, VecDeque};

pub(crate) const NOW: Time = Time(1_767_225_600_000);
pub(crate) const ROOM: SetId = SetId([1; 16]);

/// What begins with this after its time is invalid.
pub(crate) const INVALID: &[u8] = b"invalid";

/// An item: its time, and whatever makes it differ.
pub(crate) fn item(hlc: Hlc, what: &[u8]) -> (OpId, Vec<u8>) {
    let bytes = [&hlc.0.to_be_bytes(), what].concat();
    (OpId::of(hlc, &bytes), bytes)
}

/// Items of different lengths, one for each millisecond before `last`.
pub(crate) fn items(count: u64, last: Time) -> Vec<(OpId, Vec<u8>)> {
    (0..count)
        .map(|at| {
            let number = at.to_be_bytes();
            item(Hlc::at(Time(last.0 - at)), &number.repeat(10 + usize::from(number[7] % 32)))
        })
        .collect()
}

#[derive(Default)]
pub(crate) struct Store {
    pub(crate) sets: BTreeMap<SetId, (IdSet, BTreeMap<OpId, Vec<u8>>)>,
}

impl Store {
    pub(crate) fn put(&mut self, key: SetId, items: impl IntoIterator<Item = (OpId, Vec<u8>)>) {
        let (ids, bodies) = self.sets.entry(key).or_default();
        for (id, bytes) in items {
            ids.insert(id);
            bodies.insert(id, bytes);
        }
    }

    pub(crate) fn ids(&self, key: SetId) -> Vec<OpId> {
        self.sets.get(&key).map_or(Vec::new(), |(ids, _)| ids.ids(Window::ALL).copied().collect())
    }
}

impl Sets for Store {
    fn rooms(&self) -> Vec<RoomTag> {
        let rooms = self.sets.keys().filter(|set| **set != SetId::CONTROL);
        rooms.map(|set| RoomTag(set.0)).collect()
    }

    fn set(&self, key: SetId) -> Option<&IdSet> {
        self.sets.get(&key).map(|(ids, _)| ids)
    }

    fn id(&self, _: SetId, item: &[u8]) -> Option<OpId> {
        let hlc = Hlc(u64::from_be_bytes(*item.first_chunk()?));
        Some(OpId::of(hlc, item))
    }
}

/// A device with its store.
pub(crate) struct Device {
    pub(crate) key: DeviceKey,
    pub(crate) sessions: Sessions,
    pub(crate) store: Store,
    /// What the store was asked to do and has not done.
    pub(crate) tasks: VecDeque<Output>,
    /// What is to be sent.
    pub(crate) outbox: VecDeque<(DeviceKey, Vec<u8>)>,
    /// All else that came out.
    pub(crate) told: Vec<Output>,
}

impl Device {
    pub(crate) fn new(number: u8) -> Self {
        let key = DeviceKey([number; 32]);
        let mut store = Store::default();
        store.put(SetId::CONTROL, []);
        Self {
            key,
            sessions: Sessions::new(key, [number; 32]),
            store,
            tasks: VecDeque::new(),
            outbox: VecDeque::new(),
            told: Vec::new(),
        }
    }

    pub(crate) fn handle(&mut self, input: Input, now: Time) {
        self.sessions.handle(input, now, &self.store);
        while let Some(output) = self.sessions.poll() {
            match output {
                Output::Send { to, frame } => self.outbox.push_back((to, frame)),
                Output::Load { .. } | Output::Received { .. } => self.tasks.push_back(output),
                other => self.told.push(other),
            }
        }
    }

    /// The store does the oldest thing that it was asked to.
    pub(crate) fn work(&mut self, now: Time) -> bool {
        match self.tasks.pop_front() {
            Some(Output::Load { ticket, set, ids }) => {
                assert!(ids.len() <= 128);
                let bodies = &self.store.sets[&set].1;
                let items = ids.iter().map(|id| bodies.get(id).cloned().unwrap_or_default());
                let items = items.collect();
                self.handle(Input::Loaded { ticket, items }, now);
                true
            }
            Some(Output::Received { ticket, set, items, .. }) => {
                assert!((1..=128).contains(&items.len()));
                let (known, bodies) = self.store.sets.get_mut(&set).unwrap();
                let (mut ids, mut invalid) = (Vec::new(), 0);
                for (id, bytes) in items {
                    if bytes[8..].starts_with(INVALID) {
                        known.refuse(id);
                        invalid += 1;
                    } else {
                        known.insert(id);
                        bodies.insert(id, bytes);
                        ids.push(id);
                    }
                }
                self.handle(Input::Committed { ticket, ids, invalid }, now);
                true
            }
            _ => false,
        }
    }
}

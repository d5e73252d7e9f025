//! Devices, and links between them that carry frames in order until they are cut.

use crate::device::{Device, NOW};
use chats_core::id::DeviceKey;
use chats_core::op::OpId;
use chats_core::store::SetId;
use chats_core::sync::wire::SetNumber;
use chats_core::sync::{Input, Sets, SyncMessage};
use chats_core::time::{Duration, Time};
use std::collections::{BTreeMap, VecDeque};

/// How long a cut link stays so.
const CUT: Duration = Duration::from_secs(1);

/// What travelled.
#[derive(Default, Debug)]
pub(crate) struct Traffic {
    pub(crate) frames: usize,
    pub(crate) bytes: usize,
    /// Of these, items.
    pub(crate) item_bytes: usize,
    /// Questions and answers when comparing.
    pub(crate) rounds: usize,
    /// How many items each device asked for.
    pub(crate) fetched: BTreeMap<usize, usize>,
    /// How often each item came to each device.
    pub(crate) items: BTreeMap<(usize, SetNumber, OpId), usize>,
}

pub(crate) struct World {
    pub(crate) devices: Vec<Device>,
    links: BTreeMap<(usize, usize), VecDeque<Vec<u8>>>,
    pub(crate) now: Time,
    pub(crate) traffic: Traffic,
    /// The link is cut instead of delivering the frame with this number.
    pub(crate) cut_at: Option<usize>,
    /// The same, again and again after so many.
    pub(crate) cut_every: Option<usize>,
    mend: Vec<(Time, usize, usize)>,
    random: u64,
    idle_store: Option<usize>,
}

impl World {
    pub(crate) fn new(count: u8) -> Self {
        Self {
            devices: (1..=count).map(Device::new).collect(),
            links: BTreeMap::new(),
            now: NOW,
            traffic: Traffic::default(),
            cut_at: None,
            cut_every: None,
            mend: Vec::new(),
            random: 7,
            idle_store: None,
        }
    }

    /// Links every device with every other.
    pub(crate) fn link_all(&mut self) {
        for a in 0..self.devices.len() {
            for b in a + 1..self.devices.len() {
                self.link(a, b);
            }
        }
    }

    pub(crate) fn link(&mut self, a: usize, b: usize) {
        for (from, to) in [(a, b), (b, a)] {
            self.links.insert((from, to), VecDeque::new());
            let peer = self.devices[to].key;
            self.tell(from, Input::Passed(peer));
        }
    }

    pub(crate) fn cut(&mut self, a: usize, b: usize) {
        for (from, to) in [(a, b), (b, a)] {
            self.links.remove(&(from, to));
        }
        for (from, to) in [(a, b), (b, a)] {
            let peer = self.devices[to].key;
            self.tell(from, Input::Gone(peer));
        }
    }

    fn number(&self, key: DeviceKey) -> usize {
        self.devices.iter().position(|device| device.key == key).unwrap()
    }

    pub(crate) fn tell(&mut self, to: usize, input: Input) {
        self.devices[to].handle(input, self.now);
        self.collect(to);
    }

    fn collect(&mut self, from: usize) {
        while let Some((key, frame)) = self.devices[from].outbox.pop_front() {
            let to = self.number(key);
            let message = SyncMessage::read(&frame).unwrap();
            if let SyncMessage::Committed { ids, .. } = &message {
                let store = &self.devices[from].store;
                let kept = |id| store.sets.values().any(|(_, bodies)| bodies.contains_key(id));
                assert!(ids.iter().all(kept), "what is not on disk was called committed");
            }
            if let Some(link) = self.links.get_mut(&(from, to)) {
                self.traffic.count((from, to), &self.devices[to], &frame, &message);
                link.push_back(frame);
            }
        }
    }

    fn draw(&mut self, bound: usize) -> usize {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.random >> 33) as usize % bound
    }

    /// Does one of the things that can happen now. Returns whether there was one.
    pub(crate) fn step(&mut self) -> bool {
        let waiting: Vec<_> =
            self.links.iter().filter(|(_, frames)| !frames.is_empty()).map(|(l, _)| *l).collect();
        let busy: Vec<_> = (0..self.devices.len())
            .filter(|at| self.idle_store != Some(*at) && !self.devices[*at].tasks.is_empty())
            .collect();
        if waiting.len() + busy.len() == 0 {
            return false;
        }
        let chosen = self.draw(waiting.len() + busy.len());
        let Some((from, to)) = waiting.get(chosen).copied() else {
            let at = busy[chosen - waiting.len()];
            self.devices[at].work(self.now);
            self.collect(at);
            return true;
        };
        self.traffic.frames += 1;
        let again = self.cut_every.is_some_and(|every| self.traffic.frames.is_multiple_of(every));
        if again || self.cut_at == Some(self.traffic.frames) {
            self.cut(from, to);
            self.mend.push((self.now + CUT, from, to));
            return true;
        }
        let frame = self.links.get_mut(&(from, to)).unwrap().pop_front().unwrap();
        let from = self.devices[from].key;
        self.tell(to, Input::Frame { from, frame });
        true
    }

    /// How many frames are on their way.
    pub(crate) fn waiting(&self) -> usize {
        self.links.values().map(VecDeque::len).sum()
    }

    /// Lets this time pass while the store of one device does nothing.
    pub(crate) fn run_without_store(&mut self, at: usize, time: Duration) {
        self.idle_store = Some(at);
        self.run(time);
        self.idle_store = None;
    }

    /// Lets this time pass with all that happens in it.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            while self.step() {}
            let wakes = self.devices.iter().filter_map(|device| device.sessions.wake_at());
            let due = wakes.chain(self.mend.iter().map(|it| it.0)).min();
            let Some(due) = due.filter(|due| *due <= end) else { break };
            self.now = self.now.max(due);
            let now = self.now;
            let mended: Vec<_> = self.mend.extract_if(.., |it| it.0 <= now).collect();
            mended.into_iter().for_each(|(_, a, b)| self.link(a, b));
            (0..self.devices.len()).for_each(|at| self.tell(at, Input::Tick));
        }
        self.now = end;
    }

    /// Whether all devices that know this set have the same of it, and this much.
    pub(crate) fn agrees(&self, key: SetId, count: usize) -> bool {
        self.devices.iter().filter(|device| device.store.set(key).is_some()).all(|device| {
            let (ids, bodies) = &device.store.sets[&key];
            ids.len() == count && bodies.len() == count
        })
    }

    /// Whether every item that travelled came to each device once.
    pub(crate) fn each_came_once(&self) -> bool {
        self.traffic.items.values().all(|times| *times == 1)
    }
}

impl Traffic {
    fn count(
        &mut self,
        (from, to): (usize, usize),
        device: &Device,
        frame: &[u8],
        message: &SyncMessage,
    ) {
        self.bytes += frame.len();
        match message {
            SyncMessage::Reconcile { .. }
            | SyncMessage::Sketch { .. }
            | SyncMessage::Difference { .. }
            | SyncMessage::Again { .. } => self.rounds += 1,
            SyncMessage::Items { set, items } => {
                self.item_bytes += items.iter().map(|item| item.len()).sum::<usize>();
                for item in items {
                    let id = device.store.id(SetId::CONTROL, item);
                    id.into_iter()
                        .for_each(|id| *self.items.entry((to, *set, id)).or_default() += 1);
                }
            }
            SyncMessage::Fetch { ids, .. } => {
                *self.fetched.entry(from).or_default() += ids.len();
            }
            _ => {}
        }
    }
}

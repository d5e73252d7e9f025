//! A device with its rooms, its store in memory, and what it shows.

use chats_core::certificate::DeviceCertificate;
use chats_core::control::{ControlItem, EpochRecord};
use chats_core::epoch::RoomTag;
use chats_core::fixtures::{self, COMMUNITY, TestWallet};
use chats_core::id::{DeviceKey, DeviceSecret, Wallet};
use chats_core::op::OpId;
use chats_core::rooms::{
    Action, Counts, DeviceView, Identity, Incoming, Input, Keeping, MessageView, Outgoing, Output,
    RoomView, Rooms, Sending, View, Words,
};
use chats_core::seal::SealKey;
use chats_core::store::{
    Batch, Change, Item, Memory, Reply, Request, SetId, State, Store, StoreError,
};
use chats_core::time::Time;
use futures::executor::block_on;
use std::collections::{BTreeMap, VecDeque};
use zeroize::Zeroizing;

pub(crate) struct Person {
    pub(crate) secret: DeviceSecret,
    pub(crate) certificate: DeviceCertificate,
    pub(crate) rooms: Rooms,
    disk: Memory,
    /// What the next commits fail with.
    pub(crate) fails: VecDeque<StoreError>,
    store: Store<Memory>,
    starts: u8,
    acted: u64,
    /// What came of each action.
    pub(crate) done: BTreeMap<u64, (Option<RoomTag>, Option<String>)>,
    pub(crate) list: Vec<RoomView>,
    /// Whether it was said which rooms there are.
    pub(crate) listed: bool,
    pub(crate) open: Option<RoomTag>,
    pub(crate) messages: BTreeMap<OpId, MessageView>,
    pub(crate) more: bool,
    pub(crate) typing: Vec<Wallet>,
    /// With whom else it wants to be linked.
    pub(crate) seeks: Vec<DeviceKey>,
    pub(crate) devices: Vec<DeviceView>,
    pub(crate) counts: Counts,
    pub(crate) keeping: Option<Keeping>,
    /// The backup that was written.
    pub(crate) backup: Vec<u8>,
    /// What is for the network and the chain.
    pub(crate) out: VecDeque<Outgoing>,
}

fn open_store(disk: &Memory, device: u8, starts: u8) -> Store<Memory> {
    let key = SealKey::new(Zeroizing::new([device; 32]));
    let mut seed = [starts; 32];
    seed[0] = device;
    block_on(Store::open(disk.clone(), key, Zeroizing::new(seed))).unwrap()
}

impl Person {
    pub(crate) fn new(wallet: u8, device: u8, now: Time) -> Self {
        let secret = DeviceSecret::from_seed(&[device; 32]);
        let certificate = fixtures::certificate(&TestWallet::new(wallet), &secret, now);
        let disk = Memory::default();
        let store = open_store(&disk, device, 0);
        let me = Identity {
            community: COMMUNITY,
            secret: secret.clone(),
            certificate: certificate.clone(),
        };
        let mut person = Self {
            secret,
            certificate,
            rooms: Rooms::new(me, Zeroizing::new([device; 32]), now),
            disk,
            fails: VecDeque::new(),
            store,
            starts: 0,
            acted: 0,
            done: BTreeMap::new(),
            list: Vec::new(),
            listed: false,
            open: None,
            messages: BTreeMap::new(),
            more: false,
            typing: Vec::new(),
            seeks: Vec::new(),
            devices: Vec::new(),
            counts: Counts::default(),
            keeping: None,
            backup: Vec::new(),
            out: VecDeque::new(),
        };
        person.drain(now);
        person
    }

    /// The page is closed and opened again; nothing but what is on disk is left.
    pub(crate) fn restart(&mut self, now: Time) {
        self.starts += 1;
        let device = self.secret.seed()[0];
        self.store = open_store(&self.disk, device, self.starts);
        let me = Identity {
            community: COMMUNITY,
            secret: self.secret.clone(),
            certificate: self.certificate.clone(),
        };
        let mut seed = [device; 32];
        seed[1] = self.starts;
        self.rooms = Rooms::new(me, Zeroizing::new(seed), now);
        self.out.clear();
        (self.list, self.open, self.messages) = (Vec::new(), None, BTreeMap::new());
        self.drain(now);
    }

    /// Somebody deletes the database while the page is open.
    pub(crate) fn lose_disk(&mut self) {
        self.disk = Memory::default();
        self.store = open_store(&self.disk, self.secret.seed()[0], 200 + self.starts);
        self.fails.push_back(StoreError::Gone);
    }

    /// How many bytes are kept of each op of a room, in the order of the room.
    pub(crate) fn sizes(&self, room: RoomTag) -> Vec<u32> {
        let request = Request::Entries { set: room.into(), after: None, limit: 1024 };
        let Ok(Reply::Entries(entries)) = block_on(self.store.serve(request)) else {
            panic!("no entries")
        };
        entries.iter().map(|entry| entry.size).collect()
    }

    /// An op was refused as it came by sync: only that is kept.
    pub(crate) fn refuse(&mut self, room: RoomTag, id: OpId, received: Time) {
        let mut batch = Batch::default();
        let (bytes, state) = (Vec::new(), State::Received);
        batch.change(room, Change::Append { id, bytes, state, received });
        block_on(self.store.serve(Request::Commit(batch))).expect("there is space");
    }

    /// The newest epoch record that is kept.
    pub(crate) fn newest_record(&self) -> EpochRecord {
        let newest = Request::Newest { set: SetId::CONTROL, before: None, limit: 128 };
        let Ok(Reply::Items(items)) = block_on(self.store.serve(newest)) else {
            panic!("no items")
        };
        let records = items.iter().filter_map(|item| match ControlItem::decode(&item.bytes) {
            Ok(ControlItem::Record(record)) => Some(*record),
            _ => None,
        });
        records.max_by_key(|record| record.time).expect("a record")
    }

    /// The newest epoch record is lost on disk.
    pub(crate) fn lose_newest_record(&mut self) {
        let newest = Request::Newest { set: SetId::CONTROL, before: None, limit: 128 };
        let Ok(Reply::Items(items)) = block_on(self.store.serve(newest)) else {
            panic!("no items")
        };
        let is_record =
            |item: &&Item| matches!(ControlItem::decode(&item.bytes), Ok(ControlItem::Record(_)));
        let id = items.iter().find(is_record).expect("a record").entry.id;
        let mut batch = Batch::default();
        batch.change(SetId::CONTROL, Change::Drop { id });
        block_on(self.store.serve(Request::Commit(batch))).expect("there is space");
    }

    pub(crate) fn key(&self) -> DeviceKey {
        self.secret.device()
    }

    pub(crate) fn tell(&mut self, incoming: Incoming, now: Time) {
        self.rooms.handle(Input::Incoming(incoming), now);
        self.drain(now);
    }

    pub(crate) fn tick(&mut self, now: Time) {
        self.rooms.handle(Input::Tick, now);
        self.drain(now);
    }

    fn drain(&mut self, now: Time) {
        while let Some(output) = self.rooms.poll() {
            match output {
                Output::Store { ticket, request } => {
                    let commits = matches!(request, Request::Commit(_));
                    let result = match self.fails.pop_front_if(|_| commits) {
                        Some(error) => Err(error),
                        None => block_on(self.store.serve(request)),
                    };
                    self.rooms.handle(Input::Stored { ticket, result }, now);
                }
                Output::Outgoing(Outgoing::Show(view)) => self.show(*view),
                Output::Outgoing(Outgoing::Seek { devices }) => self.seeks = devices,
                Output::Outgoing(Outgoing::Backup { part, .. }) => {
                    self.backup.extend_from_slice(&part);
                }
                Output::Outgoing(Outgoing::Done { number, room, refused }) => {
                    assert!(self.done.insert(number, (room, refused)).is_none(), "answered twice");
                }
                Output::Outgoing(outgoing) => self.out.push_back(outgoing),
            }
        }
    }

    fn show(&mut self, view: View) {
        match view {
            View::Rooms(rooms) => (self.list, self.listed) = (rooms, true),
            View::Messages { room, messages, more } => {
                assert_eq!(Some(room), self.open);
                self.messages = messages.into_iter().map(|it| (it.id, it)).collect();
                self.more = more;
            }
            View::Message { room, message } => {
                assert_eq!(Some(room), self.open);
                self.messages.insert(message.id, *message);
            }
            View::Vanished { room, id } => {
                assert_eq!(Some(room), self.open);
                self.messages.remove(&id);
            }
            View::Typing { wallets, .. } => self.typing = wallets,
            View::Devices(devices) => self.devices = devices,
            View::Counts(counts) => self.counts = counts,
            View::Keeping(keeping) => self.keeping = Some(keeping),
        }
    }

    pub(crate) fn act(&mut self, action: Action, now: Time) -> u64 {
        self.acted += 1;
        let number = self.acted;
        if let Action::Open { room } = action {
            self.open = Some(room);
        }
        self.tell(Incoming::Act { number, action }, now);
        number
    }

    /// What the messages of the open room say.
    pub(crate) fn said(&self) -> Vec<&str> {
        let words = self.messages.values().map(|message| match &message.words {
            Words::Said(said) => said.as_str(),
            Words::Deleted => "(deleted)",
            Words::Unknown => "(unknown)",
            Words::Missing => "(missing)",
        });
        words.collect()
    }

    /// The message that says this.
    pub(crate) fn message(&self, said: &str) -> &MessageView {
        let is_it = |it: &&MessageView| it.words == Words::Said(said.to_owned());
        self.messages.values().find(is_it).unwrap_or_else(|| panic!("no {said:?}"))
    }

    pub(crate) fn sending(&self, said: &str) -> Option<Sending> {
        self.message(said).sending
    }
}

//! A device: its rooms while the page is open, its store, and what it shows.

use super::promises::Deed;
use chats_core::certificate::DeviceCertificate;
use chats_core::control::ControlItem;
use chats_core::epoch::RoomTag;
use chats_core::fixtures::{self, COMMUNITY, TestWallet};
use chats_core::gossip::GossipId;
use chats_core::id::{DeviceKey, DeviceSecret, Wallet};
use chats_core::op::OpId;
use chats_core::rooms::{Counts, DeviceView, Identity, MessageView, RoomView, Rooms, View};
use chats_core::seal::SealKey;
use chats_core::seats::Head;
use chats_core::store::{Memory, Reply, Request, Store, StoreError};
use chats_core::sync::Ticket;
use chats_core::time::Time;
use futures::executor::block_on;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use zeroize::Zeroizing;

/// What waits to be carried out by the store.
#[derive(Debug, Default)]
pub(super) struct Disk {
    rows: Memory,
    store: Option<Store<Memory>>,
    pub(super) waiting: VecDeque<(Ticket, Request)>,
    pub(super) busy: bool,
}

/// What people see.
#[derive(Debug, Default)]
pub(super) struct Screen {
    pub(super) list: Vec<RoomView>,
    pub(super) open: Option<RoomTag>,
    pub(super) messages: BTreeMap<OpId, MessageView>,
    pub(super) more: bool,
    pub(super) devices: Vec<DeviceView>,
    pub(super) counts: Counts,
}

/// What a log says of devices.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard {
    certified: BTreeSet<DeviceKey>,
    revoked: BTreeSet<DeviceKey>,
}

impl Heard {
    pub(super) fn take(&mut self, item: &ControlItem) {
        match item {
            ControlItem::Certificate(certificate) => {
                self.certified.insert(certificate.statement.device);
            }
            ControlItem::Revoke(revoke) => {
                self.revoked.insert(revoke.device);
            }
            _ => {}
        }
    }

    /// Devices that are known to be revoked. (Of one without a certificate nobody can tell whose it
    /// is, and so who may revoke it.)
    pub(super) fn revoked(&self) -> BTreeSet<DeviceKey> {
        self.revoked.intersection(&self.certified).copied().collect()
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Device {
    pub(super) secret: DeviceSecret,
    pub(super) key: DeviceKey,
    pub(super) wallet: TestWallet,
    pub(super) address: Wallet,
    pub(super) certificate: Option<DeviceCertificate>,
    pub(super) rooms: Option<Rooms>,
    pub(super) disk: Disk,
    /// Counts its pages.
    pub(super) life: u32,
    /// How far its clock is ahead, in milliseconds.
    pub(super) ahead: i64,
    pub(super) wake: Option<u64>,
    /// The connections that stand at this end.
    pub(super) sessions: BTreeMap<usize, usize>,
    /// With whom else its rooms want to be linked.
    pub(super) seeks: Vec<DeviceKey>,
    pub(super) gossip: BTreeSet<GossipId>,
    /// The message of gossip that is being judged.
    pub(super) judging: Option<GossipId>,
    pub(super) verdict: Option<chats_core::gossip::GossipVerdict>,
    /// In which part of a community that fell apart.
    pub(super) side: u8,
    /// How far behind it reads the chain, in milliseconds; `None`: not at all.
    pub(super) lag: Option<u64>,
    /// Which of the chain's lists it reads.
    pub(super) reads: usize,
    pub(super) told_version: u64,
    pub(super) polled: u64,
    /// Which of the lists its rooms kept last, up to which version, and since when.
    pub(super) knows: Option<(usize, u64, u64)>,
    /// What its log says of devices, and of that what is on its disk.
    pub(super) heard: Heard,
    pub(super) kept: Heard,
    pub(super) acted: u64,
    pub(super) deeds: BTreeMap<u64, Deed>,
    pub(super) screen: Screen,
}

impl Device {
    pub(super) fn new(wallet: u8, seed: [u8; 32], ahead: i64) -> Self {
        let secret = DeviceSecret::from_seed(&seed);
        let wallet = TestWallet::new(wallet);
        Self {
            key: secret.device(),
            secret,
            address: wallet.address(),
            wallet,
            certificate: None,
            rooms: None,
            disk: Disk::default(),
            life: 0,
            ahead,
            wake: None,
            sessions: BTreeMap::new(),
            seeks: Vec::new(),
            gossip: BTreeSet::new(),
            judging: None,
            verdict: None,
            side: 0,
            lag: Some(0),
            reads: 0,
            told_version: 0,
            polled: 0,
            knows: None,
            heard: Heard::default(),
            kept: Heard::default(),
            acted: 0,
            deeds: BTreeMap::new(),
            screen: Screen::default(),
        }
    }

    /// Opens the page; nothing but what is on disk is there.
    pub(super) fn open(&mut self, seed: [u8; 32], nonces: [u8; 32], now: Time) {
        self.life += 1;
        let certificate = self
            .certificate
            .get_or_insert_with(|| fixtures::certificate(&self.wallet, &self.secret, now));
        let me = Identity {
            community: COMMUNITY,
            secret: self.secret.clone(),
            certificate: certificate.clone(),
        };
        let key = SealKey::new(self.secret.seed());
        let store = Store::open(self.disk.rows.clone(), key, Zeroizing::new(nonces));
        let store = block_on(store);
        self.disk.store = Some(store.expect("it was sealed with this key"));
        self.rooms = Some(Rooms::new(me, Zeroizing::new(seed), now));
    }

    /// Closes it without a word. `last` has the store carry out what it was about to, of which
    /// nobody hears; the list of changes that is on disk then, if that is another.
    pub(super) fn kill(&mut self, last: bool) -> Option<Head> {
        self.life += 1;
        self.rooms = None;
        let request = self.disk.waiting.pop_front().filter(|_| last).map(|(_, request)| request);
        let head = request.as_ref().and_then(super::secrets::head_of);
        let done = request.is_some_and(|request| self.disk.serve(request).is_ok());
        self.disk.store = None;
        self.disk.waiting.clear();
        self.disk.busy = false;
        self.wake = None;
        self.sessions.clear();
        self.gossip.clear();
        self.seeks.clear();
        self.told_version = 0;
        self.deeds.clear();
        self.heard = self.kept.clone();
        self.screen = Screen::default();
        head.filter(|_| done)
    }

    pub(super) const fn is_open(&self) -> bool {
        self.rooms.is_some()
    }

    /// Shows it. Gives the room that it is about although another one is open, if it is.
    pub(super) fn show(&mut self, view: View) -> Option<RoomTag> {
        let screen = &mut self.screen;
        let room = match view {
            View::Rooms(rooms) => {
                screen.list = rooms;
                return None;
            }
            View::Messages { room, messages, more } => {
                screen.messages = messages.into_iter().map(|it| (it.id, it)).collect();
                screen.more = more;
                room
            }
            View::Message { room, message } => {
                screen.messages.insert(message.id, *message);
                room
            }
            View::Vanished { room, id } => {
                screen.messages.remove(&id);
                room
            }
            View::Devices(devices) => {
                screen.devices = devices;
                return None;
            }
            View::Counts(counts) => {
                screen.counts = counts;
                return None;
            }
            View::Typing { .. } | View::Keeping(_) => return None,
        };
        (screen.open != Some(room)).then_some(room)
    }

    /// The room of this tag, as it is listed.
    pub(super) fn room(&self, tag: RoomTag) -> Option<&RoomView> {
        self.screen.list.iter().find(|room| room.tag == tag)
    }
}

impl Disk {
    pub(super) fn serve(&self, request: Request) -> Result<Reply, StoreError> {
        let closed = || StoreError::Unavailable { reason: "closed".to_owned() };
        block_on(self.store.as_ref().ok_or_else(closed)?.serve(request))
    }
}

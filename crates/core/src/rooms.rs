//! What members write, as one device has it: all rooms of one community.
//!
//! [`Rooms`] ties together what the modules below decide each for itself: [`control`](crate::control)
//! and [`devices`](crate::devices), the [`keyring`](crate::keyring) and the
//! [`history`](crate::history) of each room, [`sync`](crate::sync) with others, and the
//! [`store`](crate::store). It stands behind the [`Node`](crate::node::Node), which lets nothing
//! through but what linked members say.
//!
//! The contract with whoever drives it: after every [`Rooms::handle`], drain [`Rooms::poll`] until
//! it returns `None`, and call `handle(Input::Tick, ..)` when [`Rooms::wake_at`] has come. The
//! first thing that it does is to read what the store keeps; until that is done, what comes from
//! outside waits.
//!
//! What is our own goes out when it is on disk, and not before. What came from others is shown at
//! once and acknowledged when it is on disk.

mod act;
mod arrive;
mod backup;
mod changes;
mod disk;
mod gossip;
mod keys;
mod live;
mod log;
mod recover;
mod restore;
mod room;
mod said;
mod seam;
mod seek;
mod show;
mod sweep;
mod views;

pub use gossip::{RoomGossip, SealedTyping, Typing};
pub use seam::{Action, Incoming, Input, MAX_SOUGHT, Outgoing, Output, Passphrase};
pub use views::{
    Counts, DeviceView, Keeping, MessageView, Reply, RoomState, RoomView, Sending, Standing, View,
    Words,
};

use crate::certificate::DeviceCertificate;
use crate::epoch::RoomTag;
use crate::id::{Community, DeviceKey, DeviceSecret, Wallet};
use crate::keyring::Keyring;
use crate::op::OpId;
use crate::random::Generator;
use crate::small::{SmallMap, SmallSet};
use crate::store::SetId;
use crate::sync::{IdSet, Sessions, Sets};
use crate::time::{SteadyClock, Time};
use backup::Export;
use changes::Reread;
use disk::Disk;
use keys::Handout;
use log::Log;
use restore::Reading;
use room::{Loading, Room};
use said::Said;
use seek::Seeking;
use show::Screen;
use std::collections::VecDeque;
use zeroize::Zeroizing;

/// The most rooms that are known, direct messages of others included; more are not taken.
const MAX_ROOMS: usize = 8192;
/// What may wait until the store was read; what comes then is left out, and comes again by sync.
const MAX_HELD_BACK: usize = 4096;

/// Who has these rooms.
#[derive(Debug, Clone)]
pub struct Identity {
    /// In which community.
    pub community: Community,
    /// The device.
    pub secret: DeviceSecret,
    /// Why it may.
    pub certificate: DeviceCertificate,
}

/// All rooms of one community, as one device has them.
#[derive(Debug)]
pub struct Rooms {
    me: Identity,
    time: SteadyClock,
    random: Generator,
    log: Log,
    rooms: SmallMap<RoomTag, Room>,
    sessions: Sessions,
    /// Members that are linked.
    linked: SmallSet<DeviceKey>,
    seeking: Seeking,
    /// What there is, as others say, and is not here.
    said: SmallMap<(SetId, OpId), Said>,
    disk: Disk,
    reading: Option<Reading>,
    held_back: VecDeque<Incoming>,
    changes: Reread,
    /// When the chain last let a wallet in, as it was asked for a grant.
    checked: SmallMap<Wallet, Time>,
    handouts: SmallMap<(RoomTag, DeviceKey), Handout>,
    /// When it was last looked at all who ask for keys.
    prepared: Time,
    approved: SmallSet<DeviceKey>,
    /// When the control log was last brought to the same with somebody's.
    control_synced: Option<Time>,
    /// Since when somebody is linked.
    company_since: Option<Time>,
    /// A backup that is being written.
    exporting: Option<Export>,
    screen: Screen,
    out: VecDeque<Output>,
}

impl Rooms {
    /// The rooms of a device whose store was just opened, which are read first. `seed` is random.
    #[must_use]
    pub fn new(me: Identity, seed: Zeroizing<[u8; 32]>, now: Time) -> Self {
        let mut random = Generator::new(seed);
        let sessions = Sessions::new(me.secret.device(), random.bytes());
        let mut rooms = Self {
            log: Log::new(me.community),
            me,
            time: SteadyClock::default(),
            random,
            rooms: SmallMap::new(),
            sessions,
            linked: SmallSet::new(),
            seeking: Seeking::default(),
            said: SmallMap::new(),
            disk: Disk::default(),
            reading: Some(Reading::default()),
            held_back: VecDeque::new(),
            changes: Reread::default(),
            checked: SmallMap::new(),
            handouts: SmallMap::new(),
            prepared: Time::default(),
            approved: SmallSet::new(),
            control_synced: None,
            company_since: None,
            exporting: None,
            screen: Screen::default(),
            out: VecDeque::new(),
        };
        rooms.begin_reading();
        rooms.handle(Input::Tick, now);
        rooms
    }

    /// Takes what happened when the clock showed `now`. A clock that is set back is put up with.
    pub fn handle(&mut self, input: Input, now: Time) {
        let now = self.time.read(now);
        match input {
            Input::Tick => self.read_again(now),
            Input::Stored { ticket, result } => self.stored(ticket, result, now),
            Input::Incoming(incoming) if self.reading.is_some() => self.hold_back(incoming),
            Input::Incoming(incoming) => self.incoming(incoming, now),
        }
        if self.reading.is_none() {
            while let Some(incoming) = self.held_back.pop_front() {
                self.incoming(incoming, now);
            }
            self.settle(now);
        }
        self.disk.advance(now, &mut self.out);
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// When to tick again, at the latest, by the clock that [`Self::handle`] is told. May lie in
    /// the past.
    #[must_use]
    pub fn wake_at(&self) -> Time {
        let reading = self.reading.as_ref().and_then(Reading::wake_at);
        let mut due = vec![self.disk.wake_at(), reading];
        if self.reading.is_none() {
            due.extend([self.sessions.wake_at(), self.screen.wake_at(), self.keys_wake_at()]);
            due.extend([self.changes_wake_at(), self.said_wake_at()]);
            for room in self.rooms.values() {
                let early = room.early_at().map(|at| self.time.when(at));
                due.extend([early, room.drafts_wake_at(), room.typing.values().copied().min()]);
            }
        }
        let due = due.into_iter().flatten().min();
        due.map_or(Time(u64::MAX), |due| self.time.shown(due))
    }

    fn device(&self) -> DeviceKey {
        self.me.secret.device()
    }

    fn wallet(&self) -> Wallet {
        self.me.certificate.statement.wallet
    }

    fn hold_back(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Gossip { source, id, .. } => {
                let verdict = crate::gossip::GossipVerdict::Ignore;
                self.say(Outgoing::Judge { id, source, verdict });
            }
            Incoming::Act { number, .. } if self.held_back.len() >= MAX_HELD_BACK => {
                self.refuse(number, "Too much is asked at once. Try again in a moment.");
            }
            incoming if self.held_back.len() < MAX_HELD_BACK => self.held_back.push_back(incoming),
            _ => {}
        }
    }

    fn incoming(&mut self, incoming: Incoming, now: Time) {
        use crate::sync::Input as Sync;
        match incoming {
            Incoming::Passed { device, certificate } => {
                self.linked.insert(device);
                self.seeking.anew();
                self.company_since.get_or_insert(now);
                self.offer(crate::control::ControlItem::Certificate(*certificate), now);
                self.sync(Sync::Passed(device), now);
            }
            Incoming::Gone { device } => {
                self.linked.remove(&device);
                self.seeking.anew();
                if self.linked.is_empty() {
                    (self.company_since, self.control_synced) = (None, None);
                }
                self.sync(Sync::Gone(device), now);
            }
            Incoming::Frame { from, frame } => {
                self.sync(Sync::Frame { from, frame: frame.into() }, now);
            }
            Incoming::Gossip { source, id, message } => {
                let verdict = self.gossip(source, &message, now);
                self.say(Outgoing::Judge { id, source, verdict });
            }
            Incoming::Version { version } => self.changes.hear(version),
            Incoming::Changes { from, changes, head } => self.changes(from, &changes, head, now),
            Incoming::NoChanges => self.no_changes(now),
            Incoming::Access { wallet, admitted, cutoff } => {
                self.access(wallet, admitted, cutoff, now);
            }
            Incoming::Act { number, action } => self.act(number, action, now),
        }
    }

    fn say(&mut self, outgoing: Outgoing) {
        self.out.push_back(Output::Outgoing(outgoing));
    }

    /// Tells a session something, and does what comes of it.
    fn sync(&mut self, input: crate::sync::Input, now: Time) {
        let own = self.wallet();
        let Self { sessions, log, rooms, .. } = self;
        sessions.handle(input, now, &Holdings { log, rooms, own });
        self.drain_sessions(now);
    }

    /// A room that is known by its tag; made if need be.
    fn room(&mut self, tag: RoomTag) -> Option<&mut Room> {
        if !self.rooms.contains_key(&tag) {
            if self.rooms.len() >= MAX_ROOMS {
                return None;
            }
            let keyring = Keyring::new(self.me.community, tag, self.device());
            let loading =
                if self.reading.is_some() { Loading::Before(None) } else { Loading::Done };
            self.rooms.insert(tag, Room::new(keyring, loading));
        }
        self.rooms.get_mut(&tag)
    }

    /// Does what follows from the state as it is now, whatever led to it.
    fn settle(&mut self, now: Time) {
        self.read_changes(now);
        self.settle_log(now);
        self.settle_rooms(now);
        self.settle_keys(now);
        self.send_drafts(now);
        self.fetch_said(now);
        self.sync(crate::sync::Input::Tick, now);
        self.settle_rooms(now);
        self.sweep(now);
        self.seek(now);
        self.show(now);
    }
}

/// What this device has, for sync.
struct Holdings<'a> {
    log: &'a Log,
    rooms: &'a SmallMap<RoomTag, Room>,
    own: Wallet,
}

impl Sets for Holdings<'_> {
    fn rooms(&self) -> Vec<RoomTag> {
        let ours = self.rooms.iter().filter(|(_, room)| room.is_of(self.own));
        ours.map(|(tag, _)| *tag).collect()
    }

    fn set(&self, set: SetId) -> Option<&IdSet> {
        if set == SetId::CONTROL {
            return Some(&self.log.ids);
        }
        let room = self.rooms.get(&room::tag_of(set)).filter(|room| room.is_of(self.own));
        room.map(|room| &room.ids)
    }

    fn id(&self, set: SetId, item: &[u8]) -> Option<crate::op::OpId> {
        if set == SetId::CONTROL {
            return crate::control::ControlItem::decode(item).ok().map(|item| item.id());
        }
        room::op_id(room::tag_of(set), item)
    }
}

//! Members of one community who are linked with each other, or not.

use crate::person::Person;
use chats_core::content::Mentions;
use chats_core::epoch::RoomTag;
use chats_core::fixtures::{NOW, TestWallet};
use chats_core::gossip::{self, GossipId, GossipVerdict};
use chats_core::id::{DeviceKey, Wallet};
use chats_core::rooms::{Action, Incoming, Outgoing, Standing};
use chats_core::seats::{Change, Head, Seats};
use chats_core::time::{Duration, Time};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

pub(crate) fn wallet(number: u8) -> Wallet {
    TestWallet::new(number).address()
}

/// What is on its way over a link.
enum Frame {
    Sync(Vec<u8>),
    Gossip(Vec<u8>),
}

pub(crate) struct Town {
    pub(crate) people: Vec<Person>,
    pub(crate) now: Time,
    seats: Seats,
    /// What the chain's endpoints answer first, since they lag behind.
    pub(crate) stale: VecDeque<Seats>,
    /// It answers to none of these.
    pub(crate) unreachable_from: Option<usize>,
    links: BTreeMap<(usize, usize), VecDeque<Frame>>,
    /// What each has seen of gossip.
    seen: BTreeSet<(usize, GossipId)>,
    waiting: BTreeMap<(usize, GossipId), Vec<u8>>,
    pub(crate) rejected: usize,
}

impl Town {
    /// Wallets 1 (owner), 2 (moderator), 3 and on (members), each with one device of that number,
    /// all linked with all.
    pub(crate) fn new(count: u8) -> Self {
        let mut town = Self {
            people: Vec::new(),
            now: NOW,
            seats: Seats::default(),
            stale: VecDeque::new(),
            unreachable_from: None,
            links: BTreeMap::new(),
            seen: BTreeSet::new(),
            waiting: BTreeMap::new(),
            rejected: 0,
        };
        for number in 1..=count {
            let role = match number {
                1 => 3,
                2 => 2,
                _ => 1,
            };
            town.change(number, role);
        }
        for number in 1..=count {
            town.come(number, number);
        }
        town.link_all();
        town
    }

    /// One with the room "general", which all have.
    pub(crate) fn with_room(count: u8) -> (Self, RoomTag) {
        let mut town = Self::new(count);
        town.run(Duration::from_secs(30));
        let room = town.people[0].list[0].tag;
        (town, room)
    }

    /// A wallet comes with a device.
    pub(crate) fn come(&mut self, wallet: u8, device: u8) -> usize {
        self.people.push(Person::new(wallet, device, self.now));
        self.work();
        self.people.len() - 1
    }

    pub(crate) fn change(&mut self, account: u8, kind: u8) {
        self.change_at(self.seats.newest() + 1, account, kind);
    }

    /// The chain takes back all changes from a version on, and this one comes in their place.
    pub(crate) fn change_at(&mut self, version: u64, account: u8, kind: u8) {
        let change = Change { account: wallet(account), kind, time: self.now };
        let mut words = [[0; 32]; 4];
        words[0] = self.seats.rolling(version - 1).unwrap();
        words[1][31] = kind;
        words[2][12..].copy_from_slice(&change.account.0);
        words[3][24..].copy_from_slice(&version.to_be_bytes());
        let rolling = alloy_primitives::keccak256(words.as_flattened()).0;
        self.seats.replace(version - 1, &[change], Head { version, rolling }).unwrap();
    }

    /// The chain's list of changes as it is now.
    pub(crate) fn list(&self) -> Seats {
        self.seats.clone()
    }

    /// Everybody hears of the newest version.
    pub(crate) fn hear(&mut self) {
        let version = self.seats.newest();
        for person in &mut self.people {
            person.tell(Incoming::Version { version }, self.now);
        }
        self.work();
    }

    pub(crate) fn link_all(&mut self) {
        for one in 0..self.people.len() {
            for other in one + 1..self.people.len() {
                self.link(one, other);
            }
        }
    }

    pub(crate) fn link(&mut self, one: usize, other: usize) {
        if self.links.contains_key(&(one, other)) {
            return;
        }
        for (from, to) in [(one, other), (other, one)] {
            self.links.insert((from, to), VecDeque::new());
            let device = self.people[to].key();
            let certificate = Box::new(self.people[to].certificate.clone());
            self.people[from].tell(Incoming::Passed { device, certificate }, self.now);
        }
        self.work();
    }

    pub(crate) fn cut(&mut self, one: usize, other: usize) {
        for (from, to) in [(one, other), (other, one)] {
            if self.links.remove(&(from, to)).is_some() {
                let device = self.people[to].key();
                self.people[from].tell(Incoming::Gone { device }, self.now);
            }
        }
    }

    /// Cuts all links of one.
    pub(crate) fn isolate(&mut self, one: usize) {
        (0..self.people.len()).filter(|it| *it != one).for_each(|other| self.cut(one, other));
    }

    /// Links one with all others.
    pub(crate) fn bring_back(&mut self, one: usize) {
        for other in (0..self.people.len()).filter(|it| *it != one) {
            self.link(one.min(other), one.max(other));
        }
    }

    pub(crate) fn restart(&mut self, one: usize) {
        self.isolate(one);
        self.people[one].restart(self.now);
        self.work();
    }

    fn number(&self, key: DeviceKey) -> usize {
        self.people.iter().position(|person| person.key() == key).unwrap()
    }

    fn neighbours(&self, of: usize) -> Vec<usize> {
        self.links.keys().filter(|(from, _)| *from == of).map(|(_, to)| *to).collect()
    }

    fn forward(&mut self, from: usize, besides: Option<usize>, message: &[u8]) {
        for to in self.neighbours(from).into_iter().filter(|to| Some(*to) != besides) {
            if let Some(link) = self.links.get_mut(&(from, to)) {
                link.push_back(Frame::Gossip(message.to_vec()));
            }
        }
    }

    /// Does what people want until nothing is left to be done now.
    pub(crate) fn work(&mut self) {
        loop {
            let mut busy = false;
            for from in 0..self.people.len() {
                while let Some(outgoing) = self.people[from].out.pop_front() {
                    busy = true;
                    self.carry_out(from, outgoing);
                }
            }
            let links: Vec<_> = self.links.keys().copied().collect();
            for (from, to) in links {
                let Some(frame) = self.links.get_mut(&(from, to)).and_then(VecDeque::pop_front)
                else {
                    continue;
                };
                busy = true;
                self.deliver(from, to, frame);
            }
            if !busy {
                return;
            }
        }
    }

    fn carry_out(&mut self, from: usize, outgoing: Outgoing) {
        let now = self.now;
        match outgoing {
            Outgoing::Send { to, frame } => {
                let to = self.number(to);
                if let Some(link) = self.links.get_mut(&(from, to)) {
                    link.push_back(Frame::Sync(frame.into()));
                }
            }
            Outgoing::Publish { message } => {
                self.seen.insert((from, gossip::id(&message)));
                self.forward(from, None, &message);
            }
            Outgoing::Judge { id, source, verdict } => {
                let source = self.number(source);
                let message = self.waiting.remove(&(from, id)).expect("judged once");
                match verdict {
                    GossipVerdict::Accept => self.forward(from, Some(source), &message),
                    GossipVerdict::Ignore => {}
                    GossipVerdict::Reject => self.rejected += 1,
                }
            }
            Outgoing::ReadChanges { .. } if self.unreachable_from == Some(from) => {
                self.people[from].tell(Incoming::NoChanges, now);
            }
            Outgoing::ReadChanges { from: version } => {
                let stale = self.stale.pop_front();
                let seats = stale.as_ref().unwrap_or(&self.seats);
                let changes = seats.after(version).to_vec();
                let (version_now, from_version) = (seats.newest(), version);
                let rolling = seats.rolling(version_now).unwrap();
                let head = Head { version: version_now, rolling };
                let incoming = Incoming::Changes { from: from_version, changes, head };
                self.people[from].tell(incoming, now);
            }
            Outgoing::CheckAccess { wallet } => {
                let admitted = self.seats.admits(wallet, self.seats.newest());
                self.people[from].tell(Incoming::Access { wallet, admitted, cutoff: 0 }, now);
            }
            Outgoing::Show(_)
            | Outgoing::Seek { .. }
            | Outgoing::Done { .. }
            | Outgoing::Backup { .. } => {
                unreachable!("seen by the person")
            }
        }
    }

    fn deliver(&mut self, from: usize, to: usize, frame: Frame) {
        let source = self.people[from].key();
        let incoming = match frame {
            Frame::Sync(frame) => Incoming::Frame { from: source, frame: frame.into() },
            Frame::Gossip(message) => {
                let id = gossip::id(&message);
                if !self.seen.insert((to, id)) {
                    return;
                }
                self.waiting.insert((to, id), message.clone());
                Incoming::Gossip { source, id, message: message.into() }
            }
        };
        self.people[to].tell(incoming, self.now);
    }

    /// Lets this time pass with all that happens in it.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            self.work();
            let due = self.people.iter().map(|person| person.rooms.wake_at()).min();
            let Some(due) = due.filter(|due| *due <= end) else { break };
            // At least a little, so that what is due in the past does not stop time.
            self.now = due.max(self.now + Duration::from_millis(1));
            for at in 0..self.people.len() {
                self.people[at].tick(self.now);
            }
        }
        self.now = end;
    }

    pub(crate) fn act(&mut self, who: usize, action: Action) -> Option<RoomTag> {
        match self.try_act(who, action) {
            Ok(room) => room,
            Err(why) => panic!("refused: {why}"),
        }
    }

    pub(crate) fn try_act(
        &mut self,
        who: usize,
        action: Action,
    ) -> Result<Option<RoomTag>, String> {
        let number = self.people[who].act(action, self.now);
        for _ in 0..60 {
            self.work();
            if let Some((room, refused)) = self.people[who].done.get(&number).cloned() {
                return refused.map_or(Ok(room), Err);
            }
            self.run(Duration::from_millis(500));
        }
        panic!("no answer to an action");
    }

    pub(crate) fn say(&mut self, who: usize, room: RoomTag, words: &str) {
        let markdown = words.to_owned();
        let mentions = Mentions::default();
        self.act(who, Action::Write { room, markdown, reply: None, mentions });
        self.work();
    }

    pub(crate) fn open(&mut self, who: usize, room: RoomTag) {
        self.act(who, Action::Open { room });
    }

    pub(crate) fn open_all(&mut self, room: RoomTag) {
        (0..self.people.len()).for_each(|who| self.open(who, room));
    }

    /// How a device stands, as its own page shows it.
    pub(crate) fn standing_of_itself(&self, who: usize) -> Standing {
        self.people[who].devices.iter().find(|device| device.own).unwrap().standing
    }

    /// What each of them reads in the open room.
    pub(crate) fn all_read(&self, wanted: &[&str]) {
        for (who, person) in self.people.iter().enumerate() {
            assert_eq!(person.said(), wanted, "person {who}");
        }
    }
}

//! All sessions of a device: with whom, when, and how many.

use super::budget::{HOUR, Ledger};
use super::seam::{Ending, Input, Output, Sets, Ticket};
use super::session::{Around, Event, Session};
use super::wire::{End, MAX_ROOMS, RoomOffer, Salt, SyncMessage};
use crate::budget::Budget;
use crate::id::DeviceKey;
use crate::random::Generator;
use crate::small::{SmallMap, SmallSet};
use crate::store::SetId;
use crate::time::{Duration, Time};
use crate::wire;
use std::collections::VecDeque;
use zeroize::Zeroizing;

/// The most sessions at once.
pub const MAX_SESSIONS: usize = 4;
/// The most of them that others began.
const MAX_ANSWERED: usize = 3;
/// How long after one session of ours the next begins, before jitter, and how much that is.
const PACE: (Duration, Duration) = (Duration::from_secs(45), Duration::from_secs(30));
/// The same after somebody came, or when one did not come to its end.
const SOON: (Duration, Duration) = (Duration::from_millis(200), Duration::from_millis(1800));
/// The same when there is more to compare than there was before.
const NEWS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(200));
/// The shortest time between two sessions that we begin.
const GAP: Duration = Duration::from_secs(10);
/// How long somebody is not asked again who had no time.
const BUSY: Duration = Duration::from_secs(20);
/// The same if it was too much.
const SPENT: Duration = Duration::from_secs(600);
/// Sessions that one device may begin in a row, and how long until it may begin another.
const STARTS: (u32, Duration) = (8, Duration::from_secs(10));
/// The same that we begin with one other: fewer, as they may come closer together than they were
/// said.
const BEGINS: (u32, Duration) = (7, Duration::from_secs(11));
/// Envelopes that one device may deliver live in a row, and how long until another.
const LIVE: (u32, Duration) = (120, Duration::from_millis(500));

/// The longest hello in bytes: all rooms, and some for what is around them.
const MAX_HELLO: usize = MAX_ROOMS * 45 + 64;

/// All sessions of one device in one community.
#[derive(Debug)]
pub struct Sessions {
    own: DeviceKey,
    random: Generator,
    /// Who passed, and from when on we may begin a session with it.
    peers: SmallMap<DeviceKey, Time>,
    sessions: SmallMap<DeviceKey, Session>,
    /// When we begin the next one.
    next: Time,
    /// When we began the last one.
    began: Time,
    /// There is more to compare than when that began.
    renewed: bool,
    /// Those who have what we lack, as they say: the next ones.
    wanted: SmallSet<DeviceKey>,
    ledger: Ledger,
    starts: Budget<DeviceKey>,
    begins: Budget<DeviceKey>,
    live: Budget<DeviceKey>,
    tickets: Ticket,
    out: VecDeque<Output>,
}

impl Sessions {
    /// None yet. `seed` is random.
    #[must_use]
    pub fn new(own: DeviceKey, seed: [u8; 32]) -> Self {
        Self {
            own,
            random: Generator::new(Zeroizing::new(seed)),
            peers: SmallMap::new(),
            sessions: SmallMap::new(),
            next: Time::default(),
            began: Time::default(),
            renewed: false,
            wanted: SmallSet::new(),
            ledger: Ledger::default(),
            starts: Budget::new(STARTS.0, STARTS.1),
            begins: Budget::new(BEGINS.0, BEGINS.1),
            live: Budget::new(LIVE.0, LIVE.1),
            tickets: 0,
            out: VecDeque::new(),
        }
    }

    /// Takes what happened when the clock, which never runs backwards, showed `now`.
    pub fn handle(&mut self, input: Input, now: Time, sets: &dyn Sets) {
        match input {
            Input::Tick => {}
            Input::Passed(peer) => {
                self.peers.insert(peer, now);
                self.soon(now);
            }
            Input::Gone(peer) => {
                self.peers.remove(&peer);
                self.wanted.remove(&peer);
                if self.sessions.remove(&peer).is_some() {
                    self.out.push_back(Output::Ended { with: peer, how: Ending::Lost });
                }
            }
            Input::Frame { from, frame } => self.frame(from, &frame, now, sets),
            Input::Has(peer) => {
                if let Some(free) = self.peers.get_mut(&peer) {
                    *free = now.min(*free);
                    self.wanted.insert(peer);
                    self.next = self.next.min(now + self.jittered(NEWS));
                }
            }
            Input::Renewed => {
                // What there was no use in before may be of use now.
                self.peers.values_mut().for_each(|free| *free = now.min(*free));
                self.renewed = true;
                self.next = self.next.min(now + self.jittered(NEWS));
            }
            Input::Loaded { ticket, items } => {
                self.answered(ticket, Event::Loaded(ticket, items), now, sets);
            }
            Input::Committed { ticket, ids, invalid } => {
                self.answered(ticket, Event::Committed(ticket, ids, invalid), now, sets);
            }
        }
        self.settle(now, sets);
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// When to tick again, at the latest.
    #[must_use]
    pub fn wake_at(&self) -> Option<Time> {
        let next = (!self.peers.is_empty()).then_some(self.next);
        self.sessions.values().map(Session::deadline).chain(next).min()
    }

    /// Counts an envelope that a device delivers live, its own or not. Returns whether it may.
    pub fn live(&mut self, from: DeviceKey, now: Time) -> bool {
        !self.ledger.left(from, now) && self.live.spend(from, now)
    }

    /// The store answered to whichever session asked it, if that is not over.
    fn answered(&mut self, ticket: Ticket, event: Event, now: Time, sets: &dyn Sets) {
        let asked = self.sessions.iter().find(|(_, session)| session.awaits(ticket));
        if let Some(peer) = asked.map(|(peer, _)| *peer) {
            self.run(peer, event, now, sets);
        }
    }

    fn frame(&mut self, from: DeviceKey, frame: &[u8], now: Time, sets: &dyn Sets) {
        let session = self.sessions.contains_key(&from);
        // What is left of a session that is over may be on its way. Only a hello begins one.
        if !self.peers.contains_key(&from) || !session && frame.len() > MAX_HELLO {
            return;
        }
        match SyncMessage::read(frame) {
            Ok(SyncMessage::Hello { salt, rooms }) => self.hello(from, &salt, &rooms, now, sets),
            Ok(SyncMessage::Stored { set, ids }) => {
                let set = SetId(set);
                self.out.push_back(Output::Delivered { to: from, set, ids });
            }
            Ok(_) if !session => {}
            Ok(SyncMessage::End { reason }) => self.close(from, Ending::Theirs(reason), now),
            Ok(message) => self.run(from, Event::Message(message), now, sets),
            Err(_) => self.close(from, Ending::Ours(End::Malformed), now),
        }
    }

    fn hello(
        &mut self,
        from: DeviceKey,
        salt: &Salt,
        rooms: &[RoomOffer],
        now: Time,
        sets: &dyn Sets,
    ) {
        let begun = self.starts.spend(from, now);
        if let Some(session) = self.sessions.get(&from) {
            if !session.unanswered() {
                return self.close(from, Ending::Ours(End::Malformed), now);
            }
            // Both began at once: the one of the smaller key stands.
            if !begun || self.own < from {
                return;
            }
            self.sessions.remove(&from);
        }
        if !begun {
            return;
        }
        let answered = self.sessions.values().filter(|session| !session.led()).count();
        let refused = if self.ledger.left(from, now) {
            Some(End::Spent)
        } else if answered >= MAX_ANSWERED || self.sessions.len() >= MAX_SESSIONS {
            Some(End::Busy)
        } else {
            None
        };
        if let Some(reason) = refused {
            let frame = wire::encode(&SyncMessage::End { reason });
            return self.out.push_back(Output::Send { to: from, frame });
        }
        let salts = (salt, self.random.bytes());
        let session = Session::answer(self.own, from, salts, rooms, self.around(now, sets));
        self.sessions.insert(from, session);
    }

    fn run(&mut self, peer: DeviceKey, event: Event, now: Time, sets: &dyn Sets) {
        let Self { sessions, ledger, tickets, out, .. } = self;
        let Some(session) = sessions.get_mut(&peer) else { return };
        let around = Around { now, sets, ledger, tickets, out };
        if let Err(end) = session.handle(event, around) {
            self.close(peer, Ending::Ours(end), now);
        }
    }

    fn around<'a>(&'a mut self, now: Time, sets: &'a dyn Sets) -> Around<'a> {
        let Self { ledger, tickets, out, .. } = self;
        Around { now, sets, ledger, tickets, out }
    }

    fn close(&mut self, peer: DeviceKey, how: Ending, now: Time) {
        let pause = match how {
            Ending::Ours(End::Malformed) => {
                self.ledger.leave(peer, now);
                HOUR
            }
            Ending::Theirs(End::Malformed) => HOUR,
            Ending::Ours(End::Spent | End::TooMuch) | Ending::Theirs(End::Spent | End::TooMuch) => {
                SPENT
            }
            Ending::Theirs(End::Busy) => BUSY,
            Ending::Ours(End::Finished) | Ending::Theirs(End::Finished)
                if self.renewed || self.wanted.contains(&peer) =>
            {
                self.next = self.next.min(now + self.jittered(NEWS));
                Duration::ZERO
            }
            // Whoever began it, there is nothing new so soon.
            Ending::Ours(End::Finished) | Ending::Theirs(End::Finished) => PACE.0,
            _ => Duration::ZERO,
        };
        if let Some(free) = self.peers.get_mut(&peer) {
            *free = now + pause;
        }
        let Some(session) = self.sessions.remove(&peer) else { return };
        if let Ending::Ours(reason) = how {
            let frame = wire::encode(&SyncMessage::End { reason });
            self.out.push_back(Output::Send { to: peer, frame });
        }
        self.out.push_back(Output::Ended { with: peer, how });
        let through = matches!(how, Ending::Ours(End::Finished) | Ending::Theirs(End::Finished));
        if session.led() && !through {
            self.soon(now);
        }
    }

    /// Whether the next session of ours is to begin as soon as it may.
    fn is_eager(&self) -> bool {
        self.renewed || !self.wanted.is_empty()
    }

    fn jittered(&mut self, (least, more): (Duration, Duration)) -> Duration {
        let more = u64::try_from(more.as_millis()).unwrap_or(u64::MAX);
        least + Duration::from_millis(self.random.below(more))
    }

    /// Lets the next session of ours begin soon.
    fn soon(&mut self, now: Time) {
        let soon = (now + self.jittered(SOON)).max(self.began + GAP);
        if self.next <= now || soon < self.next {
            self.next = soon;
        }
    }

    /// Does what is due.
    fn settle(&mut self, now: Time, sets: &dyn Sets) {
        let late = |(peer, it): (&DeviceKey, &Session)| (it.deadline() <= now).then_some(*peer);
        let late: Vec<_> = self.sessions.iter().filter_map(late).collect();
        for peer in late {
            self.close(peer, Ending::Ours(End::TooSlow), now);
        }
        if self.next > now || self.peers.is_empty() {
            return;
        }
        self.next = now + self.jittered(PACE);
        let idle =
            |peer: &DeviceKey| !self.sessions.contains_key(peer) && !self.ledger.left(*peer, now);
        let peers = self.peers.iter().filter(|(peer, _)| idle(peer));
        let peers = peers.map(|(peer, free)| (*peer, self.begins.free_at(*peer).max(*free)));
        let peers: Vec<_> = peers.collect();
        let free = peers.iter().filter(|(_, free)| *free <= now).map(|(peer, _)| *peer);
        let free: Vec<_> = free.collect();
        if self.sessions.len() >= MAX_SESSIONS {
            return;
        }
        let soonest = peers.iter().map(|(_, free)| *free).min();
        if let Some(soonest) = soonest.filter(|_| free.is_empty() && self.is_eager()) {
            self.next = self.next.min(soonest + self.jittered(NEWS));
        }
        let chosen = usize::try_from(self.random.below(free.len() as u64)).unwrap_or_default();
        let wanted = free.iter().find(|peer| self.wanted.contains(*peer));
        if let Some(peer) = wanted.or_else(|| free.get(chosen)).copied() {
            self.wanted.remove(&peer);
            self.begins.spend(peer, now);
            if !self.wanted.is_empty() {
                self.next = now + self.jittered(NEWS);
            }
            (self.began, self.renewed) = (now, false);
            let salt = self.random.bytes();
            let session = Session::dial(self.own, peer, salt, self.around(now, sets));
            self.sessions.insert(peer, session);
        }
    }
}

//! Other devices of the community: finding, dialling, letting them pass, and direct links.

use crate::access::AccessBook;
use crate::budget::Budget;
use crate::certificate::DeviceCertificate;
use crate::hello::Hello;
use crate::id::{Community, DeviceKey, DeviceSecret};
use crate::node::{Member, Outbox, Output};
use crate::small::{SmallMap, SmallSet};
use crate::time::{Duration, SteadyClock, Time};
use links::Link;
use resting::Rest;

mod finding;
mod greeting;
mod links;
mod resting;

pub(crate) use resting::Urgency;

/// The most devices kept in mind.
const MAX_PEERS: usize = 256;
/// The most devices connected that have not passed.
const MAX_STRANGERS: usize = 32;
/// The most ways by which one device was learnt of that are kept.
const MAX_SOURCES: usize = 4;
/// How soon after a connection another one carries on, which may be an older one that neither of
/// the two dialled just now: then both speak first.
const CARRY_ON: Duration = Duration::from_secs(1);
/// How long a connection must have lasted for the next one to be tried without waiting.
const STABLE: Duration = Duration::from_secs(10);

/// Who this device is.
#[derive(Debug)]
pub(crate) struct Own {
    pub(crate) community: Community,
    pub(crate) secret: DeviceSecret,
    pub(crate) certificate: DeviceCertificate,
}

/// Who told us of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    /// It came by itself.
    Itself,
    /// A relay, by its number.
    Relay(u32),
    /// A member who delivered its gossip.
    Member(DeviceKey),
}

/// Members told us of a device.
#[derive(Debug, Clone, Copy)]
struct Heard {
    /// When last.
    at: Time,
    /// Who delivered it first.
    by: DeviceKey,
    /// When the device said it, by its clock.
    said: Time,
}

#[derive(Debug, Default)]
struct Peer {
    /// A relay says that it is there.
    listed: bool,
    /// It was there before us, or passed once: it is for us too to reach it, for as long as a
    /// relay lists it.
    wanted: bool,
    heard_of: Option<Heard>,
    /// When it was last seen in our meeting.
    companion: Option<Time>,
    /// Until when nothing that others say of it makes us reach for it.
    shunned: Option<Time>,
    sources: Vec<Source>,
    /// When we were last connected with it, both having passed.
    parted: Option<Time>,
    /// How far its clock is ahead of ours, in milliseconds, since it said hello.
    ahead: i64,
    /// When to dial it.
    dial_at: Option<Time>,
    /// Since when it is being dialled.
    dialling: Option<Time>,
    /// How often in a row it could not be reached, or not be kept.
    failures: u32,
    session: Option<Connection>,
    /// It is a member whose last connection ended. While another one says hello this stands.
    rest: Option<Rest>,
    link: Link,
}

impl Peer {
    /// Whether it is for us to reach it, and there may be a way.
    const fn within_reach(&self) -> bool {
        (self.listed && self.wanted) || self.heard_of.is_some() || self.companion.is_some()
    }

    /// Whether nothing would be lost with it.
    const fn forgettable(&self) -> bool {
        let known = self.listed || self.heard_of.is_some() || self.companion.is_some();
        !known && self.shunned.is_none() && self.session.is_none() && self.dialling.is_none()
    }

    fn learnt(&mut self, source: Source) {
        if !self.sources.contains(&source) && self.sources.len() < MAX_SOURCES {
            self.sources.push(source);
        }
    }
}

/// A device that is connected.
#[derive(Debug)]
struct Connection {
    since: Time,
    /// We said hello.
    greeted: bool,
    /// It said hello, with a certificate that holds as far as can be told without the chain.
    theirs: Option<Box<Hello>>,
    /// We let it pass.
    passed: bool,
    /// It let us pass.
    welcomed: bool,
    /// Since when both may speak; it was told then where we are.
    ready_at: Option<Time>,
}

impl Connection {
    const fn ready(&self) -> bool {
        self.passed && self.welcomed
    }
}

/// All devices that this one knows of.
#[derive(Debug)]
pub(crate) struct Peers {
    own: Own,
    time: SteadyClock,
    peers: SmallMap<DeviceKey, Peer>,
    /// Those to whom rooms want links.
    sought: SmallSet<DeviceKey>,
    /// When [`Self::tick_links`] has something to do.
    links_at: Option<Time>,
    /// Dials to those who rest.
    rings: Budget<()>,
}

impl Peers {
    pub(crate) fn new(own: Own) -> Self {
        Self {
            own,
            time: SteadyClock::default(),
            peers: SmallMap::new(),
            sought: SmallSet::new(),
            links_at: None,
            rings: Budget::new(resting::RINGS, resting::RING_PACE),
        }
    }

    /// The clock of this device.
    pub(crate) const fn time(&self) -> &SteadyClock {
        &self.time
    }

    /// The clock of this device, to be read.
    pub(crate) const fn time_mut(&mut self) -> &mut SteadyClock {
        &mut self.time
    }

    pub(crate) const fn own(&self) -> &Own {
        &self.own
    }

    /// Whether both sides let each other pass.
    pub(crate) fn is_ready(&self, device: DeviceKey) -> bool {
        self.connection(device).is_some_and(Connection::ready)
    }

    /// Whether a relay lists it.
    pub(crate) fn is_listed(&self, device: DeviceKey) -> bool {
        self.peers.get(&device).is_some_and(|peer| peer.listed)
    }

    /// The devices that may be spoken to.
    pub(crate) fn ready(&self) -> impl Iterator<Item = DeviceKey> {
        self.peers
            .iter()
            .filter(|(_, peer)| peer.session.as_ref().is_some_and(Connection::ready))
            .map(|(device, _)| *device)
    }

    /// Those who may be spoken to since the last call of this, and whether they only rested
    /// between two circuits.
    pub(crate) fn newly_ready(&mut self, now: Time) -> Vec<(DeviceKey, bool)> {
        let mut new = Vec::new();
        for (device, peer) in &mut self.peers {
            if let Some(connection) = peer.session.as_mut()
                && connection.ready()
                && connection.ready_at.is_none()
            {
                connection.ready_at = Some(now);
                new.push((*device, peer.rest.take().is_some_and(|rest| rest.circuit)));
            }
        }
        new
    }

    /// Since when a device is connected, and since when it may be spoken to.
    pub(crate) fn ready_since(&self, device: DeviceKey) -> Option<(Time, Time)> {
        let connection = self.connection(device)?;
        Some((connection.since, connection.ready_at?))
    }

    /// The certificate with which a connected device passed.
    pub(crate) fn certificate(&self, device: DeviceKey) -> Option<&DeviceCertificate> {
        let connection = self.connection(device).filter(|connection| connection.passed)?;
        connection.theirs.as_ref().map(|hello| &hello.certificate)
    }

    /// What the clock of a device shows at `now`.
    pub(crate) fn clock(&self, device: DeviceKey, now: Time) -> Time {
        let ahead = self.peers.get(&device).map_or(0, |peer| peer.ahead);
        Time(now.0.saturating_add_signed(ahead))
    }

    /// Those who are online, for people to see: who is connected, and who rests and is told of or
    /// shown to be `present`.
    pub(crate) fn members(
        &self,
        access: &AccessBook,
        now: Time,
        present: impl Fn(DeviceKey) -> bool,
    ) -> SmallMap<DeviceKey, Member> {
        let mut members = SmallMap::new();
        let resting = self.resting().filter(|(device, told)| *told || present(*device));
        let online = self.ready().chain(resting.map(|(device, _)| device));
        members.extend(online.filter_map(|device| {
            let wallet = self.known_certificate(device)?.statement.wallet;
            let verdict = access.verdict(wallet, now)?;
            Some((device, Member { wallet, verdict }))
        }));
        members
    }

    fn connection(&self, device: DeviceKey) -> Option<&Connection> {
        self.peers.get(&device).and_then(|peer| peer.session.as_ref())
    }

    fn entry(&mut self, device: DeviceKey) -> Option<&mut Peer> {
        if device == self.own.secret.device() {
            return None;
        }
        if !self.peers.contains_key(&device) && self.peers.len() >= MAX_PEERS {
            // Those that are merely listed go first: anybody may have themselves listed.
            let idle = |peer: &Peer| peer.session.is_none() && peer.dialling.is_none();
            let rank = |peer: &Peer| {
                let known = (peer.companion.is_some(), peer.rest.is_some());
                (known, peer.heard_of.is_some(), peer.wanted, peer.listed)
            };
            let idle = self.peers.iter().filter(|(_, peer)| idle(peer));
            let victim = idle.min_by_key(|(_, peer)| rank(peer)).map(|(device, _)| *device);
            self.peers.remove(&victim?);
        }
        Some(self.peers.entry(device).or_default())
    }

    pub(crate) fn connected(
        &mut self,
        device: DeviceKey,
        now: Time,
        version: u64,
        out: &mut Outbox,
    ) {
        let strangers = self
            .peers
            .values()
            .filter(|peer| peer.session.as_ref().is_some_and(|session| !session.passed))
            .count();
        let Some(peer) = self.entry(device) else {
            return out.push(Output::Disconnect(device));
        };
        let ours = peer.dialling.take().is_some();
        if strangers >= MAX_STRANGERS && !ours {
            return out.push(Output::Disconnect(device));
        }
        let carries_on = peer.parted.is_some_and(|at| now.since(at) < CARRY_ON);
        peer.dial_at = None;
        if peer.sources.is_empty() {
            peer.learnt(Source::Itself);
        }
        peer.link.gone();
        peer.session = Some(Connection {
            since: now,
            greeted: false,
            theirs: None,
            passed: false,
            welcomed: false,
            ready_at: None,
        });
        if ours || carries_on {
            self.greet(device, now, version, out);
        }
    }

    /// We are not let in ourselves: lets go of everyone. Once we are, all who are still listed
    /// are to be reached, since they may have tried in vain meanwhile.
    pub(crate) fn clear(&mut self, now: Time, out: &mut Outbox) {
        for (device, peer) in &mut self.peers {
            if peer.session.take().is_some() {
                out.push(Output::Disconnect(*device));
            }
            peer.link.gone();
            (peer.heard_of, peer.companion, peer.rest) = (None, None, None);
            (peer.wanted, peer.dial_at, peer.dialling) = (true, Some(now), None);
        }
        self.peers.retain(|_, peer| peer.listed);
        self.links_at = None;
    }

    /// When [`Self::tick`] or [`Self::tick_links`] has something to do.
    pub(crate) fn wake_at(&self) -> Option<Time> {
        let due = [self.dial_wake(), self.hello_wake(), self.links_at, self.rest_wake()];
        due.into_iter().flatten().min()
    }
}

//! Other devices of the community: finding, dialling, and letting them pass.

use crate::access::AccessBook;
use crate::certificate::DeviceCertificate;
use crate::channel::Channel;
use crate::hello::{Hello, HelloMessage, Refusal};
use crate::id::{Community, DeviceKey, DeviceSecret};
use crate::node::{Event, Member, Outbox, Output};
use crate::time::{Duration, SteadyClock, Time};
use crate::wire;
use std::collections::BTreeMap;

/// The most devices kept in mind.
const MAX_PEERS: usize = 256;
/// The most devices connected that have not passed.
const MAX_STRANGERS: usize = 32;
/// The most devices dialled at once.
const MAX_DIALS: usize = 4;
/// How long a device may take to pass.
const HELLO_TIME: Duration = Duration::from_secs(10);
/// How long a dial may take until its place is given to another.
const DIAL_TIME: Duration = Duration::from_secs(30);
/// How long a connection must have lasted for the next one to be tried without waiting.
const STABLE: Duration = Duration::from_secs(10);

/// Who this device is.
#[derive(Debug)]
pub(crate) struct Own {
    pub(crate) community: Community,
    pub(crate) secret: DeviceSecret,
    pub(crate) certificate: DeviceCertificate,
}

#[derive(Debug, Default)]
struct Peer {
    /// A relay says that it is there.
    listed: bool,
    /// It was there before us, or passed once: it is for us too to reach it, for as long as a
    /// relay lists it.
    wanted: bool,
    /// When to dial it.
    dial_at: Option<Time>,
    /// Since when it is being dialled.
    dialling: Option<Time>,
    /// How often in a row it could not be reached, or not be kept.
    failures: u32,
    session: Option<Connection>,
}

impl Peer {
    /// Counts a failure, and tries again later if that is for us to do.
    fn failed(&mut self, now: Time, patience: Duration) {
        self.failures = self.failures.saturating_add(1);
        self.retry(now, patience);
    }

    fn retry(&mut self, now: Time, patience: Duration) {
        let wanted = self.listed && self.wanted;
        self.dial_at = wanted.then(|| now + patience + backoff(self.failures));
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
    /// How far its clock is ahead of ours, in milliseconds.
    ahead: i64,
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
    peers: BTreeMap<DeviceKey, Peer>,
}

impl Peers {
    pub(crate) fn new(own: Own) -> Self {
        Self { own, time: SteadyClock::default(), peers: BTreeMap::new() }
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

    /// The devices that may be spoken to.
    pub(crate) fn ready(&self) -> impl Iterator<Item = DeviceKey> {
        self.peers
            .iter()
            .filter(|(_, peer)| peer.session.as_ref().is_some_and(Connection::ready))
            .map(|(device, _)| *device)
    }

    /// Those who may be spoken to since the last call of this.
    pub(crate) fn newly_ready(&mut self, now: Time) -> Vec<DeviceKey> {
        let mut new = Vec::new();
        for (device, peer) in &mut self.peers {
            if let Some(connection) = peer.session.as_mut()
                && connection.ready()
                && connection.ready_at.is_none()
            {
                connection.ready_at = Some(now);
                new.push(*device);
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
        let ahead = self.connection(device).map_or(0, |connection| connection.ahead);
        Time(now.0.saturating_add_signed(ahead))
    }

    /// Those who are online, for people to see.
    pub(crate) fn members(&self, access: &AccessBook, now: Time) -> BTreeMap<DeviceKey, Member> {
        let mut members = BTreeMap::new();
        members.extend(self.ready().filter_map(|device| {
            let wallet = self.certificate(device)?.statement.wallet;
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
            let rank = |peer: &Peer| (peer.wanted, peer.listed);
            let idle = self.peers.iter().filter(|(_, peer)| idle(peer));
            let victim = idle.min_by_key(|(_, peer)| rank(peer)).map(|(device, _)| *device);
            self.peers.remove(&victim?);
        }
        Some(self.peers.entry(device).or_default())
    }

    /// These were at the meeting point before us: it is for us to dial them.
    pub(crate) fn present(&mut self, devices: Vec<DeviceKey>, now: Time) {
        for device in devices {
            if let Some(peer) = self.entry(device) {
                peer.listed = true;
                peer.wanted = true;
                peer.failures = 0;
                peer.dial_at = Some(now);
            }
        }
    }

    /// This one came after us: it dials. One that is wanted is dialled all the same if it does not.
    pub(crate) fn arrived(&mut self, device: DeviceKey, now: Time) {
        if let Some(peer) = self.entry(device) {
            peer.listed = true;
            peer.failures = 0;
            if peer.wanted {
                peer.dial_at = Some(now + Duration::from_secs(5));
            }
        }
    }

    /// This one left the meeting point.
    pub(crate) fn left(&mut self, device: DeviceKey) {
        if let Some(peer) = self.peers.get_mut(&device) {
            peer.listed = false;
            peer.dial_at = None;
        }
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
        let dialled = peer.dialling.take().is_some();
        if strangers >= MAX_STRANGERS && !dialled {
            return out.push(Output::Disconnect(device));
        }
        peer.dial_at = None;
        peer.session = Some(Connection {
            since: now,
            greeted: false,
            theirs: None,
            ahead: 0,
            passed: false,
            welcomed: false,
            ready_at: None,
        });
        if dialled {
            self.greet(device, now, version, out);
        }
    }

    /// The last connection to it is gone.
    pub(crate) fn disconnected(&mut self, device: DeviceKey, now: Time) {
        let first = device > self.own.secret.device();
        let Some(peer) = self.peers.get_mut(&device) else {
            return;
        };
        let Some(session) = peer.session.take() else {
            return;
        };
        if session.ready() && now.since(session.since) >= STABLE {
            peer.failures = 0;
        } else {
            peer.failures = peer.failures.saturating_add(1);
        }
        // Both lost it at once; one of the two tries first, so that they do not cross.
        peer.retry(now, Duration::from_secs(if first { 1 } else { 4 }));
        if !peer.listed {
            self.peers.remove(&device);
        }
    }

    pub(crate) fn dial_failed(&mut self, device: DeviceKey, now: Time) {
        if let Some(peer) = self.peers.get_mut(&device)
            && peer.dialling.take().is_some()
            && peer.session.is_none()
        {
            peer.failed(now, Duration::ZERO);
        }
    }

    /// We are not let in ourselves: lets go of everyone. Once we are, all who are still listed
    /// are to be reached, since they may have tried in vain meanwhile.
    pub(crate) fn clear(&mut self, now: Time, out: &mut Outbox) {
        for (device, peer) in &mut self.peers {
            if peer.session.take().is_some() {
                out.push(Output::Disconnect(*device));
            }
            (peer.wanted, peer.dial_at, peer.dialling) = (true, Some(now), None);
        }
        self.peers.retain(|_, peer| peer.listed);
    }

    /// Takes a frame of the hello channel.
    pub(crate) fn received(
        &mut self,
        device: DeviceKey,
        frame: &[u8],
        now: Time,
        access: &mut AccessBook,
        out: &mut Outbox,
    ) {
        let community = self.own.community;
        let Some(connection) = self.peers.get_mut(&device).and_then(|peer| peer.session.as_mut())
        else {
            return;
        };
        match wire::decode::<HelloMessage>("hello", frame) {
            Ok(HelloMessage::Hello(hello)) if connection.theirs.is_none() => {
                let certificate = &hello.certificate;
                if certificate.statement.registry == community.registry
                    && hello.community != community.id
                {
                    return self.refuse(device, Refusal::OtherCommunity, now, out);
                }
                if certificate.check(device, community.registry, self.time.shown(now)).is_err() {
                    return self.refuse(device, Refusal::Certificate, now, out);
                }
                connection.ahead = ahead(hello.time, now);
                connection.theirs = Some(hello);
                self.judge(device, now, access, out);
            }
            Ok(HelloMessage::Welcome) if connection.greeted => connection.welcomed = true,
            Ok(HelloMessage::Refused(refusal)) => {
                out.push(Output::Event(Event::RefusedBy { device, refusal }));
                // It will not come to us, so it is for us to try again. One to whom we said nothing
                // would have us come and say who we are, for a word of refusal.
                let greeted = connection.greeted;
                if let Some(peer) = self.peers.get_mut(&device) {
                    peer.wanted |= greeted;
                }
                self.drop_connection(device, now, out);
            }
            Ok(HelloMessage::Hello(_) | HelloMessage::Welcome) | Err(_) => {
                self.refuse(device, Refusal::Malformed, now, out);
            }
        }
    }

    /// Lets a device pass, or not, by what is known of its wallet now.
    fn judge(&mut self, device: DeviceKey, now: Time, access: &mut AccessBook, out: &mut Outbox) {
        let Some(peer) = self.peers.get_mut(&device) else {
            return;
        };
        let Some(connection) = peer.session.as_mut() else {
            return;
        };
        let Some(hello) = connection.theirs.as_deref() else {
            return;
        };
        let certificate = &hello.certificate;
        if certificate.expired(self.time.shown(now)) {
            return self.refuse(device, Refusal::Certificate, now, out);
        }
        let Some(verdict) = access.verdict(certificate.statement.wallet, now) else {
            access.want(certificate.statement.wallet);
            return;
        };
        if !verdict.standing.role.admits() {
            return self.refuse(device, Refusal::NotAMember, now, out);
        }
        if certificate.check_cutoff(verdict.standing.device_cutoff).is_err() {
            return self.refuse(device, Refusal::Certificate, now, out);
        }
        if connection.passed {
            return;
        }
        if certificate.check_wallet().is_err() {
            return self.refuse(device, Refusal::Certificate, now, out);
        }
        connection.passed = true;
        peer.wanted = true;
        if hello.version > access.version() {
            out.push(Output::CheckVersion);
        }
        out.push(Output::Pass(device));
        send(device, &HelloMessage::Welcome, out);
        self.greet(device, now, access.version(), out);
    }

    /// Says why and lets go of it.
    fn refuse(&mut self, device: DeviceKey, refusal: Refusal, now: Time, out: &mut Outbox) {
        send(device, &HelloMessage::Refused(refusal), out);
        out.push(Output::Event(Event::Refused { device, refusal }));
        if let Some(peer) = self.peers.get_mut(&device)
            && refusal != Refusal::Undecided
        {
            // It is for this one to come back, once it has what it lacks.
            peer.wanted = false;
        }
        self.drop_connection(device, now, out);
    }

    fn drop_connection(&mut self, device: DeviceKey, now: Time, out: &mut Outbox) {
        if let Some(peer) = self.peers.get_mut(&device) {
            peer.session = None;
            // Whatever it was, it will not be different in a second.
            peer.failures = peer.failures.max(2);
            peer.failed(now, Duration::ZERO);
        }
        out.push(Output::Disconnect(device));
    }

    fn greet(&mut self, device: DeviceKey, now: Time, version: u64, out: &mut Outbox) {
        let Some(connection) = self.peers.get_mut(&device).and_then(|peer| peer.session.as_mut())
        else {
            return;
        };
        if !std::mem::replace(&mut connection.greeted, true) {
            let hello = Hello {
                certificate: self.own.certificate.clone(),
                community: self.own.community.id,
                version,
                time: now,
            };
            send(device, &HelloMessage::Hello(Box::new(hello)), out);
        }
    }

    /// The chain gave new verdicts: those who waited may pass, those who lost their seat go.
    pub(crate) fn judge_all(&mut self, now: Time, access: &mut AccessBook, out: &mut Outbox) {
        let devices: Vec<_> = self.peers.keys().copied().collect();
        for device in devices {
            self.judge(device, now, access, out);
        }
    }

    /// Dials whom it is time to dial, and gives up on those who take too long to pass.
    pub(crate) fn tick(&mut self, now: Time, access: &mut AccessBook, out: &mut Outbox) {
        for peer in self.peers.values_mut() {
            if peer.dialling.take_if(|since| now.since(*since) >= DIAL_TIME).is_some() {
                peer.failed(now, Duration::ZERO);
            }
            if let Some(hello) = peer.session.as_ref().and_then(|session| session.theirs.as_ref()) {
                access.refresh(hello.certificate.statement.wallet, now);
            }
        }
        let due = |peer: &Peer| peer.dial_at.filter(|at| *at <= now);
        let mut due: Vec<_> =
            self.peers.iter().filter_map(|(device, peer)| Some((due(peer)?, *device))).collect();
        due.sort_unstable();
        let mut dialling = self.dialling();
        for (_, device) in due {
            let Some(peer) = self.peers.get_mut(&device).filter(|_| dialling < MAX_DIALS) else {
                break;
            };
            peer.dial_at = None;
            if peer.session.is_none() && peer.dialling.is_none() {
                peer.dialling = Some(now);
                dialling += 1;
                out.push(Output::Dial(device));
            }
        }
        let slow = |connection: &Connection| {
            !connection.ready() && now.since(connection.since) >= HELLO_TIME
        };
        let late = self.peers.iter().filter(|(_, peer)| peer.session.as_ref().is_some_and(slow));
        let late: Vec<_> = late.map(|(device, _)| *device).collect();
        for device in late {
            self.refuse(device, Refusal::Undecided, now, out);
        }
        let shown = self.time.shown(now);
        let expired = |connection: &Connection| {
            connection.theirs.as_ref().is_some_and(|hello| hello.certificate.expired(shown))
        };
        if self.peers.values().any(|peer| peer.session.as_ref().is_some_and(expired)) {
            self.judge_all(now, access, out);
        }
    }

    /// When [`Self::tick`] has something to do.
    pub(crate) fn wake_at(&self) -> Option<Time> {
        let free = self.dialling() < MAX_DIALS;
        let dial = |peer: &Peer| peer.dial_at.filter(|_| free);
        let slow = |peer: &Peer| peer.dialling.map(|since| since + DIAL_TIME);
        let hello = |peer: &Peer| {
            let connection = peer.session.as_ref()?;
            if !connection.ready() {
                return Some(connection.since + HELLO_TIME);
            }
            let expires = connection.theirs.as_ref()?.certificate.statement.expires;
            Some(self.time.when(Time::from_secs(expires)))
        };
        let due = |peer| [dial(peer), slow(peer), hello(peer)];
        self.peers.values().flat_map(due).flatten().min()
    }

    fn dialling(&self) -> usize {
        self.peers.values().filter(|peer| peer.dialling.is_some()).count()
    }
}

/// How far `theirs` is ahead of `ours`, at most a day either way.
fn ahead(theirs: Time, ours: Time) -> i64 {
    let difference = i128::from(theirs.0) - i128::from(ours.0);
    i64::try_from(difference.clamp(-86_400_000, 86_400_000)).unwrap_or_default()
}

fn backoff(failures: u32) -> Duration {
    let seconds = if failures == 0 { 0 } else { 1 << failures.min(6) };
    Duration::from_secs(seconds)
}

fn send(device: DeviceKey, message: &HelloMessage, out: &mut Outbox) {
    out.send(device, Channel::Hello, wire::encode(message));
}

//! Meetings: who is in which, and one media link for each pair that sits in the same.
//!
//! Whoever joined later calls. The other side waits for the call, and calls itself when none
//! comes. Everything here follows from what was last said by each device, so the same rules that
//! set a meeting up also mend it.

use crate::budget::Budget;
use crate::certificate::DeviceCertificate;
use crate::channel::Channel;
use crate::gossip::GossipMessage;
use crate::id::{DeviceKey, MeetingName, Wallet};
use crate::media::{Link, LinkState, MediaCommand};
use crate::negotiation::Negotiation;
use crate::node::{JoinRefusal, Outbox, Output};
use crate::peers::{Peers, Urgency};
use crate::presence::{MeetingMessage, Presence, Session, SignedPresence};
use crate::small::{SmallMap, SmallSet};
use crate::time::{Duration, Time};
use crate::wire;

/// How many may speak in one meeting; each pair has a connection of its own.
pub const MAX_SPEAKERS: usize = 12;
/// How often a connection is made anew before it is given up.
const MAX_RESTARTS: u32 = 5;
/// How long a connection may be in the making before it is made anew; as long again after each
/// time that it was.
const CONNECT_TIME: Duration = Duration::from_secs(12);
/// How long mending may take before a connection is made anew instead.
const MEND_TIME: Duration = Duration::from_secs(8);
/// How soon after a search for new paths silence alone leads to another.
const RESTART_PACE: Duration = Duration::from_secs(5);
/// How soon after a search for new paths the other side's wish leads to another.
const ASK_PACE: Duration = Duration::from_secs(1);
/// How long after its making a connection is replaced that is of no use at all, each time longer.
const BROKEN_PAUSE: Duration = Duration::from_secs(1);
/// Of how many devices it is remembered which numbers their connections had.
const MAX_PAST: usize = 256;

mod attendance;
mod calls;
mod hearing;
mod upkeep;

/// Our own stay.
#[derive(Debug, Clone)]
struct Seat {
    meeting: MeetingName,
    session: Session,
    joined: Time,
    sequence: u64,
    muted: bool,
    hand: Option<Time>,
    /// When it was last told.
    said: Time,
}

/// Another device, as it last described itself.
#[derive(Debug)]
struct Attendee {
    presence: Presence,
    certificate: DeviceCertificate,
    heard: Time,
    /// The last sequence that came by its stream.
    streamed: u64,
    /// Since when it seems to have neither network nor audio.
    lost: Option<Time>,
    call: Option<Call>,
    /// The number of the last call between our two stays, whoever made it.
    attempt: u32,
    restarts: u32,
    given_up: bool,
    ever_heard: bool,
    /// We met in this meeting at this moment; the other's patience counts from here.
    met: Option<Time>,
    /// Whom it hears, in its own words.
    hearing: Vec<DeviceKey>,
    /// When it was told whom we hear, and what, over the link that stands now.
    told: Option<(Time, Vec<DeviceKey>)>,
}

/// The TURN servers that connections may use, as far as they are told from earlier ones.
#[derive(Debug, Default, Clone, Copy)]
struct Servers {
    /// How often one was granted.
    grants: u32,
    /// The first of the grants for the server of the last: what was allocated before ends with
    /// its grant.
    moved: u32,
    /// When the last was granted.
    at: Time,
}

/// A media connection to an attendee.
#[derive(Debug)]
struct Call {
    link: Link,
    state: LinkState,
    /// A TURN server is at either end.
    relayed: bool,
    /// The last of the grants that it looked for paths with.
    grant: u32,
    ever_connected: bool,
    broken: bool,
    negotiation: Negotiation,
    since: Time,
    /// Since when nothing is heard, though there was.
    down: Option<Time>,
    /// Since when it failed.
    failed: Option<Time>,
    /// Since when new paths are to be looked for, as there is another network, or silence.
    stale: Option<Time>,
    /// Whether the other side can still be spoken to is being found out. What is said meanwhile
    /// would be lost if it cannot.
    checking: bool,
    /// When new paths were last looked for, or asked for.
    restarted: Option<Time>,
    /// When it was asked to mend itself.
    mended: Option<Time>,
}

impl Attendee {
    const fn new(
        presence: Presence,
        certificate: DeviceCertificate,
        attempt: u32,
        now: Time,
    ) -> Self {
        Self {
            presence,
            certificate,
            heard: now,
            streamed: 0,
            lost: None,
            call: None,
            attempt,
            restarts: 0,
            given_up: false,
            ever_heard: false,
            met: None,
            hearing: Vec::new(),
            told: None,
        }
    }

    const fn wallet(&self) -> Wallet {
        self.certificate.statement.wallet
    }

    /// Begins to count anew how often a connection was tried.
    fn hope(&mut self) {
        (self.restarts, self.given_up) = (0, false);
    }

    /// Its call came to nothing.
    fn despair(&mut self, out: &mut Outbox) {
        self.hang_up(out);
        self.given_up = self.restarts >= MAX_RESTARTS;
        self.restarts += 1;
    }

    fn hang_up(&mut self, out: &mut Outbox) {
        if let Some(call) = self.call.take() {
            out.push(Output::Media(MediaCommand::Close { link: call.link }));
        }
    }
}

impl Call {
    fn open(link: Link, offers: bool, servers: Servers, now: Time, out: &mut Outbox) -> Self {
        out.push(Output::Media(MediaCommand::Open { link }));
        Self {
            link,
            state: LinkState::Connecting,
            relayed: false,
            grant: servers.grants,
            ever_connected: false,
            broken: false,
            negotiation: Negotiation::new(offers),
            since: now,
            down: None,
            failed: None,
            stale: None,
            checking: false,
            restarted: None,
            mended: None,
        }
    }

    /// Finds out whether the other side can still be spoken to, since there is reason to doubt it.
    fn doubt(&mut self, device: DeviceKey, out: &mut Outbox) {
        if !std::mem::replace(&mut self.checking, true) {
            out.push(Output::Check(device));
        }
    }

    /// When it is of no more use unless it connects; `restarts` others were tried before it.
    fn ends_at(&self, restarts: u32) -> Option<Time> {
        let patience = restarts.saturating_add(1);
        if self.broken {
            return Some(self.since + BROKEN_PAUSE * patience);
        }
        let in_vain = !self.ever_connected && self.state != LinkState::Connected;
        let making = in_vain.then(|| self.since + CONNECT_TIME * patience);
        let mending = self.mended.map(|mended| mended + MEND_TIME);
        [making, mending].into_iter().flatten().min()
    }
}

/// In each pair, the device with the larger `PeerId` makes the offers.
fn offers(peers: &Peers, device: DeviceKey) -> bool {
    peers.own().secret.device() > device
}

/// All meetings of the community that are heard of, and the one that we are in.
#[derive(Debug)]
pub(crate) struct Meetings {
    seat: Option<Seat>,
    /// Our last stay, over now: some may not have heard that we left.
    left: Option<Seat>,
    others: SmallMap<DeviceKey, Attendee>,
    /// The last attempts at calls with those who are gone, in which stay of theirs. They may not
    /// have noticed, so no number is used again during our stay.
    past: SmallMap<DeviceKey, (Session, u32)>,
    /// The last stay of each that is known to be over.
    over: SmallMap<DeviceKey, attendance::Over>,
    /// Connections made for wallets: a new stay or a higher attempt replaces one, and both cost
    /// others no more than a message. Browsers make a limited number in the life of a page.
    budget: Budget<Wallet>,
    /// Gossip that is of no use taken from each that delivers it.
    deliveries: Budget<DeviceKey>,
    /// Gossip taken of each that publishes it.
    words: Budget<DeviceKey>,
    links: u32,
    servers: Servers,
}

impl Default for Meetings {
    fn default() -> Self {
        Self {
            seat: None,
            left: None,
            others: SmallMap::new(),
            past: SmallMap::new(),
            over: SmallMap::new(),
            budget: Budget::new(16, Duration::from_secs(5)),
            deliveries: Budget::new(256, Duration::from_millis(100)),
            words: Budget::new(32, Duration::from_millis(500)),
            links: 0,
            servers: Servers::default(),
        }
    }
}

impl Meetings {
    pub(crate) fn join(
        &mut self,
        meeting: MeetingName,
        session: Session,
        muted: bool,
        now: Time,
        peers: &mut Peers,
        out: &mut Outbox,
    ) -> Result<(), JoinRefusal> {
        let wallet = peers.own().certificate.statement.wallet;
        let there = || self.others.values().filter(|other| other.presence.meeting == meeting);
        if there().any(|other| other.wallet() == wallet) {
            return Err(JoinRefusal::OtherDevice);
        }
        if there().map(Attendee::wallet).collect::<SmallSet<_>>().len() >= MAX_SPEAKERS {
            return Err(JoinRefusal::Full);
        }
        self.leave(now, peers, out);
        let seat =
            Seat { meeting, session, joined: now, sequence: 0, muted, hand: None, said: now };
        self.seat = Some(seat);
        out.push(Output::Media(MediaCommand::Mute(muted)));
        self.say(false, Urgency::News, now, peers, out);
        Ok(())
    }

    pub(crate) fn leave(&mut self, now: Time, peers: &mut Peers, out: &mut Outbox) {
        if self.seat.is_some() {
            self.say(true, Urgency::News, now, peers, out);
            self.left = self.seat.take();
        }
        for other in self.others.values_mut() {
            other.hang_up(out);
            other.hope();
            (other.attempt, other.ever_heard, other.met) = (0, false, None);
        }
        self.past.clear();
    }

    /// Since when our hand is raised.
    pub(crate) fn hand(&self) -> Option<Time> {
        self.seat.as_ref().and_then(|seat| seat.hand)
    }

    /// There is another network: all connections look for new paths.
    pub(crate) fn network_changed(&mut self, now: Time, out: &mut Outbox) {
        for (device, other) in &mut self.others {
            other.hope();
            if let Some(call) = other.call.as_mut() {
                call.stale = Some(now);
                call.doubt(*device, out);
            }
        }
    }

    /// A TURN server was granted, another one than before or the same. Connections that lack one,
    /// or use another, look for new paths.
    pub(crate) const fn granted(&mut self, moved: bool, now: Time) {
        self.servers.grants = self.servers.grants.saturating_add(1);
        self.servers.at = now;
        if moved {
            self.servers.moved = self.servers.grants;
        }
    }

    /// A device can be spoken to.
    pub(crate) fn answered(&mut self, device: DeviceKey, now: Time) {
        if let Some(call) = self.others.get_mut(&device).and_then(|other| other.call.as_mut()) {
            call.checking = false;
            call.stale = call.stale.map(|_| now);
        }
    }

    /// Whether we are in one.
    pub(crate) const fn is_in(&self) -> bool {
        self.seat.is_some()
    }

    pub(crate) fn set_muted(
        &mut self,
        muted: bool,
        now: Time,
        peers: &mut Peers,
        out: &mut Outbox,
    ) {
        let Some(seat) = self.seat.as_mut() else {
            return;
        };
        if std::mem::replace(&mut seat.muted, muted) != muted {
            out.push(Output::Media(MediaCommand::Mute(muted)));
            self.say(false, Urgency::News, now, peers, out);
        }
    }

    /// Raises our hand, or lowers it.
    pub(crate) fn set_hand(
        &mut self,
        raised: bool,
        now: Time,
        peers: &mut Peers,
        out: &mut Outbox,
    ) {
        let Some(seat) = self.seat.as_mut() else {
            return;
        };
        if seat.hand.is_some() != raised {
            seat.hand = raised.then_some(now);
            self.say(false, Urgency::News, now, peers, out);
        }
    }

    /// Tries again to reach a participant that was given up on.
    pub(crate) fn retry(&mut self, device: DeviceKey) {
        if let Some(other) = self.others.get_mut(&device) {
            other.hope();
        }
    }

    /// Tells one device where we are.
    pub(crate) fn present_to(
        &mut self,
        device: DeviceKey,
        now: Time,
        peers: &Peers,
        out: &mut Outbox,
    ) {
        if let Some(signed) = self.presence(self.seat.is_none(), now, peers) {
            out.send(device, Channel::Meeting, wire::encode(&MeetingMessage::Presence(signed)));
        }
    }

    /// A device may be spoken to from now on: it shall know where we are. What was said about a
    /// call before may be lost, so one that does not stand yet, or of which was spoken, is made
    /// anew. If it only rested, there is no more hope for a call than there was.
    pub(crate) fn introduce(
        &mut self,
        device: DeviceKey,
        rested: bool,
        now: Time,
        peers: &Peers,
        out: &mut Outbox,
    ) {
        self.present_to(device, now, peers, out);
        self.answered(device, now);
        if let Some(other) = self.others.get_mut(&device) {
            if !rested {
                other.hope();
            }
            if let Some(call) = other.call.as_mut().filter(|call| call.negotiation.asked()) {
                // That may be lost.
                call.stale = Some(now);
            }
            let open = other.call.as_ref().is_some_and(|call| call.negotiation.is_open());
            let tried =
                other.call.as_ref().is_some_and(|call| now.since(call.since) >= CONNECT_TIME);
            match open || !other.hears() {
                true if rested && tried => other.despair(out),
                true => other.hang_up(out),
                false => {}
            }
        }
    }

    fn presence(&mut self, leaving: bool, now: Time, peers: &Peers) -> Option<SignedPresence> {
        let own = peers.own();
        let seat = self.seat.as_mut().or(self.left.as_mut().filter(|_| leaving))?;
        seat.sequence += 1;
        let presence = Presence {
            community: own.community,
            meeting: seat.meeting.clone(),
            session: seat.session,
            sequence: seat.sequence,
            time: now,
            joined: seat.joined,
            muted: seat.muted,
            leaving,
            hand: seat.hand.filter(|_| !leaving),
        };
        Some(presence.sign(&own.secret))
    }

    /// Tells everyone where we are: by gossip, and each whom that does not reach by itself. Those
    /// who rest are told when they are connected.
    fn say(
        &mut self,
        leaving: bool,
        urgency: Urgency,
        now: Time,
        peers: &mut Peers,
        out: &mut Outbox,
    ) {
        let Some(signed) = self.presence(leaving, now, peers) else {
            return;
        };
        let frame = wire::encode(&MeetingMessage::Presence(signed.clone()));
        // What else is said in a stay, such as a call, must not overtake its first word.
        let first = signed.presence.sequence == 1;
        let mut reached = false;
        for device in peers.ready() {
            let by_gossip = peers.is_reached(device);
            reached |= by_gossip;
            if first || !by_gossip {
                out.send(device, Channel::Meeting, frame.clone());
            }
        }
        if reached {
            let device = peers.own().secret.device();
            out.push(Output::Publish(wire::encode(&GossipMessage::Presence { device, signed })));
        }
        peers.ring_all(urgency, now);
        if let Some(seat) = self.seat.as_mut() {
            seat.said = now;
        }
    }
}

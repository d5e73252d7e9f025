//! Meetings: who is in which, and one media link for each pair that sits in the same.
//!
//! Whoever joined later calls. The other side waits for the call, and calls itself when none
//! comes. Everything here follows from what was last said by each device, so the same rules that
//! set a meeting up also mend it.

use crate::certificate::DeviceCertificate;
use crate::channel::Channel;
use crate::id::{DeviceKey, MeetingName, Wallet};
use crate::media::{Link, LinkState, MediaCommand, MediaEvent};
use crate::negotiation::{Negotiation, Step};
use crate::node::{JoinRefusal, Outbox, Output};
use crate::peers::Peers;
use crate::presence::{INTERVAL, MAX_AGE, MeetingMessage, Presence, Session, Signal, SignalBody};
use crate::time::{Duration, Time};
use crate::wire;
use budget::Budget;
use std::collections::{BTreeMap, BTreeSet};

/// How many may speak in one meeting; each pair has a connection of its own.
pub const MAX_SPEAKERS: usize = 12;
/// How often a connection is made anew before it is given up.
const MAX_RESTARTS: u32 = 5;
/// How long a connection may be in the making before it is made anew; as long again after each
/// time that it was.
const CONNECT_TIME: Duration = Duration::from_secs(12);
/// How long mending may take before a connection is made anew instead.
const MEND_TIME: Duration = Duration::from_secs(8);
/// How long after its making a connection is replaced that is of no use at all, each time longer.
const BROKEN_PAUSE: Duration = Duration::from_secs(1);
/// Of how many devices it is remembered which numbers their connections had.
const MAX_PAST: usize = 256;

mod budget;
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
    say_at: Time,
}

/// Another device, as it last described itself.
#[derive(Debug)]
struct Attendee {
    presence: Presence,
    certificate: DeviceCertificate,
    heard: Time,
    /// Since when it has neither network nor audio.
    lost: Option<Time>,
    call: Option<Call>,
    /// The number of the last call between our two stays, whoever made it.
    attempt: u32,
    restarts: u32,
    given_up: bool,
    ever_heard: bool,
    /// We met in this meeting at this moment; the other's patience counts from here.
    met: Option<Time>,
}

/// A media connection to an attendee.
#[derive(Debug)]
struct Call {
    link: Link,
    state: LinkState,
    ever_connected: bool,
    broken: bool,
    negotiation: Negotiation,
    since: Time,
    /// Since when it failed.
    failed: Option<Time>,
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
            lost: None,
            call: None,
            attempt,
            restarts: 0,
            given_up: false,
            ever_heard: false,
            met: None,
        }
    }

    const fn wallet(&self) -> Wallet {
        self.certificate.statement.wallet
    }

    /// Begins to count anew how often a connection was tried.
    fn hope(&mut self) {
        (self.restarts, self.given_up) = (0, false);
    }

    fn hang_up(&mut self, out: &mut Outbox) {
        if let Some(call) = self.call.take() {
            out.push(Output::Media(MediaCommand::Close { link: call.link }));
        }
    }
}

impl Call {
    fn open(link: Link, polite: bool, now: Time, out: &mut Outbox) -> Self {
        out.push(Output::Media(MediaCommand::Open { link }));
        Self {
            link,
            state: LinkState::Connecting,
            ever_connected: false,
            broken: false,
            negotiation: Negotiation::new(polite),
            since: now,
            failed: None,
            mended: None,
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

/// In each pair, the device with the smaller `PeerId` gives way.
fn is_polite(peers: &Peers, device: DeviceKey) -> bool {
    peers.own().secret.device() < device
}

/// All meetings of the community that are heard of, and the one that we are in.
#[derive(Debug, Default)]
pub(crate) struct Meetings {
    seat: Option<Seat>,
    /// Our last stay, over now: some may not have heard that we left.
    left: Option<Seat>,
    others: BTreeMap<DeviceKey, Attendee>,
    /// The last attempts at calls with those who are gone, in which stay of theirs. They may not
    /// have noticed, so no number is used again during our stay.
    past: BTreeMap<DeviceKey, (Session, u32)>,
    budget: Budget,
    links: u32,
}

impl Meetings {
    pub(crate) fn join(
        &mut self,
        meeting: MeetingName,
        session: Session,
        muted: bool,
        now: Time,
        peers: &Peers,
        out: &mut Outbox,
    ) -> Result<(), JoinRefusal> {
        let wallet = peers.own().certificate.statement.wallet;
        let there = || self.others.values().filter(|other| other.presence.meeting == meeting);
        if there().any(|other| other.wallet() == wallet) {
            return Err(JoinRefusal::OtherDevice);
        }
        if there().map(Attendee::wallet).collect::<BTreeSet<_>>().len() >= MAX_SPEAKERS {
            return Err(JoinRefusal::Full);
        }
        self.leave(now, peers, out);
        let seat =
            Seat { meeting, session, joined: now, sequence: 0, muted, hand: None, say_at: now };
        self.seat = Some(seat);
        out.push(Output::Media(MediaCommand::Mute(muted)));
        self.say(false, now, peers, out);
        Ok(())
    }

    pub(crate) fn leave(&mut self, now: Time, peers: &Peers, out: &mut Outbox) {
        if self.seat.is_some() {
            self.say(true, now, peers, out);
            self.left = self.seat.take();
        }
        for other in self.others.values_mut() {
            other.hang_up(out);
            other.hope();
            (other.attempt, other.ever_heard, other.met) = (0, false, None);
        }
        self.past.clear();
    }

    /// Whether we are in one.
    pub(crate) const fn is_in(&self) -> bool {
        self.seat.is_some()
    }

    pub(crate) fn set_muted(&mut self, muted: bool, now: Time, peers: &Peers, out: &mut Outbox) {
        let Some(seat) = self.seat.as_mut() else {
            return;
        };
        if std::mem::replace(&mut seat.muted, muted) != muted {
            out.push(Output::Media(MediaCommand::Mute(muted)));
            self.say(false, now, peers, out);
        }
    }

    /// Raises our hand, or lowers it.
    pub(crate) fn set_hand(&mut self, raised: bool, now: Time, peers: &Peers, out: &mut Outbox) {
        let Some(seat) = self.seat.as_mut() else {
            return;
        };
        if seat.hand.is_some() != raised {
            seat.hand = raised.then_some(now);
            self.say(false, now, peers, out);
        }
    }

    /// Tries again to reach a participant that was given up on.
    pub(crate) fn retry(&mut self, device: DeviceKey) {
        if let Some(other) = self.others.get_mut(&device) {
            other.hope();
        }
    }

    /// A device may be spoken to from now on: it shall know where we are. What was said about a
    /// call before may be lost, so one that does not stand yet is made anew.
    pub(crate) fn introduce(
        &mut self,
        device: DeviceKey,
        now: Time,
        peers: &Peers,
        out: &mut Outbox,
    ) {
        if let Some(frame) = self.presence_frame(self.seat.is_none(), now, peers) {
            out.send(device, Channel::Meeting, frame);
        }
        if let Some(other) = self.others.get_mut(&device) {
            other.hope();
            if !other.hears() {
                other.hang_up(out);
            }
        }
    }

    fn presence_frame(&mut self, leaving: bool, now: Time, peers: &Peers) -> Option<Vec<u8>> {
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
        Some(wire::encode(&MeetingMessage::Presence(presence.sign(&own.secret))))
    }

    /// Tells everyone who is connected where we are.
    fn say(&mut self, leaving: bool, now: Time, peers: &Peers, out: &mut Outbox) {
        let Some(frame) = self.presence_frame(leaving, now, peers) else {
            return;
        };
        for device in peers.ready() {
            out.send(device, Channel::Meeting, frame.clone());
        }
        if let Some(seat) = self.seat.as_mut() {
            seat.say_at = now + INTERVAL;
        }
    }

    /// Takes a frame of the meeting channel from a device that passed. Returns whether it was of
    /// use; what is not is counted, and otherwise ignored.
    pub(crate) fn received(
        &mut self,
        device: DeviceKey,
        frame: &[u8],
        now: Time,
        peers: &Peers,
        out: &mut Outbox,
    ) -> bool {
        match wire::decode::<MeetingMessage>("meeting message", frame) {
            Ok(MeetingMessage::Presence(signed)) => {
                signed.is_by(device) && self.heard(device, signed.presence, now, peers, out)
            }
            Ok(MeetingMessage::Signal(signal)) => self.signal(device, signal, now, peers, out),
            Err(_) => false,
        }
    }

    fn heard(
        &mut self,
        device: DeviceKey,
        presence: Presence,
        now: Time,
        peers: &Peers,
        out: &mut Outbox,
    ) -> bool {
        let Some(certificate) = peers.certificate(device) else {
            return false;
        };
        let their_clock = peers.clock(device, now);
        let timely = their_clock.since(presence.time) <= MAX_AGE
            && presence.time.since(their_clock) <= MAX_AGE
            && presence.joined <= presence.time;
        if presence.community != peers.own().community || !timely {
            return false;
        }
        if let Some(known) = self.others.get_mut(&device) {
            // Of two stays the later said is the later one: a device's frames keep their order.
            let same = known.presence.session == presence.session;
            if same && presence.sequence <= known.presence.sequence {
                return false;
            }
            if same && !presence.leaving && known.presence.meeting == presence.meeting {
                known.presence = presence;
                known.certificate = certificate.clone();
                known.heard = now;
                return true;
            }
        } else if presence.leaving {
            return true;
        }
        // A stay that ended or began takes its connection with it.
        self.forget(device, out);
        if !presence.leaving {
            let past = self.past.remove(&device).filter(|(past, _)| *past == presence.session);
            let attempt = past.map_or(0, |(_, attempt)| attempt);
            let attendee = Attendee::new(presence, certificate.clone(), attempt, now);
            self.others.insert(device, attendee);
        }
        true
    }

    fn forget(&mut self, device: DeviceKey, out: &mut Outbox) {
        if let Some(mut other) = self.others.remove(&device) {
            other.hang_up(out);
            if other.attempt > 0 {
                self.past.insert(device, (other.presence.session, other.attempt));
            }
            if self.past.len() > MAX_PAST {
                self.past.pop_first();
            }
        }
    }

    fn signal(
        &mut self,
        device: DeviceKey,
        signal: Signal,
        now: Time,
        peers: &Peers,
        out: &mut Outbox,
    ) -> bool {
        let Some(seat) = &self.seat else { return false };
        let seated = self.seated(seat, peers).is_ok_and(|seated| seated.contains(&device));
        let Some(other) = self.others.get_mut(&device).filter(|_| seated) else {
            return false;
        };
        let meant = other.presence.meeting == seat.meeting
            && other.presence.session == signal.from
            && seat.session == signal.to;
        if !meant || !signal.body.fits() || signal.attempt < other.attempt || signal.attempt == 0 {
            return false;
        }
        if signal.attempt > other.attempt {
            // A connection begins with an offer: frames keep their order.
            if !signal.body.is_offer() || !self.budget.spend(other.wallet(), now) {
                return false;
            }
            other.hang_up(out);
            other.attempt = signal.attempt;
            self.links += 1;
            let polite = is_polite(peers, device);
            other.call = Some(Call::open(Link(self.links), polite, now, out));
        }
        let Some(call) = other.call.as_mut() else {
            return false;
        };
        let useful = match signal.body {
            SignalBody::Description(description) => call.negotiation.receive(description),
            SignalBody::Candidate(candidate) => call.negotiation.receive_candidate(candidate),
        };
        self.drain(device, peers, out);
        useful
    }

    pub(crate) fn media(&mut self, event: MediaEvent, now: Time, peers: &Peers, out: &mut Outbox) {
        let link = match &event {
            MediaEvent::NegotiationNeeded { link }
            | MediaEvent::LocalDescription { link, .. }
            | MediaEvent::Applied { link, .. }
            | MediaEvent::LocalCandidate { link, .. }
            | MediaEvent::State { link, .. }
            | MediaEvent::Broken { link, .. } => *link,
        };
        let is_it = |other: &Attendee| other.call.as_ref().is_some_and(|call| call.link == link);
        let Some((device, other)) = self.others.iter_mut().find(|(_, other)| is_it(other)) else {
            return;
        };
        let device = *device;
        let Some(call) = other.call.as_mut() else {
            return;
        };
        match event {
            MediaEvent::NegotiationNeeded { .. } => call.negotiation.needed(),
            MediaEvent::LocalDescription { description, .. } => {
                call.negotiation.described(description);
            }
            MediaEvent::Applied { kind, .. } => call.negotiation.applied(kind),
            MediaEvent::LocalCandidate { candidate, .. } => call.negotiation.found(candidate),
            MediaEvent::State { state, .. } => {
                call.state = state;
                match state {
                    LinkState::Connected => {
                        (call.ever_connected, call.failed, call.mended) = (true, None, None);
                        other.ever_heard = true;
                        other.hope();
                    }
                    LinkState::Failed => {
                        call.failed.get_or_insert(now);
                    }
                    LinkState::Connecting | LinkState::Disconnected => {}
                }
            }
            MediaEvent::Broken { .. } => {
                // Nothing can be mended here; the upkeep makes a new one.
                call.broken = true;
                call.state = LinkState::Failed;
            }
        }
        self.drain(device, peers, out);
    }

    /// Carries out what a negotiation asks for. What cannot be said now is never said: the call
    /// is made anew when the two can speak again.
    fn drain(&mut self, device: DeviceKey, peers: &Peers, out: &mut Outbox) {
        let Some(seat) = &self.seat else { return };
        let Some(other) = self.others.get_mut(&device) else {
            return;
        };
        let (from, to, attempt) = (seat.session, other.presence.session, other.attempt);
        let Some(call) = other.call.as_mut() else {
            return;
        };
        let link = call.link;
        while let Some(step) = call.negotiation.poll() {
            let body = match step {
                Step::Describe => {
                    out.push(Output::Media(MediaCommand::Describe { link }));
                    continue;
                }
                Step::Apply(description) => {
                    out.push(Output::Media(MediaCommand::Apply { link, description }));
                    continue;
                }
                Step::AddCandidate(candidate) => {
                    out.push(Output::Media(MediaCommand::AddCandidate { link, candidate }));
                    continue;
                }
                Step::SendDescription(description) => SignalBody::Description(description),
                Step::SendCandidate(candidate) => SignalBody::Candidate(candidate),
            };
            if peers.is_ready(device) {
                let signal = MeetingMessage::Signal(Signal { from, to, attempt, body });
                out.send(device, Channel::Meeting, wire::encode(&signal));
            }
        }
    }
}

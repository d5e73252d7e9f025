//! Meetings: who is in which, and one media link for each pair that sits in the same.
//!
//! Whoever joined later calls. The other side waits for the call, and calls itself when none
//! comes. Everything here follows from what was last said by each device, so the same rules that
//! set a meeting up also mend it.

use crate::channel::Channel;
use crate::id::{DeviceKey, MeetingName, Wallet};
use crate::media::{Link, LinkState, MediaCommand, MediaEvent};
use crate::negotiation::{Negotiation, Step};
use crate::node::{JoinRefusal, Outbox, Output};
use crate::peers::Peers;
use crate::presence::{INTERVAL, MAX_AGE, MeetingMessage, Presence, Session, Signal, SignalBody};
use crate::time::Time;
use crate::wire;
use std::collections::{BTreeMap, BTreeSet};

/// How many may speak in one meeting; each pair has a connection of its own.
pub const MAX_SPEAKERS: usize = 12;
/// How often a connection is mended or made anew before it is given up.
const MAX_RESTARTS: u32 = 5;

mod upkeep;

/// Our own stay.
#[derive(Debug, Clone)]
struct Seat {
    meeting: MeetingName,
    session: Session,
    joined: Time,
    sequence: u64,
    muted: bool,
    say_at: Time,
}

/// Another device, as it last described itself.
#[derive(Debug)]
struct Attendee {
    presence: Presence,
    wallet: Wallet,
    heard: Time,
    /// Since when it has neither network nor audio.
    lost: Option<Time>,
    call: Option<Call>,
    attempt: u32,
    restarts: u32,
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
    restart_at: Option<Time>,
}

impl Attendee {
    const fn new(presence: Presence, wallet: Wallet, now: Time) -> Self {
        Self {
            presence,
            wallet,
            heard: now,
            lost: None,
            call: None,
            attempt: 0,
            restarts: 0,
            met: None,
        }
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
            restart_at: None,
        }
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
    others: BTreeMap<DeviceKey, Attendee>,
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
        if there().any(|other| other.wallet == wallet) {
            return Err(JoinRefusal::OtherDevice);
        }
        if there().map(|other| other.wallet).collect::<BTreeSet<_>>().len() >= MAX_SPEAKERS {
            return Err(JoinRefusal::Full);
        }
        self.leave(now, peers, out);
        let seat = Seat { meeting, session, joined: now, sequence: 0, muted, say_at: now };
        self.seat = Some(seat);
        out.push(Output::Media(MediaCommand::Mute(muted)));
        self.say(false, now, peers, out);
        Ok(())
    }

    pub(crate) fn leave(&mut self, now: Time, peers: &Peers, out: &mut Outbox) {
        if self.seat.is_some() {
            self.say(true, now, peers, out);
            self.seat = None;
        }
        for other in self.others.values_mut() {
            other.hang_up(out);
            (other.attempt, other.restarts, other.met) = (0, 0, None);
        }
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

    /// Tries again to reach a participant that was given up on.
    pub(crate) fn retry(&mut self, device: DeviceKey) {
        if let Some(other) = self.others.get_mut(&device) {
            other.restarts = 0;
        }
    }

    /// A device may be spoken to from now on: it shall know where we are.
    pub(crate) fn introduce(
        &mut self,
        device: DeviceKey,
        now: Time,
        peers: &Peers,
        out: &mut Outbox,
    ) {
        if let Some(frame) = self.presence_frame(false, now, peers) {
            out.send(device, Channel::Meeting, frame);
        }
    }

    fn presence_frame(&mut self, leaving: bool, now: Time, peers: &Peers) -> Option<Vec<u8>> {
        let own = peers.own();
        let seat = self.seat.as_mut()?;
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
        let Some(wallet) = peers.wallet(device) else {
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
            let same = known.presence.session == presence.session;
            let newer = if same {
                presence.sequence > known.presence.sequence
            } else {
                presence.time >= known.presence.time
            };
            if !newer {
                return false;
            }
            if same && !presence.leaving && known.presence.meeting == presence.meeting {
                known.presence = presence;
                known.heard = now;
                return true;
            }
        } else if presence.leaving {
            return true;
        }
        // A stay that ended or began takes its connection with it.
        self.forget(device, out);
        if !presence.leaving {
            self.others.insert(device, Attendee::new(presence, wallet, now));
        }
        true
    }

    fn forget(&mut self, device: DeviceKey, out: &mut Outbox) {
        if let Some(mut other) = self.others.remove(&device) {
            other.hang_up(out);
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
        let Some(other) = self.others.get_mut(&device) else {
            return false;
        };
        let meant = other.presence.meeting == seat.meeting
            && other.presence.session == signal.from
            && seat.session == signal.to;
        if !meant || !signal.body.fits() || signal.attempt < other.attempt || signal.attempt == 0 {
            return false;
        }
        if signal.attempt > other.attempt || other.call.is_none() {
            // Attempts are bounded by whoever makes them; a jump would only serve to exhaust.
            if signal.attempt > other.attempt.saturating_add(MAX_RESTARTS) {
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
        self.drain(device, out);
        useful
    }

    pub(crate) fn media(&mut self, event: MediaEvent, now: Time, out: &mut Outbox) {
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
                        call.ever_connected = true;
                        call.restart_at = None;
                        other.restarts = 0;
                    }
                    LinkState::Failed => call.restart_at = Some(now),
                    LinkState::Connecting | LinkState::Disconnected => {}
                }
            }
            MediaEvent::Broken { .. } => {
                // Nothing can be mended here; the upkeep makes a new one.
                call.broken = true;
                call.state = LinkState::Failed;
            }
        }
        self.drain(device, out);
    }

    /// Carries out what a negotiation asks for.
    fn drain(&mut self, device: DeviceKey, out: &mut Outbox) {
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
            let signal = MeetingMessage::Signal(Signal { from, to, attempt, body });
            out.send(device, Channel::Meeting, wire::encode(&signal));
        }
    }
}

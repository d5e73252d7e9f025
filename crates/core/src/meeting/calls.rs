//! Calls: one media connection for each pair, negotiated over the stream between the two.

use super::{ASK_PACE, Attendee, Call, Meetings, RESTART_PACE, Seat, offers};
use crate::channel::Channel;
use crate::id::DeviceKey;
use crate::media::{DescriptionKind, Link, LinkState, MediaCommand, MediaEvent};
use crate::negotiation::Step;
use crate::node::{Outbox, Output};
use crate::peers::Peers;
use crate::presence::{MeetingMessage, Signal, SignalBody};
use crate::time::Time;
use crate::wire;

impl Call {
    /// The other side asks for an offer, which may be on its way.
    fn receive_ask(&mut self, now: Time) {
        if self.negotiation.receive_ask() {
            let soonest = self.restarted.map_or(now, |at| now.max(at + ASK_PACE));
            self.stale.get_or_insert(soonest);
        }
    }
}

impl Meetings {
    /// Takes a step of a negotiation from a device. Returns whether it was of use.
    pub(super) fn signal(
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
        if !meant {
            return false;
        }
        other.heard = now;
        if !signal.body.fits() || signal.attempt < other.attempt || signal.attempt == 0 {
            return false;
        }
        let offers = offers(peers, device);
        if signal.attempt > other.attempt {
            // A connection begins with an offer, or with the wish for one: frames keep their order.
            let begins =
                if offers { signal.body == SignalBody::Ask } else { signal.body.is_offer() };
            if !begins || !self.budget.spend(other.wallet(), now) {
                return false;
            }
            other.hang_up(out);
            other.attempt = signal.attempt;
            self.links += 1;
            other.call = Some(Call::open(Link(self.links), offers, self.servers, now, out));
        }
        let Some(call) = other.call.as_mut() else {
            return false;
        };
        let is_offer = signal.body.is_offer();
        let useful = match signal.body {
            SignalBody::Description(description) => call.negotiation.receive(description),
            SignalBody::Candidate(candidate) => call.negotiation.receive_candidate(candidate),
            SignalBody::Ask => {
                call.receive_ask(now);
                offers
            }
        };
        if is_offer && useful {
            // It looks for paths on both sides.
            call.grant = self.servers.grants;
            if call.down.is_some() {
                // The other side mends it already.
                call.mended.get_or_insert(now);
            }
        }
        drain(device, other, seat, peers, out);
        useful
    }

    pub(crate) fn media(&mut self, event: MediaEvent, now: Time, peers: &Peers, out: &mut Outbox) {
        let link = match &event {
            MediaEvent::NegotiationNeeded { link }
            | MediaEvent::LocalDescription { link, .. }
            | MediaEvent::Applied { link, .. }
            | MediaEvent::LocalCandidate { link, .. }
            | MediaEvent::State { link, .. }
            | MediaEvent::Path { link, .. }
            | MediaEvent::Silent { link }
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
            MediaEvent::Applied { kind, .. } => {
                if kind == DescriptionKind::Offer && call.ever_connected {
                    // The other side looks for new paths, which serves both.
                    (call.stale, call.restarted) = (None, Some(now));
                }
                call.negotiation.applied(kind);
            }
            MediaEvent::LocalCandidate { candidate, .. } => call.negotiation.found(candidate),
            MediaEvent::State { state, .. } => {
                call.state = state;
                match state {
                    LinkState::Connected => {
                        call.ever_connected = true;
                        (call.down, call.failed, call.mended) = (None, None, None);
                        other.ever_heard = true;
                        other.hope();
                    }
                    LinkState::Disconnected => {
                        call.down.get_or_insert(now);
                        call.doubt(device, out);
                    }
                    LinkState::Failed => {
                        call.down.get_or_insert(now);
                        call.failed.get_or_insert(now);
                        call.doubt(device, out);
                    }
                    LinkState::Connecting => {}
                }
            }
            MediaEvent::Path { relayed, .. } => call.relayed = relayed,
            MediaEvent::Silent { .. } => {
                if call.restarted.is_none_or(|at| now.since(at) >= RESTART_PACE) {
                    call.stale.get_or_insert(now);
                    call.doubt(device, out);
                }
            }
            MediaEvent::Broken { .. } => {
                // Nothing can be mended here; the upkeep makes a new one.
                call.broken = true;
                call.state = LinkState::Failed;
            }
        }
        if let Some(seat) = &self.seat {
            drain(device, other, seat, peers, out);
        }
    }
}

/// Carries out what the negotiation with a device asks for. What cannot be said now is never said:
/// the call is made anew when the two can speak again.
pub(super) fn drain(
    device: DeviceKey,
    other: &mut Attendee,
    seat: &Seat,
    peers: &Peers,
    out: &mut Outbox,
) {
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
            Step::Restart => {
                out.push(Output::Media(MediaCommand::RestartIce { link }));
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
            Step::Ask => SignalBody::Ask,
        };
        if peers.is_ready(device) {
            let signal = MeetingMessage::Signal(Signal { from, to, attempt, body });
            out.send(device, Channel::Meeting, wire::encode(&signal));
        }
    }
}

//! Who says to be in which meeting, on their own streams and by gossip.
//!
//! A stream keeps its order, gossip does not, and the two overtake each other. So within a stay
//! the sequence decides, and a stay that is over stays over.

use super::{Attendee, MAX_PAST, Meetings};
use crate::gossip::{self, GossipMessage, GossipVerdict};
use crate::id::DeviceKey;
use crate::node::Outbox;
use crate::peers::Peers;
use crate::presence::{MAX_AGE, MeetingMessage, Presence, Session};
use crate::time::{Duration, Time};
use crate::wire;

/// By which way a presence came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Stream,
    Gossip,
}

/// What a presence was worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Worth {
    /// It says something new.
    News,
    /// It is right, and known already.
    Known,
    /// It is of a stay that is over.
    Over,
}

/// A stay that is known to be over. What was said of it before may still come by another way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Over {
    session: Session,
    /// When it was said, by the device's clock.
    said: Time,
    /// When we learnt that, by ours.
    noted: Time,
}

/// How far the clock of a device that never said hello may be off; certificates allow as much.
const MAX_SKEW: Duration = Duration::from_secs(300);

/// Whether what a device says was said just now by its clock, and makes sense.
fn timely(presence: &Presence, their_clock: Time, most: Duration) -> bool {
    their_clock.since(presence.time) <= most
        && presence.time.since(their_clock) <= most
        && presence.joined <= presence.time
        && presence.hand.is_none_or(|hand| hand <= presence.time)
}

impl Meetings {
    /// Takes a frame of the meeting channel from a device that passed. Returns whether it was of
    /// use; what is not is counted, and otherwise ignored.
    pub(crate) fn received(
        &mut self,
        device: DeviceKey,
        frame: &[u8],
        now: Time,
        peers: &mut Peers,
        out: &mut Outbox,
    ) -> bool {
        match wire::decode::<MeetingMessage>("meeting message", frame) {
            Ok(MeetingMessage::Presence(signed)) => {
                signed.is_by(device)
                    && signed.presence.community == peers.own().community
                    && timely(&signed.presence, peers.clock(device, now), MAX_AGE)
                    && self.said(device, signed.presence, now, peers, out)
            }
            Ok(MeetingMessage::Signal(signal)) => self.signal(device, signal, now, peers, out),
            Ok(MeetingMessage::Hears(hears)) => self.hears(device, hears),
            Err(_) => false,
        }
    }

    /// Takes a presence from the device's own stream. Returns whether it was of use, or would have
    /// been, had gossip not overtaken it.
    fn said(
        &mut self,
        device: DeviceKey,
        presence: Presence,
        now: Time,
        peers: &mut Peers,
        out: &mut Outbox,
    ) -> bool {
        let (session, sequence, leaving) = (presence.session, presence.sequence, presence.leaving);
        let worth = self.attend(device, presence, Way::Stream, now, peers, out);
        let other = self.others.get_mut(&device).filter(|it| it.presence.session == session);
        let next = other.is_some_and(|other| {
            let next = sequence > other.streamed;
            other.streamed = other.streamed.max(sequence);
            next
        });
        worth == Worth::News || (worth == Worth::Known && (next || leaving))
    }

    /// Takes a frame of gossip that `source` delivered, and says what becomes of it.
    pub(crate) fn gossip(
        &mut self,
        source: DeviceKey,
        frame: &[u8],
        now: Time,
        peers: &mut Peers,
        out: &mut Outbox,
    ) -> GossipVerdict {
        // What is of use costs whoever delivers it nothing: its author pays for it.
        if peers.certificate(source).is_none() || self.deliveries.free_at(source) > now {
            return GossipVerdict::Ignore;
        }
        let verdict = self.judge(source, frame, now, peers, out);
        if verdict != GossipVerdict::Accept {
            self.deliveries.spend(source, now);
        }
        verdict
    }

    fn judge(
        &mut self,
        source: DeviceKey,
        frame: &[u8],
        now: Time,
        peers: &mut Peers,
        out: &mut Outbox,
    ) -> GossipVerdict {
        if frame.len() > gossip::MAX_FRAME {
            return GossipVerdict::Reject;
        }
        let Ok(GossipMessage::Presence { device, signed }) = wire::decode("gossip", frame) else {
            return GossipVerdict::Reject;
        };
        if signed.presence.community != peers.own().community || !signed.is_by(device) {
            return GossipVerdict::Reject;
        }
        let own = peers.own().secret.device();
        let known = self.others.get(&device);
        let known = known.is_some_and(|o| o.presence.session == signed.presence.session)
            || peers.known_certificate(device).is_some();
        let most = if known { MAX_AGE } else { MAX_SKEW };
        if device == own || !timely(&signed.presence, peers.clock(device, now), most) {
            return GossipVerdict::Ignore;
        }
        if !known {
            peers.heard_of(device, source, &signed.presence, now);
            return GossipVerdict::Ignore;
        }
        if !self.words.spend(device, now) {
            return GossipVerdict::Ignore;
        }
        match self.attend(device, signed.presence, Way::Gossip, now, peers, out) {
            Worth::News | Worth::Known => GossipVerdict::Accept,
            Worth::Over => GossipVerdict::Ignore,
        }
    }

    /// Takes what a device says of itself, and signed, and was in time.
    fn attend(
        &mut self,
        device: DeviceKey,
        presence: Presence,
        way: Way,
        now: Time,
        peers: &mut Peers,
        out: &mut Outbox,
    ) -> Worth {
        let over = self.over.get(&device).copied();
        if over.is_some_and(|over| over.session == presence.session) {
            return if presence.leaving { Worth::Known } else { Worth::Over };
        }
        // Of two stays the later said is the later one. The device's clock may have been set back
        // between two lives of its page, but then it is connected anew.
        let since = peers.ready_since(device).map(|(since, _)| since);
        let anew = |noted: Time| since.is_some_and(|since| noted < since);
        let certificate = peers.known_certificate(device).cloned();
        if let Some(known) = self.others.get_mut(&device) {
            let same = known.presence.session == presence.session;
            if same && presence.sequence <= known.presence.sequence {
                return Worth::Known;
            }
            let later = match way {
                Way::Stream => presence.time >= known.presence.time,
                Way::Gossip => presence.time > known.presence.time,
            };
            if !same && !later && !anew(known.heard) {
                return Worth::Over;
            }
            if same && !presence.leaving && known.presence.meeting == presence.meeting {
                known.presence = presence;
                known.heard = now;
                if let Some(certificate) = certificate {
                    known.certificate = certificate;
                }
                return Worth::News;
            }
        } else if way == Way::Gossip
            && over.is_some_and(|over| presence.time <= over.said && !anew(over.noted))
        {
            return Worth::Over;
        }
        // A stay that ended or began takes its connection with it.
        let before = self.others.get(&device);
        let before = before.map(|known| (known.presence.session, known.presence.time));
        let certificate =
            certificate.or_else(|| self.others.get(&device).map(|known| known.certificate.clone()));
        self.forget(device, out);
        if presence.leaving {
            self.end(device, Over { session: presence.session, said: presence.time, noted: now });
            peers.keep_company(device, None);
        } else if let Some(certificate) = certificate {
            if let Some((session, said)) = before.filter(|(it, _)| *it != presence.session) {
                self.end(device, Over { session, said, noted: now });
            }
            let past = self.past.remove(&device).filter(|(past, _)| *past == presence.session);
            let attempt = past.map_or(0, |(_, attempt)| attempt);
            let attendee = Attendee::new(presence, certificate, attempt, now);
            self.others.insert(device, attendee);
        }
        Worth::News
    }

    fn end(&mut self, device: DeviceKey, over: Over) {
        self.over.insert(device, over);
        if self.over.len() > MAX_PAST {
            self.over.pop_first();
        }
    }

    pub(super) fn forget(&mut self, device: DeviceKey, out: &mut Outbox) {
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
}

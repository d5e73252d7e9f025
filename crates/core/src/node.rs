//! One device in one community.
//!
//! The contract with whoever drives it: after every [`Node::handle`], drain [`Node::poll`] until
//! it returns `None`, and call `handle(Input::Tick, ..)` when [`Node::wake_at`] has come.

use crate::access::{AccessBook, Verdict};
use crate::certificate::DeviceCertificate;
use crate::channel::Channel;
use crate::gossip::{GossipMessage, GossipVerdict};
use crate::id::{Community, DeviceKey, DeviceSecret};
use crate::meeting::Meetings;
use crate::peers::{Own, Peers};
use crate::rooms::Incoming;
use crate::small::SmallMap;
use crate::time::{Duration, Time};
use crate::turn::Upkeep;
use crate::wire;
use gate::Gate;
use std::collections::VecDeque;

mod gate;
mod seam;

pub use seam::ParticipantState;
pub use seam::{Event, Input, JoinRefusal, LinkFailure, Member, Output, Participant};

/// How often the community's version is asked for, before jitter.
const VERSION_PACE: Duration = Duration::from_secs(54);
/// Changes of the network come in bursts: after the first, the others are taken as one.
const CHANGE_PACE: Duration = Duration::from_secs(1);

/// Outputs in the order in which they came about.
#[derive(Debug, Default)]
pub(crate) struct Outbox(VecDeque<Output>);

impl Outbox {
    pub(crate) fn push(&mut self, output: Output) {
        self.0.push_back(output);
    }

    pub(crate) fn send(&mut self, to: DeviceKey, channel: Channel, frame: Vec<u8>) {
        self.push(Output::Send { to, channel, frame });
    }

    fn event(&mut self, event: Event) {
        self.push(Output::Event(event));
    }
}

/// One device in one community, from signing in to signing out.
#[derive(Debug)]
pub struct Node {
    access: AccessBook,
    peers: Peers,
    meetings: Meetings,
    turn: Upkeep,
    gate: Gate,
    version_at: Time,
    /// When another network was last taken note of.
    changed_at: Option<Time>,
    /// It changed again since.
    changed_again: bool,
    /// Our own wallet is let in.
    inside: bool,
    /// Our own certificate is over.
    expired: bool,
    shown: Shown,
    out: Outbox,
}

/// What people were told last.
#[derive(Debug, Default)]
struct Shown {
    own: Option<Verdict>,
    members: SmallMap<DeviceKey, Member>,
    participants: SmallMap<DeviceKey, Participant>,
}

impl Node {
    /// A device whose wallet vouches for it by `certificate`. The first thing it does is to ask
    /// the chain about its own wallet; it says nothing to anybody before it is let in.
    #[must_use]
    pub fn new(
        community: Community,
        secret: DeviceSecret,
        certificate: DeviceCertificate,
        now: Time,
    ) -> Self {
        let mut access = AccessBook::default();
        access.want(certificate.statement.wallet);
        let mut node = Self {
            access,
            peers: Peers::new(Own { community, secret, certificate }),
            meetings: Meetings::default(),
            turn: Upkeep::default(),
            gate: Gate::default(),
            version_at: now,
            changed_at: None,
            changed_again: false,
            inside: false,
            expired: false,
            shown: Shown::default(),
            out: Outbox::default(),
        };
        node.handle(Input::Tick, now);
        node
    }

    /// Takes what happened when the clock showed `now`. A clock that is set back, or forward,
    /// is put up with.
    pub fn handle(&mut self, input: Input, now: Time) {
        let now = self.peers.time_mut().read(now);
        let admitted = self.admitted(now);
        let Self { access, peers, meetings, gate, turn, out, .. } = self;
        match input {
            Input::Tick => {}
            Input::Present { source, devices } => peers.present(source, devices, now),
            Input::Arrived { source, device } if admitted => peers.arrived(source, device, now),
            // It may dial us in vain before we are let in, so it is for us to reach it.
            Input::Arrived { source, device } => peers.present(source, vec![device], now),
            Input::Left(device) => peers.left(device),
            Input::Connected(device) if admitted => {
                peers.connected(device, now, access.version(), out);
            }
            Input::Connected(device) => out.push(Output::Disconnect(device)),
            Input::Disconnected(device) => peers.disconnected(device, now),
            Input::DialFailed(device) => peers.dial_failed(device, now),
            Input::LinkOffered(device) => peers.link_offered(device, now, out),
            Input::Linked(device) => peers.linked(device, now),
            Input::LinkFailed { device, failure } => {
                peers.link_failed(device, failure, now);
                match failure {
                    LinkFailure::Unreachable => turn.want(),
                    LinkFailure::Attack => out.event(Event::Attack { device }),
                }
            }
            Input::Answers(device) => meetings.answered(device, now),
            Input::GossipReaches(device) => {
                if peers.gossip_reaches(device) {
                    meetings.present_to(device, now, peers, out);
                }
            }
            Input::Gossip { source, id, .. } if !admitted => {
                out.push(Output::Judge { id, source, verdict: GossipVerdict::Ignore });
            }
            Input::Gossip { source, id, frame } => match wire::decode("gossip", &frame) {
                Ok(GossipMessage::Rooms { message }) => gate.gossip(source, id, message, out),
                _ => {
                    let verdict = meetings.gossip(source, &frame, now, peers, out);
                    out.push(Output::Judge { id, source, verdict });
                }
            },
            Input::NetworkChanged => self.changed_again = true,
            Input::RelayCame => turn.relay_came(now),
            Input::Turn(None) => turn.refused(now),
            Input::Turn(Some(grant)) => {
                meetings.granted(turn.granted(&grant, now), now);
                out.push(Output::UseTurn(grant));
            }
            Input::Prepare => turn.want(),
            Input::Received { .. } | Input::Join { .. } if !admitted => {}
            Input::Received { from, channel, frame } => self.received(from, channel, &frame, now),
            Input::Access { request, answer } => {
                let answered = access.answer(request, answer, now);
                for wallet in &answered {
                    let verdict = access.verdict(*wallet, now);
                    out.0.extend(verdict.map(|verdict| gate::access(*wallet, verdict)));
                }
                if !answered.is_empty() {
                    peers.judge_all(now, access, out);
                }
            }
            Input::Version(version) => {
                access.hear_version(version, now);
            }
            Input::Media(event) => meetings.media(event, now, peers, out),
            Input::Join { meeting, session, muted } => {
                match meetings.join(meeting.clone(), session, muted, now, peers, out) {
                    Ok(()) => out.event(Event::Joined { meeting, joined: now }),
                    Err(refusal) => out.event(Event::NotJoined(refusal)),
                }
            }
            Input::Leave => {
                meetings.leave(now, peers, out);
                out.event(Event::Left);
            }
            Input::SetMuted(muted) => meetings.set_muted(muted, now, peers, out),
            Input::SetHand(raised) => meetings.set_hand(raised, now, peers, out),
            Input::Retry(device) => meetings.retry(device),
            Input::CheckAccess(wallet) => access.recheck(wallet),
            Input::Seek(devices) => peers.seek(devices),
            Input::Recheck => access.recheck(peers.own().certificate.statement.wallet),
        }
        self.settle(now);
    }

    /// Who hears whom in our meeting, ourselves included, as each last said of itself.
    #[must_use]
    pub fn hearing(&self) -> Vec<(DeviceKey, Vec<DeviceKey>)> {
        self.meetings.hearing(self.peers.own().secret.device())
    }

    /// Since when our own hand is raised.
    #[must_use]
    pub fn hand(&self) -> Option<Time> {
        self.meetings.hand()
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.0.pop_front()
    }

    /// When to tick again, at the latest, by the clock that [`Self::handle`] is told. May lie in
    /// the past.
    #[must_use]
    pub fn wake_at(&self) -> Time {
        let time = self.peers.time();
        let expires = time.when(Time::from_secs(self.peers.own().certificate.statement.expires));
        let due = [
            self.access.wake_at(),
            self.peers.wake_at().filter(|_| self.inside),
            self.meetings.wake_at(&self.peers),
            self.turn.wake_at().filter(|_| self.inside),
            self.change_at(),
            (!self.expired).then_some(expires),
        ];
        time.shown(due.into_iter().flatten().fold(self.version_at, Time::min))
    }

    /// Whether the contract lets our own wallet in, and our certificate holds.
    fn admitted(&self, now: Time) -> bool {
        let certificate = &self.peers.own().certificate;
        let own = self.access.verdict(certificate.statement.wallet, now);
        !certificate.expired(self.peers.time().shown(now))
            && own.is_some_and(|verdict| verdict.standing.role.admits())
    }

    /// When to take note of another network.
    fn change_at(&self) -> Option<Time> {
        let due = self.changed_at.map_or(Time::default(), |at| at + CHANGE_PACE);
        self.changed_again.then_some(due)
    }

    fn received(&mut self, from: DeviceKey, channel: Channel, frame: &[u8], now: Time) {
        let Self { access, peers, meetings, out, .. } = self;
        match channel {
            Channel::Hello => peers.received(from, frame, now, access, out),
            // Channels overtake each other: this may come before its welcome.
            Channel::Meeting if peers.certificate(from).is_some() => {
                if !meetings.received(from, frame, now, peers, out) {
                    out.event(Event::Ignored { device: from });
                }
            }
            Channel::Sync if self.gate.is_open(from) => {
                out.push(Output::Rooms(Incoming::Frame { from, frame: frame.to_vec().into() }));
            }
            Channel::Meeting | Channel::Sync => {}
        }
    }

    /// Does what follows from the state as it is now, whatever led to it.
    fn settle(&mut self, now: Time) {
        self.inside = self.admitted(now);
        if self.change_at().is_some_and(|at| at <= now) {
            (self.changed_at, self.changed_again) = (Some(now), false);
            self.peers.network_changed(now);
            self.meetings.network_changed(now, &mut self.out);
        }
        let Self { access, peers, meetings, turn, out, .. } = self;
        if now >= self.version_at {
            // Each device has a rhythm of its own, so that they do not all ask at once.
            let jitter = peers.own().secret.device().0.first().copied().unwrap_or_default();
            self.version_at = now + VERSION_PACE + Duration::from_millis(u64::from(jitter) * 47);
            out.push(Output::CheckVersion);
        }
        let expired = peers.own().certificate.expired(peers.time().shown(now));
        if expired && !self.expired {
            out.event(Event::CertificateExpired);
        }
        self.expired = expired;
        // Asked at the start, again when a refusal has stood for its time, and now and then.
        let wallet = peers.own().certificate.statement.wallet;
        match access.verdict(wallet, now) {
            Some(_) => access.refresh(wallet, now),
            None => {
                access.want(wallet);
            }
        }
        if self.inside {
            peers.tick(now, access, out);
        } else {
            if meetings.is_in() {
                meetings.leave(now, peers, out);
                out.event(Event::Left);
            }
            peers.clear(now, out);
        }
        for (device, rested) in peers.newly_ready(now) {
            meetings.introduce(device, rested, now, peers, out);
        }
        if let Some(refusal) = meetings.tick(now, peers, access, out) {
            out.event(Event::Left);
            out.event(Event::NotJoined(refusal));
        }
        if meetings.is_in() {
            turn.want();
        }
        if self.inside {
            peers.dial_due(now, out);
            peers.tick_links(now, out);
            if turn.ask(now) {
                out.push(Output::AskForTurn);
            }
        }
        self.gate.settle(&self.peers, &self.access, &mut self.out);
        let Self { access, out, .. } = self;
        if let Some(batch) = access.next_batch(now) {
            out.push(Output::CheckAccess(batch));
        }
        self.show(now);
    }

    /// Tells people what changed since they were told last.
    fn show(&mut self, now: Time) {
        let Self { access, peers, meetings, out, shown, .. } = self;
        let own = access.verdict(peers.own().certificate.statement.wallet, now);
        if own.is_some() && own != shown.own {
            shown.own = own;
            own.into_iter().for_each(|verdict| out.event(Event::Own(verdict)));
        }
        let members = peers.members(access, now, |device| meetings.shows(device));
        difference(&shown.members, &members, out, Event::Online, Event::Offline);
        shown.members = members;
        let participants = meetings.participants();
        difference(
            &shown.participants,
            &participants,
            out,
            Event::Participant,
            Event::ParticipantGone,
        );
        shown.participants = participants;
    }
}

fn difference<T: PartialEq + Clone>(
    before: &SmallMap<DeviceKey, T>,
    after: &SmallMap<DeviceKey, T>,
    out: &mut Outbox,
    changed: fn(DeviceKey, T) -> Event,
    gone: fn(DeviceKey) -> Event,
) {
    for device in before.keys().filter(|device| !after.contains_key(*device)) {
        out.event(gone(*device));
    }
    for (device, value) in after {
        if before.get(device) != Some(value) {
            out.event(changed(*device, value.clone()));
        }
    }
}

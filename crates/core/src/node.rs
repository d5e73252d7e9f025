//! One device in one community.
//!
//! The contract with whoever drives it: after every [`Node::handle`], drain [`Node::poll`] until
//! it returns `None`, and call `handle(Input::Tick, ..)` when [`Node::wake_at`] has come.

use crate::access::{AccessAnswer, AccessBook, Batch, Verdict};
use crate::certificate::DeviceCertificate;
use crate::channel::Channel;
use crate::gossip::{GossipId, GossipVerdict};
use crate::hello::Refusal;
use crate::id::{Community, DeviceKey, DeviceSecret, MeetingName, Wallet};
use crate::media::{Link, MediaCommand, MediaEvent};
use crate::meeting::Meetings;
use crate::peers::{Own, Peers};
use crate::presence::Session;
use crate::time::{Duration, Time};
use std::collections::{BTreeMap, VecDeque};

/// How often the community's version is asked for, before jitter.
const VERSION_PACE: Duration = Duration::from_secs(54);

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Time passed.
    Tick,
    /// These devices were at a meeting point when we came.
    Present {
        /// Which relay says so, by a number of its own.
        source: u32,
        /// Who.
        devices: Vec<DeviceKey>,
    },
    /// This one came later.
    Arrived {
        /// Which relay says so, by a number of its own.
        source: u32,
        /// Who.
        device: DeviceKey,
    },
    /// No relay lists this one any more.
    Left(DeviceKey),
    /// The first connection to a device stands; the network vouches for its key.
    Connected(DeviceKey),
    /// The last connection to it is gone.
    Disconnected(DeviceKey),
    /// It could not be reached.
    DialFailed(DeviceKey),
    /// The direct link to a connected device stands, is proven, and everything runs on it.
    Linked(DeviceKey),
    /// The direct link is gone; a circuit carries on. If nothing carries on,
    /// [`Input::Disconnected`] comes instead.
    Unlinked(DeviceKey),
    /// The answer to [`Output::Link`] if no link came of it.
    LinkFailed {
        /// To whom.
        device: DeviceKey,
        /// Why.
        failure: LinkFailure,
    },
    /// A frame of gossip; answered by exactly one [`Output::Judge`].
    Gossip {
        /// Who delivered it; it need not be who published it.
        source: DeviceKey,
        /// Its [`gossip::id`](crate::gossip::id).
        id: GossipId,
        /// What, at most [`gossip::MAX_FRAME`](crate::gossip::MAX_FRAME) bytes.
        frame: Vec<u8>,
    },
    /// What is published from now on reaches this device, too; said again for each new link.
    GossipReaches(DeviceKey),
    /// The machine has another network, or its network came back.
    NetworkChanged,
    /// It sent a frame.
    Received {
        /// Who.
        from: DeviceKey,
        /// Where.
        channel: Channel,
        /// What, at most [`Channel::max_frame`] bytes.
        frame: Vec<u8>,
    },
    /// The answer to [`Output::CheckAccess`], or `None` if the chain gave none.
    Access {
        /// The batch's number.
        request: u32,
        /// What the chain says.
        answer: Option<AccessAnswer>,
    },
    /// The answer to [`Output::CheckVersion`].
    Version(u64),
    /// From the media layer.
    Media(MediaEvent),
    /// Go into a meeting.
    Join {
        /// Which.
        meeting: MeetingName,
        /// Random.
        session: Session,
        /// Whether to begin muted.
        muted: bool,
    },
    /// Go out of it.
    Leave,
    /// Mute or unmute.
    SetMuted(bool),
    /// Raise or lower the hand.
    SetHand(bool),
    /// Try again to reach a participant that was given up on.
    Retry(DeviceKey),
    /// Ask the chain about our own wallet again, at once.
    Recheck,
}

/// Why no direct link to a device came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LinkFailure {
    /// There is no way to it, or not in time.
    Unreachable,
    /// The DTLS fingerprints that the other side signed are not those in use, or DTLS refused the
    /// certificate that was announced: somebody in between tampered with the signalling.
    Attack,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Connect to a device.
    Dial(DeviceKey),
    /// Make a direct link to a device that passed; answered by [`Input::Linked`] or
    /// [`Input::LinkFailed`].
    Link(DeviceKey),
    /// Send it what is queued for it, then close all connections to it.
    Disconnect(DeviceKey),
    /// Serve it all channels from now on.
    Pass(DeviceKey),
    /// Send it a frame.
    Send {
        /// To whom.
        to: DeviceKey,
        /// Where.
        channel: Channel,
        /// What.
        frame: Vec<u8>,
    },
    /// Publish a frame to all members that gossip reaches.
    Publish(Vec<u8>),
    /// What becomes of a frame of gossip.
    Judge {
        /// Which frame.
        id: GossipId,
        /// Who delivered it.
        source: DeviceKey,
        /// What becomes of it.
        verdict: GossipVerdict,
    },
    /// Ask the chain about wallets.
    CheckAccess(Batch),
    /// Ask the chain for the community's version.
    CheckVersion,
    /// For the media layer.
    Media(MediaCommand),
    /// For people.
    Event(Event),
}

/// What people want to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// What the contract says of our own wallet, at first and whenever it changes.
    Own(Verdict),
    /// Our own certificate is over.
    CertificateExpired,
    /// A member is online, or what is known of it changed.
    Online(DeviceKey, Member),
    /// It is no longer.
    Offline(DeviceKey),
    /// We did not let a device pass.
    Refused {
        /// Which.
        device: DeviceKey,
        /// Why.
        refusal: Refusal,
    },
    /// A device did not let us pass.
    RefusedBy {
        /// Which.
        device: DeviceKey,
        /// Why, in its words.
        refusal: Refusal,
    },
    /// Somebody between us and a device tampered with the making of a direct link.
    Attack {
        /// To which device.
        device: DeviceKey,
    },
    /// A frame of a device that passed was malformed, late, or claimed what it must not.
    Ignored {
        /// Whose.
        device: DeviceKey,
    },
    /// We are in a meeting.
    Joined {
        /// Which.
        meeting: MeetingName,
        /// Since when.
        joined: Time,
    },
    /// We cannot be in it.
    NotJoined(JoinRefusal),
    /// We are out of it.
    Left,
    /// Somebody is in a meeting, or what is known of them changed.
    Participant(DeviceKey, Participant),
    /// Somebody is in no meeting any more.
    ParticipantGone(DeviceKey),
}

/// Why a meeting cannot be joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinRefusal {
    /// As many as can speak are there already.
    Full,
    /// Another device of the same wallet is there.
    OtherDevice,
}

/// A member who is online.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Whose device it is.
    pub wallet: Wallet,
    /// What the contract says of the wallet.
    pub verdict: Verdict,
}

/// Somebody in a meeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Participant {
    /// Whose device it is.
    pub wallet: Wallet,
    /// Where.
    pub meeting: MeetingName,
    /// Since when, by their clock.
    pub joined: Time,
    /// Whether they muted themselves.
    pub muted: bool,
    /// Since when their hand is raised, by their clock.
    pub hand: Option<Time>,
    /// Whether we hear each other.
    pub state: ParticipantState,
    /// The media connection to them, if any.
    pub link: Option<Link>,
}

/// How well we hear each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParticipantState {
    /// We are not in their meeting.
    Elsewhere,
    /// Not yet.
    Connecting,
    /// We do.
    Connected,
    /// We did, and are trying to again.
    Reconnecting,
    /// We gave up; [`Input::Retry`] tries again.
    Failed,
}

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
    version_at: Time,
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
    members: BTreeMap<DeviceKey, Member>,
    participants: BTreeMap<DeviceKey, Participant>,
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
            version_at: now,
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
        let Self { access, peers, meetings, out, .. } = self;
        match input {
            Input::Tick => {}
            Input::Present { devices, .. } => peers.present(devices, now),
            Input::Arrived { device, .. } if admitted => peers.arrived(device, now),
            // It may dial us in vain before we are let in, so it is for us to reach it.
            Input::Arrived { device, .. } => peers.present(vec![device], now),
            Input::Left(device) => peers.left(device),
            Input::Connected(device) if admitted => {
                peers.connected(device, now, access.version(), out);
            }
            Input::Connected(device) => out.push(Output::Disconnect(device)),
            Input::Disconnected(device) => peers.disconnected(device, now),
            Input::DialFailed(device) => peers.dial_failed(device, now),
            Input::Linked(_)
            | Input::Unlinked(_)
            | Input::GossipReaches(_)
            | Input::NetworkChanged => {}
            Input::LinkFailed { device, failure } => {
                if failure == LinkFailure::Attack {
                    out.event(Event::Attack { device });
                }
            }
            Input::Gossip { source, id, frame: _ } => {
                out.push(Output::Judge { id, source, verdict: GossipVerdict::Ignore });
            }
            Input::Received { .. } | Input::Join { .. } if !admitted => {}
            Input::Received { from, channel, frame } => self.received(from, channel, &frame, now),
            Input::Access { request, answer } => {
                if !access.answer(request, answer, now).is_empty() {
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
            Input::Recheck => access.recheck(peers.own().certificate.statement.wallet),
        }
        self.settle(now);
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
            Channel::Meeting => {}
        }
    }

    /// Does what follows from the state as it is now, whatever led to it.
    fn settle(&mut self, now: Time) {
        self.inside = self.admitted(now);
        let Self { access, peers, meetings, out, .. } = self;
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
        for device in peers.newly_ready(now) {
            meetings.introduce(device, now, peers, out);
        }
        if let Some(refusal) = meetings.tick(now, peers, access, out) {
            out.event(Event::Left);
            out.event(Event::NotJoined(refusal));
        }
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
        let members = peers.members(access, now);
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
    before: &BTreeMap<DeviceKey, T>,
    after: &BTreeMap<DeviceKey, T>,
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

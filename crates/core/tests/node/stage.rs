//! One node on a stage: the test plays the chain, the network, and everyone else.

use chats_core::access::{AccessAnswer, Batch, Role, Standing};
use chats_core::certificate::DeviceCertificate;
use chats_core::channel::Channel;
use chats_core::fixtures::{COMMUNITY, NOW, TestWallet, certificate};
use chats_core::gossip::{GossipMessage, GossipVerdict};
use chats_core::hello::{Hello, HelloMessage, Refusal};
use chats_core::id::{Community, DeviceKey, DeviceSecret, MeetingName, Wallet};
use chats_core::media::{Link, MediaCommand};
use chats_core::node::{Event, Input, Node, Output, Participant};
use chats_core::presence::{MeetingMessage, Presence, Session, Signal, SignalBody};
use chats_core::rooms::Incoming;
use chats_core::time::{Duration, Time};
use chats_core::wire;
use std::collections::BTreeMap;

/// Somebody else, with what their programs would send.
pub(crate) struct Other {
    pub(crate) secret: DeviceSecret,
    pub(crate) certificate: DeviceCertificate,
}

impl Other {
    /// A device with the number of its wallet as seed.
    pub(crate) fn new(number: u8) -> Self {
        Self::with_device(number, number)
    }

    /// A device of a wallet.
    pub(crate) fn with_device(wallet: u8, device: u8) -> Self {
        let secret = DeviceSecret::from_seed(&[device; 32]);
        let certificate = certificate(&TestWallet::new(wallet), &secret, NOW);
        Self { secret, certificate }
    }

    /// A device of the second wallet to which a device with the key `own` makes the offers, or
    /// which makes them.
    pub(crate) fn paired(own: DeviceKey, own_offers: bool) -> Self {
        let fits = |other: &Self| (own > other.key()) == own_offers;
        (2..).map(|device| Self::with_device(2, device)).find(fits).expect("both are common")
    }

    pub(crate) fn key(&self) -> DeviceKey {
        self.secret.device()
    }

    pub(crate) fn hello(&self, now: Time) -> HelloMessage {
        self.hello_for(COMMUNITY, 0, now)
    }

    pub(crate) fn hello_for(&self, community: Community, version: u64, time: Time) -> HelloMessage {
        let certificate = self.certificate.clone();
        HelloMessage::Hello(Box::new(Hello { certificate, community: community.id, version, time }))
    }

    pub(crate) fn presence(&self, sequence: u64, now: Time) -> Presence {
        Presence {
            community: COMMUNITY,
            meeting: main_meeting(),
            session: Session(self.key().0[..8].try_into().unwrap()),
            sequence,
            time: now,
            joined: now,
            muted: false,
            leaving: false,
            hand: None,
        }
    }
}

pub(crate) fn main_meeting() -> MeetingName {
    MeetingName::parse("main").unwrap()
}

/// The session with which the node of a stage joins.
pub(crate) const OWN_SESSION: Session = Session([7; 8]);

/// A node and what surrounds it.
pub(crate) struct Stage {
    pub(crate) node: Node,
    pub(crate) own: Other,
    pub(crate) now: Time,
    /// Roles other than member.
    pub(crate) roles: BTreeMap<Wallet, Role>,
    pub(crate) version: u64,
    /// Whether the chain answers.
    pub(crate) chain: bool,
    /// How often the node was called.
    pub(crate) calls: u32,
    /// What was said to the rooms behind the node.
    pub(crate) rooms: Vec<Incoming>,
}

impl Stage {
    /// A node that was told nothing yet.
    pub(crate) fn fresh() -> Self {
        Self::with(Other::new(1))
    }

    fn with(own: Other) -> Self {
        let node = Node::new(COMMUNITY, own.secret.clone(), own.certificate.clone(), NOW);
        let roles = BTreeMap::new();
        let (version, rooms) = (1, Vec::new());
        Self { node, own, now: NOW, roles, version, chain: true, calls: 0, rooms }
    }

    /// A node that was let in.
    pub(crate) fn admitted() -> Self {
        Self::of(Other::new(1))
    }

    /// A node of this device that was let in.
    pub(crate) fn of(own: Other) -> Self {
        let mut stage = Self::with(own);
        stage.drain();
        stage.wait(Duration::from_secs(30));
        stage
    }

    /// A node that was let in and is in the meeting, for a second.
    pub(crate) fn joined() -> Self {
        let mut stage = Self::admitted();
        let out = stage.join();
        assert!(out.iter().any(|o| matches!(o, Output::Event(Event::Joined { .. }))), "{out:?}");
        stage.wait(Duration::from_secs(1));
        stage
    }

    pub(crate) fn join(&mut self) -> Vec<Output> {
        let (meeting, session) = (main_meeting(), OWN_SESSION);
        self.input(Input::Join { meeting, session, muted: false })
    }

    /// Hands over an input; returns all that came of it but questions that the chain answered.
    pub(crate) fn input(&mut self, input: Input) -> Vec<Output> {
        self.calls += 1;
        self.node.handle(input, self.now);
        self.drain()
    }

    pub(crate) fn drain(&mut self) -> Vec<Output> {
        let mut all = Vec::new();
        while let Some(output) = self.node.poll() {
            match output {
                Output::CheckAccess(batch) if self.chain => self.answer(&batch),
                Output::CheckVersion if self.chain => {
                    self.node.handle(Input::Version(self.version), self.now);
                }
                Output::Rooms(incoming) => self.rooms.push(incoming),
                output => all.push(output),
            }
        }
        all
    }

    /// Answers a batch by the roles as they are.
    pub(crate) fn answer(&mut self, batch: &Batch) {
        let role = |wallet| self.roles.get(wallet).copied().unwrap_or(Role::Member);
        let standing = |wallet| Standing { role: role(wallet), device_cutoff: Time::default() };
        let standings = batch.wallets.iter().map(standing).collect();
        let answer = Some(AccessAnswer { standings, block: 1, sources: 2 });
        self.node.handle(Input::Access { request: batch.request, answer }, self.now);
    }

    /// Lets time pass, calling the node whenever it wants to be called.
    pub(crate) fn wait(&mut self, duration: Duration) -> Vec<Output> {
        let end = self.now + duration;
        let mut all = Vec::new();
        while self.node.wake_at() <= end {
            let due = self.node.wake_at();
            assert!(due > self.now || self.calls == 0, "it wants to be called again at once");
            self.now = due.max(self.now);
            all.extend(self.input(Input::Tick));
        }
        self.now = end;
        all.extend(self.input(Input::Tick));
        all
    }

    pub(crate) fn hello(&mut self, from: &Other, message: &HelloMessage) -> Vec<Output> {
        self.frame(from, Channel::Hello, wire::encode(message))
    }

    pub(crate) fn frame(&mut self, from: &Other, channel: Channel, frame: Vec<u8>) -> Vec<Output> {
        self.input(Input::Received { from: from.key(), channel, frame })
    }

    /// A device comes, and both let each other pass.
    pub(crate) fn meets(&mut self, other: &Other) -> Vec<Output> {
        let mut out = self.input(Input::Connected(other.key()));
        let hello = other.hello(self.now);
        out.extend(self.hello(other, &hello));
        out.extend(self.wait(Duration::from_millis(1100)));
        out.extend(self.hello(other, &HelloMessage::Welcome));
        assert!(out.contains(&Output::Pass(other.key())), "{out:?}");
        out
    }

    /// A device says that it is in the meeting, for the `sequence`th time.
    pub(crate) fn attends(&mut self, other: &Other, sequence: u64) -> Vec<Output> {
        let presence = other.presence(sequence, self.now);
        self.says(other, presence)
    }

    pub(crate) fn says(&mut self, other: &Other, presence: Presence) -> Vec<Output> {
        let message = MeetingMessage::Presence(presence.sign(&other.secret));
        self.frame(other, Channel::Meeting, wire::encode(&message))
    }

    /// We dial a device, and both let each other pass.
    pub(crate) fn reaches(&mut self, other: &Other) -> Vec<Output> {
        let mut out = self.input(Input::Present { source: 0, devices: vec![other.key()] });
        assert!(dialled(&out).contains(&other.key()), "{out:?}");
        out.extend(self.meets(other));
        out
    }

    /// A device's presence comes by gossip that `source` delivers; returns the verdict and what
    /// else came of it.
    pub(crate) fn gossip(
        &mut self,
        source: &Other,
        other: &Other,
        presence: Presence,
    ) -> (GossipVerdict, Vec<Output>) {
        self.gossip_frame(source, &publish(other, presence))
    }

    /// A frame of gossip comes.
    pub(crate) fn gossip_frame(
        &mut self,
        source: &Other,
        frame: &[u8],
    ) -> (GossipVerdict, Vec<Output>) {
        let (id, source) = (chats_core::gossip::id(frame), source.key());
        let mut out = self.input(Input::Gossip { source, id, frame: frame.to_vec() });
        let judged = |output: &Output| match output {
            Output::Judge { id: of, source: from, verdict } => {
                assert_eq!((*of, *from), (id, source));
                Some(*verdict)
            }
            _ => None,
        };
        let verdicts: Vec<_> = out.iter().filter_map(judged).collect();
        assert_eq!(verdicts.len(), 1, "one verdict for one frame");
        out.retain(|output| judged(output).is_none());
        (verdicts[0], out)
    }

    /// A device sends a signal for our stay.
    pub(crate) fn signals(&mut self, other: &Other, attempt: u32, body: SignalBody) -> Vec<Output> {
        let from = other.presence(0, self.now).session;
        let signal = Signal { from, to: OWN_SESSION, attempt, body };
        self.frame(other, Channel::Meeting, wire::encode(&MeetingMessage::Signal(signal)))
    }
}

/// What a device publishes of itself.
pub(crate) fn publish(other: &Other, presence: Presence) -> Vec<u8> {
    let (device, signed) = (other.key(), presence.sign(&other.secret));
    wire::encode(&GossipMessage::Presence { device, signed })
}

/// The presences that were published, in order.
pub(crate) fn published(outputs: &[Output]) -> Vec<Presence> {
    let presence = |output: &Output| match output {
        Output::Publish(frame) => match wire::decode("gossip", frame).unwrap() {
            GossipMessage::Presence { signed, .. } => Some(signed.presence),
            GossipMessage::Rooms { .. } => None,
        },
        _ => None,
    };
    outputs.iter().filter_map(presence).collect()
}

/// To whom direct links were asked for.
pub(crate) fn linking(outputs: &[Output]) -> Vec<DeviceKey> {
    let device = |output: &Output| match output {
        Output::Link(device) => Some(*device),
        _ => None,
    };
    outputs.iter().filter_map(device).collect()
}

/// The hello frames in `outputs`, to a device.
pub(crate) fn hellos(outputs: &[Output], device: DeviceKey) -> Vec<HelloMessage> {
    let hello = |output: &Output| match output {
        Output::Send { to, channel: Channel::Hello, frame } if *to == device => {
            Some(wire::decode("hello", frame).unwrap())
        }
        _ => None,
    };
    outputs.iter().filter_map(hello).collect()
}

/// What was said to a device on the meeting channel.
pub(crate) fn said(outputs: &[Output], device: DeviceKey) -> Vec<MeetingMessage> {
    let message = |output: &Output| match output {
        Output::Send { to, channel: Channel::Meeting, frame } if *to == device => {
            Some(wire::decode("message", frame).unwrap())
        }
        _ => None,
    };
    outputs.iter().filter_map(message).collect()
}

pub(crate) fn refused(outputs: &[Output]) -> Vec<Refusal> {
    let refusal = |output: &Output| match output {
        Output::Event(Event::Refused { refusal, .. }) => Some(*refusal),
        _ => None,
    };
    outputs.iter().filter_map(refusal).collect()
}

pub(crate) fn opened(outputs: &[Output]) -> Vec<Link> {
    let link = |output: &Output| match output {
        Output::Media(MediaCommand::Open { link }) => Some(*link),
        _ => None,
    };
    outputs.iter().filter_map(link).collect()
}

pub(crate) fn closed(outputs: &[Output]) -> Vec<Link> {
    let link = |output: &Output| match output {
        Output::Media(MediaCommand::Close { link }) => Some(*link),
        _ => None,
    };
    outputs.iter().filter_map(link).collect()
}

pub(crate) fn dialled(outputs: &[Output]) -> Vec<DeviceKey> {
    let device = |output: &Output| match output {
        Output::Dial(device) => Some(*device),
        _ => None,
    };
    outputs.iter().filter_map(device).collect()
}

/// The last word on somebody, or `None` if they are gone or were never there.
pub(crate) fn participant(outputs: &[Output], device: DeviceKey) -> Option<Participant> {
    outputs.iter().rev().find_map(|output| match output {
        Output::Event(Event::Participant(key, it)) if *key == device => Some(Some(it.clone())),
        Output::Event(Event::ParticipantGone(key)) if *key == device => Some(None),
        _ => None,
    })?
}

pub(crate) fn is_gone(outputs: &[Output], device: DeviceKey) -> bool {
    outputs.contains(&Output::Event(Event::ParticipantGone(device)))
}

/// Asserts that a frame was ignored, and that nothing else came of it.
pub(crate) fn assert_ignored(outputs: &[Output], device: DeviceKey) {
    assert_eq!(outputs, [Output::Event(Event::Ignored { device })]);
}

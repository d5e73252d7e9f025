//! Bytes that mean nothing, and messages that mean harm.

use crate::stage::{OWN_SESSION, Other, Stage};
use chats_core::channel::Channel;
use chats_core::fixtures::NOW;
use chats_core::hello::{HelloMessage, Refusal};
use chats_core::id::{DeviceKey, MeetingName};
use chats_core::media::{Candidate, Description, DescriptionKind, Link, LinkState, MediaEvent};
use chats_core::node::{Input, LinkFailure, Output};
use chats_core::presence::{Hears, MeetingMessage, Presence, Session, Signal, SignalBody};
use chats_core::time::{Duration, Time};
use chats_core::wire;
use proptest::collection::vec;
use proptest::prelude::*;

/// What one hostile member, or the network, does.
#[derive(Debug, Clone)]
enum Deed {
    Bytes(bool, Vec<u8>),
    Presence {
        meeting: u8,
        session: u8,
        sequence: u64,
        time: i64,
        joined: i64,
        flags: (bool, bool),
    },
    Signal {
        from: u8,
        to: bool,
        attempt: u32,
        body: SignalBody,
    },
    Hears(u8, Vec<u8>),
    Hello(u8),
    Link(u8),
    Gossip(Vec<u8>),
    /// Of this device, or of the one that delivers it.
    Published {
        device: Option<u8>,
        session: u8,
        sequence: u64,
        time: i64,
        hand: Option<i64>,
        leaving: bool,
    },
    Connected,
    Disconnected,
    Listed(u8, DeviceKey),
    Media(u32, u8),
    Wait(u32),
    Clock(i64),
    User(u8),
    Turn(u8),
}

fn body() -> impl Strategy<Value = SignalBody> {
    let kind = prop_oneof![Just(DescriptionKind::Offer), Just(DescriptionKind::Answer)];
    let sdp = prop_oneof![".{0,20}", Just("x".repeat(Description::MAX_SDP + 1))];
    let line = prop_oneof![".{0,20}", Just("x".repeat(Candidate::MAX_LINE + 1))];
    prop_oneof![
        (kind, sdp).prop_map(|(kind, sdp)| SignalBody::Description(Description { kind, sdp })),
        (line, any::<Option<u16>>()).prop_map(|(line, line_index)| {
            SignalBody::Candidate(Candidate { line, mid: None, line_index })
        }),
        Just(SignalBody::Ask),
    ]
}

fn deed() -> impl Strategy<Value = Deed> {
    let far = prop_oneof![-1000_i64..1000, any::<i64>()];
    let presence = (0..3_u8, 0..3_u8, 0..9_u64, far.clone(), far.clone(), any::<(bool, bool)>());
    let signal = (0..3_u8, any::<bool>(), prop_oneof![0..9_u32, any::<u32>()], body());
    let published = (
        proptest::option::of(40..200_u8),
        0..3_u8,
        0..9_u64,
        far.clone(),
        proptest::option::of(far.clone()),
        any::<bool>(),
    );
    prop_oneof![
        1 => (any::<bool>(), vec(any::<u8>(), 0..300)).prop_map(|(c, b)| Deed::Bytes(c, b)),
        6 => presence.prop_map(|(meeting, session, sequence, time, joined, flags)| {
            Deed::Presence { meeting, session, sequence, time, joined, flags }
        }),
        8 => signal.prop_map(|(from, to, attempt, body)| Deed::Signal { from, to, attempt, body }),
        1 => (0..3_u8, vec(any::<u8>(), 0..14)).prop_map(|(from, who)| Deed::Hears(from, who)),
        1 => (0..5_u8).prop_map(Deed::Hello),
        4 => (0..7_u8).prop_map(Deed::Link),
        1 => vec(any::<u8>(), 0..300).prop_map(Deed::Gossip),
        6 => published.prop_map(|(device, session, sequence, time, hand, leaving)| {
            Deed::Published { device, session, sequence, time, hand, leaving }
        }),
        1 => Just(Deed::Connected),
        1 => Just(Deed::Disconnected),
        2 => (0..4_u8, any::<[u8; 32]>()).prop_map(|(n, key)| Deed::Listed(n, DeviceKey(key))),
        4 => (0..9_u32, 0..10_u8).prop_map(|(link, what)| Deed::Media(link, what)),
        4 => (0..30_000_u32).prop_map(Deed::Wait),
        1 => far.prop_map(Deed::Clock),
        2 => (0..8_u8).prop_map(Deed::User),
        1 => (0..4_u8).prop_map(Deed::Turn),
    ]
}

fn near(time: Time, by: i64) -> Time {
    Time(time.0.saturating_add_signed(by))
}

fn media(link: u32, what: u8) -> MediaEvent {
    let link = Link(link);
    let description = |kind| Description { kind, sdp: String::new() };
    let candidate = Candidate { line: String::new(), mid: None, line_index: None };
    match what {
        0 => MediaEvent::NegotiationNeeded { link },
        1 => {
            MediaEvent::LocalDescription { link, description: description(DescriptionKind::Offer) }
        }
        2 => {
            MediaEvent::LocalDescription { link, description: description(DescriptionKind::Answer) }
        }
        3 => MediaEvent::Applied { link, kind: DescriptionKind::Offer },
        4 => MediaEvent::Applied { link, kind: DescriptionKind::Answer },
        5 => MediaEvent::LocalCandidate { link, candidate },
        6 => MediaEvent::State { link, state: LinkState::Connected },
        7 => MediaEvent::State { link, state: LinkState::Failed },
        8 => MediaEvent::Path { link, relayed: true },
        _ => MediaEvent::Broken { link, reason: String::new() },
    }
}

fn act(stage: &mut Stage, eve: &Other, deed: Deed) -> Vec<Output> {
    match deed {
        Deed::Bytes(hello, bytes) => {
            stage.frame(eve, if hello { Channel::Hello } else { Channel::Meeting }, bytes)
        }
        Deed::Presence { meeting, session, sequence, time, joined, flags: (muted, leaving) } => {
            let names = ["main", "other", "third"];
            let presence = Presence {
                meeting: MeetingName::parse(names[usize::from(meeting)]).unwrap(),
                session: Session([session; 8]),
                time: near(stage.now, time),
                joined: near(stage.now, joined),
                muted,
                leaving,
                ..eve.presence(sequence, stage.now)
            };
            stage.says(eve, presence)
        }
        Deed::Signal { from, to, attempt, body } => {
            let to = if to { OWN_SESSION } else { Session([0; 8]) };
            let signal = Signal { from: Session([from; 8]), to, attempt, body };
            stage.frame(eve, Channel::Meeting, wire::encode(&MeetingMessage::Signal(signal)))
        }
        Deed::Hears(from, who) => {
            let devices = who.into_iter().map(|byte| DeviceKey([byte; 32])).collect();
            let hears = Hears { session: Session([from; 8]), devices };
            stage.frame(eve, Channel::Meeting, wire::encode(&MeetingMessage::Hears(hears)))
        }
        Deed::Link(what) => {
            let device = eve.key();
            stage.input(match what {
                0 | 1 => Input::Linked(device),
                2 => Input::LinkFailed { device, failure: LinkFailure::Unreachable },
                3 => Input::LinkFailed { device, failure: LinkFailure::Attack },
                4 | 5 => Input::LinkOffered(device),
                _ => Input::GossipReaches(device),
            })
        }
        Deed::Gossip(frame) => stage.gossip_frame(eve, &frame).1,
        Deed::Published { device, session, sequence, time, hand, leaving } => {
            let other = device.map(Other::new);
            let other = other.as_ref().unwrap_or(eve);
            let presence = Presence {
                session: Session([session; 8]),
                time: near(stage.now, time),
                joined: NOW,
                hand: hand.map(|by| near(stage.now, by)),
                leaving,
                ..other.presence(sequence, stage.now)
            };
            stage.gossip(eve, other, presence).1
        }
        Deed::Hello(0) => stage.hello(eve, &HelloMessage::Welcome),
        Deed::Hello(1) => stage.hello(eve, &HelloMessage::Refused(Refusal::Malformed)),
        Deed::Hello(n) => {
            let hello =
                eve.hello_for(chats_core::fixtures::COMMUNITY, u64::from(n), Time(u64::MAX));
            stage.hello(eve, &hello)
        }
        Deed::Connected => {
            let mut out = stage.input(Input::Connected(eve.key()));
            let hello = eve.hello(stage.now);
            out.extend(stage.hello(eve, &hello));
            out.extend(stage.hello(eve, &HelloMessage::Welcome));
            out
        }
        Deed::Disconnected => stage.input(Input::Disconnected(eve.key())),
        Deed::Listed(0, _) => stage.input(Input::Left(eve.key())),
        Deed::Listed(1, key) => {
            stage.input(Input::Present { source: 0, devices: vec![key, eve.key()] })
        }
        Deed::Listed(2, key) => stage.input(Input::Arrived { source: 0, device: key }),
        Deed::Listed(_, key) => stage.input(Input::DialFailed(key)),
        Deed::Media(link, what) => stage.input(Input::Media(media(link, what))),
        Deed::Wait(millis) => stage.wait(Duration::from_millis(u64::from(millis))),
        Deed::Clock(by) => {
            stage.now = near(stage.now, by.clamp(-100_000_000, 100_000));
            stage.input(Input::Tick)
        }
        Deed::User(0) => stage.input(Input::Leave),
        Deed::User(1) => stage.input(Input::SetMuted(true)),
        Deed::User(2) => stage.input(Input::Retry(eve.key())),
        Deed::User(3) => stage.input(Input::Recheck),
        Deed::User(4) => stage.input(Input::SetHand(true)),
        Deed::User(5) => stage.input(Input::SetHand(false)),
        Deed::User(6) => stage.input(Input::NetworkChanged),
        Deed::User(_) => stage.join(),
        Deed::Turn(0) => stage.input(Input::RelayCame),
        Deed::Turn(1) => stage.input(Input::Turn(None)),
        Deed::Turn(n) => stage.input(Input::Turn(Some(crate::relaying::grant(&n.to_string())))),
    }
}

/// Media links that are open, by what was asked of the media layer.
fn follow(open: &mut Vec<Link>, out: &[Output]) {
    for output in out {
        if let Output::Media(command) = output {
            use chats_core::media::MediaCommand::*;
            match command {
                Open { link } => open.push(*link),
                Close { link } => {
                    let at = open.iter().position(|one| one == link).expect("closed once");
                    open.remove(at);
                }
                Describe { link }
                | Apply { link, .. }
                | AddCandidate { link, .. }
                | RestartIce { link } => assert!(open.contains(link), "{command:?} after closing"),
                Mute(_) => {}
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever a member that passed says and the network reports, the node does not panic, asks
    /// for nothing without bound, and never for two connections to one device.
    #[test]
    fn nothing_that_a_member_says_breaks_a_node(deeds in vec(deed(), 1..120)) {
        let mut stage = Stage::joined();
        let eve = Other::new(2);
        let mut open = Vec::new();
        follow(&mut open, &stage.meets(&eve));
        for deed in deeds {
            let wait = matches!(deed, Deed::Wait(_));
            let out = act(&mut stage, &eve, deed);
            prop_assert!(out.len() < if wait { 400 } else { 40 }, "{} outputs: {:?}", out.len(), out);
            follow(&mut open, &out);
            prop_assert!(open.len() <= 1, "{:?}", open);
            let most = if wait { 40 } else { 4 };
            prop_assert!(crate::stage::dialled(&out).len() <= most);
            prop_assert!(stage.node.hearing().len() <= 2);
        }
    }

    /// Whatever bytes a device sends that has not passed, it learns nothing but its refusal.
    #[test]
    fn bytes_of_strangers_are_refused(
        frames in vec((any::<bool>(), vec(any::<u8>(), 0..200)), 1..10),
    ) {
        let mut stage = Stage::joined();
        let eve = Other::new(2);
        stage.input(Input::Connected(eve.key()));
        for (hello, frame) in frames {
            let channel = if hello { Channel::Hello } else { Channel::Meeting };
            for output in stage.frame(&eve, channel, frame) {
                if let Output::Send { channel, frame, .. } = output {
                    prop_assert_eq!(channel, Channel::Hello);
                    let refused = HelloMessage::Refused(Refusal::Malformed);
                    prop_assert_eq!(wire::decode("hello", &frame), Ok(refused));
                }
            }
        }
    }

    /// A table of devices has an end, however many the relay names.
    #[test]
    fn a_relay_that_names_ever_more_devices_is_put_up_with(keys in vec(any::<[u8; 32]>(), 300..400)) {
        let mut stage = Stage::admitted();
        for chunk in keys.chunks(32) {
            let keys = chunk.iter().copied().map(DeviceKey).collect();
            let out = stage.input(Input::Present { source: 0, devices: keys });
            prop_assert!(crate::stage::dialled(&out).len() <= 4);
        }
        stage.meets(&Other::new(2));
    }
}

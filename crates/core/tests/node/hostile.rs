//! What a device that passed may say, and what is ignored.

use crate::stage::{Other, Stage, assert_ignored, opened, participant};
use chats_core::channel::Channel;
use chats_core::id::Community;
use chats_core::media::{Candidate, Description, DescriptionKind};
use chats_core::node::{Event, Input, Output};
use chats_core::presence::{MeetingMessage, Presence, Session, Signal, SignalBody};
use chats_core::time::Duration;
use chats_core::wire;

const SECOND: Duration = Duration::from_secs(1);

fn offer() -> SignalBody {
    let (kind, sdp) = (DescriptionKind::Offer, "v=0".to_owned());
    SignalBody::Description(Description { kind, sdp })
}

/// A stage in the meeting, and somebody who passed and attends it, and asks us for offers.
fn together() -> (Stage, Other) {
    attended_by(Other::paired(Stage::joined().own.key(), true))
}

fn attended_by(bob: Other) -> (Stage, Other) {
    let mut stage = Stage::joined();
    stage.meets(&bob);
    let out = stage.attends(&bob, 1);
    assert!(participant(&out, bob.key()).is_some(), "{out:?}");
    stage.wait(SECOND / 10);
    (stage, bob)
}

#[test]
fn presence_of_another_device_is_ignored() {
    let (mut stage, bob) = together();
    let carol = Other::new(3);
    let signed = carol.presence(1, stage.now).sign(&carol.secret);
    let frame = wire::encode(&MeetingMessage::Presence(signed));
    let out = stage.frame(&bob, Channel::Meeting, frame);
    assert_ignored(&out, bob.key());
}

#[test]
fn presence_with_a_changed_word_is_ignored() {
    let (mut stage, bob) = together();
    let mut signed = bob.presence(2, stage.now).sign(&bob.secret);
    signed.presence.muted = true;
    let frame = wire::encode(&MeetingMessage::Presence(signed));
    assert_ignored(&stage.frame(&bob, Channel::Meeting, frame), bob.key());
}

#[test]
fn stale_presence_and_such_of_the_future_are_ignored() {
    let (mut stage, bob) = together();
    for moment in [stage.now.0 - 61_000, stage.now.0 + 61_000] {
        let time = chats_core::time::Time(moment);
        let presence = Presence { time, joined: time, ..bob.presence(2, stage.now) };
        assert_ignored(&stage.says(&bob, presence), bob.key());
    }
}

#[test]
fn a_clock_that_is_wrong_since_hello_does_not_make_presence_stale() {
    let mut stage = Stage::joined();
    let bob = Other::new(2);
    let wrong = |now: chats_core::time::Time| now + SECOND * 500;
    stage.input(Input::Connected(bob.key()));
    let hello = bob.hello(wrong(stage.now));
    stage.hello(&bob, &hello);
    stage.wait(SECOND * 2);
    stage.hello(&bob, &chats_core::hello::HelloMessage::Welcome);
    let presence = bob.presence(1, wrong(stage.now));
    assert!(participant(&stage.says(&bob, presence), bob.key()).is_some());
}

#[test]
fn presence_that_replays_a_sequence_is_ignored() {
    let (mut stage, bob) = together();
    assert_ignored(&stage.attends(&bob, 1), bob.key());
    assert_ignored(&stage.attends(&bob, 0), bob.key());
}

#[test]
fn presence_in_another_community_and_joining_after_speaking_are_ignored() {
    let (mut stage, bob) = together();
    let presence = bob.presence(2, stage.now);
    let elsewhere = Community { id: 2, ..presence.community };
    let out = stage.says(&bob, Presence { community: elsewhere, ..presence.clone() });
    assert_ignored(&out, bob.key());
    let joined = presence.time + SECOND;
    assert_ignored(&stage.says(&bob, Presence { joined, ..presence }), bob.key());
}

#[test]
fn malformed_and_oversized_frames_are_ignored() {
    let (mut stage, bob) = together();
    let huge = vec![b'x'; Channel::Meeting.max_frame() * 2];
    for frame in [vec![], vec![0x82], huge] {
        assert_ignored(&stage.frame(&bob, Channel::Meeting, frame), bob.key());
    }
}

#[test]
fn nothing_is_taken_from_a_device_that_has_not_passed() {
    let mut stage = Stage::joined();
    let bob = Other::new(2);
    stage.input(Input::Connected(bob.key()));
    assert_eq!(stage.attends(&bob, 1), []);
    assert_eq!(stage.signals(&bob, 1, offer()), []);
    let never_seen = Other::new(3);
    assert_eq!(stage.attends(&never_seen, 1), []);
}

#[test]
fn presence_that_overtakes_the_welcome_counts() {
    let mut stage = Stage::joined();
    let bob = Other::new(2);
    stage.input(Input::Connected(bob.key()));
    let hello = bob.hello(stage.now);
    stage.hello(&bob, &hello);
    stage.wait(SECOND * 2);
    let out = stage.attends(&bob, 1);
    assert!(participant(&out, bob.key()).is_some(), "{out:?}");
    let mut out = stage.hello(&bob, &chats_core::hello::HelloMessage::Welcome);
    out.extend(stage.wait(SECOND * 8));
    assert!(!crate::stage::is_gone(&out, bob.key()), "{out:?}");
}

#[test]
fn a_call_from_a_device_that_is_not_in_the_meeting_is_ignored() {
    let mut stage = Stage::joined();
    let bob = Other::new(2);
    stage.meets(&bob);
    assert_ignored(&stage.signals(&bob, 1, SignalBody::Ask), bob.key());
    let elsewhere = chats_core::id::MeetingName::parse("other").unwrap();
    let presence = Presence { meeting: elsewhere, ..bob.presence(1, stage.now) };
    stage.says(&bob, presence);
    assert_ignored(&stage.signals(&bob, 1, SignalBody::Ask), bob.key());
}

#[test]
fn a_call_for_or_from_another_session_is_ignored() {
    let (mut stage, bob) = together();
    let right = Signal {
        from: bob.presence(1, stage.now).session,
        to: crate::stage::OWN_SESSION,
        attempt: 1,
        body: SignalBody::Ask,
    };
    let wrong = [
        Signal { to: Session([1; 8]), ..right.clone() },
        Signal { from: Session([1; 8]), ..right.clone() },
        Signal { attempt: 0, ..right },
    ];
    for signal in wrong {
        let frame = wire::encode(&MeetingMessage::Signal(signal));
        assert_ignored(&stage.frame(&bob, Channel::Meeting, frame), bob.key());
    }
}

#[test]
fn a_higher_attempt_replaces_the_call_and_a_lower_one_is_ignored() {
    let (mut stage, bob) = together();
    let first = opened(&stage.signals(&bob, 3, SignalBody::Ask));
    assert_eq!(first.len(), 1);
    let out = stage.signals(&bob, 4, SignalBody::Ask);
    assert_eq!((crate::stage::closed(&out), opened(&out).len()), (first, 1));
    assert_ignored(&stage.signals(&bob, 3, SignalBody::Ask), bob.key());
}

#[test]
fn descriptions_and_candidates_beyond_their_limits_are_ignored() {
    let (mut stage, bob) = together();
    let sdp = "x".repeat(Description::MAX_SDP + 1);
    let body = SignalBody::Description(Description { kind: DescriptionKind::Offer, sdp });
    assert_ignored(&stage.signals(&bob, 1, body), bob.key());
    let line = "x".repeat(Candidate::MAX_LINE + 1);
    let body = SignalBody::Candidate(Candidate { line, mid: None, line_index: None });
    assert_ignored(&stage.signals(&bob, 1, body), bob.key());
}

#[test]
fn answers_and_candidates_that_nobody_asked_for_make_no_connection() {
    let (mut stage, bob) = together();
    let (kind, sdp) = (DescriptionKind::Answer, "v=0".to_owned());
    let answer = SignalBody::Description(Description { kind, sdp });
    let candidate = Candidate { line: String::new(), mid: None, line_index: None };
    for body in [answer, SignalBody::Candidate(candidate)] {
        assert_ignored(&stage.signals(&bob, 1, body), bob.key());
    }
}

#[test]
fn of_a_pair_one_side_alone_makes_offers() {
    let (mut stage, bob) = together();
    assert_ignored(&stage.signals(&bob, 1, offer()), bob.key());
    let (mut stage, bob) = attended_by(Other::paired(stage.own.key(), false));
    assert_ignored(&stage.signals(&bob, 1, SignalBody::Ask), bob.key());
    assert_eq!(opened(&stage.signals(&bob, 1, offer())).len(), 1);
}

#[test]
fn what_an_honest_device_says_is_never_counted_as_ignored() {
    let (mut stage, bob) = together();
    let ignored = Output::Event(Event::Ignored { device: bob.key() });
    let out = stage.signals(&bob, 1, SignalBody::Ask);
    assert_eq!(opened(&out).len(), 1);
    assert!(!out.contains(&ignored), "it has a call begun");
    assert_eq!(stage.signals(&bob, 1, SignalBody::Ask), [], "an offer is on its way");
    let leaves = |stage: &mut Stage, sequence| {
        let presence = Presence { leaving: true, ..bob.presence(sequence, stage.now) };
        stage.says(&bob, presence)
    };
    leaves(&mut stage, 2);
    assert_eq!(leaves(&mut stage, 3), [], "said again when the two are connected anew");
}

#[test]
fn rising_attempts_make_few_connections() {
    let (mut stage, bob) = together();
    let all = (1..=1000).flat_map(|attempt| stage.signals(&bob, attempt, SignalBody::Ask));
    assert_eq!(opened(&all.collect::<Vec<_>>()).len(), 16);
    let later = stage.wait(SECOND * 60);
    assert!(opened(&later).len() <= 12, "{later:?}");
}

#[test]
fn ever_new_stays_make_few_connections() {
    let (mut stage, bob) = together();
    let mut out = Vec::new();
    for number in 0..1000_u32 {
        let mut session = [9; 8];
        session[..4].copy_from_slice(&number.to_be_bytes());
        // Whoever was there first is called at once.
        let joined = chats_core::fixtures::NOW;
        let presence = bob.presence(1, stage.now);
        out.extend(stage.says(&bob, Presence { session: Session(session), joined, ..presence }));
    }
    assert_eq!(opened(&out).len(), 16);
    let later = stage.wait(SECOND * 60);
    assert!(opened(&later).len() <= 12, "{later:?}");
}

#[test]
fn the_highest_attempt_there_is_breaks_nothing() {
    let (mut stage, bob) = together();
    assert_eq!(opened(&stage.signals(&bob, u32::MAX, SignalBody::Ask)).len(), 1);
    stage.wait(SECOND * 200);
    assert_ignored(&stage.signals(&bob, 1, SignalBody::Ask), bob.key());
}

#[test]
fn one_who_is_beyond_the_twelve_can_call_nobody() {
    let mut stage = Stage::joined();
    for number in 2..=12 {
        let other = Other::new(number);
        stage.meets(&other);
        let joined = chats_core::fixtures::NOW;
        let presence = Presence { joined, ..other.presence(1, stage.now) };
        stage.says(&other, presence);
    }
    let late = Other::new(13);
    stage.meets(&late);
    stage.attends(&late, 1);
    assert_ignored(&stage.signals(&late, 1, offer()), late.key());
}

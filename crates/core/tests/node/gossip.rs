//! What members publish: what is believed, what is passed on, and who is found by it.

use crate::stage::{
    Other, Stage, dialled, is_gone, participant, publish, published, refused, said,
};
use chats_core::gossip::{self, GossipVerdict};
use chats_core::hello::{HelloMessage, Refusal};
use chats_core::id::{Community, DeviceKey};
use chats_core::node::{Input, Output};
use chats_core::presence::{MeetingMessage, Presence, Session};
use chats_core::time::{Duration, Time};
use chats_core::wire;

const SECOND: Duration = Duration::from_secs(1);

/// A stage in the meeting, with Bob who passed and is linked, and from whom gossip comes.
fn with_bob() -> (Stage, Other) {
    beside_bob(Stage::joined())
}

/// The same of a stage that is in no meeting, or in one.
fn beside_bob(mut stage: Stage) -> (Stage, Other) {
    let bob = Other::new(2);
    stage.meets(&bob);
    stage.input(Input::Linked(bob.key()));
    stage.input(Input::GossipReaches(bob.key()));
    stage.wait(SECOND / 10);
    (stage, bob)
}

/// With Carol as well, who passed too.
fn with_carol() -> (Stage, Other, Other) {
    let (mut stage, bob) = with_bob();
    let carol = Other::new(3);
    stage.meets(&carol);
    (stage, bob, carol)
}

#[test]
fn presence_by_gossip_of_one_who_passed_is_used_and_passed_on() {
    let (mut stage, bob, carol) = with_carol();
    let presence = carol.presence(1, stage.now);
    let (verdict, out) = stage.gossip(&bob, &carol, presence);
    assert_eq!(verdict, GossipVerdict::Accept);
    assert!(participant(&out, carol.key()).is_some(), "{out:?}");
    let presence = Presence { muted: true, ..carol.presence(2, stage.now) };
    let (_, out) = stage.gossip(&bob, &carol, presence);
    assert!(participant(&out, carol.key()).is_some_and(|carol| carol.muted));
}

#[test]
fn what_came_by_the_stream_already_is_passed_on_and_changes_nothing() {
    let (mut stage, bob, carol) = with_carol();
    stage.attends(&carol, 5);
    for sequence in [5, 4] {
        let presence = carol.presence(sequence, stage.now);
        assert_eq!(stage.gossip(&bob, &carol, presence), (GossipVerdict::Accept, vec![]));
    }
}

#[test]
fn what_gossip_overtook_on_the_stream_is_nobodys_fault_and_its_replay_is() {
    let (mut stage, bob, carol) = with_carol();
    let presence = Presence { muted: true, ..carol.presence(2, stage.now) };
    stage.gossip(&bob, &carol, presence);
    assert_eq!(stage.attends(&carol, 1), [], "it is muted by now");
    crate::stage::assert_ignored(&stage.attends(&carol, 1), carol.key());
}

#[test]
fn the_first_word_of_a_stay_comes_by_the_stream_that_a_call_will_come_by() {
    let (mut stage, bob) = beside_bob(Stage::admitted());
    let out = stage.join();
    let streamed = said(&out, bob.key());
    let [MeetingMessage::Presence(signed)] = &streamed[..] else { panic!("{streamed:?}") };
    assert_eq!(published(&out).first(), Some(&signed.presence));
    let out = stage.input(Input::SetMuted(true));
    assert_eq!((published(&out).len(), said(&out, bob.key())), (1, vec![]));
}

#[test]
fn bytes_that_mean_nothing_are_rejected() {
    let (mut stage, bob, carol) = with_carol();
    let mut trailing = publish(&carol, carol.presence(1, stage.now));
    trailing.push(0);
    let huge = vec![0; gossip::MAX_FRAME + 1];
    for frame in [vec![], vec![0xff; 40], trailing, huge] {
        assert_eq!(stage.gossip_frame(&bob, &frame), (GossipVerdict::Reject, vec![]));
    }
}

#[test]
fn presence_that_another_signed_or_of_another_community_is_rejected() {
    let (mut stage, bob, carol) = with_carol();
    let signed = carol.presence(1, stage.now).sign(&bob.secret);
    let device = carol.key();
    let frame = wire::encode(&gossip::GossipMessage::Presence { device, signed });
    assert_eq!(stage.gossip_frame(&bob, &frame), (GossipVerdict::Reject, vec![]));
    let presence = carol.presence(1, stage.now);
    let community = Community { id: 2, ..presence.community };
    let verdict = stage.gossip(&bob, &carol, Presence { community, ..presence });
    assert_eq!(verdict, (GossipVerdict::Reject, vec![]));
}

#[test]
fn gossip_of_the_past_and_of_the_future_is_ignored() {
    let (mut stage, bob, carol) = with_carol();
    for moment in [stage.now.0 - 61_000, stage.now.0 + 61_000] {
        let time = Time(moment);
        let presence = Presence { time, joined: time, ..carol.presence(1, stage.now) };
        assert_eq!(stage.gossip(&bob, &carol, presence), (GossipVerdict::Ignore, vec![]));
    }
}

#[test]
fn gossip_is_taken_from_those_who_passed_alone() {
    let mut stage = Stage::joined();
    let (bob, carol) = (Other::new(2), Other::new(3));
    stage.meets(&carol);
    stage.input(Input::Connected(bob.key()));
    let presence = carol.presence(1, stage.now);
    assert_eq!(stage.gossip(&bob, &carol, presence), (GossipVerdict::Ignore, vec![]));
    let mut outside = Stage::fresh();
    let presence = carol.presence(1, outside.now);
    assert_eq!(outside.gossip(&bob, &carol, presence).0, GossipVerdict::Ignore);
}

#[test]
fn our_own_words_that_come_back_are_not_passed_on() {
    let (mut stage, bob) = with_bob();
    let own = Other::new(1);
    let presence = own.presence(99, stage.now);
    assert_eq!(stage.gossip(&bob, &own, presence), (GossipVerdict::Ignore, vec![]));
}

#[test]
fn one_who_publishes_without_end_is_soon_ignored_and_others_are_not() {
    let (mut stage, bob, carol) = with_carol();
    let dave = Other::new(4);
    stage.meets(&dave);
    let mut accepted = 0;
    for sequence in 1..1000 {
        let presence = carol.presence(sequence, stage.now);
        accepted += u32::from(stage.gossip(&bob, &carol, presence).0 == GossipVerdict::Accept);
    }
    assert_eq!(accepted, 32);
    let presence = dave.presence(1, stage.now);
    assert_eq!(stage.gossip(&carol, &dave, presence).0, GossipVerdict::Accept);
    stage.wait(SECOND * 20);
    let presence = carol.presence(1000, stage.now);
    assert_eq!(stage.gossip(&bob, &carol, presence).0, GossipVerdict::Accept);
}

#[test]
fn late_gossip_of_a_stay_that_is_over_brings_nobody_back() {
    let (mut stage, bob, carol) = with_carol();
    stage.attends(&carol, 1);
    let before = carol.presence(2, stage.now);
    let presence = Presence { leaving: true, ..carol.presence(3, stage.now) };
    let (verdict, out) = stage.gossip(&bob, &carol, presence);
    assert_eq!(verdict, GossipVerdict::Accept);
    assert!(is_gone(&out, carol.key()));
    assert_eq!(stage.gossip(&bob, &carol, before.clone()), (GossipVerdict::Ignore, vec![]));
    crate::stage::assert_ignored(&stage.says(&carol, before), carol.key());
}

#[test]
fn late_gossip_of_the_stay_before_does_not_replace_the_one_after() {
    let (mut stage, bob, carol) = with_carol();
    let before = Presence { session: Session([8; 8]), ..carol.presence(9, stage.now) };
    stage.wait(SECOND);
    stage.attends(&carol, 1);
    assert_eq!(stage.gossip(&bob, &carol, before), (GossipVerdict::Ignore, vec![]));
    stage.wait(SECOND);
    let session = Session([9; 8]);
    let after = Presence { session, ..carol.presence(1, stage.now) };
    assert_eq!(stage.gossip(&bob, &carol, after).0, GossipVerdict::Accept);
    crate::stage::assert_ignored(&stage.attends(&carol, 2), carol.key());
}

#[test]
fn a_reload_counts_by_gossip_even_if_the_clock_was_set_back_meanwhile() {
    for left in [true, false] {
        let (mut stage, bob, carol) = with_carol();
        stage.attends(&carol, 1);
        if left {
            let presence = Presence { leaving: true, ..carol.presence(2, stage.now) };
            stage.says(&carol, presence);
        }
        stage.input(Input::Disconnected(carol.key()));
        stage.wait(SECOND);
        stage.input(Input::Connected(carol.key()));
        let early = Time(stage.now.0 - 3_600_000);
        let hello = carol.hello(early);
        stage.hello(&carol, &hello);
        stage.hello(&carol, &HelloMessage::Welcome);
        let session = Session([9; 8]);
        let presence = Presence { session, muted: true, ..carol.presence(1, early) };
        let (verdict, out) = stage.gossip(&bob, &carol, presence);
        assert_eq!(verdict, GossipVerdict::Accept);
        assert!(participant(&out, carol.key()).is_some_and(|carol| carol.muted), "{out:?}");
    }
}

#[test]
fn who_is_reached_by_gossip_is_told_once_and_who_is_not_by_the_stream() {
    let (mut stage, bob, carol) = with_carol();
    let out = stage.input(Input::SetMuted(true));
    assert_eq!(published(&out).len(), 1);
    assert!(published(&out)[0].muted);
    assert_eq!(said(&out, bob.key()), []);
    let says = said(&out, carol.key());
    assert!(matches!(&says[..], [MeetingMessage::Presence(p)] if p.presence.muted), "{says:?}");
}

#[test]
fn nothing_is_published_while_it_reaches_nobody() {
    let mut stage = Stage::joined();
    stage.meets(&Other::new(2));
    let mut out = stage.input(Input::SetMuted(true));
    out.extend(stage.wait(SECOND * 60));
    assert_eq!(published(&out), []);
}

#[test]
fn presence_is_said_on_the_stream_whenever_gossip_begins_to_reach_and_on_a_connection_without() {
    let (mut stage, bob) = with_bob();
    let out = stage.input(Input::GossipReaches(bob.key()));
    assert!(matches!(&said(&out, bob.key())[..], [MeetingMessage::Presence(_)]), "{out:?}");
    stage.input(Input::Disconnected(bob.key()));
    let out = stage.meets(&bob);
    assert!(matches!(&said(&out, bob.key())[..], [MeetingMessage::Presence(_)]), "{out:?}");
    let out = stage.input(Input::SetMuted(true));
    assert_eq!((published(&out).len(), said(&out, bob.key()).len()), (0, 1));
}

#[test]
fn what_is_published_is_what_others_take() {
    let (mut stage, _) = with_bob();
    let out = stage.input(Input::SetHand(true));
    let frame = out.iter().find_map(|output| match output {
        Output::Publish(frame) => Some(frame.clone()),
        _ => None,
    });
    let frame = frame.expect("it is published");
    assert!(frame.len() <= gossip::MAX_FRAME);
    let alice = Other::new(1);
    // A node of Carol's, to whom Bob delivers what Alice published.
    let carol = Other::new(3);
    let mut there = Stage::of(carol);
    there.meets(&Other::new(2));
    there.meets(&alice);
    there.now = stage.now.max(there.now);
    let (verdict, out) = there.gossip_frame(&Other::new(2), &frame);
    assert_eq!(verdict, GossipVerdict::Accept);
    assert_eq!(participant(&out, alice.key()).map(|alice| alice.hand), Some(Some(stage.now)));
}

/// Devices nobody is connected with, with keys on one side of ours.
fn unknown(larger: bool) -> impl Iterator<Item = Other> {
    let own = Other::new(1).key();
    (60..).map(Other::new).filter(move |other| (other.key() > own) == larger)
}

#[test]
fn one_whom_members_tell_of_is_reached_by_one_side_first_and_not_passed_on() {
    for first in [true, false] {
        let (mut stage, bob) = with_bob();
        let eve = unknown(first).next().unwrap();
        let presence = eve.presence(1, stage.now);
        let (verdict, mut out) = stage.gossip(&bob, &eve, presence);
        assert_eq!(verdict, GossipVerdict::Ignore);
        out.extend(stage.wait(Duration::from_millis(250)));
        assert_eq!(dialled(&out).contains(&eve.key()), first);
        let later = stage.wait(SECOND * 3);
        assert_eq!(dialled(&later).contains(&eve.key()), !first);
    }
}

#[test]
fn one_whom_members_tell_of_is_forgotten_when_they_no_longer_do() {
    let (mut stage, bob) = with_bob();
    let eve = unknown(true).next().unwrap();
    stage.gossip(&bob, &eve, eve.presence(1, stage.now));
    let mut last = 0;
    for second in 0..200 {
        if dialled(&stage.wait(SECOND)).contains(&eve.key()) {
            stage.input(Input::DialFailed(eve.key()));
            last = second;
        }
    }
    assert!((15..=76).contains(&last), "tried last after {last} s");
}

#[test]
fn one_who_says_by_gossip_that_it_left_is_not_dialled() {
    let (mut stage, bob) = with_bob();
    let eve = unknown(false).next().unwrap();
    let presence = eve.presence(1, stage.now);
    stage.gossip(&bob, &eve, presence.clone());
    let leaving = Presence { leaving: true, sequence: 2, ..presence };
    assert_eq!(stage.gossip(&bob, &eve, leaving).0, GossipVerdict::Ignore);
    assert_eq!(dialled(&stage.wait(SECOND * 60)), []);
}

#[test]
fn stale_gossip_and_such_with_a_wrong_signature_has_nobody_dialled() {
    let (mut stage, bob) = with_bob();
    let eve = unknown(true).next().unwrap();
    // Clocks may be off, but not without end.
    let time = Time(stage.now.0 - 301_000);
    let presence = Presence { time, joined: time, ..eve.presence(1, stage.now) };
    stage.gossip(&bob, &eve, presence);
    let (device, signed) = (eve.key(), eve.presence(2, stage.now).sign(&bob.secret));
    let frame = wire::encode(&gossip::GossipMessage::Presence { device, signed });
    stage.gossip_frame(&bob, &frame);
    assert_eq!(dialled(&stage.wait(SECOND * 60)), []);
}

#[test]
fn one_member_can_have_sixteen_devices_dialled_that_nobody_else_knows() {
    let (mut stage, bob, carol) = with_carol();
    let tell = |stage: &mut Stage, by: &Other, seeds: std::ops::Range<u8>| {
        for seed in seeds {
            let made_up = Other::with_device(9, seed);
            let presence = made_up.presence(1, stage.now);
            stage.gossip(by, &made_up, presence);
        }
    };
    let count = |stage: &mut Stage| {
        let mut seen = std::collections::BTreeSet::<DeviceKey>::new();
        for _ in 0..250 {
            let mut tried = dialled(&stage.wait(SECOND / 10));
            while let Some(device) = tried.pop() {
                tried.extend(dialled(&stage.input(Input::DialFailed(device))));
                seen.insert(device);
            }
        }
        seen.len()
    };
    tell(&mut stage, &bob, 60..200);
    assert_eq!(count(&mut stage), 16);
    tell(&mut stage, &carol, 200..210);
    assert_eq!(count(&mut stage), 26, "another source has a share of its own");
}

#[test]
fn one_whose_clock_is_wrong_is_found_all_the_same_and_not_kept_for_ever_by_replays() {
    let (mut stage, bob) = with_bob();
    let eve = unknown(true).next().unwrap();
    let wrong = Time(stage.now.0 - 200_000);
    let presence = Presence { time: wrong, joined: wrong, ..eve.presence(1, stage.now) };
    let frame = publish(&eve, presence);
    let mut tried = Vec::new();
    for second in 0..400 {
        stage.gossip_frame(&bob, &frame);
        if dialled(&stage.wait(SECOND)).contains(&eve.key()) {
            stage.input(Input::DialFailed(eve.key()));
            tried.push(second);
        }
    }
    assert_eq!(tried.first(), Some(&0));
    assert!(tried.iter().all(|second| *second <= 100 + 76), "{tried:?}");
}

#[test]
fn one_who_was_refused_is_not_dialled_because_members_tell_of_it() {
    let (mut stage, bob) = with_bob();
    let eve = unknown(true).next().unwrap();
    stage.roles.insert(eve.certificate.statement.wallet, chats_core::access::Role::None);
    let mut dials = 0;
    for sequence in 1..=30 {
        let presence = eve.presence(sequence, stage.now);
        let (_, mut out) = stage.gossip(&bob, &eve, presence);
        out.extend(stage.wait(SECOND * 2));
        if dialled(&out).contains(&eve.key()) {
            dials += 1;
            stage.input(Input::Connected(eve.key()));
            let hello = eve.hello(stage.now);
            let mut out = stage.hello(&eve, &hello);
            out.extend(stage.wait(SECOND));
            assert_eq!(refused(&out), [Refusal::NotAMember]);
            stage.input(Input::Disconnected(eve.key()));
        }
    }
    assert!((1..=2).contains(&dials), "{dials} dials in a minute and a half");
}

#[test]
fn one_whom_we_lost_and_of_whom_members_tell_is_still_shown() {
    let (mut stage, bob, carol) = with_carol();
    stage.input(Input::Linked(carol.key()));
    stage.attends(&carol, 1);
    stage.wait(SECOND * 15);
    let out = stage.input(Input::Disconnected(carol.key()));
    assert_eq!(published(&out).len(), 1, "who lost us hears that we are still there");
    let mut out = Vec::new();
    for sequence in 2..12 {
        out.extend(stage.wait(SECOND * 4));
        let presence = Presence { muted: true, ..carol.presence(sequence, stage.now) };
        let (verdict, more) = stage.gossip(&bob, &carol, presence);
        assert_eq!(verdict, GossipVerdict::Accept);
        out.extend(more);
    }
    assert!(!is_gone(&out, carol.key()), "{out:?}");
    assert!(participant(&out, carol.key()).is_some_and(|carol| carol.muted));
    assert!(published(&out).len() >= 9, "and goes on to hear it");
    assert!(is_gone(&stage.wait(SECOND * 5), carol.key()));
    // Found again, the two are as before.
    stage.input(Input::Connected(carol.key()));
    let hello = carol.hello(stage.now);
    stage.hello(&carol, &hello);
    stage.wait(SECOND * 2);
    stage.hello(&carol, &HelloMessage::Welcome);
    assert!(participant(&stage.attends(&carol, 20), carol.key()).is_some());
}

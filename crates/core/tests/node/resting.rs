//! Members between whom no direct link can be made: circuits last half a minute, people longer.

use crate::stage::{
    Other, Stage, closed, dialled, is_gone, linking, opened, participant, refused, said,
};
use chats_core::access::Role;
use chats_core::hello::{HelloMessage, Refusal};
use chats_core::media::{Link, LinkState, MediaCommand, MediaEvent};
use chats_core::node::{Event, Input, Output, ParticipantState};
use chats_core::presence::MeetingMessage;
use chats_core::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
/// What a circuit lasts.
const CIRCUIT: Duration = Duration::from_secs(30);

/// Whether it was told that a device is not online, and not that it is again.
fn is_offline(outputs: &[Output], other: &Other) -> bool {
    let told = outputs.iter().rev().find_map(|output| match output {
        Output::Event(Event::Online(device, _)) if *device == other.key() => Some(false),
        Output::Event(Event::Offline(device)) if *device == other.key() => Some(true),
        _ => None,
    });
    told == Some(true)
}

fn goes_offline(outputs: &[Output], other: &Other) -> bool {
    outputs.contains(&Output::Event(Event::Offline(other.key())))
}

/// A circuit to a device that a relay lists served its time.
fn circuit_ended(stage: &mut Stage, other: &Other) -> Vec<Output> {
    stage.reaches(other);
    stage.wait(CIRCUIT);
    stage.input(Input::Disconnected(other.key()))
}

/// How long it takes until a device is dialled, and all that came of that time.
fn until_dialled(stage: &mut Stage, other: &Other) -> (Duration, Vec<Output>) {
    let (begin, mut all) = (stage.now, Vec::new());
    while !dialled(&all).contains(&other.key()) {
        all.extend(stage.wait(Duration::from_millis(100)));
        assert!(stage.now.since(begin) < SECOND * 200, "it never is");
    }
    (stage.now.since(begin), all)
}

/// Hears somebody in the meeting whose circuit then ends.
fn hears_one_at_rest() -> (Stage, Other, Link) {
    let bob = Other::new(2);
    let mut stage = Stage::joined();
    stage.reaches(&bob);
    let mut out = stage.attends(&bob, 1);
    out.extend(stage.wait(SECOND * 4));
    let link = opened(&out)[0];
    let state = LinkState::Connected;
    stage.input(Input::Media(MediaEvent::State { link, state }));
    stage.wait(CIRCUIT);
    stage.input(Input::Disconnected(bob.key()));
    (stage, bob, link)
}

#[test]
fn a_member_whose_circuit_ends_is_online_until_no_relay_lists_it() {
    let bob = Other::new(2);
    let mut stage = Stage::admitted();
    let mut out = circuit_ended(&mut stage, &bob);
    out.extend(stage.wait(SECOND * 60));
    assert!(!goes_offline(&out, &bob), "{out:?}");
    let out = stage.input(Input::Left(bob.key()));
    assert!(goes_offline(&out, &bob));
}

#[test]
fn circuits_that_end_again_and_again_are_nothing_to_see_and_are_not_dialled_at_once() {
    let bob = Other::new(2);
    let mut stage = Stage::admitted();
    let begin = stage.now;
    let mut out = circuit_ended(&mut stage, &bob);
    let mut circuits = 1;
    while stage.now.since(begin) < SECOND * 1200 {
        let (waited, of) = until_dialled(&mut stage, &bob);
        assert!(waited >= SECOND * 90, "{waited:?}");
        circuits += 1;
        out.extend(of);
        out.extend(stage.meets(&bob));
        out.extend(stage.wait(CIRCUIT));
        out.extend(stage.input(Input::Disconnected(bob.key())));
    }
    assert!(!goes_offline(&out, &bob));
    assert!((9..=11).contains(&circuits), "{circuits} circuits in 20 minutes");
}

#[test]
fn one_who_cannot_be_reached_again_is_online_for_three_minutes_on_a_relays_word() {
    let bob = Other::new(2);
    let mut stage = Stage::admitted();
    circuit_ended(&mut stage, &bob);
    let mut out = Vec::new();
    for _ in 0..179 {
        let of = stage.wait(SECOND);
        if dialled(&of).contains(&bob.key()) {
            stage.input(Input::DialFailed(bob.key()));
        }
        out.extend(of);
    }
    assert!(!goes_offline(&out, &bob));
    assert!(dialled(&out).len() >= 3, "it was tried");
    assert!(goes_offline(&stage.wait(SECOND), &bob));
}

#[test]
fn sound_and_who_is_shown_outlast_the_circuit_and_presence_comes_through_in_time() {
    let (mut stage, bob, link) = hears_one_at_rest();
    let mut out = Vec::new();
    for sequence in 2..12 {
        let (waited, of) = until_dialled(&mut stage, &bob);
        assert!(waited >= SECOND * 20 && waited <= SECOND * 40, "{waited:?}");
        out.extend(of);
        let met = stage.meets(&bob);
        let told = said(&met, bob.key());
        assert!(matches!(&told[..], [MeetingMessage::Presence(_), ..]), "{told:?}");
        out.extend(met);
        out.extend(stage.attends(&bob, sequence));
        out.extend(stage.wait(CIRCUIT));
        out.extend(stage.input(Input::Disconnected(bob.key())));
    }
    assert!(!is_gone(&out, bob.key()) && !goes_offline(&out, &bob));
    assert_eq!((closed(&out), opened(&out)), (vec![], vec![]), "{link:?} is the one that stays");
    assert!(participant(&out, bob.key()).is_none_or(|it| it.state == ParticipantState::Connected));
}

#[test]
fn news_rings_those_who_rest_at_once_and_is_said_on_the_next_circuit() {
    let (mut stage, bob, _) = hears_one_at_rest();
    stage.wait(SECOND * 2);
    let out = stage.input(Input::SetMuted(true));
    assert_eq!(dialled(&out), [bob.key()]);
    let told = said(&stage.meets(&bob), bob.key());
    assert!(matches!(&told[..], [MeetingMessage::Presence(it), ..] if it.presence.muted));
    // Nothing is left to say, so it is quiet again.
    stage.wait(CIRCUIT);
    stage.input(Input::Disconnected(bob.key()));
    assert!(until_dialled(&mut stage, &bob).0 >= SECOND * 20);
}

#[test]
fn that_we_left_is_news_too() {
    let (mut stage, bob, _) = hears_one_at_rest();
    stage.wait(SECOND * 2);
    assert_eq!(dialled(&stage.input(Input::Leave)), [bob.key()]);
    let told = said(&stage.meets(&bob), bob.key());
    assert!(matches!(&told[..], [MeetingMessage::Presence(it)] if it.presence.leaving));
}

#[test]
fn sound_that_is_to_be_made_or_mended_rings_at_once() {
    let (mut stage, bob, link) = hears_one_at_rest();
    stage.wait(SECOND * 2);
    let state = LinkState::Disconnected;
    let out = stage.input(Input::Media(MediaEvent::State { link, state }));
    assert_eq!(dialled(&out), [bob.key()]);
    let out = stage.meets(&bob);
    assert!(out.contains(&Output::Media(MediaCommand::Close { link })), "{out:?}");
    assert_eq!(opened(&out).len(), 1);
}

#[test]
fn a_call_that_was_given_up_is_not_tried_anew_with_every_circuit() {
    let bob = Other::new(2);
    let mut stage = Stage::joined();
    stage.reaches(&bob);
    stage.attends(&bob, 1);
    let mut out = Vec::new();
    for sequence in 2..40 {
        out.extend(stage.wait(CIRCUIT));
        out.extend(stage.input(Input::Disconnected(bob.key())));
        out.extend(until_dialled(&mut stage, &bob).1);
        out.extend(stage.meets(&bob));
        out.extend(stage.attends(&bob, sequence));
    }
    let shown = participant(&out, bob.key()).map(|it| it.state);
    assert_eq!(shown, Some(ParticipantState::Failed));
    let calls = opened(&out).len();
    assert!(calls <= 20, "{calls} calls");
}

#[test]
fn whoever_loses_the_seat_while_at_rest_is_offline() {
    let bob = Other::new(2);
    let mut stage = Stage::admitted();
    circuit_ended(&mut stage, &bob);
    stage.roles.insert(bob.certificate.statement.wallet, Role::None);
    stage.version += 1;
    let out = stage.wait(SECOND * 75);
    assert!(is_offline(&out, &bob), "{out:?}");
}

#[test]
fn whoever_does_not_pass_again_is_offline() {
    let bob = Other::new(2);
    let mut stage = Stage::admitted();
    circuit_ended(&mut stage, &bob);
    stage.input(Input::Connected(bob.key()));
    let out = stage.hello(&bob, &HelloMessage::Refused(Refusal::NotAMember));
    assert!(goes_offline(&out, &bob));
}

#[test]
fn one_who_rested_must_pass_again_before_anything_it_says_counts() {
    let (mut stage, bob, _) = hears_one_at_rest();
    stage.input(Input::Connected(bob.key()));
    let muted = chats_core::presence::Presence { muted: true, ..bob.presence(9, stage.now) };
    assert_eq!(stage.says(&bob, muted), []);
    let out = stage.wait(SECOND * 11);
    assert_eq!(refused(&out), [Refusal::Undecided]);
}

#[test]
fn of_many_who_rest_a_few_are_rung_at_once_and_the_others_one_after_the_other() {
    let all: Vec<_> = (2..42).map(Other::new).collect();
    let mut stage = Stage::admitted();
    for other in &all {
        stage.reaches(other);
    }
    stage.wait(CIRCUIT);
    for other in &all {
        stage.input(Input::Disconnected(other.key()));
    }
    stage.wait(SECOND * 5);
    let mut out = stage.join();
    for _ in 0..100 {
        for device in dialled(&out) {
            out = stage.input(Input::DialFailed(device));
            let more = dialled(&out);
            assert!(more.len() <= 4, "{more:?}");
        }
        out = stage.wait(Duration::from_millis(10));
    }
    let (begin, mut rung) = (stage.now, 0);
    while stage.now.since(begin) < SECOND * 60 {
        let out = stage.wait(SECOND);
        for device in dialled(&out) {
            rung += 1;
            stage.input(Input::DialFailed(device));
        }
    }
    assert!((8..=14).contains(&rung), "{rung} a minute");
}

#[test]
fn a_link_that_was_in_the_making_when_the_circuit_ended_failed() {
    let bob = Other::new(2);
    let mut stage = Stage::admitted();
    let (begin, mut circuits, mut tries) = (stage.now, 0, 0);
    while stage.now.since(begin) < SECOND * 300 {
        let mut out = stage.reaches(&bob);
        out.extend(stage.wait(SECOND * 12));
        stage.input(Input::Disconnected(bob.key()));
        tries += linking(&out).len();
        circuits += 1;
    }
    assert!(circuits >= 20, "{circuits} circuits in five minutes");
    assert!((4..=12).contains(&tries), "{tries} links tried on {circuits} circuits");
}

//! Audio that stops: who mends it, and how soon.

use crate::stage::{Other, Stage, closed, opened, said};
use chats_core::id::DeviceKey;
use chats_core::media::{
    Candidate, Description, DescriptionKind, Link, LinkState, MediaCommand, MediaEvent,
};
use chats_core::node::{Input, Output};
use chats_core::presence::{MeetingMessage, SignalBody};
use chats_core::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// A stage that hears somebody whose key makes us the side that offers or the other.
fn hearing(offers: bool) -> (Stage, Other, Link) {
    let mut stage = Stage::joined();
    let bob = Other::paired(stage.own.key(), offers);
    stage.input(Input::Arrived { source: 0, device: bob.key() });
    stage.meets(&bob);
    let mut out = stage.attends(&bob, 1);
    out.extend(stage.wait(SECOND * 3));
    let link = opened(&out)[0];
    if offers {
        stage.input(Input::Media(MediaEvent::NegotiationNeeded { link }));
        describes(&mut stage, link, DescriptionKind::Offer);
    }
    exchanged(&mut stage, &bob, link, offers);
    state(&mut stage, link, LinkState::Connected);
    (stage, bob, link)
}

fn description(kind: DescriptionKind) -> Description {
    Description { kind, sdp: "v=0".to_owned() }
}

/// The media layer made a description.
fn describes(stage: &mut Stage, link: Link, kind: DescriptionKind) -> Vec<Output> {
    stage.input(Input::Media(MediaEvent::LocalDescription { link, description: description(kind) }))
}

/// The other side's part of an exchange comes, and what we owe it is done.
fn exchanged(stage: &mut Stage, bob: &Other, link: Link, offers: bool) {
    let kind = if offers { DescriptionKind::Answer } else { DescriptionKind::Offer };
    stage.signals(bob, 1, SignalBody::Description(description(kind)));
    stage.input(Input::Media(MediaEvent::Applied { link, kind }));
    if !offers {
        describes(stage, link, DescriptionKind::Answer);
    }
}

/// Something happens, and whoever is asked whether they still answer does.
fn happens(stage: &mut Stage, input: Input) -> Vec<Output> {
    let mut out = stage.input(input);
    for device in checked(&out) {
        out.extend(stage.input(Input::Answers(device)));
    }
    out
}

fn state(stage: &mut Stage, link: Link, state: LinkState) -> Vec<Output> {
    happens(stage, Input::Media(MediaEvent::State { link, state }))
}

/// Of whom it is to be found out whether they still answer.
fn checked(outputs: &[Output]) -> Vec<DeviceKey> {
    let device = |output: &Output| match output {
        Output::Check(device) => Some(*device),
        _ => None,
    };
    outputs.iter().filter_map(device).collect()
}

fn restarted(out: &[Output], link: Link) -> bool {
    out.contains(&Output::Media(MediaCommand::RestartIce { link }))
}

/// Whether the other side is asked to look for new paths.
fn asked(out: &[Output], bob: &Other) -> bool {
    let is_wish = |message: &MeetingMessage| matches!(message, MeetingMessage::Signal(signal) if signal.body == SignalBody::Ask);
    said(out, bob.key()).iter().any(is_wish)
}

/// Whether new paths are looked for, by the side whose part that is.
fn renewed(out: &[Output], offers: bool, bob: &Other, link: Link) -> bool {
    let (restarted, asked) = (restarted(out, link), asked(out, bob));
    assert!(!(if offers { asked } else { restarted }), "{out:?}");
    restarted || asked
}

#[test]
fn a_failed_connection_is_mended_at_once() {
    for offers in [false, true] {
        let (mut stage, bob, link) = hearing(offers);
        let out = state(&mut stage, link, LinkState::Failed);
        assert!(renewed(&out, offers, &bob, link));
        assert!(!renewed(&stage.wait(SECOND * 5), offers, &bob, link));
    }
}

#[test]
fn a_connection_without_answers_is_mended_before_it_fails() {
    for offers in [false, true] {
        let (mut stage, bob, link) = hearing(offers);
        state(&mut stage, link, LinkState::Disconnected);
        let start = stage.now;
        while !renewed(&stage.wait(Duration::from_millis(50)), offers, &bob, link) {
            assert!(stage.now.since(start) < SECOND * 30, "it never is");
        }
        assert_eq!(stage.now.since(start), SECOND);
    }
}

#[test]
fn who_asks_for_new_paths_is_made_an_offer() {
    let (mut stage, bob, link) = hearing(true);
    let wish = |stage: &mut Stage| stage.signals(&bob, 1, SignalBody::Ask);
    assert!(restarted(&wish(&mut stage), link));
    stage.input(Input::Media(MediaEvent::NegotiationNeeded { link }));
    describes(&mut stage, link, DescriptionKind::Offer);
    let mut out = wish(&mut stage);
    out.extend(stage.wait(SECOND * 2));
    assert!(!restarted(&out, link), "the offer that is on its way serves it");
    exchanged(&mut stage, &bob, link, true);
    assert!(restarted(&wish(&mut stage), link));
    let mut out = Vec::new();
    (0..10).for_each(|_| out.extend(wish(&mut stage)));
    assert!(!restarted(&out, link), "not without end");
    assert!(restarted(&stage.wait(SECOND), link), "but once more");

    let (mut stage, bob, link) = hearing(false);
    let mut out = stage.signals(&bob, 1, SignalBody::Ask);
    out.extend(stage.wait(SECOND * 2));
    assert!(!renewed(&out, false, &bob, link));
}

#[test]
fn a_wish_that_may_be_lost_is_repeated() {
    let (mut stage, bob, link) = hearing(false);
    assert!(asked(&happens(&mut stage, Input::NetworkChanged), &bob));
    stage.input(Input::Disconnected(bob.key()));
    assert!(asked(&stage.meets(&bob), &bob));
    exchanged(&mut stage, &bob, link, false);
    stage.input(Input::Disconnected(bob.key()));
    assert!(!asked(&stage.meets(&bob), &bob), "it was heard");
}

#[test]
fn a_moment_without_answers_is_no_reason_to_mend() {
    let (mut stage, _, link) = hearing(true);
    let mut out = state(&mut stage, link, LinkState::Disconnected);
    out.extend(stage.wait(SECOND * 9 / 10));
    out.extend(state(&mut stage, link, LinkState::Connected));
    out.extend(stage.wait(SECOND * 30));
    assert!(!restarted(&out, link) && closed(&out).is_empty());
}

#[test]
fn one_whom_the_other_side_mends_does_not_mend_as_well() {
    let (mut stage, bob, link) = hearing(false);
    state(&mut stage, link, LinkState::Disconnected);
    stage.wait(SECOND / 2);
    let offer = SignalBody::Description(description(DescriptionKind::Offer));
    let out = stage.signals(&bob, 1, offer);
    assert!(out.iter().any(|o| matches!(o, Output::Media(MediaCommand::Apply { .. }))), "{out:?}");
    assert!(!renewed(&stage.wait(SECOND * 5), false, &bob, link));
}

#[test]
fn mending_in_vain_ends_with_a_new_connection() {
    let (mut stage, _, link) = hearing(true);
    state(&mut stage, link, LinkState::Failed);
    let out = stage.wait(SECOND * 9);
    assert_eq!((closed(&out), opened(&out).len()), (vec![link], 1));
}

#[test]
fn another_network_has_all_connections_look_for_new_paths_at_once() {
    let (mut stage, bob, link) = hearing(true);
    assert!(restarted(&happens(&mut stage, Input::NetworkChanged), link));
    // Browsers tell of it several times in a row, and the last one is the one that stays.
    for _ in 0..3 {
        assert!(!restarted(&happens(&mut stage, Input::NetworkChanged), link));
    }
    assert_eq!(checked(&stage.wait(SECOND)), [bob.key()]);
    assert!(restarted(&stage.input(Input::Answers(bob.key())), link));
    let out = stage.wait(SECOND * 30);
    assert!(!restarted(&out, link));
    assert_eq!(closed(&out), [], "a connection that goes on unharmed is kept");
    assert!(restarted(&happens(&mut stage, Input::NetworkChanged), link));
}

#[test]
fn one_who_falls_silent_is_asked_for_an_answer_and_new_paths_are_looked_for_when_it_comes() {
    for offers in [true, false] {
        let (mut stage, bob, link) = hearing(offers);
        let out = stage.input(Input::Media(MediaEvent::Silent { link }));
        assert_eq!((checked(&out), restarted(&out, link)), (vec![bob.key()], false));
        let out = stage.wait(SECOND / 2);
        assert!(!renewed(&out, offers, &bob, link), "what is said now may be lost");
        assert!(renewed(&stage.input(Input::Answers(bob.key())), offers, &bob, link));
        let out = stage.wait(SECOND * 30);
        assert!(!renewed(&out, offers, &bob, link), "it may just say nothing");
        assert_eq!(closed(&out), []);
    }
}

#[test]
fn new_paths_that_the_other_side_looks_for_serve_both() {
    let (mut stage, bob, link) = hearing(false);
    stage.input(Input::Media(MediaEvent::Silent { link }));
    stage.input(Input::Media(MediaEvent::Applied { link, kind: DescriptionKind::Offer }));
    let mut out = stage.input(Input::Answers(bob.key()));
    out.extend(stage.wait(SECOND * 30));
    assert!(!renewed(&out, false, &bob, link));
    // Nor does silence that is told of a moment later begin it all again.
    let (mut stage, bob, link) = hearing(false);
    stage.input(Input::Media(MediaEvent::Applied { link, kind: DescriptionKind::Offer }));
    let mut out = happens(&mut stage, Input::Media(MediaEvent::Silent { link }));
    out.extend(stage.wait(SECOND * 30));
    assert!(!renewed(&out, false, &bob, link));
}

#[test]
fn one_who_falls_silent_and_answers_on_a_new_connection_only_keeps_the_call() {
    let (mut stage, bob, link) = hearing(false);
    stage.input(Input::Media(MediaEvent::Silent { link }));
    stage.wait(SECOND);
    assert!(!renewed(&stage.input(Input::Disconnected(bob.key())), false, &bob, link));
    let out = stage.meets(&bob);
    assert!(renewed(&out, false, &bob, link), "{out:?}");
    assert_eq!(closed(&out), []);
}

#[test]
fn one_who_falls_silent_again_and_again_costs_a_search_every_five_seconds() {
    let (mut stage, _, link) = hearing(true);
    let mut searches = 0;
    for _ in 0..40 {
        let out = happens(&mut stage, Input::Media(MediaEvent::Silent { link }));
        searches += usize::from(restarted(&out, link));
        stage.wait(SECOND / 2);
    }
    assert_eq!(searches, 4);
}

#[test]
fn another_network_without_a_way_to_speak_is_made_up_for_when_there_is_one() {
    let (mut stage, bob, link) = hearing(true);
    stage.input(Input::Disconnected(bob.key()));
    assert!(!restarted(&stage.input(Input::NetworkChanged), link));
    let out = stage.meets(&bob);
    assert!(restarted(&out, link), "{out:?}");
}

#[test]
fn a_connection_whose_mending_was_cut_short_is_made_anew() {
    let (mut stage, bob, link) = hearing(true);
    state(&mut stage, link, LinkState::Failed);
    stage.input(Input::Media(MediaEvent::NegotiationNeeded { link }));
    describes(&mut stage, link, DescriptionKind::Offer);
    let candidate = Candidate { line: String::new(), mid: None, line_index: None };
    stage.input(Input::Media(MediaEvent::LocalCandidate { link, candidate }));
    // The state may be late: what was said is lost all the same.
    state(&mut stage, link, LinkState::Connected);
    stage.input(Input::Disconnected(bob.key()));
    let out = stage.meets(&bob);
    assert_eq!((closed(&out), opened(&out).len()), (vec![link], 1));
}

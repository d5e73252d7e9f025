//! Sound that no direct path carries: when relays are asked for their TURN servers, and which
//! connections look for paths by them.

use crate::stage::{Other, Stage, opened, participant, said};
use chats_core::media::{Description, DescriptionKind, Link, LinkState, MediaCommand, MediaEvent};
use chats_core::node::{Input, LinkFailure, Output};
use chats_core::presence::SignalBody;
use chats_core::time::Duration;
use chats_core::turn::TurnGrant;

const SECOND: Duration = Duration::from_secs(1);

pub(crate) fn grant(host: &str) -> TurnGrant {
    TurnGrant {
        urls: vec![format!("turn:{host}:3478?transport=udp")],
        username: "1767229200:12D3KooWGzBh".to_owned(),
        credential: "dGhpcyBpcyBub3QgYSBzZWNyZXQ=".to_owned(),
        lasts: 3600,
    }
}

/// Grants; returns what came of it but the servers themselves, which come first.
fn granted(stage: &mut Stage, host: &str) -> Vec<Output> {
    let mut out = stage.input(Input::Turn(Some(grant(host))));
    assert_eq!(out.remove(0), Output::UseTurn(grant(host)));
    out
}

fn asked(out: &[Output]) -> usize {
    out.iter().filter(|output| **output == Output::AskForTurn).count()
}

/// Somebody comes into our meeting, and a connection to them is made.
fn called(stage: &mut Stage) -> (Other, Link) {
    called_with(stage, Other::new(2))
}

fn called_with(stage: &mut Stage, bob: Other) -> (Other, Link) {
    stage.input(Input::Arrived { source: 0, device: bob.key() });
    stage.meets(&bob);
    let mut out = stage.attends(&bob, 1);
    while opened(&out).is_empty() {
        out.extend(stage.wait(Duration::from_millis(10)));
    }
    (bob, opened(&out)[0])
}

fn state(stage: &mut Stage, link: Link, state: LinkState) -> Vec<Output> {
    stage.input(Input::Media(MediaEvent::State { link, state }))
}

fn path(stage: &mut Stage, link: Link, relayed: bool) -> Vec<Output> {
    stage.input(Input::Media(MediaEvent::Path { link, relayed }))
}

fn restarts(out: &[Output], link: Link) -> usize {
    let restart = Output::Media(MediaCommand::RestartIce { link });
    out.iter().filter(|output| **output == restart).count()
}

#[test]
fn relays_are_asked_once_as_soon_as_there_is_a_meeting() {
    let mut stage = Stage::admitted();
    assert_eq!(asked(&stage.wait(SECOND * 3600)), 0, "nobody needs it");
    assert_eq!(asked(&stage.join()), 1);
    assert_eq!(asked(&stage.wait(SECOND * 10)), 0);
    assert_eq!(granted(&mut stage, "a"), []);
    assert_eq!(asked(&stage.wait(SECOND * 55 * 60 - SECOND)), 0);
    assert_eq!(asked(&stage.wait(SECOND)), 1, "before the grant ends");
}

#[test]
fn relays_are_asked_before_a_meeting_if_it_is_told_of_and_for_links_that_fail() {
    let mut stage = Stage::admitted();
    assert_eq!(asked(&stage.input(Input::Prepare)), 1);
    assert_eq!(asked(&stage.join()), 0);
    let mut stage = Stage::admitted();
    let (device, failure) = (Other::new(2).key(), LinkFailure::Unreachable);
    assert_eq!(asked(&stage.input(Input::LinkFailed { device, failure })), 1);
}

#[test]
fn who_is_not_let_in_asks_for_nothing() {
    let mut stage = Stage::fresh();
    stage.chain = false;
    let out = stage.input(Input::Prepare);
    assert_eq!(asked(&out), 0);
    let [Output::CheckVersion, Output::CheckAccess(batch)] = &out[..] else { panic!("{out:?}") };
    stage.answer(batch);
    assert_eq!(asked(&stage.drain()), 1, "once it is");
}

#[test]
fn a_relay_that_comes_is_asked_at_once_where_none_granted_anything() {
    let mut stage = Stage::admitted();
    assert_eq!(asked(&stage.join()), 1);
    assert_eq!(asked(&stage.input(Input::Turn(None))), 0);
    assert_eq!(asked(&stage.input(Input::RelayCame)), 1);
}

#[test]
fn a_connection_that_finds_no_direct_path_in_two_seconds_looks_for_one_by_what_was_granted() {
    let mut stage = Stage::joined();
    let (_, link) = called(&mut stage);
    let made = stage.now;
    assert_eq!(granted(&mut stage, "a"), []);
    while restarts(&stage.wait(Duration::from_millis(50)), link) == 0 {
        assert!(stage.now.since(made) < SECOND * 10, "it never does");
    }
    assert_eq!(stage.now.since(made), SECOND * 2);
    assert_eq!(restarts(&stage.wait(SECOND * 5), link), 0, "once is enough");
}

#[test]
fn a_grant_that_comes_late_is_used_at_once_where_there_is_no_sound_yet() {
    let mut stage = Stage::joined();
    let (_, link) = called(&mut stage);
    stage.wait(SECOND * 4);
    assert_eq!(restarts(&granted(&mut stage, "a"), link), 1);
}

#[test]
fn a_connection_that_knew_of_the_grant_or_found_a_direct_path_is_left_alone() {
    let mut stage = Stage::joined();
    granted(&mut stage, "a");
    let (_, link) = called(&mut stage);
    assert_eq!(restarts(&stage.wait(SECOND * 9), link), 0);
    let mut stage = Stage::joined();
    let (_, link) = called(&mut stage);
    let mut out = state(&mut stage, link, LinkState::Connected);
    out.extend(path(&mut stage, link, false));
    for host in ["a", "b"] {
        out.extend(granted(&mut stage, host));
        out.extend(stage.wait(SECOND * 10));
    }
    assert_eq!(restarts(&out, link), 0);
}

#[test]
fn one_whom_the_other_side_reroutes_does_not_reroute_as_well() {
    let mut stage = Stage::joined();
    let bob = Other::paired(stage.own.key(), false);
    let (bob, link) = called_with(&mut stage, bob);
    granted(&mut stage, "a");
    stage.wait(SECOND);
    let (kind, sdp) = (DescriptionKind::Offer, "v=0".to_owned());
    let body = SignalBody::Description(Description { kind, sdp });
    let out = stage.signals(&bob, 1, body);
    assert!(
        out.iter().any(|it| matches!(it, Output::Media(MediaCommand::Apply { .. }))),
        "{out:?}"
    );
    let out = stage.wait(SECOND * 5);
    assert_eq!((restarts(&out, link), said(&out, bob.key())), (0, vec![]));
}

#[test]
fn a_relayed_connection_moves_over_to_another_server_and_stays_with_the_same() {
    let mut stage = Stage::joined();
    granted(&mut stage, "a");
    let (_, link) = called(&mut stage);
    state(&mut stage, link, LinkState::Connected);
    path(&mut stage, link, true);
    assert_eq!(restarts(&granted(&mut stage, "a"), link), 0);
    assert_eq!(restarts(&stage.wait(SECOND * 60), link), 0);
    assert_eq!(restarts(&granted(&mut stage, "b"), link), 1);
    assert_eq!(restarts(&stage.wait(SECOND * 60), link), 0);
    assert_eq!(restarts(&granted(&mut stage, "b"), link), 0);
}

#[test]
fn people_are_told_who_is_relayed_while_there_is_sound() {
    let mut stage = Stage::joined();
    let (bob, link) = called(&mut stage);
    let told = |out: Vec<Output>| participant(&out, bob.key()).map(|it| it.relayed);
    assert_eq!(told(state(&mut stage, link, LinkState::Connected)), Some(false));
    assert_eq!(told(path(&mut stage, link, true)), Some(true));
    assert_eq!(told(state(&mut stage, link, LinkState::Disconnected)), Some(false));
    assert_eq!(told(state(&mut stage, link, LinkState::Connected)), Some(true));
    assert_eq!(told(path(&mut stage, link, false)), Some(false));
}

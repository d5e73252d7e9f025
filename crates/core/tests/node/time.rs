//! Clocks, wake-ups, and what does not spin.

use crate::stage::{Other, Stage, dialled, is_gone, participant, said};
use chats_core::hello::HelloMessage;
use chats_core::media::{LinkState, MediaEvent};
use chats_core::node::{Input, Output};
use chats_core::time::{Duration, Time};

const SECOND: Duration = Duration::from_secs(1);

/// How often a node is called within a minute in which nothing comes from outside.
fn calls_in_a_minute(stage: &mut Stage) -> u32 {
    let before = stage.calls;
    stage.wait(SECOND * 60);
    stage.calls - before
}

#[test]
fn an_idle_node_sleeps() {
    assert!(calls_in_a_minute(&mut Stage::admitted()) <= 8);
    let mut alone = Stage::joined();
    assert!(calls_in_a_minute(&mut alone) <= 12);
}

#[test]
fn a_node_that_the_chain_leaves_without_answer_sleeps() {
    let mut stage = Stage::fresh();
    stage.chain = false;
    stage.drain();
    assert!(calls_in_a_minute(&mut stage) <= 8);
}

#[test]
fn a_node_that_is_not_let_in_sleeps() {
    let mut stage = Stage::fresh();
    stage.roles.insert(stage.own.certificate.statement.wallet, chats_core::access::Role::None);
    stage.drain();
    stage.input(Input::Present { source: 0, devices: vec![Other::new(2).key()] });
    assert!(calls_in_a_minute(&mut stage) <= 8);
}

#[test]
fn audio_that_failed_and_those_beyond_reach_do_not_make_it_spin() {
    let mut offers = 0;
    for device in 2..12 {
        let mut stage = Stage::joined();
        let bob = Other::with_device(2, device);
        offers += u32::from(stage.own.key() > bob.key());
        stage.meets(&bob);
        let mut out = stage.attends(&bob, 1);
        out.extend(stage.wait(SECOND * 3));
        let link = crate::stage::opened(&out)[0];
        for state in [LinkState::Connected, LinkState::Failed] {
            stage.input(Input::Media(MediaEvent::State { link, state }));
        }
        assert!(calls_in_a_minute(&mut stage) <= 30);
    }
    assert!((1..10).contains(&offers), "both sides of a pair were tried");
}

#[test]
fn a_clock_set_back_stops_no_heartbeat_and_ages_no_presence() {
    let mut stage = Stage::joined();
    let bob = Other::new(2);
    stage.meets(&bob);
    stage.attends(&bob, 1);
    let theirs = stage.now;
    stage.now = Time(stage.now.0 - 3_600_000);
    stage.input(Input::Tick);
    let out = stage.wait(SECOND * 21);
    assert!(!said(&out, bob.key()).is_empty(), "the heartbeat goes on");
    let mut presence = bob.presence(2, theirs + SECOND * 21);
    presence.muted = true;
    let out = stage.says(&bob, presence);
    assert!(participant(&out, bob.key()).is_some_and(|bob| bob.muted), "{out:?}");
    assert!(is_gone(&stage.wait(SECOND * 76), bob.key()), "silence is noticed all the same");
}

#[test]
fn a_clock_set_back_delays_no_dial() {
    let bob = Other::new(2);
    let mut stage = Stage::admitted();
    stage.input(Input::Present { source: 0, devices: vec![bob.key()] });
    stage.input(Input::DialFailed(bob.key()));
    stage.now = Time(stage.now.0 - 3_600_000);
    stage.input(Input::Tick);
    assert_eq!(dialled(&stage.wait(SECOND * 3)), [bob.key()]);
}

#[test]
fn a_lost_connection_is_made_again_by_one_side_first() {
    let mut waits = Vec::new();
    for device in 2..12 {
        let bob = Other::new(device);
        let mut stage = Stage::admitted();
        stage.input(Input::Arrived { source: 0, device: bob.key() });
        stage.meets(&bob);
        stage.input(Input::Linked(bob.key()));
        stage.wait(SECOND * 20);
        stage.input(Input::Disconnected(bob.key()));
        let start = stage.now;
        while dialled(&stage.wait(SECOND / 10)).is_empty() {}
        waits.push((bob.key() > stage.own.key(), stage.now.since(start)));
    }
    assert!(waits.iter().all(|(first, wait)| *first == (*wait <= SECOND)), "{waits:?}");
    assert!(waits.iter().any(|wait| wait.0) && waits.iter().any(|wait| !wait.0));
}

#[test]
fn a_connection_that_is_lost_again_and_again_is_tried_more_and_more_slowly() {
    let bob = Other::new(2);
    let mut stage = Stage::admitted();
    stage.input(Input::Present { source: 0, devices: vec![bob.key()] });
    let end = stage.now + SECOND * 300;
    let mut tries = 0;
    while stage.now < end {
        stage.input(Input::Connected(bob.key()));
        let hello = bob.hello(stage.now);
        stage.hello(&bob, &hello);
        stage.hello(&bob, &HelloMessage::Welcome);
        stage.input(Input::Disconnected(bob.key()));
        tries += 1;
        while stage.now < end && dialled(&stage.wait(SECOND)).is_empty() {}
    }
    assert!(tries < 12, "{tries} tries in five minutes");
}

#[test]
fn the_version_is_asked_for_about_once_a_minute() {
    let mut stage = Stage::admitted();
    stage.chain = false;
    let out = stage.wait(SECOND * 600);
    let asked = out.iter().filter(|o| **o == Output::CheckVersion).count();
    assert!((9..=12).contains(&asked), "{asked} times in ten minutes");
}

//! Who is dialled, and who says what before the other passed.

use crate::stage::{Other, Stage, dialled, hellos, refused, said};
use chats_core::access::Role;
use chats_core::fixtures::COMMUNITY;
use chats_core::hello::{HelloMessage, Refusal};
use chats_core::node::{Event, Input, Output};
use chats_core::presence::MeetingMessage;
use chats_core::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn nobody_is_dialled_before_our_own_wallet_is_let_in() {
    let bob = Other::new(2);
    let mut stage = Stage::fresh();
    stage.chain = false;
    let mut out = stage.drain();
    let Some(Output::CheckAccess(batch)) =
        out.iter().find(|o| matches!(o, Output::CheckAccess(_))).cloned()
    else {
        panic!("it asks about its own wallet first: {out:?}");
    };
    out = stage.input(Input::Present { source: 0, devices: vec![bob.key()] });
    out.extend(stage.wait(SECOND * 20));
    assert_eq!(dialled(&out), []);
    stage.answer(&batch);
    let out = stage.drain();
    assert_eq!(dialled(&out), [bob.key()], "whom it heard of meanwhile");
}

#[test]
fn a_wallet_without_a_seat_dials_nobody_and_lets_nobody_connect() {
    let bob = Other::new(2);
    let mut stage = Stage::fresh();
    stage.roles.insert(stage.own.certificate.statement.wallet, Role::None);
    stage.drain();
    let mut out = stage.input(Input::Present { source: 0, devices: vec![bob.key()] });
    out.extend(stage.wait(SECOND * 200));
    assert_eq!(dialled(&out), []);
    let out = stage.input(Input::Connected(bob.key()));
    assert_eq!(out, [Output::Disconnect(bob.key())]);
}

#[test]
fn a_seat_given_later_is_noticed_and_those_who_wait_are_dialled() {
    let bob = Other::new(2);
    let mut stage = Stage::fresh();
    let wallet = stage.own.certificate.statement.wallet;
    stage.roles.insert(wallet, Role::None);
    stage.drain();
    stage.input(Input::Arrived { source: 0, device: bob.key() });
    stage.wait(SECOND * 30);
    stage.roles.remove(&wallet);
    let out = stage.wait(SECOND * 70);
    assert_eq!(dialled(&out), [bob.key()]);
}

#[test]
fn whoever_was_there_before_us_is_dialled_and_greeted() {
    let bob = Other::new(2);
    let mut stage = Stage::admitted();
    let out = stage.input(Input::Present { source: 0, devices: vec![bob.key()] });
    assert_eq!(dialled(&out), [bob.key()]);
    let out = stage.input(Input::Connected(bob.key()));
    assert!(matches!(hellos(&out, bob.key()).as_slice(), [HelloMessage::Hello(_)]));
}

#[test]
fn a_stranger_who_arrives_is_not_dialled() {
    let mut stage = Stage::admitted();
    let mut out = stage.input(Input::Arrived { source: 0, device: Other::new(2).key() });
    out.extend(stage.wait(SECOND * 300));
    assert_eq!(dialled(&out), []);
}

#[test]
fn the_responder_says_nothing_before_the_dialler_passed() {
    let bob = Other::new(2);
    let mut stage = Stage::admitted();
    assert_eq!(stage.input(Input::Connected(bob.key())), []);
    stage.chain = false;
    let hello = bob.hello(stage.now);
    let out = stage.hello(&bob, &hello);
    assert_eq!(hellos(&out, bob.key()), [], "the chain has not spoken");
    let batch = out.into_iter().find_map(|o| match o {
        Output::CheckAccess(batch) => Some(batch),
        _ => None,
    });
    stage.answer(&batch.expect("it asks the chain"));
    let out = stage.drain();
    let pass = out.iter().position(|o| *o == Output::Pass(bob.key())).expect("passed");
    let send = out.iter().position(|o| matches!(o, Output::Send { .. })).expect("greeted");
    assert!(pass < send, "{out:?}");
    let hellos = hellos(&out, bob.key());
    assert!(matches!(hellos.as_slice(), [HelloMessage::Welcome, HelloMessage::Hello(_)]));
}

#[test]
fn a_member_is_online_once_both_passed_and_offline_once_gone() {
    let bob = Other::new(2);
    let mut stage = Stage::admitted();
    let out = stage.meets(&bob);
    let online = |o: &Output| matches!(o, Output::Event(Event::Online(k, _)) if *k == bob.key());
    assert!(matches!(out.last(), Some(output) if online(output)), "{out:?}");
    let out = stage.input(Input::Disconnected(bob.key()));
    assert_eq!(out, [Output::Event(Event::Offline(bob.key()))]);
}

#[test]
fn a_device_that_passes_by_the_chains_answer_is_told_at_once_where_we_are() {
    let bob = Other::new(2);
    let mut stage = Stage::joined();
    stage.input(Input::Present { source: 0, devices: vec![bob.key()] });
    stage.input(Input::Connected(bob.key()));
    stage.hello(&bob, &HelloMessage::Welcome);
    let hello = bob.hello(stage.now);
    let out = stage.hello(&bob, &hello);
    assert!(matches!(said(&out, bob.key()).as_slice(), [MeetingMessage::Presence(_)]), "{out:?}");
}

#[test]
fn whoever_does_not_pass_within_ten_seconds_is_let_go_and_may_try_again() {
    let bob = Other::new(2);
    let mut stage = Stage::admitted();
    stage.input(Input::Connected(bob.key()));
    let out = stage.wait(Duration::from_millis(9999));
    assert!(!out.contains(&Output::Disconnect(bob.key())));
    let out = stage.wait(Duration::from_millis(1));
    assert_eq!(refused(&out), [Refusal::Undecided]);
    assert!(out.contains(&Output::Disconnect(bob.key())));
    stage.input(Input::Disconnected(bob.key()));
    stage.meets(&bob);
}

#[test]
fn a_hello_time_out_is_tried_again_by_whoever_dialled() {
    let bob = Other::new(2);
    let mut stage = Stage::admitted();
    stage.input(Input::Present { source: 0, devices: vec![bob.key()] });
    stage.input(Input::Connected(bob.key()));
    let out = stage.wait(SECOND * 10);
    assert_eq!(refused(&out), [Refusal::Undecided]);
    stage.input(Input::Disconnected(bob.key()));
    assert_eq!(dialled(&stage.wait(SECOND * 30)), [bob.key()]);
}

#[test]
fn a_refusal_by_another_is_shown_and_tried_again_more_and_more_slowly() {
    let bob = Other::new(2);
    let mut stage = Stage::admitted();
    stage.input(Input::Present { source: 0, devices: vec![bob.key()] });
    let mut tries = 0;
    let end = stage.now + Duration::from_secs(600);
    while stage.now < end {
        stage.input(Input::Connected(bob.key()));
        let out = stage.hello(&bob, &HelloMessage::Refused(Refusal::NotAMember));
        let by = Event::RefusedBy { device: bob.key(), refusal: Refusal::NotAMember };
        assert!(out.contains(&Output::Event(by)));
        stage.input(Input::Disconnected(bob.key()));
        while stage.now < end && dialled(&stage.wait(SECOND)).is_empty() {}
        tries += 1;
    }
    assert!((5..15).contains(&tries), "{tries} tries in ten minutes");
}

#[test]
fn one_who_comes_only_to_refuse_us_is_not_dialled_and_learns_nothing() {
    let mut stage = Stage::joined();
    let bob = Other::new(2);
    stage.input(Input::Arrived { source: 0, device: bob.key() });
    stage.input(Input::Connected(bob.key()));
    let mut out = stage.hello(&bob, &HelloMessage::Refused(Refusal::Undecided));
    stage.input(Input::Disconnected(bob.key()));
    out.extend(stage.wait(Duration::from_secs(300)));
    assert_eq!((dialled(&out), hellos(&out, bob.key())), (vec![], vec![]));
}

#[test]
fn when_an_older_connection_carries_on_both_speak_first() {
    let bob = Other::new(2);
    let mut stage = Stage::admitted();
    stage.input(Input::Arrived { source: 0, device: bob.key() });
    stage.meets(&bob);
    stage.wait(SECOND);
    stage.input(Input::Disconnected(bob.key()));
    let out = stage.input(Input::Connected(bob.key()));
    assert!(matches!(hellos(&out, bob.key())[..], [HelloMessage::Hello(_)]), "{out:?}");
    // One who did not pass is never told who we are.
    stage.input(Input::Disconnected(bob.key()));
    assert_eq!(hellos(&stage.input(Input::Connected(bob.key())), bob.key()), []);
}

#[test]
fn at_most_thirty_two_strangers_are_heard_at_once() {
    let mut stage = Stage::admitted();
    for number in 10..42 {
        assert_eq!(stage.input(Input::Connected(Other::new(number).key())), []);
    }
    let late = Other::new(42).key();
    assert_eq!(stage.input(Input::Connected(late)), [Output::Disconnect(late)]);
    stage.input(Input::Disconnected(Other::new(10).key()));
    assert_eq!(stage.input(Input::Connected(late)), []);
}

#[test]
fn at_most_four_are_dialled_at_once() {
    let mut stage = Stage::admitted();
    let all: Vec<_> = (10..30).map(|number| Other::new(number).key()).collect();
    let first = dialled(&stage.input(Input::Present { source: 0, devices: all.clone() }));
    assert_eq!(first.len(), 4);
    assert_eq!(dialled(&stage.wait(SECOND)), []);
    let next = dialled(&stage.input(Input::DialFailed(first[0])));
    assert_eq!(next.len(), 1);
    assert!(!first.contains(&next[0]));
}

#[test]
fn dials_that_are_never_answered_give_their_place_to_others() {
    let mut stage = Stage::admitted();
    let all: Vec<_> = (10..18).map(|number| Other::new(number).key()).collect();
    let mut tried = dialled(&stage.input(Input::Present { source: 0, devices: all.clone() }));
    tried.extend(dialled(&stage.wait(SECOND * 31)));
    assert!(all.iter().all(|device| tried.contains(device)), "{tried:?}");
}

#[test]
fn a_peer_that_names_another_version_has_the_chain_asked() {
    let bob = Other::new(2);
    let mut stage = Stage::admitted();
    stage.chain = true;
    stage.meets(&Other::new(3));
    stage.input(Input::Connected(bob.key()));
    stage.roles.insert(Other::new(3).certificate.statement.wallet, Role::None);
    stage.version = 9;
    let hello = bob.hello_for(COMMUNITY, 9, stage.now);
    let mut out = stage.hello(&bob, &hello);
    out.extend(stage.wait(SECOND * 3));
    assert!(out.contains(&Output::Disconnect(Other::new(3).key())), "{out:?}");
}

#[test]
fn a_table_full_of_listed_strangers_keeps_no_member_out() {
    let mut stage = Stage::admitted();
    for number in 0..400_u16 {
        let mut key = [9; 32];
        key[..2].copy_from_slice(&number.to_be_bytes());
        stage.input(Input::Arrived { source: 0, device: chats_core::id::DeviceKey(key) });
    }
    stage.meets(&Other::new(2));
}

//! Direct links: with whom, how many, when again; and what is left when relays are gone.

use crate::stage::{Other, Stage, dialled, is_gone, linking, participant};
use chats_core::id::DeviceKey;
use chats_core::node::{Event, Input, LinkFailure, Output};
use chats_core::presence::Presence;
use chats_core::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);

fn fail(stage: &mut Stage, device: DeviceKey, failure: LinkFailure) -> Vec<Output> {
    stage.input(Input::LinkFailed { device, failure })
}

/// Waits until a link to the device is asked for, and says how long that took.
fn until_linking(stage: &mut Stage, device: DeviceKey) -> Duration {
    let start = stage.now;
    while !linking(&stage.wait(MILLI * 100)).contains(&device) {
        assert!(stage.now.since(start) < SECOND * 200, "it never comes");
    }
    stage.now.since(start)
}

/// Others whose devices have keys on one side of ours.
fn others(larger: bool) -> impl Iterator<Item = Other> {
    let own = Other::new(1).key();
    (2..).map(|device| Other::with_device(2, device)).filter(move |o| (o.key() > own) == larger)
}

#[test]
fn whoever_dialled_links_at_once_and_the_other_after_five_seconds() {
    let bob = Other::new(2);
    let mut stage = Stage::admitted();
    assert_eq!(linking(&stage.reaches(&bob)), [bob.key()]);
    let mut stage = Stage::admitted();
    assert_eq!(linking(&stage.meets(&bob)), []);
    assert_eq!(linking(&stage.wait(SECOND * 5 - MILLI)), []);
    assert_eq!(linking(&stage.wait(MILLI)), [bob.key()]);
}

#[test]
fn no_link_is_made_to_one_who_did_not_pass_or_has_one() {
    let bob = Other::new(2);
    let mut stage = Stage::admitted();
    let mut out = stage.input(Input::Present { source: 0, devices: vec![bob.key()] });
    out.extend(stage.input(Input::Connected(bob.key())));
    out.extend(stage.wait(SECOND * 9));
    assert_eq!(linking(&out), []);
    let mut stage = Stage::admitted();
    stage.meets(&bob);
    stage.input(Input::Linked(bob.key()));
    assert_eq!(linking(&stage.wait(SECOND * 60)), []);
}

#[test]
fn at_most_four_links_are_made_at_once() {
    let mut stage = Stage::admitted();
    let all: Vec<_> = (2..9).map(Other::new).collect();
    let out: Vec<_> = all.iter().flat_map(|other| stage.reaches(other)).collect();
    assert_eq!(linking(&out).len(), 4);
    let first = linking(&out)[0];
    let next = linking(&stage.input(Input::Linked(first)));
    assert_eq!(next.len(), 1);
    let next = linking(&fail(&mut stage, next[0], LinkFailure::Unreachable));
    assert_eq!(next.len(), 1);
}

#[test]
fn a_link_of_which_nothing_is_heard_gives_its_place_to_another() {
    let mut stage = Stage::admitted();
    let all: Vec<_> = (2..7).map(Other::new).collect();
    let mut out: Vec<_> = all.iter().flat_map(|other| stage.reaches(other)).collect();
    out.extend(stage.wait(SECOND * 31));
    let asked = linking(&out);
    assert!(all.iter().all(|other| asked.contains(&other.key())), "{asked:?}");
}

/// Members come one after the other, of whom these relays told, and every link comes about.
fn crowd(stage: &mut Stage, numbers: std::ops::Range<u8>, source: u32) -> usize {
    let mut links = 0;
    for number in numbers {
        let other = Other::new(number);
        let devices = vec![other.key()];
        let mut out = stage.input(Input::Present { source, devices });
        out.extend(stage.meets(&other));
        for device in linking(&out) {
            links += 1;
            stage.input(Input::Linked(device));
        }
    }
    links
}

#[test]
fn one_source_fills_half_of_the_links_and_all_sources_no_more_than_sixteen() {
    let mut stage = Stage::admitted();
    assert_eq!(crowd(&mut stage, 2..14, 1), 8);
    assert_eq!(crowd(&mut stage, 20..26, 2), 6);
    assert_eq!(crowd(&mut stage, 30..40, 3), 2);
    assert_eq!(linking(&stage.wait(SECOND * 60)), []);
}

#[test]
fn a_lost_link_makes_room_for_another() {
    let mut stage = Stage::admitted();
    crowd(&mut stage, 2..14, 1);
    stage.wait(SECOND * 60);
    let gone = Other::new(2).key();
    let out = stage.input(Input::Disconnected(gone));
    assert_eq!(linking(&out).len(), 1);
}

#[test]
fn whom_rooms_seek_gets_a_link_besides_and_eight_such_at_most() {
    let mut stage = Stage::admitted();
    crowd(&mut stage, 2..14, 1);
    crowd(&mut stage, 20..40, 2);
    let sought: Vec<_> = (50..62).map(Other::new).collect();
    let out: Vec<_> = sought.iter().flat_map(|other| stage.reaches(other)).collect();
    assert_eq!(linking(&out), []);
    let mut out = stage.input(Input::Seek(sought.iter().map(Other::key).collect()));
    let mut linked = Vec::new();
    while let Some(device) = linking(&out).first().copied() {
        let more = linking(&out).into_iter().skip(1);
        linked.extend([device].into_iter().chain(more.clone()));
        let all: Vec<_> = [device].into_iter().chain(more).collect();
        out = all.into_iter().flat_map(|device| stage.input(Input::Linked(device))).collect();
    }
    assert_eq!(linked.len(), 8);
    assert!(linked.iter().all(|device| sought.iter().any(|other| other.key() == *device)));
}

#[test]
fn whoever_is_in_our_meeting_gets_a_link_besides() {
    let mut stage = Stage::joined();
    crowd(&mut stage, 2..14, 1);
    crowd(&mut stage, 20..40, 2);
    let bob = Other::new(50);
    let mut out = stage.reaches(&bob);
    assert_eq!(linking(&out), []);
    out = stage.attends(&bob, 1);
    assert_eq!(linking(&out), [bob.key()]);
}

#[test]
fn a_link_that_fails_is_tried_again_ever_more_slowly() {
    let bob = Other::new(2);
    let mut stage = Stage::admitted();
    stage.reaches(&bob);
    let mut waits = Vec::new();
    for _ in 0..8 {
        fail(&mut stage, bob.key(), LinkFailure::Unreachable);
        waits.push(until_linking(&mut stage, bob.key()));
    }
    let within = |(wait, least): (&Duration, u64)| {
        let least = SECOND * u32::try_from(least).unwrap();
        (least..=least * 5 / 4 + MILLI * 100).contains(wait)
    };
    let least = [2, 4, 8, 16, 32, 60, 60, 60];
    assert!(waits.iter().zip(least).all(within), "{waits:?}");
}

#[test]
fn a_link_that_stood_and_was_lost_is_made_again_by_one_side_first() {
    for (dialled, wait) in [(true, MILLI * 100), (false, SECOND * 5)] {
        let bob = Other::new(2);
        let mut stage = Stage::admitted();
        if dialled {
            stage.reaches(&bob);
        } else {
            stage.meets(&bob);
        }
        stage.input(Input::Linked(bob.key()));
        stage.wait(SECOND * 11);
        let out = stage.input(Input::Unlinked(bob.key()));
        let at_once = linking(&out).contains(&bob.key());
        assert!(at_once || until_linking(&mut stage, bob.key()) <= wait);
        assert_eq!(at_once, dialled);
    }
}

#[test]
fn a_link_that_is_lost_again_and_again_is_tried_more_and_more_slowly() {
    let bob = Other::new(2);
    let mut stage = Stage::admitted();
    stage.reaches(&bob);
    let mut tries = 0;
    let end = stage.now + SECOND * 300;
    while stage.now < end {
        stage.input(Input::Linked(bob.key()));
        stage.input(Input::Unlinked(bob.key()));
        tries += 1;
        while stage.now < end && linking(&stage.wait(SECOND)).is_empty() {}
    }
    assert!((5..12).contains(&tries), "{tries} tries in five minutes");
}

#[test]
fn an_attack_is_told_and_not_walked_into_again_for_a_minute() {
    let bob = Other::new(2);
    let mut stage = Stage::admitted();
    stage.reaches(&bob);
    let out = fail(&mut stage, bob.key(), LinkFailure::Attack);
    assert_eq!(out, [Output::Event(Event::Attack { device: bob.key() })]);
    // Whoever attacks may also cut the circuit, to have it all begin anew.
    stage.input(Input::Disconnected(bob.key()));
    let begin = stage.now;
    let out = stage.reaches(&bob);
    assert_eq!(linking(&out), []);
    stage.input(Input::NetworkChanged);
    until_linking(&mut stage, bob.key());
    let wait = stage.now.since(begin);
    assert!(wait >= SECOND * 60, "{wait:?}");
}

#[test]
fn another_network_has_failed_links_and_dials_tried_at_once() {
    let (bob, carol) = (Other::new(2), Other::new(3));
    let mut stage = Stage::admitted();
    stage.reaches(&bob);
    for _ in 0..6 {
        fail(&mut stage, bob.key(), LinkFailure::Unreachable);
        until_linking(&mut stage, bob.key());
    }
    fail(&mut stage, bob.key(), LinkFailure::Unreachable);
    stage.input(Input::Present { source: 0, devices: vec![carol.key()] });
    stage.input(Input::DialFailed(carol.key()));
    let out = stage.input(Input::NetworkChanged);
    assert_eq!((linking(&out), dialled(&out)), (vec![bob.key()], vec![carol.key()]));
}

#[test]
fn members_who_are_linked_stay_when_no_relay_lists_them() {
    let bob = Other::new(2);
    let mut stage = Stage::joined();
    stage.reaches(&bob);
    stage.input(Input::Linked(bob.key()));
    stage.attends(&bob, 1);
    let mut out = stage.input(Input::Left(bob.key()));
    out.extend(stage.wait(SECOND * 60));
    assert!(!out.contains(&Output::Event(Event::Offline(bob.key()))), "{out:?}");
    assert!(!is_gone(&out, bob.key()));
}

#[test]
fn one_lost_from_our_meeting_is_dialled_within_250_ms_by_one_side_though_no_relay_lists_it() {
    for first in [true, false] {
        let bob = others(first).next().unwrap();
        let mut stage = Stage::joined();
        stage.meets(&bob);
        stage.attends(&bob, 1);
        stage.wait(SECOND * 15);
        stage.input(Input::Disconnected(bob.key()));
        let soon = dialled(&stage.wait(MILLI * 250));
        assert_eq!(soon.contains(&bob.key()), first);
        let later = dialled(&stage.wait(SECOND * 2));
        assert_eq!(later.contains(&bob.key()), !first);
    }
}

#[test]
fn one_lost_from_our_meeting_is_tried_for_a_while_and_not_for_ever() {
    let bob = Other::new(2);
    let mut stage = Stage::joined();
    stage.meets(&bob);
    stage.attends(&bob, 1);
    stage.wait(SECOND * 15);
    let mut out = stage.input(Input::Disconnected(bob.key()));
    let mut late = Vec::new();
    for second in 0..300 {
        out = stage.wait(SECOND);
        if dialled(&out).contains(&bob.key()) {
            late.push(second);
            stage.input(Input::DialFailed(bob.key()));
        }
    }
    assert!(late.len() >= 4, "{late:?}");
    assert!(late.iter().all(|second| *second <= 80), "{late:?}");
    assert!(late.iter().any(|second| *second >= 30), "{late:?}");
    assert_eq!(dialled(&out), []);
}

#[test]
fn one_who_left_the_meeting_and_is_listed_nowhere_is_not_dialled() {
    let bob = Other::new(2);
    let mut stage = Stage::joined();
    stage.meets(&bob);
    stage.attends(&bob, 1);
    stage.wait(SECOND * 15);
    let presence = Presence { leaving: true, ..bob.presence(2, stage.now) };
    let out = stage.says(&bob, presence);
    assert!(participant(&out, bob.key()).is_none());
    stage.input(Input::Disconnected(bob.key()));
    assert_eq!(dialled(&stage.wait(SECOND * 100)), []);
}

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

/// One for whom it is for us to make the link.
fn led() -> Other {
    others(true).next().unwrap()
}

#[test]
fn the_smaller_key_links_at_once_and_the_other_after_five_seconds_whoever_dialled() {
    for ours in [true, false] {
        let connect = |stage: &mut Stage, other: &Other| {
            if ours { stage.reaches(other) } else { stage.meets(other) }
        };
        let bob = led();
        let mut stage = Stage::admitted();
        assert_eq!(linking(&connect(&mut stage, &bob)), [bob.key()]);
        let bob = others(false).next().unwrap();
        let mut stage = Stage::admitted();
        assert_eq!(linking(&connect(&mut stage, &bob)), []);
        assert_eq!(linking(&stage.wait(SECOND * 5 - MILLI)), []);
        assert_eq!(linking(&stage.wait(MILLI)), [bob.key()]);
    }
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
    let all: Vec<_> = others(true).take(7).collect();
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
    let all: Vec<_> = others(true).take(5).collect();
    let mut out: Vec<_> = all.iter().flat_map(|other| stage.reaches(other)).collect();
    out.extend(stage.wait(SECOND * 31));
    let asked = linking(&out);
    assert!(all.iter().all(|other| asked.contains(&other.key())), "{asked:?}");
}

/// Members come one after the other, of whom this relay told, and every link comes about.
fn crowd(stage: &mut Stage, numbers: std::ops::Range<usize>, source: u32) -> usize {
    let mut links = 0;
    for other in others(true).skip(numbers.start).take(numbers.len()) {
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
    assert_eq!(crowd(&mut stage, 0..12, 1), 8);
    assert_eq!(crowd(&mut stage, 20..26, 2), 6);
    assert_eq!(crowd(&mut stage, 30..40, 3), 2);
    assert_eq!(linking(&stage.wait(SECOND * 60)), []);
}

/// A device makes a link to us. Whether we take it.
fn offers(stage: &mut Stage, other: &Other) -> bool {
    let out = stage.input(Input::LinkOffered(other.key()));
    let takes = taken(&out);
    assert_eq!(takes.len(), 1, "one answer for one offer: {out:?}");
    assert_eq!(takes[0].0, other.key());
    takes[0].1
}

/// Whose links are taken from now on, or not.
fn taken(outputs: &[Output]) -> Vec<(DeviceKey, bool)> {
    let take = |output: &Output| match output {
        Output::TakeLinks { device, take } => Some((*device, *take)),
        _ => None,
    };
    outputs.iter().filter_map(take).collect()
}

/// Members come by themselves and make links, as many as we take; of this relay we learnt of them.
fn flock(stage: &mut Stage, numbers: std::ops::Range<usize>, source: Option<u32>) -> usize {
    let mut links = 0;
    for other in others(false).skip(numbers.start).take(numbers.len()) {
        if let Some(source) = source {
            stage.input(Input::Arrived { source, device: other.key() });
        }
        stage.meets(&other);
        if offers(stage, &other) {
            links += 1;
            stage.input(Input::Linked(other.key()));
        }
    }
    links
}

#[test]
fn links_that_others_make_are_counted_and_bounded_like_our_own() {
    let mut stage = Stage::admitted();
    assert_eq!(flock(&mut stage, 0..12, None), 8, "who comes by itself is one source");
    assert_eq!(flock(&mut stage, 20..32, Some(1)), 8);
    assert_eq!(flock(&mut stage, 40..44, Some(2)), 0);
    assert_eq!(crowd(&mut stage, 0..4, 3), 0);
    assert_eq!(linking(&stage.wait(SECOND * 60)), []);
}

#[test]
fn a_source_has_one_share_for_links_that_we_make_and_links_that_others_make() {
    let mut stage = Stage::admitted();
    assert_eq!(crowd(&mut stage, 0..5, 1), 5);
    assert_eq!(flock(&mut stage, 0..5, Some(1)), 3);
    assert_eq!(crowd(&mut stage, 5..8, 1), 0);
    assert_eq!(crowd(&mut stage, 8..18, 2), 8);
}

#[test]
fn a_link_that_is_taken_counts_before_it_stands_and_not_once_it_failed() {
    let mut stage = Stage::admitted();
    let all: Vec<_> = others(false).take(9).collect();
    for other in &all {
        stage.meets(other);
    }
    let (last, first) = all.split_last().unwrap();
    assert!(first.iter().all(|other| offers(&mut stage, other)));
    assert!(!offers(&mut stage, last));
    let out = fail(&mut stage, first[0].key(), LinkFailure::Unreachable);
    assert_eq!(taken(&out), [(last.key(), true)]);
    assert!(offers(&mut stage, last));
}

#[test]
fn one_who_was_turned_away_is_told_once_when_there_is_room_again() {
    let mut stage = Stage::admitted();
    flock(&mut stage, 0..12, None);
    let turned_away: Vec<_> = others(false).skip(8).take(4).map(|other| other.key()).collect();
    assert_eq!(taken(&stage.wait(SECOND * 20)), []);
    let gone = others(false).next().unwrap().key();
    let mut out = stage.input(Input::Disconnected(gone));
    out.extend(stage.wait(MILLI));
    let takes: Vec<_> = taken(&out).into_iter().collect();
    assert!(
        !takes.is_empty() && takes.iter().all(|(who, take)| *take && turned_away.contains(who))
    );
    let mut once: Vec<_> = takes.iter().map(|(who, _)| who).collect();
    once.dedup();
    assert_eq!(once.len(), takes.len());
}

#[test]
fn a_link_that_crosses_our_own_is_taken_and_counts_once() {
    let mut stage = Stage::admitted();
    for other in others(true).take(4) {
        assert_eq!(linking(&stage.reaches(&other)), [other.key()]);
        assert!(offers(&mut stage, &other));
        stage.input(Input::Linked(other.key()));
    }
    assert_eq!(crowd(&mut stage, 4..20, 0), 4);
}

#[test]
fn whoever_is_in_our_meeting_may_link_to_us_besides() {
    let mut stage = Stage::joined();
    flock(&mut stage, 0..12, None);
    flock(&mut stage, 20..40, Some(1));
    let bob = others(false).nth(50).unwrap();
    stage.meets(&bob);
    assert!(!offers(&mut stage, &bob));
    let out = stage.attends(&bob, 1);
    assert_eq!(taken(&out), [(bob.key(), true)]);
    assert!(offers(&mut stage, &bob));
}

#[test]
fn links_within_our_meeting_take_no_place_from_others() {
    let mut stage = Stage::joined();
    let bob = others(true).nth(50).unwrap();
    let mut out = stage.reaches(&bob);
    out.extend(stage.attends(&bob, 1));
    assert_eq!(linking(&out), [bob.key()]);
    stage.input(Input::Linked(bob.key()));
    assert_eq!(crowd(&mut stage, 0..12, 0), 8);
    assert_eq!(crowd(&mut stage, 20..32, 1), 8);
}

#[test]
fn a_lost_link_makes_room_for_another() {
    let mut stage = Stage::admitted();
    crowd(&mut stage, 0..12, 1);
    stage.wait(SECOND * 60);
    let gone = led().key();
    let out = stage.input(Input::Disconnected(gone));
    assert_eq!(linking(&out).len(), 1);
}

#[test]
fn whom_rooms_seek_gets_a_link_besides_and_eight_such_at_most() {
    let mut stage = Stage::admitted();
    assert_eq!(crowd(&mut stage, 2..14, 1), 8);
    assert_eq!(crowd(&mut stage, 20..40, 2), 8);
    let sought: Vec<_> = others(true).skip(50).take(12).collect();
    let out: Vec<_> = sought.iter().flat_map(|other| stage.meets(other)).collect();
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
    crowd(&mut stage, 0..12, 1);
    crowd(&mut stage, 20..40, 2);
    let bob = others(true).nth(50).unwrap();
    let mut out = stage.reaches(&bob);
    assert_eq!(linking(&out), []);
    out = stage.attends(&bob, 1);
    assert_eq!(linking(&out), [bob.key()]);
}

#[test]
fn a_link_that_fails_is_tried_again_ever_more_slowly() {
    let bob = led();
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
    for (first, wait) in [(true, MILLI * 100), (false, SECOND * 5)] {
        let bob = others(first).next().unwrap();
        let mut stage = Stage::admitted();
        stage.meets(&bob);
        stage.input(Input::Linked(bob.key()));
        stage.wait(SECOND * 11);
        stage.input(Input::Disconnected(bob.key()));
        let out = stage.meets(&bob);
        let at_once = linking(&out).contains(&bob.key());
        assert!(at_once || until_linking(&mut stage, bob.key()) <= wait);
        assert_eq!(at_once, first);
    }
}

#[test]
fn a_link_that_is_lost_again_and_again_is_tried_more_and_more_slowly() {
    let bob = led();
    let mut stage = Stage::admitted();
    stage.reaches(&bob);
    let mut tries = 0;
    let end = stage.now + SECOND * 300;
    while stage.now < end {
        stage.input(Input::Linked(bob.key()));
        stage.input(Input::Disconnected(bob.key()));
        tries += 1;
        let mut out = stage.reaches(&bob);
        while stage.now < end && linking(&out).is_empty() {
            out = stage.wait(SECOND);
        }
    }
    assert!((5..12).contains(&tries), "{tries} tries in five minutes");
}

#[test]
fn an_attack_is_told_and_not_walked_into_again_for_a_minute() {
    let bob = led();
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
    let (bob, carol) = (led(), others(true).nth(1).unwrap());
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
    stage.input(Input::Linked(bob.key()));
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

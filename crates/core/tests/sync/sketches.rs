//! Comparing by sketches: with whoever is honest, and with whoever is not.

use crate::device::{NOW, ROOM, item, items};
use crate::eve::{DAY, Duel};
use crate::world::World;
use chats_core::hlc::Hlc;
use chats_core::op::OpId;
use chats_core::sync::{CELL, End, IdSet, MAX_CELLS, Short, SyncMessage, Window};
use chats_core::time::{Duration, Time};
use proptest::prelude::*;

const MINUTE: Duration = Duration::from_secs(60);

/// Alice leads, and has asked about the newest day of a room of which she knows so many.
fn asked(count: u64) -> (Duel, Vec<SyncMessage>) {
    let mut duel = Duel::over(count);
    duel.dialled_about_the_room();
    let mut heard = duel.heard();
    heard.retain(|it| !matches!(it, SyncMessage::Done { .. }));
    (duel, heard)
}

/// The window that a sketch is about, and how many cells it has.
fn sketched(heard: &[SyncMessage]) -> (Window, usize) {
    let sketch = heard.iter().find_map(|message| match message {
        SyncMessage::Sketch { set: 1, window, cells, .. } => Some((*window, cells.len() / CELL)),
        _ => None,
    });
    sketch.unwrap_or_else(|| panic!("{heard:?}"))
}

fn difference(window: Window, have: Vec<OpId>, lack: Vec<Short>) -> SyncMessage {
    SyncMessage::Difference { set: 1, window, have, lack }
}

fn again(window: Window, cells: usize) -> SyncMessage {
    SyncMessage::Again { set: 1, window, cells: u16::try_from(cells).unwrap() }
}

fn sketch(set: u16, window: Window, bytes: usize) -> SyncMessage {
    SyncMessage::Sketch { set, window, known: 300, cells: vec![0; bytes].into() }
}

fn ids(count: u64) -> Vec<OpId> {
    items(count, Time(NOW.0 - 5000)).into_iter().map(|(id, _)| id).collect()
}

#[test]
fn a_window_of_few_is_compared_without() {
    let (_, heard) = asked(255);
    assert!(!heard.iter().any(|it| matches!(it, SyncMessage::Sketch { .. })), "{heard:?}");
    let (_, heard) = asked(256);
    assert_eq!(sketched(&heard).1, 32);
}

#[test]
fn answers_to_a_sketch_that_was_not_sent_end_a_session() {
    for answer in [difference(DAY, vec![], vec![]), again(DAY, 96), again(DAY, 0)] {
        let (mut duel, _) = asked(10);
        duel.say(&answer);
        duel.assert_left();
    }
    // Nor is there a second answer to one.
    for answer in [difference, |window, _, _| again(window, 96)] {
        let (mut duel, heard) = asked(300);
        let (window, _) = sketched(&heard);
        duel.say(&again(window, 0));
        assert!(matches!(duel.heard()[..], [SyncMessage::Reconcile { .. }]));
        duel.say(&answer(window, vec![], vec![]));
        duel.assert_left();
    }
}

#[test]
fn more_than_cells_can_tell_or_other_ids_than_of_the_window_end_a_session() {
    let old = item(Hlc::at(Time(NOW.0 - 3 * 86_400_000)), b"old").0;
    let short = |at: u64| Short(at);
    for (have, lack) in
        [(vec![old], vec![]), (ids(33), vec![]), (ids(20), (0..13).map(short).collect())]
    {
        let (mut duel, heard) = asked(300);
        let (window, cells) = sketched(&heard);
        assert_eq!(cells, 32);
        duel.say(&difference(window, have, lack));
        duel.assert_left();
    }
}

#[test]
fn ever_fewer_cells_end_a_session() {
    for cells in [1, 32] {
        let (mut duel, heard) = asked(300);
        duel.say(&again(sketched(&heard).0, cells));
        duel.assert_left();
    }
    let (mut duel, heard) = asked(300);
    let (window, _) = sketched(&heard);
    duel.say(&again(window, MAX_CELLS));
    assert_eq!(sketched(&duel.heard()), (window, MAX_CELLS));
    duel.say(&again(window, MAX_CELLS));
    duel.assert_left();
}

#[test]
fn shorts_of_nothing_are_passed_over() {
    let (mut duel, heard) = asked(300);
    let (window, _) = sketched(&heard);
    duel.say(&difference(window, vec![], vec![Short(1), Short(2)]));
    assert!(matches!(duel.heard()[..], [SyncMessage::Done { .. }, ..]));
}

#[test]
fn sketches_that_are_none_or_of_the_other_role_end_a_session() {
    for message in [sketch(1, DAY, CELL + 1), sketch(2, DAY, CELL)] {
        let mut duel = Duel::over(10);
        duel.dial();
        duel.say(&message);
        duel.assert_left();
    }
    let (mut leads, heard) = asked(300);
    leads.say(&sketch(1, sketched(&heard).0, CELL));
    leads.assert_left();
    let mut answers = Duel::over(300);
    answers.dial();
    answers.say(&difference(DAY, vec![], vec![]));
    answers.assert_left();
}

/// Cells that say nothing, about the largest set.
#[test]
fn sketches_of_the_largest_set_have_an_end() {
    let mut duel = Duel::over_the_largest();
    duel.dial();
    let known = u32::try_from(IdSet::MAX).unwrap();
    let cells = vec![0xff; 32 * CELL];
    let mut rounds = 0;
    loop {
        let cells = cells.clone().into();
        duel.say(&SyncMessage::Sketch { set: 1, window: Window::ALL, known, cells });
        match &duel.heard()[..] {
            [SyncMessage::Again { .. }] => rounds += 1,
            [SyncMessage::End { reason: End::TooMuch }] => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(rounds, 7);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn both_have_all_whatever_either_lacked(
        lacks in [prop::collection::btree_set(0..2000_usize, 0..900), prop::collection::btree_set(0..2000_usize, 0..900)],
    ) {
        let mut world = World::new(2);
        let all = items(2000, world.now);
        let none = lacks[0].intersection(&lacks[1]).count();
        for (at, lacks) in lacks.iter().enumerate() {
            let kept = all.iter().enumerate().filter(|(at, _)| !lacks.contains(at));
            world.devices[at].store.put(ROOM, kept.map(|(_, it)| it.clone()));
        }
        world.link(0, 1);
        world.run(MINUTE);
        prop_assert!(world.agrees(ROOM, 2000 - none) && world.each_came_once());
    }
}

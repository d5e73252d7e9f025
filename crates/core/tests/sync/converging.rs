//! Devices end up with the same, whatever each had and whenever the connection is lost.

use crate::device::{ROOM, item, items};
use crate::world::World;
use chats_core::hlc::Hlc;
use chats_core::op::OpId;
use chats_core::store::SetId;
use chats_core::sync::{End, Ending, Output, Sets, Window};
use chats_core::time::{Duration, Time};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// Time for one session that each side may begin, and not for another.
const ONCE: Duration = Duration::from_secs(30);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR_MS: u64 = 3600 * 1000;

/// Two devices, of which each has one half and some of the other's.
fn halves(world: &mut World, key: SetId, count: u64) {
    for (at, it) in items(count, world.now).into_iter().enumerate() {
        if at % 3 != 0 {
            world.devices[0].store.put(key, [it.clone()]);
        }
        if at % 3 != 1 {
            world.devices[1].store.put(key, [it]);
        }
    }
}

#[test]
fn two_devices_get_what_either_has() {
    let mut world = World::new(2);
    halves(&mut world, SetId::CONTROL, 90);
    halves(&mut world, ROOM, 900);
    world.link_all();
    world.run(MINUTE);
    assert!(world.agrees(SetId::CONTROL, 90) && world.agrees(ROOM, 900));
    assert!(world.each_came_once());
}

#[test]
fn both_are_told_what_was_delivered_and_what_is_complete() {
    let mut world = World::new(2);
    halves(&mut world, ROOM, 300);
    let (first, second) = (world.devices[0].store.ids(ROOM), world.devices[1].store.ids(ROOM));
    world.link_all();
    world.run(ONCE);
    let told = |at: usize, other: &[OpId], own: &[OpId]| {
        let mut delivered = BTreeSet::new();
        let mut completed = Vec::new();
        for output in &world.devices[at].told {
            match output {
                Output::Delivered { ids, .. } => delivered.extend(ids.iter().copied()),
                Output::Completed { set, window, missing, .. } => {
                    assert_eq!(*missing, 0);
                    completed.push((*set, *window));
                }
                Output::Ended { how, .. } => assert!(matches!(
                    how,
                    Ending::Ours(End::Finished) | Ending::Theirs(End::Finished)
                )),
                other => panic!("{other:?}"),
            }
        }
        let lacked: BTreeSet<_> = own.iter().filter(|id| !other.contains(id)).copied().collect();
        assert_eq!(delivered, lacked);
        completed
    };
    let completed = told(0, &second, &first);
    assert_eq!(completed, told(1, &first, &second));
    assert_eq!(completed[0], (SetId::CONTROL, Window::ALL));
    assert!(completed[1..].iter().all(|(set, _)| *set == ROOM));
}

#[test]
fn the_control_log_is_complete_before_any_room_is_spoken_of() {
    let mut world = World::new(2);
    halves(&mut world, SetId::CONTROL, 300);
    halves(&mut world, ROOM, 300);
    world.link_all();
    while !world.agrees(ROOM, 300) {
        let before: Vec<_> = (0..2).map(|at| world.devices[at].store.ids(ROOM)).collect();
        if !world.step() {
            world.run(Duration::from_secs(3));
        }
        let after: Vec<_> = (0..2).map(|at| world.devices[at].store.ids(ROOM)).collect();
        assert!(before == after || world.agrees(SetId::CONTROL, 300));
    }
}

#[test]
fn the_newest_comes_first() {
    let mut world = World::new(2);
    world.devices[0].store.put(ROOM, items(2000, world.now));
    world.devices[1].store.put(ROOM, []);
    world.link_all();
    let mut arrived: Vec<OpId> = Vec::new();
    world.run(Duration::ZERO);
    while arrived.len() < 2000 {
        if !world.step() {
            world.run(Duration::from_secs(3));
        }
        let new: BTreeSet<_> = world.devices[1].store.ids(ROOM).into_iter().collect();
        let mut new: Vec<_> = new.into_iter().filter(|id| !arrived.contains(id)).collect();
        new.reverse();
        assert!(new.is_empty() || arrived.last().is_none_or(|last| new[0] < *last));
        arrived.extend(new);
    }
}

#[test]
fn three_in_a_row_get_it_through_the_one_in_the_middle() {
    let mut world = World::new(3);
    for at in 0..3 {
        let last = Time(world.now.0 - at as u64 * HOUR_MS);
        world.devices[at].store.put(ROOM, items(200, last));
    }
    world.link(0, 1);
    world.link(1, 2);
    world.run(MINUTE * 5);
    assert!(world.agrees(ROOM, 600));
    assert!(world.each_came_once());
}

#[test]
fn three_that_all_see_each_other_converge() {
    let mut world = World::new(3);
    for at in 0..3 {
        let last = Time(world.now.0 - at as u64 * 30 * HOUR_MS);
        world.devices[at].store.put(ROOM, items(200, last));
        world.devices[at].store.put(SetId::CONTROL, items(20, last));
    }
    world.link_all();
    world.run(MINUTE * 8);
    assert!(world.agrees(ROOM, 600) && world.agrees(SetId::CONTROL, 60));
}

#[test]
fn rooms_that_only_one_has_stay_with_it() {
    let mut world = World::new(2);
    let [mine, yours] = [[7; 16], [8; 16]].map(SetId);
    world.devices[0].store.put(mine, items(10, world.now));
    world.devices[1].store.put(yours, items(10, world.now));
    halves(&mut world, ROOM, 30);
    world.link_all();
    world.run(MINUTE);
    assert!(world.agrees(ROOM, 30));
    assert!(world.devices[0].store.set(yours).is_none());
    assert!(world.devices[1].store.set(mine).is_none());
    assert!(world.agrees(mine, 10) && world.agrees(yours, 10));
}

#[test]
fn large_items_travel_too() {
    let mut world = World::new(2);
    let large = |at: u64| {
        let (id, _) = item(Hlc(1), b"");
        let len = if at.is_multiple_of(7) { 65_536 } else { 16_384 } - 8;
        item(Hlc::at(Time(world.now.0 - at)), &id.0.repeat(len / 32 + 1)[..len])
    };
    let all: Vec<_> = (0..60).map(large).collect();
    world.devices[0].store.put(ROOM, all[..30].to_vec());
    world.devices[1].store.put(ROOM, all[20..].to_vec());
    world.link_all();
    world.run(MINUTE);
    assert!(world.agrees(ROOM, 60));
}

#[test]
fn a_connection_lost_at_any_frame_costs_nothing_but_time() {
    let build = || {
        let mut world = World::new(2);
        halves(&mut world, SetId::CONTROL, 30);
        halves(&mut world, ROOM, 3000);
        world
    };
    let mut whole = build();
    whole.link_all();
    whole.run(MINUTE);
    assert!(whole.agrees(ROOM, 3000));
    for cut in 1..=whole.traffic.frames {
        let mut world = build();
        world.cut_at = Some(cut);
        world.link_all();
        world.run(MINUTE);
        assert!(world.agrees(SetId::CONTROL, 30) && world.agrees(ROOM, 3000), "cut at {cut}");
        let twice = world.traffic.items.values().filter(|times| **times > 1).count();
        // What was on its way or not committed is lost, in both directions.
        assert!(twice <= 2 * 4 * 128, "cut at {cut}: {twice} came twice");
    }
}

#[test]
fn a_connection_that_is_lost_again_and_again_does_not_use_up_what_may_be_taken() {
    for store in [0, 1] {
        let mut world = World::new(2);
        world.devices[store].store.put(ROOM, items(6000, world.now));
        world.devices[1 - store].store.put(ROOM, []);
        world.cut_every = Some(25);
        world.link_all();
        world.run(MINUTE * 10);
        assert!(world.agrees(ROOM, 6000));
    }
}

#[test]
fn of_three_any_two_may_be_cut_at_any_frame() {
    let build = || {
        let mut world = World::new(3);
        for at in 0..3 {
            let last = Time(world.now.0 - at as u64 * HOUR_MS);
            world.devices[at].store.put(ROOM, items(60, last));
        }
        world
    };
    let mut whole = build();
    whole.link_all();
    whole.run(MINUTE * 8);
    assert!(whole.agrees(ROOM, 180));
    for cut in 1..=whole.traffic.frames.min(60) {
        let mut world = build();
        world.cut_at = Some(cut);
        world.link_all();
        world.run(MINUTE * 8);
        assert!(world.agrees(ROOM, 180), "cut at {cut}");
    }
}

/// An item of one of a few rooms (0 is the control log), its age, and who has it.
fn held() -> impl Strategy<Value = (u8, u64, u8, u8)> {
    let age = prop_oneof![
        4 => 0..HOUR_MS,
        2 => 0..50_u64,
        2 => 0..10 * 24 * HOUR_MS,
        1 => 0..1000 * 24 * HOUR_MS,
    ];
    (0..4_u8, age, 0..4_u8, 1..4_u8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn any_two_sets_become_their_union_and_each_item_travels_once(
        all in prop::collection::vec(held(), 0..700),
    ) {
        let mut world = World::new(2);
        let key = |room: u8| match room {
            0 => SetId::CONTROL,
            tag => SetId([tag; 16]),
        };
        let mut union = BTreeSet::new();
        for room in 0..4 {
            world.devices.iter_mut().for_each(|device| device.store.put(key(room), []));
        }
        for (room, age, what, who) in all {
            let hlc = Hlc(Hlc::at(Time(world.now.0 - age)).0 + u64::from(what / 2));
            let it = item(hlc, &[what, room]);
            union.insert((key(room), it.0));
            for at in (0..2).filter(|at| who >> at & 1 == 1) {
                world.devices[at].store.put(key(room), [it.clone()]);
            }
        }
        world.link_all();
        world.run(MINUTE);
        for at in 0..2 {
            let ids = world.devices[at].store.sets.iter().flat_map(|(key, (ids, _))| {
                ids.ids(Window::ALL).map(|id| (*key, *id))
            });
            prop_assert!(ids.eq(union.iter().copied()));
        }
        prop_assert!(world.each_came_once());
    }
}

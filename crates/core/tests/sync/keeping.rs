//! What is kept, refused and dropped, and what is said of it.

use crate::device::{INVALID, ROOM, item, items};
use crate::world::World;
use chats_core::hlc::Hlc;
use chats_core::op::OpId;
use chats_core::store::SetId;
use chats_core::sync::{Output, Sets};
use chats_core::time::{Duration, Time};

const MINUTE: Duration = Duration::from_secs(60);
const DAY_MS: u64 = 24 * 3600 * 1000;

fn pair() -> World {
    let mut world = World::new(2);
    world.devices.iter_mut().for_each(|device| device.store.put(ROOM, []));
    world
}

fn invalid(count: u64, last: Time) -> Vec<(OpId, Vec<u8>)> {
    let what = |at: u64| [INVALID, &at.to_be_bytes()].concat();
    (0..count).map(|at| item(Hlc::at(Time(last.0 - at)), &what(at))).collect()
}

fn completed(world: &World, at: usize) -> bool {
    let done = |it: &Output| matches!(it, Output::Completed { set: ROOM, .. });
    world.devices[at].told.iter().any(done)
}

#[test]
fn what_was_refused_is_not_fetched_again_nor_given_to_others() {
    let mut world = World::new(3);
    world.devices.iter_mut().for_each(|device| device.store.put(ROOM, []));
    world.devices[0].store.put(ROOM, invalid(3, world.now));
    world.devices[0].store.put(ROOM, items(300, world.now));
    world.link(0, 1);
    world.run(MINUTE * 10);
    assert_eq!(world.devices[1].store.ids(ROOM).len(), 303);
    assert!(world.each_came_once());
    world.cut(0, 1);
    world.link(1, 2);
    world.run(MINUTE * 10);
    assert_eq!(world.devices[2].store.ids(ROOM).len(), 300);
    let missing = world.devices[2].told.iter().filter_map(|it| match it {
        Output::Completed { missing, led: true, .. } => Some(*missing),
        _ => None,
    });
    // Each time that it is asked, the one in between names them and has none.
    assert!(missing.sum::<usize>() >= 3);
}

#[test]
fn an_item_that_was_refused_is_not_called_delivered() {
    let mut world = pair();
    world.devices[0].store.put(ROOM, invalid(3, world.now));
    world.link(0, 1);
    world.run(MINUTE);
    assert!(completed(&world, 0) && completed(&world, 1));
    assert!(world.devices[1].store.set(ROOM).is_some_and(|set| set.len() == 3));
    let delivered = |it: &Output| matches!(it, Output::Delivered { .. });
    assert!(!world.devices[0].told.iter().any(delivered));
}

#[test]
fn what_was_refused_is_judged_anew_when_that_is_asked_for() {
    let mut world = pair();
    world.devices[0].store.put(ROOM, invalid(3, world.now));
    world.link(0, 1);
    world.run(MINUTE * 3);
    assert!(world.each_came_once());
    world.devices[1].store.sets.get_mut(&ROOM).unwrap().0.forget_refused();
    assert_eq!(world.devices[1].store.ids(ROOM), []);
    world.run(MINUTE * 3);
    assert!(world.traffic.items.values().all(|times| *times == 2));
}

#[test]
fn what_was_pruned_does_not_come_back() {
    let mut world = pair();
    for age in [0, 3, 30] {
        let all = items(50, Time(world.now.0 - age * DAY_MS));
        world.devices[0].store.put(ROOM, all.clone());
        world.devices[1].store.put(ROOM, all);
    }
    let horizon = Hlc::at(Time(world.now.0 - 10 * DAY_MS));
    let (known, bodies) = world.devices[1].store.sets.get_mut(&ROOM).unwrap();
    known.prune(horizon);
    bodies.retain(|id, _| id.hlc() >= horizon);
    world.devices[0].store.put(ROOM, items(50, Time(world.now.0 - 40 * DAY_MS)));
    world.devices[0].store.put(ROOM, items(50, Time(world.now.0 - 5 * DAY_MS)));
    world.link(0, 1);
    world.run(MINUTE * 10);
    assert_eq!(world.devices[0].store.ids(ROOM).len(), 250);
    assert_eq!(world.devices[1].store.ids(ROOM).len(), 150);
    assert_eq!(world.devices[1].store.sets[&ROOM].1.len(), 150);
    assert_eq!(world.traffic.items.len(), 50);
}

#[test]
fn what_waits_until_it_is_due_is_passed_on_and_what_is_later_is_not() {
    let mut world = pair();
    world.devices[0].store.put(ROOM, items(5, Time(world.now.0 + DAY_MS / 2)));
    world.devices[0].store.put(ROOM, items(5, Time(world.now.0 + 3 * DAY_MS)));
    world.link(0, 1);
    world.run(MINUTE);
    assert_eq!(world.devices[1].store.ids(ROOM).len(), 5);
}

#[test]
fn an_item_that_the_store_lost_is_counted_as_missing() {
    let mut world = pair();
    world.devices[0].store.put(ROOM, items(300, world.now));
    let lost: Vec<OpId> = world.devices[0].store.ids(ROOM).into_iter().step_by(30).collect();
    let (_, bodies) = world.devices[0].store.sets.get_mut(&ROOM).unwrap();
    lost.iter().for_each(|id| assert!(bodies.remove(id).is_some()));
    world.link(0, 1);
    world.run(MINUTE * 3);
    assert_eq!(world.devices[1].store.ids(ROOM).len(), 290);
    let known = world.devices[1].store.set(ROOM).unwrap();
    assert!(lost.iter().all(|id| !known.knows(id)));
    assert!(completed(&world, 1));
}

#[test]
fn nothing_is_called_committed_while_the_store_is_at_it() {
    let mut world = pair();
    world.devices[0].store.put(ROOM, items(5000, world.now));
    world.link(0, 1);
    world.run_without_store(1, MINUTE / 2);
    // As many messages as may be without an answer, and no more was read for others.
    assert_eq!(world.devices[1].tasks.len(), 8);
    assert_eq!(world.traffic.items.len(), 8 * 128);
    assert!(!world.devices[0].told.iter().any(|it| matches!(it, Output::Delivered { .. })));
    world.run(MINUTE * 5);
    assert!(world.agrees(ROOM, 5000));
    let delivered = world.devices[0].told.iter().filter_map(|it| match it {
        Output::Delivered { ids, .. } => Some(ids.len()),
        _ => None,
    });
    assert!(delivered.sum::<usize>() <= 5000);
}

#[test]
fn a_room_that_is_left_in_between_ends_a_session_without_blame() {
    let mut world = pair();
    world.devices[0].store.put(ROOM, items(5000, world.now));
    world.devices[0].store.put(SetId::CONTROL, items(10, world.now));
    world.link(0, 1);
    world.run_without_store(1, MINUTE / 2);
    world.devices[0].store.sets.remove(&ROOM);
    world.run(MINUTE * 5);
    assert!(world.agrees(SetId::CONTROL, 10));
    let blamed = |it: &Output| {
        let blame = chats_core::sync::End::Malformed;
        matches!(it, Output::Ended { how: chats_core::sync::Ending::Ours(end), .. } if *end == blame)
    };
    assert!(!world.devices.iter().any(|device| device.told.iter().any(blamed)));
}

//! What it costs on the wire. `cargo test --test sync cost -- --nocapture` prints it.

use crate::device::{NOW, ROOM, item};
use crate::world::World;
use chats_core::hlc::Hlc;
use chats_core::op::OpId;
use chats_core::sync::Output;
use chats_core::time::{Duration, Time};

const ONCE: Duration = Duration::from_secs(30);

/// The overhead in bytes (all but items) of two devices with this room, of which one lacks the
/// items that are picked out: the larger one of that if it leads and if it does not.
fn cost(name: &str, all: &[(OpId, Vec<u8>)], lacked: fn(usize) -> bool) -> usize {
    let both = [0, 1].map(|lacking| one_cost(name, all, lacked, lacking));
    both[0].max(both[1])
}

fn one_cost(
    name: &str,
    all: &[(OpId, Vec<u8>)],
    lacked: fn(usize) -> bool,
    lacking: usize,
) -> usize {
    let mut world = World::new(2);
    let kept = all.iter().enumerate().filter(|(at, _)| !lacked(*at)).map(|(_, it)| it.clone());
    world.devices[lacking].store.put(ROOM, kept);
    world.devices[1 - lacking].store.put(ROOM, all.iter().cloned());
    world.link(0, 1);
    world.run(ONCE);
    assert!(world.agrees(ROOM, all.len()) && world.each_came_once());
    let traffic = &world.traffic;
    let overhead = traffic.bytes - traffic.item_bytes;
    println!(
        "{name}, to the side that {}: {} items, {} B of them, {overhead} B of overhead, {} frames, {} of comparing",
        if led(&world, lacking) { "leads" } else { "answers" },
        traffic.items.len(),
        traffic.item_bytes,
        traffic.frames,
        traffic.rounds,
    );
    overhead
}

/// Whether it was this device that led.
fn led(world: &World, at: usize) -> bool {
    world.devices[at].told.iter().any(|it| matches!(it, Output::Completed { led: true, .. }))
}

/// 100,000 items of a year, newest first: one in 315 seconds.
fn year() -> Vec<(OpId, Vec<u8>)> {
    let at = |at: u64| Hlc::at(Time(NOW.0 - at * 315_000));
    (0..100_000).map(|number| item(at(number), &number.to_be_bytes().repeat(50))).collect()
}

#[test]
fn a_hundred_recent_of_a_hundred_thousand() {
    let overhead = cost("100 recent of 100,000", &year(), |at| at < 100);
    assert!(overhead < 20_000, "{overhead} bytes");
}

#[test]
fn a_hundred_scattered_among_a_hundred_thousand() {
    let overhead = cost("100 scattered of 100,000", &year(), |at| at % 1000 == 7);
    assert!(overhead < 20_000, "{overhead} bytes");
}

#[test]
fn nothing_new_of_a_hundred_thousand() {
    let overhead = cost("0 of 100,000", &year(), |_| false);
    assert!(overhead < 4_000, "{overhead} bytes");
}

#[test]
fn ten_thousand_to_one_who_has_none() {
    let all = &year()[..10_000];
    let overhead = cost("10,000 of 10,000", all, |_| true);
    assert!(overhead < 1_100_000, "{overhead} bytes");
}

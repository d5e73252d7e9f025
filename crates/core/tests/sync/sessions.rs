//! With whom sessions are, when, and how many.

use crate::device::{Device, NOW, ROOM, items};
use crate::eve::{Duel, EVE};
use crate::world::World;
use chats_core::id::DeviceKey;
use chats_core::sync::{End, Ending, Input, Output, Sessions, SyncMessage};
use chats_core::time::{Duration, Time};
use chats_core::wire;
use std::collections::BTreeSet;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// A device that others passed with, who only listen. When it said hello, and to whom.
fn hellos(mut device: Device, others: u8, time: Duration) -> Vec<(Time, DeviceKey)> {
    let mut now = NOW;
    (0..others).for_each(|at| device.handle(Input::Passed(DeviceKey([100 + at; 32])), now));
    let mut said = Vec::new();
    while let Some(due) = device.sessions.wake_at().filter(|due| due.since(NOW) <= time) {
        now = now.max(due);
        device.handle(Input::Tick, now);
        for (to, frame) in std::mem::take(&mut device.outbox) {
            if let Ok(SyncMessage::Hello { .. }) = SyncMessage::read(&frame) {
                said.push((now, to));
                // They have nothing to say.
                let frame = wire::encode(&SyncMessage::End { reason: End::Finished });
                device.handle(Input::Frame { from: to, frame }, now);
            }
        }
    }
    said
}

#[test]
fn about_once_a_minute_somebody_else_is_synced_with() {
    let said = hellos(Device::new(1), 8, MINUTE * 120);
    assert!((100..=140).contains(&said.len()), "{}", said.len());
    let whom: BTreeSet<_> = said.iter().map(|(_, whom)| *whom).collect();
    assert_eq!(whom.len(), 8);
    assert!(said.windows(2).all(|pair| pair[1].0.since(pair[0].0) >= SECOND * 10));
}

#[test]
fn each_device_has_a_rhythm_of_its_own() {
    let times = |number| hellos(Device::new(number), 3, MINUTE * 10).into_iter().map(|it| it.0);
    assert!(times(1).eq(times(1)));
    let one: BTreeSet<_> = times(1).collect();
    assert!(!times(2).any(|time| one.contains(&time)));
}

#[test]
fn who_comes_is_synced_with_at_once() {
    let mut duel = Duel::new(Device::new(1));
    duel.wait(SECOND * 3);
    assert!(matches!(duel.heard()[..], [SyncMessage::Hello { .. }]));
    duel.alice.handle(Input::Gone(EVE), duel.now);
    assert_eq!(duel.endings(), [Ending::Lost]);
    duel.wait(MINUTE);
    assert_eq!(duel.heard(), []);
    duel.alice.handle(Input::Passed(EVE), duel.now);
    duel.wait(SECOND * 3);
    assert!(matches!(duel.heard()[..], [SyncMessage::Hello { .. }]));
}

#[test]
fn who_does_not_answer_is_given_up_on_after_a_minute() {
    let mut duel = Duel::new(Device::new(1));
    duel.wait(SECOND * 50);
    assert!(matches!(duel.heard()[..], [SyncMessage::Hello { .. }]));
    duel.wait(SECOND * 15);
    assert_eq!(duel.heard()[0], SyncMessage::End { reason: End::TooSlow });
    assert_eq!(duel.endings(), [Ending::Ours(End::TooSlow)]);
}

#[test]
fn of_two_that_begin_at_once_the_one_with_the_smaller_key_leads() {
    let mut world = World::new(2);
    world.devices[0].store.put(ROOM, items(50, world.now));
    world.devices[1].store.put(ROOM, []);
    world.link(0, 1);
    // Both say hello before either hears of the other.
    let begun = |world: &World, at: usize| world.devices[at].sessions.wake_at().unwrap();
    world.now = begun(&world, 0).max(begun(&world, 1));
    world.tell(0, Input::Tick);
    world.tell(1, Input::Tick);
    assert_eq!(world.waiting(), 2);
    while world.step() {}
    assert!(world.agrees(ROOM, 50));
    for (at, led) in [(0, true), (1, false)] {
        let completed = world.devices[at].told.iter().filter_map(|it| match it {
            Output::Completed { led, .. } => Some(*led),
            _ => None,
        });
        assert!(completed.eq([led; 4]), "the control log, a day, a week, the rest");
        let ended = world.devices[at].told.iter().filter(|it| matches!(it, Output::Ended { .. }));
        assert_eq!(ended.count(), 1);
    }
}

#[test]
fn three_are_answered_at_once_and_one_is_begun() {
    let mut alice = Device::new(1);
    let others: Vec<_> = (0..6).map(|at| DeviceKey([100 + at; 32])).collect();
    others.iter().for_each(|other| alice.handle(Input::Passed(*other), NOW));
    let mut now = NOW;
    let said = |alice: &mut Device| {
        let frames: Vec<_> = alice.outbox.drain(..).collect();
        let read = |(to, frame): (DeviceKey, Vec<u8>)| (to, SyncMessage::read(&frame).unwrap());
        frames.into_iter().map(read).collect::<Vec<_>>()
    };
    let hello = SyncMessage::Hello { salt: [0; 16], rooms: vec![] };
    for (at, other) in others.iter().enumerate().take(5) {
        alice.handle(Input::Frame { from: *other, frame: wire::encode(&hello) }, now);
        let answer = said(&mut alice);
        let [(to, message)] = &answer[..] else { panic!("{answer:?}") };
        assert_eq!(to, other);
        match at {
            0..3 => assert!(matches!(message, SyncMessage::Welcome { .. })),
            _ => assert_eq!(*message, SyncMessage::End { reason: End::Busy }),
        }
    }
    now = now + SECOND * 3;
    alice.handle(Input::Tick, now);
    let begun = said(&mut alice);
    let [(begun, SyncMessage::Hello { .. })] = &begun[..] else { panic!("{begun:?}") };
    assert!(others[3..].contains(begun));
    // Now there are four: none is begun any more.
    now = now + SECOND * 50;
    let kept = SyncMessage::Reconcile {
        set: 0,
        window: chats_core::sync::Window::ALL,
        negentropy: vec![0x61].into(),
    };
    for other in &others[..3] {
        alice.handle(Input::Frame { from: *other, frame: wire::encode(&kept) }, now);
    }
    alice.handle(Input::Tick, now + SECOND * 8);
    assert!(!said(&mut alice).iter().any(|(_, it)| matches!(it, SyncMessage::Hello { .. })));
}

#[test]
fn who_is_busy_is_not_asked_again_at_once_but_another_is() {
    let mut alice = Device::new(1);
    let others = [DeviceKey([100; 32]), DeviceKey([101; 32])];
    others.iter().for_each(|other| alice.handle(Input::Passed(*other), NOW));
    alice.handle(Input::Tick, NOW + SECOND * 3);
    let (first, _) = alice.outbox.pop_front().unwrap();
    let busy = wire::encode(&SyncMessage::End { reason: End::Busy });
    alice.handle(Input::Frame { from: first, frame: busy }, NOW + SECOND * 3);
    alice.handle(Input::Tick, NOW + SECOND * 15);
    let (second, _) = alice.outbox.pop_front().unwrap();
    assert_ne!(first, second);
}

#[test]
fn what_is_left_of_a_session_that_is_over_does_no_harm() {
    let mut duel = Duel::new(Device::new(1));
    let left = [
        SyncMessage::Committed { set: 0, ids: vec![] },
        SyncMessage::End { reason: End::Finished },
        SyncMessage::Welcome { salt: [0; 16], rooms: vec![] },
    ];
    left.iter().for_each(|message| duel.say(message));
    assert!(duel.heard().is_empty() && duel.endings().is_empty());
    duel.wait(SECOND * 3);
    // A session of ours began; what is left of another comes before the welcome.
    assert!(matches!(duel.heard()[..], [SyncMessage::Hello { .. }]));
    duel.say(&left[0]);
    assert!(duel.heard().is_empty() && duel.endings().is_empty());
    duel.say(&left[2]);
    assert!(matches!(duel.heard()[..], [SyncMessage::Reconcile { .. }]));
}

#[test]
fn a_device_may_deliver_so_much_live() {
    let mut sessions = Sessions::new(DeviceKey([1; 32]), [1; 32]);
    for _ in 0..120 {
        assert!(sessions.live(EVE, NOW));
    }
    assert!(!sessions.live(EVE, NOW));
    assert!(sessions.live(DeviceKey([2; 32]), NOW));
    let in_a_minute = (0..60).filter(|at| sessions.live(EVE, NOW + SECOND * *at)).count();
    assert!((59..=60).contains(&in_a_minute));
    assert!(sessions.live(EVE, NOW + MINUTE * 2));
}

//! The table of who hears whom.

use crate::stage::{Other, Stage, opened, said};
use chats_core::channel::Channel;
use chats_core::id::DeviceKey;
use chats_core::media::{LinkState, MediaEvent};
use chats_core::node::{Input, Output};
use chats_core::presence::{Hears, MeetingMessage, Session};
use chats_core::time::Duration;
use chats_core::wire;

const SECOND: Duration = Duration::from_secs(1);

fn hears(other: &Other, stage: &Stage, devices: Vec<DeviceKey>) -> Vec<u8> {
    let session = other.presence(1, stage.now).session;
    wire::encode(&MeetingMessage::Hears(Hears { session, devices }))
}

/// What a device was told of whom we hear.
fn told(out: &[Output], device: DeviceKey) -> Vec<Vec<DeviceKey>> {
    let told = |message| match message {
        MeetingMessage::Hears(hears) => Some(hears.devices),
        _ => None,
    };
    said(out, device).into_iter().filter_map(told).collect()
}

/// A stage in the meeting with Bob; the outputs since Bob came.
fn with_bob() -> (Stage, Other, Vec<Output>) {
    let mut stage = Stage::joined();
    let bob = Other::new(2);
    stage.meets(&bob);
    let mut out = stage.attends(&bob, 1);
    out.extend(stage.wait(SECOND * 3));
    (stage, bob, out)
}

fn state(stage: &mut Stage, out: &[Output], state: LinkState) -> Vec<Output> {
    let link = opened(out)[0];
    stage.input(Input::Media(MediaEvent::State { link, state }))
}

#[test]
fn whom_we_hear_is_told_over_direct_links_alone_and_when_it_changes() {
    let (mut stage, bob, begun) = with_bob();
    let mut out = state(&mut stage, &begun, LinkState::Connected);
    out.extend(stage.wait(SECOND * 30));
    assert_eq!(told(&[begun.clone(), out].concat(), bob.key()), Vec::<Vec<_>>::new());
    let out = stage.input(Input::Linked(bob.key()));
    assert_eq!(told(&out, bob.key()), [[bob.key()]]);
    assert_eq!(told(&stage.wait(SECOND * 19), bob.key()), Vec::<Vec<_>>::new());
    let out = state(&mut stage, &begun, LinkState::Disconnected);
    assert_eq!(told(&out, bob.key()), [[]; 1]);
    stage.input(Input::Disconnected(bob.key()));
    stage.meets(&bob);
    let out = stage.input(Input::Linked(bob.key()));
    assert_eq!(told(&out, bob.key()).len(), 1, "anew on a new link");
}

#[test]
fn a_connection_that_flickers_is_told_of_once_a_second() {
    let (mut stage, bob, begun) = with_bob();
    stage.input(Input::Linked(bob.key()));
    let mut out = Vec::new();
    for _ in 0..20 {
        out.extend(state(&mut stage, &begun, LinkState::Connected));
        out.extend(stage.wait(SECOND / 10));
        out.extend(state(&mut stage, &begun, LinkState::Disconnected));
        out.extend(stage.wait(SECOND / 10));
    }
    assert!((2..=6).contains(&told(&out, bob.key()).len()), "{:?}", told(&out, bob.key()));
}

#[test]
fn the_table_holds_what_each_said_of_itself_and_forgets_who_is_gone() {
    let (mut stage, bob, begun) = with_bob();
    let carol = Other::new(3).key();
    let own = stage.own.key();
    assert_eq!(stage.node.hearing(), [(own, vec![]), (bob.key(), vec![])]);
    let frame = hears(&bob, &stage, vec![own, carol]);
    assert_eq!(stage.frame(&bob, Channel::Meeting, frame), []);
    state(&mut stage, &begun, LinkState::Connected);
    assert_eq!(stage.node.hearing(), [(own, vec![bob.key()]), (bob.key(), vec![own, carol])]);
    let presence = chats_core::presence::Presence { leaving: true, ..bob.presence(2, stage.now) };
    stage.says(&bob, presence);
    assert_eq!(stage.node.hearing(), [(own, vec![])]);
    stage.input(Input::Leave);
    assert_eq!(stage.node.hearing(), []);
}

#[test]
fn tables_that_are_too_long_or_of_another_stay_are_ignored() {
    let (mut stage, bob, _) = with_bob();
    let many: Vec<_> = (0..13).map(|number| DeviceKey([number; 32])).collect();
    let frame = hears(&bob, &stage, many);
    crate::stage::assert_ignored(&stage.frame(&bob, Channel::Meeting, frame), bob.key());
    let other = Hears { session: Session([1; 8]), devices: vec![] };
    let frame = wire::encode(&MeetingMessage::Hears(other));
    crate::stage::assert_ignored(&stage.frame(&bob, Channel::Meeting, frame), bob.key());
    let carol = Other::new(3);
    stage.meets(&carol);
    let frame = hears(&carol, &stage, vec![]);
    crate::stage::assert_ignored(&stage.frame(&carol, Channel::Meeting, frame), carol.key());
}

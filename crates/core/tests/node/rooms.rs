//! What reaches the rooms behind a node, and what does not.

use crate::stage::{Other, Stage};
use chats_core::access::Role;
use chats_core::channel::Channel;
use chats_core::gossip::{GossipMessage, GossipVerdict};
use chats_core::node::{Input, Output};
use chats_core::rooms::Incoming;
use chats_core::time::Duration;
use chats_core::wire;

fn about_rooms() -> Vec<u8> {
    wire::encode(&GossipMessage::Rooms { message: vec![1, 2, 3].into() })
}

/// What was said to the rooms since this was last asked, but for what the chain said.
fn heard(stage: &mut Stage) -> Vec<Incoming> {
    let mut heard = std::mem::take(&mut stage.rooms);
    heard.retain(|it| !matches!(it, Incoming::Access { .. } | Incoming::Version { .. }));
    heard
}

#[test]
fn rooms_hear_of_members_who_are_linked_until_they_are_no_more() {
    let (mut stage, bob) = (Stage::admitted(), Other::new(2));
    stage.meets(&bob);
    assert_eq!(heard(&mut stage), []);
    stage.input(Input::Linked(bob.key()));
    let certificate = Box::new(bob.certificate.clone());
    assert_eq!(heard(&mut stage), [Incoming::Passed { device: bob.key(), certificate }]);
    stage.wait(Duration::from_secs(1));
    assert_eq!(heard(&mut stage), []);
    stage.input(Input::Disconnected(bob.key()));
    assert_eq!(heard(&mut stage), [Incoming::Gone { device: bob.key() }]);
}

#[test]
fn frames_and_gossip_of_linked_members_alone_reach_rooms() {
    let (mut stage, bob) = (Stage::admitted(), Other::new(2));
    stage.input(Input::Connected(bob.key()));
    stage.frame(&bob, Channel::Sync, vec![9]);
    assert_eq!(stage.gossip_frame(&bob, &about_rooms()).0, GossipVerdict::Ignore);
    assert_eq!(heard(&mut stage), []);
    stage.input(Input::Disconnected(bob.key()));
    stage.meets(&bob);
    stage.input(Input::Linked(bob.key()));
    heard(&mut stage);
    stage.frame(&bob, Channel::Sync, vec![9]);
    let from = bob.key();
    assert_eq!(heard(&mut stage), [Incoming::Frame { from, frame: vec![9].into() }]);
    let (source, frame) = (bob.key(), about_rooms());
    let id = chats_core::gossip::id(&frame);
    let judged = stage.input(Input::Gossip { source, id, frame });
    assert!(!judged.iter().any(|it| matches!(it, Output::Judge { .. })), "rooms judge it");
    let message = vec![1, 2, 3].into();
    assert_eq!(heard(&mut stage), [Incoming::Gossip { source, id, message }]);
}

#[test]
fn who_loses_the_seat_is_gone_for_rooms_and_they_hear_why() {
    let (mut stage, bob) = (Stage::admitted(), Other::new(2));
    stage.meets(&bob);
    stage.input(Input::Linked(bob.key()));
    stage.rooms.clear();
    let wallet = bob.certificate.statement.wallet;
    stage.roles.insert(wallet, Role::None);
    stage.version = 2;
    stage.input(Input::Version(2));
    stage.wait(Duration::from_secs(30));
    assert!(stage.rooms.contains(&Incoming::Version { version: 2 }), "{:?}", stage.rooms);
    let access = Incoming::Access { wallet, admitted: false, cutoff: 0 };
    assert!(stage.rooms.contains(&access), "{:?}", stage.rooms);
    assert!(stage.rooms.contains(&Incoming::Gone { device: bob.key() }), "{:?}", stage.rooms);
}

#[test]
fn the_chain_is_asked_about_a_wallet_when_rooms_want_to_know() {
    let (mut stage, bob) = (Stage::admitted(), Other::new(2));
    let wallet = bob.certificate.statement.wallet;
    stage.rooms.clear();
    stage.input(Input::CheckAccess(wallet));
    stage.wait(Duration::from_secs(2));
    assert_eq!(stage.rooms, [Incoming::Access { wallet, admitted: true, cutoff: 0 }]);
}

//! Direct links: made, proven, moved to, and of use without a relay.

use super::{Device, RelayTask};
use crate::network::{Command, Event, Path};
use chats_core::{
    gossip::{self, GossipVerdict},
    id::{DeviceKey, GossipTopic},
};

pub(super) const TOPIC: GossipTopic = GossipTopic([7; 32]);

impl Device {
    pub(super) async fn connected(&mut self, other: DeviceKey) -> Path {
        self.until("connected", |event| match event {
            Event::Connected { device, path } if *device == other => Some(*path),
            _ => None,
        })
        .await
    }

    pub(super) async fn linked(&mut self, other: DeviceKey) {
        self.until("a direct link", |event| match event {
            Event::Linked(device) if *device == other => Some(()),
            Event::LinkFailed { reason, .. } => panic!("no link: {reason}"),
            _ => None,
        })
        .await;
    }

    pub(super) async fn link_failed(&mut self) -> bool {
        self.until("a failed link", |event| match event {
            Event::LinkFailed { attack, .. } => Some(*attack),
            _ => None,
        })
        .await
    }

    /// The next frame, with the session standing.
    pub(super) async fn received(&mut self) -> Vec<u8> {
        self.until("a frame", |event| match event {
            Event::Received { frame, .. } => Some(frame.clone()),
            Event::Disconnected { reason, .. } => panic!("the session ended: {reason}"),
            _ => None,
        })
        .await
    }

    pub(super) async fn gossip_reaches(&mut self, other: DeviceKey) {
        self.until("gossip reaches", |event| {
            matches!(event, Event::GossipReaches(device) if *device == other).then_some(())
        })
        .await;
    }

    /// The next gossip, which is passed on.
    pub(super) async fn heard(&mut self) -> Vec<u8> {
        let (source, id, frame) = self
            .until("gossip", |event| match event {
                Event::Gossip { source, id, frame } => Some((*source, *id, frame.clone())),
                _ => None,
            })
            .await;
        assert_eq!(id, gossip::id(&frame));
        self.tell(Command::Judge { id, source, verdict: GossipVerdict::Accept });
        frame
    }
}

/// Connects `a` with `b` over a circuit; both pass.
pub(super) async fn meet(a: &mut Device, b: &mut Device) {
    a.tell(Command::Dial(b.key));
    assert_eq!(a.connected(b.key).await, Path::Circuit);
    assert_eq!(b.connected(a.key).await, Path::Circuit);
    talk(a, b).await;
}

/// Both pass, and hear each other.
pub(super) async fn talk(a: &mut Device, b: &mut Device) {
    a.tell(Command::Pass(b.key));
    b.tell(Command::Pass(a.key));
    // Each has passed before the other says anything.
    a.send(b.key, b"here");
    b.received().await;
    b.send(a.key, b"here");
    a.received().await;
}

pub(super) async fn link(a: &mut Device, b: &mut Device) {
    a.tell(Command::Link(b.key));
    let (to_b, to_a) = (b.key, a.key);
    futures::join!(a.linked(to_b), b.linked(to_a));
}

/// Two devices that are connected to a relay, and not to each other.
pub(super) async fn pair(relay: &RelayTask) -> (Device, Device) {
    let mut a = Device::start(vec![relay.addr.clone()], false);
    let mut b = Device::start(vec![relay.addr.clone()], false);
    a.relays_connected(1).await;
    b.relays_connected(1).await;
    (a, b)
}

pub(super) async fn linked_pair(relay: &RelayTask) -> (Device, Device) {
    let (mut a, mut b) = pair(relay).await;
    for device in [&mut a, &mut b] {
        device.tell(Command::Subscribe(TOPIC));
    }
    meet(&mut a, &mut b).await;
    link(&mut a, &mut b).await;
    (a, b)
}

/// A frame comes to the other.
async fn reaches(from: &mut Device, to: &mut Device, words: &[u8]) {
    from.send(to.key, words);
    assert_eq!(to.received().await, words);
}

/// What either of the two publishes comes to the other.
async fn both_hear(one: &mut Device, other: &mut Device) {
    one.gossip_reaches(other.key).await;
    other.gossip_reaches(one.key).await;
}

#[tokio::test]
async fn everything_moves_to_the_link_in_order_and_nothing_is_lost() {
    let relay = RelayTask::start().await;
    let (mut a, mut b) = pair(&relay).await;
    meet(&mut a, &mut b).await;
    a.tell(Command::Link(b.key));
    let count = 400_u32;
    let talk = async |device: &mut Device, to: DeviceKey| {
        for number in 0..count {
            device.send(to, &number.to_be_bytes());
            // One for one, so that no queue overflows.
            assert_eq!(device.received().await, number.to_be_bytes());
        }
    };
    let (to_b, to_a) = (b.key, a.key);
    futures::join!(talk(&mut a, to_b), talk(&mut b, to_a));
    relay.stop();
    reaches(&mut a, &mut b, b"without a relay").await;
    reaches(&mut b, &mut a, b"neither").await;
}

#[tokio::test]
async fn talk_and_gossip_go_on_when_the_relay_is_gone() {
    let relay = RelayTask::start().await;
    let (mut a, mut b) = linked_pair(&relay).await;
    both_hear(&mut a, &mut b).await;
    relay.stop();
    a.tell(Command::Publish { topic: TOPIC, frame: b"one".to_vec() });
    assert_eq!(b.heard().await, b"one");
    b.tell(Command::Publish { topic: TOPIC, frame: b"two".to_vec() });
    assert_eq!(a.heard().await, b"two");
    reaches(&mut a, &mut b, b"three").await;
}

#[tokio::test]
async fn a_device_that_has_not_passed_gets_no_link() {
    let relay = RelayTask::start().await;
    let (mut a, mut b) = pair(&relay).await;
    a.tell(Command::Dial(b.key));
    a.connected(b.key).await;
    b.connected(a.key).await;
    a.tell(Command::Link(b.key));
    assert!(!a.link_failed().await);
    // One that takes it for a member all the same finds nobody who would prove the link.
    a.tell(Command::Pass(b.key));
    a.tell(Command::Link(b.key));
    assert!(!a.link_failed().await);
}

#[tokio::test]
async fn swapped_certificates_are_an_attack_and_the_circuit_goes_on() {
    let relay = RelayTask::start().await;
    let mut a = Device::start(vec![relay.addr.clone()], false);
    let mut b = Device::start(vec![relay.addr.clone()], true);
    a.relays_connected(1).await;
    b.relays_connected(1).await;
    meet(&mut a, &mut b).await;
    for dialled in [true, false] {
        if dialled {
            a.tell(Command::Link(b.key));
        } else {
            b.tell(Command::Link(a.key));
        }
        let (by_a, by_b) = futures::join!(a.link_failed(), b.link_failed());
        assert!(by_a && by_b, "told by {by_a} and {by_b}");
    }
    reaches(&mut a, &mut b, b"still").await;
}

#[tokio::test]
async fn a_link_that_is_not_taken_comes_to_nothing_until_links_are_taken_again() {
    let relay = RelayTask::start().await;
    let (mut a, mut b) = pair(&relay).await;
    meet(&mut a, &mut b).await;
    b.takes_links = false;
    a.tell(Command::Link(b.key));
    let offered = b.until("an offer", |event| match event {
        Event::LinkOffered(device) => Some(*device),
        _ => None,
    });
    assert_eq!(offered.await, a.key);
    assert!(!a.link_failed().await);
    reaches(&mut a, &mut b, b"still").await;
    b.takes_links = true;
    link(&mut a, &mut b).await;
}

#[tokio::test]
async fn two_who_are_linked_to_a_third_find_each_other_without_a_relay() {
    let relay = RelayTask::start().await;
    let (mut a, mut b) = linked_pair(&relay).await;
    let mut c = Device::start(vec![relay.addr.clone()], false);
    c.relays_connected(1).await;
    c.tell(Command::Subscribe(TOPIC));
    meet(&mut c, &mut b).await;
    link(&mut c, &mut b).await;
    both_hear(&mut c, &mut b).await;
    relay.stop();
    for device in [&mut a, &mut b, &mut c] {
        device
            .until("the relay is lost", |event| {
                matches!(event, Event::Relay { state, .. }
                    if matches!(state, crate::network::RelayState::Failed { .. }))
                .then_some(())
            })
            .await;
    }
    // What a publishes reaches c through b.
    a.tell(Command::Publish { topic: TOPIC, frame: b"far".to_vec() });
    assert_eq!(b.heard().await, b"far");
    assert_eq!(c.heard().await, b"far");
    meet(&mut a, &mut c).await;
    link(&mut a, &mut c).await;
    reaches(&mut a, &mut c, b"direct").await;
}

#[tokio::test]
async fn gossip_goes_on_after_a_link_was_made_anew() {
    let relay = RelayTask::start().await;
    let (mut a, mut b) = linked_pair(&relay).await;
    both_hear(&mut a, &mut b).await;
    // a starts over and comes back before b has noticed: b sees a second link to a known peer.
    let mut a = Device::start_as(a.stop().await, vec![relay.addr.clone()], false);
    a.relays_connected(1).await;
    a.tell(Command::Subscribe(TOPIC));
    a.tell(Command::Dial(b.key));
    a.connected(b.key).await;
    a.tell(Command::Pass(b.key));
    a.send(b.key, b"again");
    b.connected(a.key).await;
    b.tell(Command::Pass(a.key));
    b.send(a.key, b"again");
    a.received().await;
    link(&mut a, &mut b).await;
    both_hear(&mut a, &mut b).await;
    b.tell(Command::Publish { topic: TOPIC, frame: b"heard?".to_vec() });
    assert_eq!(a.heard().await, b"heard?");
    a.tell(Command::Publish { topic: TOPIC, frame: b"yes".to_vec() });
    assert_eq!(b.heard().await, b"yes");
}

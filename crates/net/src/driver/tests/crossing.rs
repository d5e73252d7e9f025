//! Links that two devices dial to each other at the same moment: whatever each of them hears of
//! first, one link stays, and the session with it.

use super::{
    Device, Door, RelayTask,
    links::{TOPIC, meet},
};
use crate::network::{Command, Event};
use chats_core::id::DeviceKey;
use std::time::Duration;
use tokio::time::interval;

/// An end of one of the two links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Of the link that the first device dials, at the first.
    Near,
    /// Of the same link, at the second.
    Far,
    /// Of the link that the second device dials, at the second.
    CounterNear,
    /// Of the same link, at the first.
    CounterFar,
}

impl End {
    const ALL: [Self; 4] = [Self::Near, Self::Far, Self::CounterNear, Self::CounterFar];

    const fn door(self, [a, b]: &[Device; 2]) -> &Door {
        match self {
            Self::Near => &a.dialled,
            Self::Far => &b.accepted,
            Self::CounterNear => &b.dialled,
            Self::CounterFar => &a.accepted,
        }
    }
}

/// All orders in which the four ends can be heard of.
fn orders() -> Vec<[End; 4]> {
    let mut orders = Vec::new();
    for a in End::ALL {
        for b in End::ALL {
            for c in End::ALL {
                for d in End::ALL {
                    let order = [a, b, c, d];
                    if End::ALL.iter().all(|end| order.contains(end)) {
                        orders.push(order);
                    }
                }
            }
        }
    }
    orders
}

/// What a device was told of its link.
#[derive(Debug, Default)]
struct Told {
    linked: bool,
    gossip_reaches: bool,
}

/// Two devices that talk to each other.
struct Pair {
    devices: [Device; 2],
    told: [Told; 2],
    said: u32,
}

impl Pair {
    async fn meet(relay: &RelayTask) -> Self {
        let start = || Device::start(vec![relay.addr.clone()], false);
        let mut devices = [start(), start()];
        for device in &mut devices {
            device.relays_connected(1).await;
            device.tell(Command::Subscribe(TOPIC));
        }
        let [a, b] = &mut devices;
        meet(a, b).await;
        Self { devices, told: Default::default(), said: 0 }
    }

    /// Each says something, and hears what the other says, in their session.
    async fn talk(&mut self) {
        self.said += 1;
        let said = self.said.to_be_bytes();
        let keys: [DeviceKey; 2] = [self.devices[0].key, self.devices[1].key];
        for (from, to) in [(0, 1), (1, 0)] {
            self.devices[from].send(keys[to], &said);
            let told = &mut self.told[to];
            let heard = self.devices[to].until("a frame", |event| pick(event, told)).await;
            assert_eq!(heard, said);
        }
    }

    /// Waits until both have a direct link, and gossip flows on it.
    async fn linked(&mut self) {
        let wait = async |device: &mut Device, told: &mut Told| {
            while !(told.linked && told.gossip_reaches) {
                let noted = device.until("a direct link", |event| {
                    pick(event, told);
                    (told.linked && told.gossip_reaches).then_some(())
                });
                noted.await;
            }
        };
        let ([a, b], [by_a, by_b]) = (&mut self.devices, &mut self.told);
        futures::join!(wait(a, by_a), wait(b, by_b));
    }
}

/// A frame that came. Takes note of a link, and allows for nothing that goes wrong.
fn pick(event: &Event, told: &mut Told) -> Option<Vec<u8>> {
    match event {
        Event::Received { frame, .. } => return Some(frame.clone()),
        Event::Linked(_) => {
            assert!(!told.linked, "a session moves once");
            told.linked = true;
        }
        Event::GossipReaches(_) => told.gossip_reaches = true,
        Event::Disconnected { reason, .. } => panic!("the session ended: {reason}"),
        Event::LinkFailed { reason, .. } => panic!("a link failed beside another: {reason}"),
        _ => {}
    }
    None
}

/// Two links cross, whose ends are heard of in this order, with so much talk after each.
async fn cross(relay: &RelayTask, order: [End; 4], talk: usize) {
    let mut pair = Pair::meet(relay).await;
    for end in End::ALL {
        end.door(&pair.devices).close();
    }
    let [to_b, to_a] = [pair.devices[1].key, pair.devices[0].key];
    pair.devices[0].tell(Command::Link(to_b));
    pair.devices[1].tell(Command::Link(to_a));
    for end in End::ALL {
        end.door(&pair.devices).somebody_waits().await;
    }
    for end in order {
        end.door(&pair.devices).open();
        for _ in 0..talk {
            pair.talk().await;
        }
    }
    pair.linked().await;
    // What is said now goes over the link alone, which is one and the same for both.
    for _ in 0..20 {
        pair.talk().await;
    }
    // So does gossip, which a link that was closed does not take with it.
    for (from, to) in [(0, 1), (1, 0)] {
        let frame = vec![from as u8; 4];
        pair.devices[from].tell(Command::Publish { topic: TOPIC, frame: frame.clone() });
        assert_eq!(pair.devices[to].heard().await, frame);
    }
}

#[tokio::test]
async fn of_two_links_that_cross_one_stays_whatever_each_side_hears_of_first() {
    let relay = RelayTask::start().await;
    let orders = orders();
    assert_eq!(orders.len(), 24);
    for talk in [0, 1, 8] {
        for order in &orders {
            cross(&relay, *order, talk).await;
        }
    }
}

#[tokio::test]
async fn one_of_two_links_that_cross_carries_the_session_when_the_other_never_comes() {
    let relay = RelayTask::start().await;
    for lost in [[End::Near, End::Far], [End::CounterNear, End::CounterFar]] {
        let mut pair = Pair::meet(&relay).await;
        for end in lost {
            end.door(&pair.devices).close();
        }
        let [to_b, to_a] = [pair.devices[1].key, pair.devices[0].key];
        pair.devices[0].tell(Command::Link(to_b));
        pair.devices[1].tell(Command::Link(to_a));
        pair.linked().await;
        for _ in 0..20 {
            pair.talk().await;
        }
        // Nor does it do any harm when it comes late.
        for end in lost {
            end.door(&pair.devices).open();
            pair.talk().await;
        }
        pair.talk().await;
    }
}

#[tokio::test]
async fn a_link_that_is_slower_than_the_circuit_takes_the_session_over_all_the_same() {
    let relay = RelayTask::start().await;
    for slow in 0..2 {
        for dials in 0..2 {
            let mut pair = Pair::meet(&relay).await;
            pair.devices[slow].cables.slow_down();
            let other = pair.devices[1 - dials].key;
            pair.devices[dials].tell(Command::Link(other));
            // What is said meanwhile goes to and fro on the circuit, which carries so much only.
            let mut pace = interval(Duration::from_millis(5));
            while !pair.told.iter().all(|told| told.linked) {
                pair.talk().await;
                pace.tick().await;
            }
            pair.linked().await;
            pair.talk().await;
        }
    }
}

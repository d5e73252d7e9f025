//! Relays that answer, and do not carry circuits as they should.

use super::{
    Device, RelayTask,
    links::{meet, talk},
    spoilt::{Circuits, Fault},
    wire::Wire,
};
use crate::network::{Command, Event, Path, RelayState};
use libp2p::Multiaddr;
use std::{collections::BTreeMap, time::Duration};

/// So many bytes into a circuit the two ends are shaking hands.
const IN_THE_HANDSHAKE: usize = 300;

/// Two devices that use both relays, and know that the first is the farther one.
async fn devices(far: &Multiaddr, near: &Multiaddr) -> [Device; 2] {
    let addrs = vec![far.clone(), near.clone()];
    let mut devices = [Device::start(addrs.clone(), false), Device::start(addrs, false)];
    for device in &mut devices {
        let mut measured = BTreeMap::new();
        device
            .until("which is the farther one", |event| {
                if let Event::Relay { addr, state: RelayState::Connected { rtt: Some(rtt) } } =
                    event
                {
                    measured.insert(addr.clone(), *rtt);
                }
                (measured.get(far)? > measured.get(near)?).then_some(())
            })
            .await;
    }
    devices
}

/// Two relays, and two devices of which one dialled the other through both. The nearer relay held
/// its circuit until the farther one carried one, too, and was not given up then.
async fn outpaced() -> ([Circuits; 2], [RelayTask; 2], Wire, [Device; 2]) {
    let (slow, near) = Circuits::through(Fault::Hold, IN_THE_HANDSHAKE).await;
    let (good, far) = Circuits::through(Fault::Hold, IN_THE_HANDSHAKE).await;
    let wire = Wire::to(&far.addr, Duration::from_millis(30)).await;
    let [mut a, mut b] = devices(&wire.addr, &near.addr).await;
    a.tell(Command::Dial(b.key));
    slow.hit(1).await;
    good.hit(1).await;
    slow.suffer(Fault::None);
    // A round trip shows that the slow one stands for both.
    let to_a = a.key;
    b.until("a round trip", |event| {
        matches!(event, Event::Rtt { device, .. } if *device == to_a).then_some(())
    })
    .await;
    good.suffer(Fault::None);
    assert_eq!(a.connected(b.key).await, Path::Circuit);
    ([slow, good], [near, far], wire, [a, b])
}

#[tokio::test]
async fn a_circuit_that_took_long_does_not_win_against_one_that_may_still_be_made_soon() {
    let (_circuits, [near, _far], _wire, [mut a, mut b]) = outpaced().await;
    talk(&mut a, &mut b).await;
    near.stop();
    a.until("the relay is lost", |event| {
        assert!(!matches!(event, Event::Disconnected { .. }), "it was the slow one");
        matches!(event, Event::Relay { state: RelayState::Failed { .. }, .. }).then_some(())
    })
    .await;
    // Fails if the session ends.
    talk(&mut a, &mut b).await;
}

#[tokio::test]
async fn the_relay_that_was_outpaced_is_not_tried_again_and_the_other_not_blamed() {
    let ([slow, _good], _relays, _wire, [mut a, mut b]) = outpaced().await;
    a.tell(Command::Disconnect(b.key));
    b.disconnected(a.key).await;
    slow.suffer(Fault::Hold);
    meet(&mut a, &mut b).await;
    assert_eq!(slow.count(), 1);
}

#[tokio::test]
async fn a_relay_that_was_not_ready_when_the_dial_began_is_tried_when_the_others_take_long() {
    let (_circuits, near) = Circuits::through(Fault::Hold, IN_THE_HANDSHAKE).await;
    let later = RelayTask::start().await;
    let relays = vec![near.addr.clone(), later.addr.clone()];
    let mut a = Device::start(vec![near.addr.clone()], false);
    let mut b = Device::start(relays.clone(), false);
    a.relays_connected(1).await;
    b.relays_connected(2).await;
    a.tell(Command::Dial(b.key));
    a.tell(Command::SetRelays(relays));
    assert_eq!(a.connected(b.key).await, Path::Circuit);
}

#[tokio::test]
async fn either_end_of_a_circuit_that_broke_dials_the_other_through_another_relay() {
    for next in 0..2 {
        let (circuits, near) = Circuits::through(Fault::None, IN_THE_HANDSHAKE).await;
        let far = RelayTask::start().await;
        let wire = Wire::to(&far.addr, Duration::from_millis(30)).await;
        let [mut a, mut b] = devices(&wire.addr, &near.addr).await;
        meet(&mut a, &mut b).await;
        circuits.suffer(Fault::Spoil);
        a.send(b.key, b"spoilt");
        let (to_a, to_b) = (a.key, b.key);
        futures::join!(a.disconnected(to_b), b.disconnected(to_a));
        let (from, to) = if next == 0 { (&mut a, &mut b) } else { (&mut b, &mut a) };
        meet(from, to).await;
        assert_eq!(circuits.count(), 1, "only that which broke");
    }
}

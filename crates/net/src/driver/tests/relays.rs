//! Which relays are used.

use super::{Device, PATIENCE, RelayTask, wire::Wire};
use crate::network::{Command, Event, Path, RelayState};
use futures::future::join_all;
use libp2p::Multiaddr;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

async fn five() -> (Vec<RelayTask>, Vec<Multiaddr>) {
    let relays = join_all((0..5).map(|_| RelayTask::start())).await;
    let addrs = relays.iter().map(|relay| relay.addr.clone()).collect();
    (relays, addrs)
}

/// Waits until exactly these of `addrs` are connected and no other is.
async fn in_use(
    device: &mut Device,
    states: &mut BTreeMap<Multiaddr, RelayState>,
    addrs: &[Multiaddr],
    wanted: &[usize],
) {
    let what = format!("{wanted:?} in use");
    device
        .until(&what, |event| {
            if let Event::Relay { addr, state } = event {
                states.insert(addr.clone(), state.clone());
            }
            let connected = |at: &usize| {
                let state = addrs.get(*at).and_then(|addr| states.get(addr));
                matches!(state, Some(RelayState::Connected { .. }))
            };
            let now: Vec<_> = (0..addrs.len()).filter(connected).collect();
            (now == wanted).then_some(())
        })
        .await;
}

#[tokio::test]
async fn the_first_relays_that_work_are_used_and_the_next_steps_in_at_once() {
    let (relays, addrs) = five().await;
    let mut device = Device::start(addrs.clone(), false);
    let mut states = BTreeMap::new();
    in_use(&mut device, &mut states, &addrs, &[0, 1, 2]).await;
    assert_eq!(states.get(&addrs[3]), Some(&RelayState::Standby));
    assert_eq!(states.get(&addrs[4]), Some(&RelayState::Standby));
    relays[1].stop();
    let lost = Instant::now();
    in_use(&mut device, &mut states, &addrs, &[0, 2, 3]).await;
    // Not a measurement of speed: the promise of two seconds, with a wide margin below it.
    assert!(lost.elapsed() < Duration::from_secs(2), "{:?}", lost.elapsed());
    assert!(matches!(states.get(&addrs[1]), Some(RelayState::Failed { .. })));
}

#[tokio::test]
async fn devices_that_start_while_a_relay_is_down_share_the_others() {
    let (relays, addrs) = five().await;
    relays[0].stop();
    let mut device = Device::start(addrs.clone(), false);
    let mut states = BTreeMap::new();
    tokio::time::timeout(PATIENCE, in_use(&mut device, &mut states, &addrs, &[1, 2, 3]))
        .await
        .unwrap();
}

#[tokio::test]
async fn the_next_relay_steps_in_for_one_that_hangs() {
    let (_relays, mut addrs) = five().await;
    let wire = Wire::to(&addrs[1], Duration::ZERO).await;
    addrs[1] = wire.addr.clone();
    let mut device = Device::start(addrs.clone(), false);
    let mut states = BTreeMap::new();
    in_use(&mut device, &mut states, &addrs, &[0, 1, 2]).await;
    wire.hang();
    in_use(&mut device, &mut states, &addrs, &[0, 2, 3]).await;
}

/// Two relays, ways to them, and two devices that use both and know how far away each is. The
/// first relay in the list is the farthest.
async fn far_and_near() -> ([RelayTask; 2], [Wire; 2], [Device; 2]) {
    let relays = [RelayTask::start().await, RelayTask::start().await];
    let far = Wire::to(&relays[0].addr, Duration::from_millis(30)).await;
    let near = Wire::to(&relays[1].addr, Duration::ZERO).await;
    let addrs = vec![far.addr.clone(), near.addr.clone()];
    let mut devices = [Device::start(addrs.clone(), false), Device::start(addrs, false)];
    for device in &mut devices {
        let mut measured = BTreeMap::new();
        device
            .until("both are measured", |event| {
                if let Event::Relay { addr, state: RelayState::Connected { rtt: Some(rtt) } } =
                    event
                {
                    measured.insert(addr.clone(), *rtt);
                }
                (measured.len() == 2).then_some(())
            })
            .await;
        assert!(measured[&far.addr] > measured[&near.addr]);
    }
    (relays, [far, near], devices)
}

#[tokio::test]
async fn devices_are_dialled_through_the_nearest_relay() {
    let ([_far, near], _wires, [mut a, mut b]) = far_and_near().await;
    a.tell(Command::Dial(b.key));
    assert_eq!(a.connected(b.key).await, Path::Circuit);
    assert_eq!(b.connected(a.key).await, Path::Circuit);
    near.stop();
    a.until("the end of the circuit", |event| {
        matches!(event, Event::Disconnected { .. }).then_some(())
    })
    .await;
}

#[tokio::test]
async fn another_relay_is_tried_soon_when_the_nearest_hangs() {
    let (_relays, [_far, near], [mut a, mut b]) = far_and_near().await;
    near.hang();
    a.tell(Command::Dial(b.key));
    // It is not yet known that the nearest hangs, or it would not be used.
    let path = a.until("connected", |event| match event {
        Event::Connected { path, .. } => Some(*path),
        Event::Relay { state: RelayState::Failed { .. }, .. } => panic!("it was given up first"),
        _ => None,
    });
    assert_eq!(path.await, Path::Circuit);
    assert_eq!(b.connected(a.key).await, Path::Circuit);
}

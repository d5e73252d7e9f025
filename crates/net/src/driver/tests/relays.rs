//! Which relays are used.

use super::{Device, PATIENCE, RelayTask};
use crate::network::{Event, RelayState};
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

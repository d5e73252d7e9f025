//! What a relay carries, and how much of it.

use super::{
    MAX_CIRCUIT_BYTES, MAX_CIRCUIT_TIME, MAX_CIRCUITS_PER_PEER, Relay, RelayEvent, Settings,
};
use crate::carry::tests::Device;
use chats_core::id::DeviceSecret;
use libp2p::{Multiaddr, PeerId};

async fn relay() -> Multiaddr {
    let mut relay = Relay::new(&DeviceSecret::from_seed(&[7; 32]), Settings::default()).unwrap();
    relay.listen("/ip4/127.0.0.1/tcp/0".parse().unwrap()).unwrap();
    let RelayEvent::Listening(addr) = relay.next().await else { panic!("not listening") };
    tokio::spawn(async move {
        loop {
            relay.next().await;
        }
    });
    addr
}

/// One who can be dialled at the relay.
async fn served(relay: &Multiaddr) -> PeerId {
    let mut device = Device::start(relay).await;
    assert!(device.reserves().await);
    let peer = device.peer();
    device.serve();
    peer
}

#[tokio::test]
async fn a_device_opens_sixteen_circuits_at_once_and_no_more_whoever_it_dials() {
    let relay = relay().await;
    // Each takes as many connections of one other as it lets anybody have.
    let others = [served(&relay).await, served(&relay).await];
    let mut one = Device::start(&relay).await;
    let mut carried = 0;
    while carried <= MAX_CIRCUITS_PER_PEER
        && let Some(bounds) = one.reaches(others[carried % 2]).await
    {
        assert_eq!(bounds, (MAX_CIRCUIT_TIME, MAX_CIRCUIT_BYTES));
        carried += 1;
    }
    assert_eq!(carried, MAX_CIRCUITS_PER_PEER);
    // Whoever has none is served as before.
    assert!(Device::start(&relay).await.reaches(served(&relay).await).await.is_some());
}

#[tokio::test]
async fn a_circuit_ends_once_it_carried_enough_to_make_a_link() {
    let relay = relay().await;
    let other = served(&relay).await;
    let echoed = Device::start(&relay).await.echoes(other).await;
    // All that travels counts, both ways.
    let most = MAX_CIRCUIT_BYTES / 2;
    assert!((MAX_CIRCUIT_BYTES / 4..=most).contains(&echoed), "{echoed} bytes");
}

//! Two networks in one page of a real browser, through a real relay.
//!
//! Built with `CHATS_TEST_RELAY` set to a `/ws` address that `chats relay` printed; without it the
//! tests fail and say so. `webdriver.json` beside this crate's manifest makes the browser headless.
#![cfg(target_arch = "wasm32")]
#![allow(missing_docs, clippy::unwrap_used)]

use chats_core::{
    channel::Channel,
    gossip::GossipVerdict,
    id::{DeviceKey, DeviceSecret, GossipTopic, MeetTag},
};
use chats_net::{
    browser::{self, IceServers},
    network::{Command, Event, Network, Path, RelayState},
};
use futures::{FutureExt, StreamExt};
use std::time::Duration;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};
use web_time::Instant;

wasm_bindgen_test_configure!(run_in_browser);

const TAG: MeetTag = MeetTag([9; 32]);

fn relay() -> &'static str {
    match option_env!("CHATS_TEST_RELAY") {
        Some(relay) => relay,
        None => panic!("build with CHATS_TEST_RELAY set to an address that `chats relay` printed"),
    }
}

fn start(seed: u8, relay: &str) -> (Network, DeviceKey) {
    let secret = DeviceSecret::from_seed(&[seed; 32]);
    let ice = IceServers::default();
    (browser::start(&secret, vec![relay.parse().unwrap()], ice).unwrap(), secret.device())
}

async fn until<T>(
    network: &mut Network,
    what: &str,
    mut pick: impl FnMut(Event) -> Option<T>,
) -> T {
    let mut late = futures_timer::Delay::new(Duration::from_secs(15)).fuse();
    let mut seen = Vec::new();
    loop {
        futures::select! {
            event = network.select_next_some() => {
                seen.push(format!("{event:?}"));
                if let Some(found) = pick(event) {
                    return found;
                }
            }
            () = late => panic!("not seen: {what}; seen: {seen:#?}"),
        }
    }
}

async fn present(network: &mut Network) -> Vec<DeviceKey> {
    until(network, "present", |event| match event {
        Event::Present { devices, .. } => Some(devices),
        _ => None,
    })
    .await
}

async fn received(network: &mut Network) -> Vec<u8> {
    until(network, "a frame", |event| match event {
        Event::Received { frame, .. } => Some(frame),
        _ => None,
    })
    .await
}

async fn failed(network: &mut Network) -> String {
    until(network, "a relay failed", |event| match event {
        Event::Relay { state: RelayState::Failed { reason, .. }, .. } => Some(reason),
        _ => None,
    })
    .await
}

#[wasm_bindgen_test]
async fn devices_meet_talk_and_notice_a_departure() {
    let (mut first, first_key) = start(1, relay());
    first.try_send(Command::Meet(TAG)).unwrap();
    assert_eq!(present(&mut first).await, []);
    let (mut second, second_key) = start(2, relay());
    second.try_send(Command::Meet(TAG)).unwrap();
    assert_eq!(present(&mut second).await, [first_key]);
    second.try_send(Command::Dial(first_key)).unwrap();
    let connected = until(&mut second, "connected", |event| match event {
        Event::Connected { device, path } => Some((device, path)),
        _ => None,
    });
    assert_eq!(connected.await, (first_key, Path::Circuit));
    let channel = Channel::Hello;
    let long = vec![7; channel.max_frame()];
    second.try_send(Command::Send { to: first_key, channel, frame: long.clone() }).unwrap();
    assert_eq!(received(&mut first).await, long);
    first.try_send(Command::Send { to: second_key, channel, frame: vec![1] }).unwrap();
    assert_eq!(received(&mut second).await, [1]);
    drop(second);
    let gone = until(&mut first, "disconnected", |event| match event {
        Event::Disconnected { device, .. } => Some(device),
        _ => None,
    });
    assert_eq!(gone.await, second_key);
}

async fn connected(network: &mut Network) {
    until(network, "connected", |event| matches!(event, Event::Connected { .. }).then_some(()))
        .await;
}

/// Takes the other's link.
async fn take_link(network: &mut Network) {
    let offered = until(network, "a link is offered", |event| match event {
        Event::LinkOffered(device) => Some(device),
        _ => None,
    });
    let device = offered.await;
    network.try_send(Command::TakeLinks { device, take: true }).unwrap();
}

async fn linked(network: &mut Network) {
    until(network, "linked", |event| match event {
        Event::Linked(_) => Some(()),
        Event::LinkFailed { reason, .. } => panic!("{reason}"),
        Event::Disconnected { reason, .. } => panic!("{reason}"),
        _ => None,
    })
    .await;
}

async fn gossip_reaches(network: &mut Network) {
    until(network, "gossip reaches", |event| {
        matches!(event, Event::GossipReaches(_)).then_some(())
    })
    .await;
}

#[wasm_bindgen_test]
async fn members_link_directly_and_gossip() {
    const TOPIC: GossipTopic = GossipTopic([5; 32]);
    let (mut first, first_key) = start(5, relay());
    let (mut second, second_key) = start(6, relay());
    for network in [&mut first, &mut second] {
        network.try_send(Command::Meet(TAG)).unwrap();
        network.try_send(Command::Subscribe(TOPIC)).unwrap();
        present(network).await;
    }
    second.try_send(Command::Dial(first_key)).unwrap();
    connected(&mut second).await;
    connected(&mut first).await;
    first.try_send(Command::Pass(second_key)).unwrap();
    second.try_send(Command::Pass(first_key)).unwrap();
    let channel = Channel::Meeting;
    first.try_send(Command::Send { to: second_key, channel, frame: vec![1] }).unwrap();
    second.try_send(Command::Send { to: first_key, channel, frame: vec![2] }).unwrap();
    assert_eq!(received(&mut second).await, [1]);
    assert_eq!(received(&mut first).await, [2]);
    let started = Instant::now();
    second.try_send(Command::Link(first_key)).unwrap();
    take_link(&mut first).await;
    linked(&mut second).await;
    wasm_bindgen_test::console_log!("linked in {:?}", started.elapsed());
    linked(&mut first).await;
    gossip_reaches(&mut first).await;
    gossip_reaches(&mut second).await;
    first.try_send(Command::Publish { topic: TOPIC, frame: vec![3; 1000] }).unwrap();
    let (source, id) = until(&mut second, "gossip", |event| match event {
        Event::Gossip { source, id, frame } if frame == [3; 1000] => Some((source, id)),
        _ => None,
    })
    .await;
    assert_eq!(source, first_key);
    second.try_send(Command::Judge { id, source, verdict: GossipVerdict::Accept }).unwrap();
    let long = vec![7; channel.max_frame()];
    first.try_send(Command::Send { to: second_key, channel, frame: long.clone() }).unwrap();
    assert_eq!(received(&mut second).await, long);
}

#[wasm_bindgen_test]
async fn a_relay_that_does_not_answer_is_noticed_at_once_and_tried_again() {
    let (before, peer) = relay().split_once("/ws/p2p/").unwrap();
    let host = before.split("/tcp/").next().unwrap();
    let started = Instant::now();
    // Browsers refuse port 1 without asking the network.
    let (mut network, _) = start(3, &format!("{host}/tcp/1/ws/p2p/{peer}"));
    let reason = failed(&mut network).await;
    assert!(reason.contains("no connection"), "{reason}");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    until(&mut network, "another attempt", |event| {
        matches!(event, Event::Relay { state: RelayState::Connecting, .. }).then_some(())
    })
    .await;
}

#[wasm_bindgen_test]
async fn an_address_that_browsers_cannot_use_says_what_would_do() {
    let (before, peer) = relay().split_once("/ws/p2p/").unwrap();
    let (mut network, _) = start(4, &format!("{before}/p2p/{peer}"));
    let reason = failed(&mut network).await;
    assert!(reason.contains("it needs /ws, /wss or /tls/ws"), "{reason}");
}

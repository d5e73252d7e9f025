//! How connections come to stand.

use crate::nodes::{Node, pair};
use chats_webrtc::{Config, address};
use wasm_bindgen_test::wasm_bindgen_test;

#[wasm_bindgen_test]
async fn a_dial_over_an_open_circuit_makes_a_direct_connection() {
    let (mut a, mut b) = pair(Config::default()).await;
    a.dial(address::over(&b.circuit, b.peer));
    let (on_a, peer) = a.connected(true).await;
    assert_eq!(peer, b.peer);
    let (on_b, peer) = b.connected(true).await;
    assert_eq!(peer, a.peer);
    a.pinged(on_a).await;
    b.pinged(on_b).await;
    let at_a = a.ask(move |swarm| swarm.behaviour().webrtc.fingerprints(on_a)).await.unwrap();
    let at_b = b.ask(move |swarm| swarm.behaviour().webrtc.fingerprints(on_b)).await.unwrap();
    assert_eq!((at_a.local, at_a.remote), (at_b.remote, at_b.local));
    assert_ne!(at_a.local, at_a.remote);
}

#[wasm_bindgen_test]
async fn a_dial_without_a_circuit_makes_one_first() {
    let (mut a, mut b) = (Node::start(Config::default()), Node::start(Config::default()));
    a.dial(address::over(&b.circuit, b.peer));
    a.connected(false).await;
    let (on_a, _) = a.connected(true).await;
    b.connected(true).await;
    a.pinged(on_a).await;
}

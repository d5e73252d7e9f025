//! How connections come to stand.

use crate::nodes::{Node, join, pair};
use chats_webrtc::{Answer, Config, Error, Failure, address};
use libp2p::{Multiaddr, PeerId, multiaddr::Protocol, swarm::SwarmEvent};
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

#[wasm_bindgen_test]
async fn a_dial_from_both_ends_at_once_leaves_usable_connections() {
    let (mut a, mut b) = pair(Config::default()).await;
    a.dial(address::over(&b.circuit, b.peer));
    let back = address::over(&a.circuit, a.peer);
    b.dial(back);
    for node in [&mut a, &mut b] {
        let first = node.connected(true).await.0;
        let second = node.connected(true).await.0;
        node.pinged(first).await;
        node.pinged(second).await;
    }
}

#[wasm_bindgen_test]
async fn a_peer_that_is_not_allowed_is_refused_until_it_is() {
    let members = Config { answer: Answer::Allowed, ..Config::default() };
    let (mut a, mut b) = (Node::start(Config::default()), Node::start(members));
    join(&mut a, &mut b).await;
    a.dial(address::over(&b.circuit, b.peer));
    let failure = a.failed().await;
    assert_eq!(failure, Failure { peer: b.peer, dialled: true, error: Error::Refused });
    let friend = a.peer;
    b.ask(move |swarm| swarm.behaviour_mut().webrtc.allow(friend)).await;
    a.dial(address::over(&b.circuit, b.peer));
    a.connected(true).await;
    b.connected(true).await;
}

#[wasm_bindgen_test]
async fn a_forbidden_peer_is_refused() {
    let (mut a, b) = pair(Config::default()).await;
    let stranger = a.peer;
    b.ask(move |swarm| swarm.behaviour_mut().webrtc.forbid(stranger)).await;
    a.dial(address::over(&b.circuit, b.peer));
    assert_eq!(a.failed().await.error, Error::Refused);
}

#[wasm_bindgen_test]
async fn signalling_never_runs_over_a_direct_connection() {
    let (mut a, mut b) = (Node::start(Config::default()), Node::start(Config::default()));
    let (circuit, _) = join(&mut a, &mut b).await;
    a.dial(address::over(&b.circuit, b.peer));
    a.connected(true).await;
    b.connected(true).await;
    a.tell(move |swarm| assert!(swarm.close_connection(circuit)));
    a.until("the circuit closes", |event| match event {
        SwarmEvent::ConnectionClosed { connection_id, .. } if connection_id == circuit => Some(()),
        _ => None,
    })
    .await;
    // It would be dialled again over a circuit, but the address names none.
    a.dial(Multiaddr::from(Protocol::WebRTC).with(Protocol::P2p(b.peer)));
    assert!(matches!(a.failed().await.error, Error::Unreachable(_)));
}

#[wasm_bindgen_test]
async fn a_peer_that_cannot_be_reached_is_said_to_be_unreachable() {
    let (mut a, b) = (Node::start(Config::default()), Node::start(Config::default()));
    let nowhere = Multiaddr::from(Protocol::Memory(u64::MAX)).with(Protocol::P2pCircuit);
    a.dial(address::over(&nowhere, b.peer));
    assert!(matches!(a.failed().await.error, Error::Unreachable(_)));
}

#[wasm_bindgen_test]
async fn an_answer_of_another_peer_than_was_dialled_is_told_as_such() {
    let (mut a, mut b) = (Node::start(Config::default()), Node::start(Config::default()));
    let wanted = PeerId::random();
    let error = Error::Unreachable("another peer answers at its address".to_owned());
    let failure = Failure { peer: wanted, dialled: true, error };
    a.dial(address::over(&b.circuit, wanted));
    assert_eq!(a.failed().await, failure);
    // Nor does it signal over a circuit that leads to the other one.
    join(&mut a, &mut b).await;
    a.dial(address::over(&b.circuit, wanted));
    assert_eq!(a.failed().await, failure);
    a.dial(address::over(&b.circuit, b.peer));
    assert_eq!(a.connected(true).await.1, b.peer);
}

#[wasm_bindgen_test]
async fn nobody_is_answered_while_nothing_listens() {
    let (mut a, mut b) = (Node::start(Config::default()), Node::start(Config::default()));
    join(&mut a, &mut b).await;
    let direct = b.listener;
    assert!(b.ask(move |swarm| swarm.remove_listener(direct)).await);
    a.dial(address::over(&b.circuit, b.peer));
    assert_eq!(a.failed().await.error, Error::Refused);
}

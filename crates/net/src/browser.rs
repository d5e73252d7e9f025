//! The network in a browser: WebSocket to relays, on the page's event loop.

mod socket;

use crate::{
    behaviour::{Behaviour, HANDSHAKE, IDLE},
    driver::Driver,
    identity,
    linking::Linking,
    network::{Network, StartError},
};
use chats_core::id::DeviceSecret;
use libp2p::{
    Multiaddr, Swarm, Transport,
    core::{transport::OrTransport, upgrade::Version},
    noise, relay, swarm, yamux,
};
use libp2p_websocket_websys as websocket;
use rand::{SeedableRng, rngs::SmallRng};
use socket::Socket;

/// Starts a network on the page's event loop. It stops when the handle is dropped.
///
/// `relays` are as in [`Command::SetRelays`](crate::network::Command::SetRelays). Browsers reach
/// `/ws` only from pages that are not served over https (loopback aside), and `/tls/ws` or `/wss`
/// from all. Why a socket failed a browser does not say.
///
/// # Errors
/// [`StartError`] if the key is unusable.
pub fn start(secret: &DeviceSecret, relays: Vec<Multiaddr>) -> Result<Network, StartError> {
    let refused = || StartError::Key("libp2p refuses it".to_owned());
    let key = identity::keypair(secret).ok_or_else(refused)?;
    let peer = key.public().to_peer_id();
    let (circuits, client) = relay::client::new(peer);
    let noise = noise::Config::new(&key).map_err(|error| StartError::Key(error.to_string()))?;
    let sockets = websocket::Transport::default().map(|socket, _| Socket::new(socket));
    // A transport that makes direct links belongs in front of `circuits`: both take addresses
    // with `/p2p-circuit`, and the first that does wins.
    let transport = OrTransport::new(circuits, sockets)
        .upgrade(Version::V1)
        .authenticate(noise)
        .multiplex(yamux::Config::default())
        .timeout(HANDSHAKE)
        .boxed();
    let linking = Linking::none();
    let behaviour = Behaviour::new(&key, client, swarm::dummy::Behaviour, &linking)?;
    let config = swarm::Config::with_wasm_executor().with_idle_connection_timeout(IDLE);
    let swarm = Swarm::new(transport, behaviour, peer, config);
    let (network, commands, events) = Network::new(secret.device());
    let rng = SmallRng::from_os_rng();
    let mut driver = Driver::new(swarm, secret.clone(), linking, commands, events, rng);
    driver.use_relays(relays);
    wasm_bindgen_futures::spawn_local(driver);
    Ok(network)
}

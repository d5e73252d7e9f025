//! The network in a browser: WebSocket to relays, WebRTC to other browsers, on the page's event
//! loop.

mod socket;

use crate::{
    behaviour::{Behaviour, HANDSHAKE, IDLE},
    carry,
    driver::Driver,
    identity,
    linking::{Certificates, Fingerprints, Linked, Linking},
    network::{Network, StartError},
};
use chats_core::id::DeviceSecret;
use chats_webrtc::{Answer, Config};
use libp2p::{
    Multiaddr, PeerId, Swarm, Transport,
    core::{muxing::StreamMuxerBox, transport::OrTransport, upgrade::Version},
    multiaddr::Protocol,
    noise, relay, swarm, yamux,
};
use libp2p_websocket_websys as websocket;
use rand::{SeedableRng, rngs::SmallRng};
use socket::Socket;
use std::error::Error;

pub use chats_webrtc::{IceServer, IceServers};

/// Starts a network on the page's event loop. It stops when the handle is dropped.
///
/// `relays` are as in [`Command::SetRelays`](crate::network::Command::SetRelays). Browsers reach
/// `/ws` only from pages that are not served over https (loopback aside), and `/tls/ws` or `/wss`
/// from all. Why a socket failed a browser does not say. `ice` are the servers that direct links
/// may use; they can be replaced while the network runs.
///
/// # Errors
/// [`StartError`] if the key is unusable.
pub fn start(
    secret: &DeviceSecret,
    relays: Vec<Multiaddr>,
    ice: IceServers,
) -> Result<Network, StartError> {
    let refused = || StartError::Key("libp2p refuses it".to_owned());
    let key = identity::keypair(secret).ok_or_else(refused)?;
    let peer = key.public().to_peer_id();
    let (circuits, client) = relay::client::new(peer);
    let noise = noise::Config::new(&key).map_err(|error| StartError::Key(error.to_string()))?;
    let sockets = websocket::Transport::default().map(|socket, _| Socket::new(socket));
    let circuits = OrTransport::new(circuits, sockets)
        .upgrade(Version::V1)
        .authenticate(noise)
        .multiplex(yamux::Config::default())
        .timeout(HANDSHAKE);
    let linking = linking();
    let certificates = linking.certificates.clone();
    let (links, signalling) = chats_webrtc::new(Config {
        ice_servers: ice,
        answer: Answer::Allowed,
        ..Config::default()
    });
    let links = links.map(move |(peer, connection), point| {
        let seen = connection.fingerprints();
        let fingerprints = Fingerprints { own: seen.local.0, theirs: seen.remote.0 };
        certificates.put(peer, point.is_dialer(), fingerprints);
        (peer, StreamMuxerBox::new(connection))
    });
    // Both take addresses with `/p2p-circuit` and `/webrtc` in them, and the first that does wins.
    let transport = OrTransport::new(links, circuits)
        .map(|connection, _| match connection {
            futures::future::Either::Left(link) => link,
            futures::future::Either::Right((peer, muxer)) => (peer, StreamMuxerBox::new(muxer)),
        })
        .boxed();
    let behaviour = Behaviour::new(&key, client, signalling, &linking)?;
    let config = swarm::Config::with_wasm_executor().with_idle_connection_timeout(IDLE);
    let mut swarm = Swarm::new(transport, behaviour, peer, config);
    let listening = swarm.listen_on(Protocol::WebRTC.into());
    listening.map_err(|error| StartError::Listen {
        addr: Protocol::WebRTC.into(),
        reason: error.to_string(),
    })?;
    swarm.add_external_address(carry::address());
    let (network, commands, events) = Network::new(secret.device());
    let rng = SmallRng::from_os_rng();
    let mut driver = Driver::new(swarm, secret.clone(), linking, commands, events, rng);
    driver.use_relays(relays);
    wasm_bindgen_futures::spawn_local(driver);
    Ok(network)
}

/// Direct links over WebRTC.
fn linking() -> Linking {
    Linking {
        address: |peer: PeerId| Multiaddr::from(Protocol::WebRTC).with(Protocol::P2p(peer)),
        is_link: |addr| {
            addr.iter().any(|part| part == Protocol::WebRTC)
                && !addr.iter().any(|part| part == Protocol::P2pCircuit)
        },
        is_attack,
        certificates: Certificates::default(),
        linked: Linked::default(),
    }
}

/// Whether a link failed because the other end does not have the certificate that was announced.
fn is_attack(error: &(dyn Error + 'static)) -> bool {
    let untrusted = matches!(error.downcast_ref(), Some(chats_webrtc::Error::Untrusted));
    untrusted || error.source().is_some_and(is_attack)
}

//! The network in a browser: WebSocket to relays, WebRTC to other browsers, on the page's event
//! loop.

mod socket;

use crate::{
    behaviour::{Behaviour, HANDSHAKE, IDLE, Quiet, multiplexer},
    carry,
    driver::{Driver, attempt},
    identity,
    linking::{Fingerprints, Linked, Linking},
    network::{Network, StartError},
    noise::Noise,
};
use chats_core::id::DeviceSecret;
use chats_webrtc::{Answer, Config};
use libp2p::{
    Multiaddr, PeerId, Swarm, Transport,
    core::{muxing::StreamMuxerBox, transport::OrTransport, upgrade::Version},
    multiaddr::Protocol,
    relay, swarm,
};
use libp2p_websocket_websys as websocket;
use rand::{SeedableRng, rngs::SmallRng};
use socket::Socket;
use std::{error::Error, io};

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
    let noise = Noise::new(&key).map_err(|error| StartError::Key(error.to_string()))?;
    let sockets = websocket::Transport::default().map(|socket, _| Socket::new(socket));
    let circuits = OrTransport::new(circuits, sockets)
        .upgrade(Version::V1)
        .authenticate(noise)
        .multiplex(multiplexer())
        .timeout(HANDSHAKE);
    let linking = linking();
    let (links, signalling) = chats_webrtc::new(Config {
        ice_servers: ice,
        answer: Answer::Allowed,
        ..Config::default()
    });
    let links = links.map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)));
    let links = links.map_err(LinkError);
    // Both take addresses with `/p2p-circuit` and `/webrtc` in them, and the first that does wins.
    let transport = OrTransport::new(links, circuits)
        .map(|connection, _| match connection {
            futures::future::Either::Left(link) => link,
            futures::future::Either::Right((peer, muxer)) => (peer, StreamMuxerBox::new(muxer)),
        })
        .boxed();
    let behaviour = Quiet(Behaviour::new(&key, client, signalling, &linking)?);
    let config = swarm::Config::with_wasm_executor().with_idle_connection_timeout(IDLE);
    let mut swarm = Swarm::new(transport, behaviour, peer, config);
    let listening = swarm.listen_on(Protocol::WebRTC.into());
    listening.map_err(|error| StartError::Listen {
        addr: "/webrtc".to_owned(),
        reason: attempt(&error),
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
        // Of one that we dialled, the swarm tells.
        attacked: |chats_webrtc::Failure { peer, dialled, error }| {
            (!dialled && error == chats_webrtc::Error::Untrusted).then_some(peer)
        },
        fingerprints: |signalling, link, _| {
            let chats_webrtc::Fingerprints { local, remote } = signalling.fingerprints(link)?;
            Some(Fingerprints { own: local.0, theirs: remote.0 })
        },
        linked: Linked::default(),
    }
}

/// Why a link cannot be made. The reason is its source, for what is put around errors of
/// transports gives the source of what is inside for its own.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct LinkError(#[source] chats_webrtc::Error);

/// Whether a link failed because the other end does not have the certificate that was announced.
fn is_attack(error: &io::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if matches!(error.downcast_ref(), Some(chats_webrtc::Error::Untrusted)) {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use libp2p::core::{
        Endpoint,
        transport::{
            DialOpts, ListenerId, PortUse, TransportError, TransportEvent, dummy::DummyTransport,
        },
    };
    use std::{
        future::{Ready, ready},
        pin::Pin,
        task::{Context, Poll},
    };
    use wasm_bindgen_test::wasm_bindgen_test;

    type Output = (PeerId, StreamMuxerBox);

    struct Failing(chats_webrtc::Error);

    impl Transport for Failing {
        type Output = Output;
        type Error = chats_webrtc::Error;
        type ListenerUpgrade = Ready<Result<Output, chats_webrtc::Error>>;
        type Dial = Ready<Result<Output, chats_webrtc::Error>>;

        fn listen_on(
            &mut self,
            _: ListenerId,
            addr: Multiaddr,
        ) -> Result<(), TransportError<Self::Error>> {
            Err(TransportError::MultiaddrNotSupported(addr))
        }

        fn remove_listener(&mut self, _: ListenerId) -> bool {
            false
        }

        fn dial(
            &mut self,
            _: Multiaddr,
            _: DialOpts,
        ) -> Result<Self::Dial, TransportError<Self::Error>> {
            Ok(ready(Err(self.0.clone())))
        }

        fn poll(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<TransportEvent<Self::ListenerUpgrade, Self::Error>> {
            Poll::Pending
        }
    }

    /// What the swarm hears of a dial that fails with this.
    async fn heard(error: chats_webrtc::Error) -> io::Error {
        let links = Failing(error).map_err(LinkError);
        let mut transport = OrTransport::new(links, DummyTransport::<Output>::new())
            .map(|connection, _| connection.into_inner())
            .boxed();
        let opts = DialOpts { role: Endpoint::Dialer, port_use: PortUse::Reuse };
        transport.dial(Protocol::WebRTC.into(), opts).unwrap().await.err().unwrap()
    }

    #[wasm_bindgen_test]
    async fn a_certificate_that_was_not_announced_is_told_from_other_failures() {
        assert!(is_attack(&heard(chats_webrtc::Error::Untrusted).await));
        assert!(!is_attack(&heard(chats_webrtc::Error::Lost).await));
    }
}

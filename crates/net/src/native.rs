//! The network in a native program: TCP and WebSocket, on tokio.

use crate::{
    behaviour::{Behaviour, HANDSHAKE, IDLE, Quiet, multiplexer},
    driver::Driver,
    identity,
    linking::Linking,
    network::{Network, StartError},
    noise::Noise,
};
use chats_core::id::DeviceSecret;
use libp2p::{
    Multiaddr, PeerId, Swarm, Transport,
    core::{
        muxing::StreamMuxerBox,
        transport::{Boxed, OrTransport},
        upgrade::Version,
    },
    identity::Keypair,
    relay, swarm, tcp,
};
use rand::{SeedableRng, rngs::SmallRng};

/// Starts a network on the current tokio runtime. It stops when the handle is dropped.
///
/// `relays` are as in [`Command::SetRelays`](crate::network::Command::SetRelays); at the addresses
/// in `listen` (TCP or WebSocket, port 0 for any) other native programs can connect directly, and
/// each is told as [`Event::Listening`](crate::network::Event::Listening).
///
/// # Errors
/// [`StartError`] if the key or an address to listen on is unusable.
///
/// # Panics
/// Outside a tokio runtime.
pub fn start(
    secret: &DeviceSecret,
    relays: Vec<Multiaddr>,
    listen: Vec<Multiaddr>,
) -> Result<Network, StartError> {
    let refused = || StartError::Key("libp2p refuses it".to_owned());
    let key = identity::keypair(secret).ok_or_else(refused)?;
    let peer = key.public().to_peer_id();
    let (circuits, client) = relay::client::new(peer);
    let transport = secured(OrTransport::new(circuits, sockets()), &key)?;
    let config = swarm::Config::with_tokio_executor().with_idle_connection_timeout(IDLE);
    let linking = Linking::none();
    let behaviour = Quiet(Behaviour::new(&key, client, swarm::dummy::Behaviour, &linking)?);
    let swarm = Swarm::new(transport, behaviour, peer, config);
    let (network, commands, events) = Network::new(secret.device());
    let rng = SmallRng::from_os_rng();
    let mut driver = Driver::new(swarm, secret.clone(), linking, commands, events, rng);
    for addr in listen {
        driver
            .listen(addr.clone())
            .map_err(|reason| StartError::Listen { addr: addr.to_string(), reason })?;
    }
    driver.use_relays(relays);
    tokio::spawn(driver);
    Ok(network)
}

/// WebSocket and plain TCP.
pub(crate) fn sockets()
-> OrTransport<libp2p_websocket::Config<tcp::tokio::Transport>, tcp::tokio::Transport> {
    let tcp = || tcp::tokio::Transport::new(tcp::Config::default().nodelay(true));
    OrTransport::new(libp2p_websocket::Config::new(tcp()), tcp())
}

/// Noise and yamux over whatever carries bytes.
pub(crate) fn secured<T>(
    transport: T,
    key: &Keypair,
) -> Result<Boxed<(PeerId, StreamMuxerBox)>, StartError>
where
    T: Transport + Send + Unpin + 'static,
    T::Output: futures::AsyncRead + futures::AsyncWrite + Unpin + Send + 'static,
    T::Error: Send + Sync + 'static,
    T::Dial: Send + 'static,
    T::ListenerUpgrade: Send + 'static,
{
    let noise = Noise::new(key).map_err(|error| StartError::Key(error.to_string()))?;
    Ok(transport
        .upgrade(Version::V1)
        .authenticate(noise)
        .multiplex(multiplexer())
        .timeout(HANDSHAKE)
        .boxed())
}

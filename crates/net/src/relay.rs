//! A relay: circuit relay v2, `/chats/meet/1`, `/chats/turn/1` if there is a TURN server, and
//! nothing else.
//!
//! It brings devices together and carries ciphertext between them; it runs no gossip, keeps
//! nothing on disk, and learns device keys and IP addresses of those connected.

mod limits;
mod meeting;
#[cfg(test)]
mod tests;
mod turn;

use crate::{
    behaviour,
    driver::{attempt, root_cause},
    identity, meet,
    native::{secured, sockets},
    network::StartError,
    streams::{self, Happening},
    tls::{self, Tls},
};
use chats_core::id::DeviceSecret;
use futures::StreamExt;
use libp2p::{
    Multiaddr, PeerId, StreamProtocol, Swarm, Transport, connection_limits,
    core::{
        muxing::StreamMuxerBox,
        transport::{OptionalTransport, OrTransport},
    },
    identify,
    identity::Keypair,
    multiaddr::Protocol,
    ping, relay as circuit,
    swarm::{self, ConnectionId, NetworkBehaviour, SwarmEvent},
    tcp,
};
use meeting::Meeting;
use std::{collections::BTreeMap, iter, net::IpAddr, time::Duration};
use tokio::time::Instant;

pub use limits::{
    MAX_CIRCUIT_BYTES, MAX_CIRCUIT_TIME, MAX_CIRCUITS, MAX_CIRCUITS_PER_PEER, MAX_RESERVATIONS,
    site,
};
pub use turn::TurnQuestion;

/// The protocol family, as identify says it.
const PROTOCOL: &str = "/chats/1";
/// Name and version, as identify says them.
const AGENT: &str = concat!("chats/", env!("CARGO_PKG_VERSION"));
/// How often dead connections are looked for.
const TICK: Duration = Duration::from_secs(2);
/// A connection without an answered ping for so long is dead. Pings go out every 5 s.
const SILENT: Duration = Duration::from_secs(12);
/// How long a connection may stay without a reservation, a circuit or a meet stream.
const IDLE: Duration = Duration::from_secs(30);
/// How long connections get to close when the relay stops.
const CLOSING: Duration = Duration::from_secs(1);

/// What a relay speaks.
#[derive(NetworkBehaviour)]
struct Behaviour {
    limits: connection_limits::Behaviour,
    circuit: circuit::Behaviour,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    streams: streams::Behaviour,
}

/// What whoever runs the relay should hear of.
#[derive(Debug)]
#[non_exhaustive]
pub enum RelayEvent {
    /// Devices can connect here; the relay's peer id is at the end.
    Listening(Multiaddr),
    /// An address can no longer be listened on, for this reason.
    Lost(String),
    /// A device asks for TURN credentials.
    TurnAsked(TurnQuestion),
}

/// What the operator decides.
#[derive(Debug)]
pub struct Settings {
    /// Addresses under which devices reach the relay from outside (a public name, or a proxy's);
    /// reservations hand them out. Without any, those it listens on are handed out, which serves a
    /// machine with a public address, and loopback.
    pub external: Vec<Multiaddr>,
    /// Devices that can be reached through it at once; [`MAX_RESERVATIONS`] by default.
    pub max_reservations: usize,
    /// How long it carries a circuit; [`MAX_CIRCUIT_TIME`] by default.
    pub max_circuit_time: Duration,
    /// With it, addresses that end in `/tls/ws` can be listened at.
    pub tls: Option<Tls>,
    /// Whether there is a TURN server: devices may ask for its credentials.
    pub turn: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            external: Vec::new(),
            max_reservations: MAX_RESERVATIONS,
            max_circuit_time: MAX_CIRCUIT_TIME,
            tls: None,
            turn: false,
        }
    }
}

/// A running relay; it moves on only within [`Relay::next`].
pub struct Relay {
    swarm: Swarm<Behaviour>,
    /// Without external addresses given, those it listens on are handed out.
    hand_out_own: bool,
    meeting: Meeting,
    turn: turn::Desk,
    /// Every connection: its address, and when it last proved to be alive.
    clients: BTreeMap<ConnectionId, Client>,
    tick: tokio::time::Interval,
}

struct Client {
    address: Option<IpAddr>,
    heard: Instant,
}

impl Relay {
    /// A relay that listens nowhere yet.
    ///
    /// # Errors
    /// [`StartError`] if the key is unusable.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn new(secret: &DeviceSecret, settings: Settings) -> Result<Self, StartError> {
        Self::over(secret, settings, |connection| connection)
    }

    /// The same, with connections that are first made into others.
    pub(crate) fn over(
        secret: &DeviceSecret,
        settings: Settings,
        connections: impl Fn(StreamMuxerBox) -> StreamMuxerBox + Clone + Send + Unpin + 'static,
    ) -> Result<Self, StartError> {
        let Settings { external, max_reservations, max_circuit_time, tls, turn } = settings;
        let refused = || StartError::Key("libp2p refuses it".to_owned());
        let key = identity::keypair(secret).ok_or_else(refused)?;
        let peer = key.public().to_peer_id();
        let behaviour = Behaviour {
            limits: limits::connections(max_reservations),
            circuit: circuit::Behaviour::new(
                peer,
                limits::circuits(max_reservations, max_circuit_time),
            ),
            identify: identify(&key),
            ping: behaviour::ping(),
            streams: streams::Behaviour::new(
                iter::once(meet::PROTOCOL)
                    .chain(turn.then_some(chats_core::turn::PROTOCOL))
                    .map(StreamProtocol::new),
            ),
        };
        let config = swarm::Config::with_tokio_executor().with_idle_connection_timeout(IDLE);
        let tcp = tcp::tokio::Transport::new(tcp::Config::default().nodelay(true));
        let wss = match tls {
            Some(tls) => OptionalTransport::some(tls::secure_websocket(tcp, tls)),
            None => OptionalTransport::none(),
        };
        let transport = secured(OrTransport::new(wss, sockets()), &key)?;
        let transport =
            Transport::map(transport, move |(peer, connection), _| (peer, connections(connection)));
        let transport = transport.boxed();
        let mut swarm = Swarm::new(transport, behaviour, peer, config);
        let hand_out_own = external.is_empty();
        for addr in external {
            swarm.add_external_address(addr);
        }
        Ok(Self {
            swarm,
            hand_out_own,
            meeting: Meeting::default(),
            turn: turn::Desk::default(),
            clients: BTreeMap::new(),
            tick: tokio::time::interval(TICK),
        })
    }

    /// The relay's peer id.
    #[must_use]
    pub fn peer_id(&self) -> PeerId {
        *self.swarm.local_peer_id()
    }

    /// Begins to listen at `addr` (TCP, WebSocket with `/ws`, secure WebSocket with `/tls/ws`);
    /// port 0 is any free one.
    ///
    /// # Errors
    /// [`StartError::Listen`], with the reason.
    pub fn listen(&mut self, addr: Multiaddr) -> Result<(), StartError> {
        match self.swarm.listen_on(addr.clone()) {
            Ok(_) => Ok(()),
            Err(error) => {
                Err(StartError::Listen { addr: addr.to_string(), reason: attempt(&error) })
            }
        }
    }

    /// Serves until there is something to tell. Safe to cancel.
    pub async fn next(&mut self) -> RelayEvent {
        loop {
            tokio::select! {
                event = self.swarm.select_next_some() => {
                    if let Some(event) = self.on_swarm_event(event) {
                        return event;
                    }
                }
                connection = self.meeting.next() => {
                    if let Some(connection) = connection {
                        self.swarm.close_connection(connection);
                    }
                }
                question = self.turn.next() => return RelayEvent::TurnAsked(question),
                _ = self.tick.tick() => self.close_silent(),
            }
        }
    }

    /// Stops listening and closes all connections; takes at most a second.
    pub async fn stop(mut self) {
        for connection in self.clients.keys().copied() {
            self.swarm.close_connection(connection);
        }
        let closed = async {
            while !self.clients.is_empty() {
                if let SwarmEvent::ConnectionClosed { connection_id, .. } =
                    self.swarm.select_next_some().await
                {
                    self.clients.remove(&connection_id);
                }
            }
        };
        if tokio::time::timeout(CLOSING, closed).await.is_err() {
            tracing::warn!("some connections did not close in time");
        }
    }

    fn on_swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) -> Option<RelayEvent> {
        match event {
            SwarmEvent::NewListenAddr { address, .. } => {
                if self.hand_out_own {
                    self.swarm.add_external_address(address.clone());
                }
                let own = *self.swarm.local_peer_id();
                return Some(RelayEvent::Listening(address.with(Protocol::P2p(own))));
            }
            SwarmEvent::ExpiredListenAddr { address, .. } => {
                self.swarm.remove_external_address(&address);
            }
            SwarmEvent::ListenerClosed { reason: Err(error), .. }
            | SwarmEvent::ListenerError { error, .. } => {
                return Some(RelayEvent::Lost(root_cause(&error)));
            }
            SwarmEvent::ConnectionEstablished { connection_id, endpoint, .. } => {
                let address = ip(endpoint.get_remote_address());
                self.clients.insert(connection_id, Client { address, heard: Instant::now() });
            }
            SwarmEvent::ConnectionClosed { connection_id, .. } => {
                self.clients.remove(&connection_id);
                self.meeting.closed(connection_id);
            }
            SwarmEvent::Behaviour(BehaviourEvent::Ping(ping::Event {
                connection,
                result: Ok(_),
                ..
            })) => {
                if let Some(client) = self.clients.get_mut(&connection) {
                    client.heard = Instant::now();
                }
            }
            SwarmEvent::Behaviour(BehaviourEvent::Streams(streams::Event {
                peer,
                connection,
                what: Happening::Inbound(protocol, stream),
            })) => {
                let device = identity::device(peer);
                if let (Some(client), Some(device)) = (self.clients.get(&connection), device) {
                    let taken = if protocol == chats_core::turn::PROTOCOL {
                        self.turn.accept(connection, device, client.address, stream)
                    } else {
                        self.meeting.accept(connection, device, client.address, stream)
                    };
                    if !taken {
                        self.swarm.close_connection(connection);
                    }
                }
            }
            SwarmEvent::Behaviour(BehaviourEvent::Circuit(event)) => log(&event),
            SwarmEvent::IncomingConnectionError { error, .. } => {
                tracing::debug!(%error, "a connection was refused or failed");
            }
            _ => {}
        }
        None
    }

    fn close_silent(&mut self) {
        let now = Instant::now();
        for (connection, client) in &self.clients {
            if now.duration_since(client.heard) > SILENT {
                self.swarm.close_connection(*connection);
            }
        }
    }
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Relay({})", self.swarm.local_peer_id())
    }
}

/// What a relay says of itself to clients that ask. Its addresses they know.
fn identify(key: &Keypair) -> identify::Behaviour {
    identify::Behaviour::new(
        identify::Config::new(PROTOCOL.to_owned(), key.public())
            .with_agent_version(AGENT.to_owned())
            .with_hide_listen_addrs(true)
            .with_cache_size(0),
    )
}

/// Devices are personal: they are named at debug level only.
fn log(event: &circuit::Event) {
    match event {
        circuit::Event::ReservationReqDenied { status, .. } => {
            tracing::info!(?status, "a reservation was denied");
            tracing::debug!(?event);
        }
        circuit::Event::CircuitReqDenied { status, .. } => {
            tracing::info!(?status, "a circuit was denied");
            tracing::debug!(?event);
        }
        _ => tracing::debug!(?event),
    }
}

/// Whose shares a connection from `addr` uses.
fn ip(addr: &Multiaddr) -> Option<IpAddr> {
    let ip = addr.iter().find_map(|part| match part {
        Protocol::Ip4(ip) => Some(ip.into()),
        Protocol::Ip6(ip) => Some(ip.into()),
        _ => None,
    });
    ip.map(site)
}

//! Circuits through a member, over libp2p's memory transport.

use super::{MAX_CIRCUIT_BYTES, MAX_CIRCUIT_TIME, MAX_CIRCUITS, carrier};
use crate::{
    behaviour::{HANDSHAKE, IDLE},
    linking::Linked,
    native::sockets,
    noise::Noise,
    streams::{self, Happening},
};
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt, io};
use libp2p::{
    Multiaddr, PeerId, StreamProtocol, Swarm, Transport,
    core::{
        transport::{MemoryTransport, OrTransport},
        upgrade::Version,
    },
    identity::Keypair,
    multiaddr::Protocol,
    relay,
    swarm::{self, NetworkBehaviour, SwarmEvent, dial_opts::DialOpts},
    yamux,
};
use std::time::Duration;
use tokio::time::timeout;

/// How long anything may take; what hangs fails.
const PATIENCE: Duration = Duration::from_secs(20);
const ECHO: StreamProtocol = StreamProtocol::new("/echo");

#[derive(NetworkBehaviour)]
struct Client {
    circuits: relay::client::Behaviour,
    streams: streams::Behaviour,
}

/// A member who carries, where it listens, and those linked to it.
async fn start_carrier() -> (Multiaddr, Linked) {
    let key = Keypair::generate_ed25519();
    let (own, linked) = (key.public().to_peer_id(), Linked::default());
    let transport = MemoryTransport::default()
        .upgrade(Version::V1)
        .authenticate(Noise::new(&key).unwrap())
        .multiplex(yamux::Config::default())
        .timeout(HANDSHAKE)
        .boxed();
    let config = swarm::Config::with_tokio_executor().with_idle_connection_timeout(IDLE);
    let mut swarm = Swarm::new(transport, carrier(own, &linked), own, config);
    swarm.listen_on(Protocol::Memory(0).into()).unwrap();
    let addr = loop {
        if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
            break address;
        }
    };
    swarm.add_external_address(addr.clone());
    tokio::spawn(swarm.for_each(|_| async {}));
    (addr.with(Protocol::P2p(own)), linked)
}

/// Somebody connected to a carrier.
pub(crate) struct Device {
    swarm: Swarm<Client>,
    circuit: Multiaddr,
}

impl Device {
    pub(crate) async fn start(carrier: &Multiaddr) -> Self {
        let key = Keypair::generate_ed25519();
        let own = key.public().to_peer_id();
        let (circuits, client) = relay::client::new(own);
        let direct = OrTransport::new(MemoryTransport::default(), sockets());
        let transport = OrTransport::new(circuits, direct)
            .upgrade(Version::V1)
            .authenticate(Noise::new(&key).unwrap())
            .multiplex(yamux::Config::default())
            .timeout(HANDSHAKE)
            .boxed();
        let behaviour = Client { circuits: client, streams: streams::Behaviour::new([ECHO]) };
        let config = swarm::Config::with_tokio_executor().with_idle_connection_timeout(IDLE);
        let mut swarm = Swarm::new(transport, behaviour, own, config);
        swarm.dial(carrier.clone()).unwrap();
        let circuit = carrier.clone().with(Protocol::P2pCircuit);
        let mut device = Self { swarm, circuit };
        device
            .until(|event| matches!(event, SwarmEvent::ConnectionEstablished { .. }).then_some(()))
            .await;
        device
    }

    pub(crate) fn peer(&self) -> PeerId {
        *self.swarm.local_peer_id()
    }

    async fn until<T>(&mut self, mut pick: impl FnMut(SwarmEvent<ClientEvent>) -> Option<T>) -> T {
        let found = async {
            loop {
                if let Some(found) = pick(self.swarm.select_next_some().await) {
                    return found;
                }
            }
        };
        timeout(PATIENCE, found).await.unwrap()
    }

    /// Whether the carrier makes a reservation.
    pub(crate) async fn reserves(&mut self) -> bool {
        self.swarm.listen_on(self.circuit.clone()).unwrap();
        self.until(|event| match event {
            SwarmEvent::Behaviour(ClientEvent::Circuits(
                relay::client::Event::ReservationReqAccepted { .. },
            )) => Some(true),
            SwarmEvent::ListenerClosed { .. } => Some(false),
            _ => None,
        })
        .await
    }

    /// Whether a circuit to another comes about, and the bounds that the carrier names, if so.
    pub(crate) async fn reaches(&mut self, other: PeerId) -> Option<(Duration, u64)> {
        let addr = self.circuit.clone().with(Protocol::P2p(other));
        let options = DialOpts::peer_id(other)
            .addresses(vec![addr])
            .condition(swarm::dial_opts::PeerCondition::Always)
            .build();
        self.swarm.dial(options).unwrap();
        let mut bounds = None;
        self.until(|event| match event {
            SwarmEvent::Behaviour(ClientEvent::Circuits(
                relay::client::Event::OutboundCircuitEstablished { limit, .. },
            )) => {
                let limit = limit.unwrap();
                bounds = limit.duration().zip(limit.data_in_bytes());
                None
            }
            SwarmEvent::ConnectionEstablished { peer_id, .. } if peer_id == other => Some(true),
            SwarmEvent::OutgoingConnectionError { .. } => Some(false),
            _ => None,
        })
        .await
        .then(|| bounds.unwrap())
    }

    /// Says as much to another as a circuit takes until it ends; how many bytes came back.
    pub(crate) async fn echoes(&mut self, peer: PeerId) -> u64 {
        let addr = self.circuit.clone().with(Protocol::P2p(peer));
        self.swarm.dial(DialOpts::peer_id(peer).addresses(vec![addr]).build()).unwrap();
        let connection = self
            .until(|event| match event {
                SwarmEvent::ConnectionEstablished { peer_id, connection_id, .. }
                    if peer_id == peer =>
                {
                    Some(connection_id)
                }
                _ => None,
            })
            .await;
        self.swarm.behaviour_mut().streams.open(peer, connection, ECHO);
        let stream = self
            .until(|event| match event {
                SwarmEvent::Behaviour(ClientEvent::Streams(event)) => match event.what {
                    Happening::Opened(_, stream) => Some(stream),
                    what => panic!("{what:?}"),
                },
                _ => None,
            })
            .await;
        let (mut reader, mut writer) = stream.split();
        let echoed = tokio::spawn(async move {
            let (mut echoed, mut part) = (0, [0; 1024]);
            loop {
                if writer.write_all(&[7; 1024]).await.is_err() || writer.flush().await.is_err() {
                    return echoed;
                }
                match reader.read(&mut part).await {
                    Ok(count @ 1..) => echoed += count,
                    _ => return echoed,
                }
            }
        });
        self.until(|event| match event {
            SwarmEvent::ConnectionClosed { connection_id, .. } if connection_id == connection => {
                Some(())
            }
            _ => None,
        })
        .await;
        u64::try_from(echoed.await.unwrap()).unwrap()
    }

    /// Answers others for good, and sends back what they say.
    pub(crate) fn serve(mut self) {
        tokio::spawn(async move {
            loop {
                if let SwarmEvent::Behaviour(ClientEvent::Streams(event)) =
                    self.swarm.select_next_some().await
                    && let Happening::Inbound(_, stream) = event.what
                {
                    let (reader, mut writer) = stream.split();
                    tokio::spawn(async move { io::copy(reader, &mut writer).await });
                }
            }
        });
    }
}

/// A carrier, and two who are linked to it: one to dial, and one who can be dialled.
async fn linked_two() -> (Device, PeerId) {
    let (addr, linked) = start_carrier().await;
    let (one, mut other) = (Device::start(&addr).await, Device::start(&addr).await);
    linked.set(one.peer(), true);
    linked.set(other.peer(), true);
    assert!(other.reserves().await);
    let peer = other.peer();
    other.serve();
    (one, peer)
}

#[tokio::test]
async fn only_who_is_linked_can_be_reached_through_a_member() {
    let (addr, linked) = start_carrier().await;
    let mut device = Device::start(&addr).await;
    assert!(!device.reserves().await, "it is connected, and not linked");
    linked.set(device.peer(), true);
    assert!(device.reserves().await);
    linked.set(device.peer(), false);
    assert!(!device.reserves().await, "it was linked once");
}

#[tokio::test]
async fn only_who_is_linked_can_reach_others_through_a_member() {
    let (addr, linked) = start_carrier().await;
    let (mut one, mut other) = (Device::start(&addr).await, Device::start(&addr).await);
    linked.set(other.peer(), true);
    assert!(other.reserves().await);
    let peer = other.peer();
    other.serve();
    assert_eq!(one.reaches(peer).await, None);
    linked.set(one.peer(), true);
    assert_eq!(one.reaches(peer).await, Some((MAX_CIRCUIT_TIME, MAX_CIRCUIT_BYTES)));
}

#[tokio::test]
async fn a_member_carries_a_few_circuits_at_once_and_no_more() {
    let (mut one, peer) = linked_two().await;
    let mut carried = 0;
    while carried <= MAX_CIRCUITS && one.reaches(peer).await.is_some() {
        carried += 1;
    }
    assert_eq!(carried, MAX_CIRCUITS);
}

#[tokio::test]
async fn a_circuit_through_a_member_ends_once_it_carried_enough_to_make_a_link() {
    let (mut one, peer) = linked_two().await;
    let echoed = one.echoes(peer).await;
    // All that travels counts, both ways.
    let most = MAX_CIRCUIT_BYTES / 2;
    assert!((MAX_CIRCUIT_BYTES / 4..=most).contains(&echoed), "{echoed} bytes");
}

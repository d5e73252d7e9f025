//! The driver on native transports, with real relays. Direct links run over libp2p's memory
//! transport here, which stands in for WebRTC: its ends name made-up certificates.

mod circuits;
mod links;
mod relays;
mod turn;
mod unproven;

use crate::{
    behaviour::{Behaviour, HANDSHAKE, IDLE, Quiet},
    driver::Driver,
    identity,
    linking::{Certificates, Fingerprints, Linked, Linking},
    native::{secured, sockets},
    network::{Command, Event, Network, RelayState},
    noise::Noise,
    relay::{Relay, RelayEvent, Settings},
};
use chats_core::{
    channel::Channel,
    id::{DeviceKey, DeviceSecret},
};
use futures::StreamExt;
use libp2p::{
    Multiaddr, PeerId, Swarm, Transport,
    core::{
        muxing::StreamMuxerBox,
        transport::{MemoryTransport, OrTransport},
        upgrade::Version,
    },
    multiaddr::Protocol,
    relay, swarm, yamux,
};
use rand::{SeedableRng, rngs::SmallRng};
use std::{
    sync::atomic::{AtomicU8, Ordering},
    time::Duration,
};
use tokio::{task::JoinHandle, time::timeout};

/// How long anything may take; what hangs fails.
const PATIENCE: Duration = Duration::from_secs(20);

const DIALER: [u8; 32] = [1; 32];
const LISTENER: [u8; 32] = [2; 32];

/// Where a device listens for direct links.
fn memory(peer: PeerId) -> Multiaddr {
    let bytes = peer.to_bytes();
    let tail: [u8; 8] = bytes[bytes.len() - 8..].try_into().unwrap();
    let port = Protocol::Memory(u64::from_be_bytes(tail) | 1);
    Multiaddr::from(port).with(Protocol::P2p(peer))
}

fn is_memory(addr: &Multiaddr) -> bool {
    matches!(addr.iter().next(), Some(Protocol::Memory(_)))
        && !addr.iter().any(|part| part == Protocol::P2pCircuit)
}

/// Another one each time: the tests share the memory transport's ports, which follow from keys.
fn secret() -> DeviceSecret {
    static MADE: AtomicU8 = AtomicU8::new(1);
    DeviceSecret::from_seed(&[MADE.fetch_add(1, Ordering::Relaxed); 32])
}

/// A device; `tampered` if somebody stands in the middle of its links.
struct Device {
    network: Network,
    key: DeviceKey,
    secret: DeviceSecret,
    driver: JoinHandle<()>,
}

impl Device {
    fn start(relays: Vec<Multiaddr>, tampered: bool) -> Self {
        Self::start_as(secret(), relays, tampered)
    }

    fn start_as(secret: DeviceSecret, relays: Vec<Multiaddr>, tampered: bool) -> Self {
        let key = identity::keypair(&secret).unwrap();
        let peer = key.public().to_peer_id();
        let (circuits, client) = relay::client::new(peer);
        let linking = Linking {
            address: memory,
            is_link: is_memory,
            is_attack: |_| false,
            certificates: Certificates::default(),
            linked: Linked::default(),
        };
        let certificates = linking.certificates.clone();
        let links = MemoryTransport::default()
            .upgrade(Version::V1)
            .authenticate(Noise::new(&key).unwrap())
            .multiplex(yamux::Config::default())
            .timeout(HANDSHAKE)
            .map(move |(peer, muxer), point| {
                let (own, theirs) =
                    if point.is_dialer() { (DIALER, LISTENER) } else { (LISTENER, DIALER) };
                let theirs = if tampered { [9; 32] } else { theirs };
                certificates.put(peer, point.is_dialer(), Fingerprints { own, theirs });
                (peer, StreamMuxerBox::new(muxer))
            });
        // The memory transport would take circuits that begin with a link for the link.
        let others = secured(OrTransport::new(circuits, sockets()), &key).unwrap();
        let transport =
            OrTransport::new(others, links).map(|either, _| either.into_inner()).boxed();
        let behaviour = Behaviour::new(&key, client, swarm::dummy::Behaviour, &linking).unwrap();
        let behaviour = Quiet(behaviour);
        let config = swarm::Config::with_tokio_executor().with_idle_connection_timeout(IDLE);
        let mut swarm = Swarm::new(transport, behaviour, peer, config);
        // The memory transport never frees a port: a device that comes back can dial for a link,
        // and not be dialled.
        drop(swarm.listen_on(memory(peer)));
        swarm.add_external_address(crate::carry::address());
        let (network, commands, events) = Network::new(secret.device());
        let rng = SmallRng::seed_from_u64(1);
        let key = secret.device();
        let mut driver = Driver::new(swarm, secret.clone(), linking, commands, events, rng);
        driver.use_relays(relays);
        Self { network, key, secret, driver: tokio::spawn(driver) }
    }

    /// Stops without a goodbye; who it was.
    async fn stop(self) -> DeviceSecret {
        drop(self.network);
        self.driver.await.unwrap();
        self.secret
    }

    fn tell(&mut self, command: Command) {
        self.network.try_send(command).unwrap();
    }

    fn send(&mut self, to: DeviceKey, frame: &[u8]) {
        self.tell(Command::Send { to, channel: Channel::Meeting, frame: frame.to_vec() });
    }

    /// The first of the coming events that `pick` wants; those before it are dropped.
    async fn until<T>(&mut self, what: &str, mut pick: impl FnMut(&Event) -> Option<T>) -> T {
        let mut seen = Vec::new();
        let found = timeout(PATIENCE, async {
            while let Some(event) = self.network.next().await {
                if let Some(found) = pick(&event) {
                    return found;
                }
                seen.push(event);
            }
            panic!("the network stopped before: {what}");
        });
        let found = found.await.ok();
        found.unwrap_or_else(|| panic!("not seen: {what}; seen: {seen:#?}"))
    }

    async fn relays_connected(&mut self, count: usize) {
        let mut connected = std::collections::BTreeSet::new();
        self.until("relays connected", |event| {
            if let Event::Relay { addr, state: RelayState::Connected { .. } } = event {
                connected.insert(addr.clone());
            }
            (connected.len() == count).then_some(())
        })
        .await;
    }
}

/// A relay that runs until it is stopped, and is then gone at once, without a goodbye.
struct RelayTask {
    addr: Multiaddr,
    task: JoinHandle<()>,
}

impl RelayTask {
    async fn start() -> Self {
        Self::with(Settings::default()).await
    }

    /// One that carries circuits for so long.
    async fn carrying(max_circuit_time: Duration) -> Self {
        Self::with(Settings { max_circuit_time, ..Settings::default() }).await
    }

    async fn with(settings: Settings) -> Self {
        let mut relay = Relay::new(&secret(), settings).unwrap();
        relay.listen("/ip4/127.0.0.1/tcp/0".parse().unwrap()).unwrap();
        let RelayEvent::Listening(addr) = relay.next().await else { panic!("not listening") };
        let task = tokio::spawn(async move {
            loop {
                relay.next().await;
            }
        });
        Self { addr, task }
    }

    fn stop(&self) {
        self.task.abort();
    }
}

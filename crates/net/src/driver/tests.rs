//! The driver on native transports, with real relays. Direct links run over libp2p's memory
//! transport here, which stands in for WebRTC: its ends name made-up certificates.

mod cable;
mod carriers;
mod checking;
mod circuits;
mod crossing;
mod floods;
mod links;
mod relays;
mod spoilt;
mod turn;
mod unproven;
mod wire;

use crate::{
    behaviour::{Behaviour, HANDSHAKE, IDLE, Quiet, Signalling},
    driver::Driver,
    identity,
    linking::{Fingerprints, Linked, Linking},
    native::{secured, sockets},
    network::{Command, Event, Network, RelayState},
    noise::Noise,
    relay::{Relay, RelayEvent, Settings},
};
use cable::Cables;
use chats_core::{
    channel::Channel,
    id::{DeviceKey, DeviceSecret},
};
use futures::{FutureExt, StreamExt};
use libp2p::{
    Multiaddr, PeerId, Swarm, Transport,
    core::{
        muxing::StreamMuxerBox,
        transport::{MemoryTransport, OrTransport},
        upgrade::Version,
    },
    multiaddr::Protocol,
    relay,
    swarm::{self, ConnectionId},
    yamux,
};
use rand::{SeedableRng, rngs::SmallRng};
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use tokio::{sync::watch, task::JoinHandle, time::timeout};

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
    static MADE: AtomicU64 = AtomicU64::new(1);
    let number = MADE.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    DeviceSecret::from_seed(&[number; 4].concat().try_into().unwrap())
}

/// Where links of a device wait, once they stand, until it may hear of them.
#[derive(Clone)]
struct Door {
    open: watch::Sender<bool>,
    waiting: watch::Sender<usize>,
}

impl Door {
    fn new() -> Self {
        Self { open: watch::Sender::new(true), waiting: watch::Sender::new(0) }
    }

    async fn pass(self) {
        self.waiting.send_modify(|waiting| *waiting += 1);
        self.open.subscribe().wait_for(|open| *open).await.unwrap();
    }

    fn close(&self) {
        self.open.send_replace(false);
    }

    fn open(&self) {
        self.open.send_replace(true);
    }

    async fn somebody_waits(&self) {
        self.waiting.subscribe().wait_for(|waiting| *waiting > 0).await.unwrap();
    }
}

#[expect(clippy::unnecessary_wraps, reason = "a transport may not know them")]
fn certificates(_: &Signalling, _: ConnectionId, dialer: bool) -> Option<Fingerprints> {
    let (own, theirs) = if dialer { (DIALER, LISTENER) } else { (LISTENER, DIALER) };
    Some(Fingerprints { own, theirs })
}

fn tampered_certificates(
    signalling: &Signalling,
    link: ConnectionId,
    dialer: bool,
) -> Option<Fingerprints> {
    let theirs = [9; 32];
    certificates(signalling, link, dialer).map(|seen| Fingerprints { theirs, ..seen })
}

/// A device; `tampered` if somebody stands in the middle of its links.
struct Device {
    network: Network,
    key: DeviceKey,
    secret: DeviceSecret,
    driver: JoinHandle<()>,
    takes_links: bool,
    /// For the links that it dials.
    dialled: Door,
    /// For those that others dial.
    accepted: Door,
    cables: Cables,
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
            attacked: |never| match never {},
            fingerprints: if tampered { tampered_certificates } else { certificates },
            linked: Linked::default(),
        };
        let (dialled, accepted) = (Door::new(), Door::new());
        let doors = (dialled.clone(), accepted.clone());
        let cables = Cables::default();
        let cable = cables.clone();
        let links = MemoryTransport::default()
            .map(move |stream, _| cable.lay(stream))
            .upgrade(Version::V1)
            .authenticate(Noise::new(&key).unwrap())
            .multiplex(yamux::Config::default())
            .timeout(HANDSHAKE)
            .and_then(move |output, point| {
                let door = if point.is_dialer() { &doors.0 } else { &doors.1 };
                door.clone().pass().map(|()| Ok::<_, std::io::Error>(output))
            })
            .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
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
        let driver = tokio::spawn(driver);
        Self { network, key, secret, driver, takes_links: true, dialled, accepted, cables }
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

    /// The first of the coming events that `pick` wants; those before it are dropped. Links that
    /// others make are taken.
    async fn until<T>(&mut self, what: &str, mut pick: impl FnMut(&Event) -> Option<T>) -> T {
        let mut seen = Vec::new();
        let found = timeout(PATIENCE, async {
            while let Some(event) = self.network.next().await {
                if let Event::LinkOffered(device) = event {
                    self.tell(Command::TakeLinks { device, take: self.takes_links });
                }
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
        Self::run(Relay::new(&secret(), settings).unwrap()).await
    }

    async fn run(mut relay: Relay) -> Self {
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

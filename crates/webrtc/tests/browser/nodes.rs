//! Swarms that run on the page's event loop.

use crate::circuit::Circuit;
use chats_webrtc::{self as webrtc, Config, Failure, address};
use futures::{FutureExt, StreamExt, channel::mpsc, future::Either};
use futures_timer::Delay;
use libp2p::{
    Multiaddr, PeerId, Swarm, Transport,
    core::{ConnectedPoint, muxing::StreamMuxerBox, transport::OrTransport, upgrade::Version},
    identity::Keypair,
    multiaddr::Protocol,
    noise, ping,
    swarm::{self, ConnectionId, NetworkBehaviour, SwarmEvent},
    yamux,
};
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// What takes longer has failed.
pub(crate) const DEADLINE: Duration = Duration::from_secs(15);

#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    pub(crate) webrtc: webrtc::Behaviour,
    ping: ping::Behaviour,
}

type Command = Box<dyn FnOnce(&mut Swarm<Behaviour>)>;
type Event = SwarmEvent<BehaviourEvent>;

/// A swarm; it ends when this is dropped.
pub(crate) struct Node {
    pub(crate) peer: PeerId,
    /// Where it can be dialled through the circuit.
    pub(crate) circuit: Multiaddr,
    commands: mpsc::UnboundedSender<Command>,
    events: mpsc::UnboundedReceiver<Event>,
}

/// What makes the muxer that the swarm gets.
pub(crate) type Muxer = fn(PeerId, webrtc::Connection) -> StreamMuxerBox;

impl Node {
    pub(crate) fn start(config: Config) -> Self {
        Self::with_muxer(config, |_, connection| StreamMuxerBox::new(connection))
    }

    /// A node that hands its direct connections to `muxer`.
    pub(crate) fn with_muxer(config: Config, muxer: Muxer) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let port = NEXT.fetch_add(1, Ordering::Relaxed);
        let key = Keypair::generate_ed25519();
        let peer = key.public().to_peer_id();
        let (direct, behaviour) = webrtc::new(config);
        let direct = direct.map(move |(peer, connection), _| (peer, muxer(peer, connection)));
        let circuits = Circuit::default()
            .upgrade(Version::V1)
            .authenticate(noise::Config::new(&key).unwrap())
            .multiplex(yamux::Config::default());
        let transport = OrTransport::new(direct, circuits)
            .map(|either, _| match either {
                Either::Left(direct) => direct,
                Either::Right((peer, muxer)) => (peer, StreamMuxerBox::new(muxer)),
            })
            .boxed();
        let ping = ping::Config::new().with_interval(Duration::from_millis(50));
        let behaviour = Behaviour { webrtc: behaviour, ping: ping::Behaviour::new(ping) };
        let config = swarm::Config::with_wasm_executor()
            .with_idle_connection_timeout(Duration::from_secs(60));
        let mut swarm = Swarm::new(transport, behaviour, peer, config);
        let circuit = Multiaddr::from(Protocol::Memory(port)).with(Protocol::P2pCircuit);
        swarm.listen_on(circuit.clone()).unwrap();
        swarm.listen_on(circuit.clone().with(Protocol::WebRTC)).unwrap();
        let (commands, receiver) = mpsc::unbounded();
        let (sender, events) = mpsc::unbounded();
        wasm_bindgen_futures::spawn_local(drive(swarm, receiver, sender));
        Self { peer, circuit, commands, events }
    }

    /// Has the swarm do something.
    pub(crate) fn tell(&self, command: impl FnOnce(&mut Swarm<Behaviour>) + 'static) {
        self.commands.unbounded_send(Box::new(command)).unwrap();
    }

    /// Has the swarm answer something.
    pub(crate) async fn ask<T: 'static>(
        &self,
        question: impl FnOnce(&mut Swarm<Behaviour>) -> T + 'static,
    ) -> T {
        let (sender, answer) = futures::channel::oneshot::channel();
        self.tell(move |swarm| drop(sender.send(question(swarm))));
        answer.await.unwrap()
    }

    /// The address at which `other` is dialled for a direct connection.
    pub(crate) fn dial(&self, address: Multiaddr) {
        self.tell(move |swarm| swarm.dial(address).unwrap());
    }

    /// Waits for an event.
    pub(crate) async fn until<T>(
        &mut self,
        what: &str,
        mut pick: impl FnMut(Event) -> Option<T>,
    ) -> T {
        let mut late = Delay::new(DEADLINE).fuse();
        let mut seen = Vec::new();
        loop {
            futures::select! {
                event = self.events.select_next_some() => {
                    seen.push(format!("{event:?}"));
                    if let Some(found) = pick(event) {
                        return found;
                    }
                }
                () = late => panic!("not seen: {what}; seen: {seen:#?}"),
            }
        }
    }

    /// Waits for a connection of one kind.
    pub(crate) async fn connected(&mut self, direct: bool) -> (ConnectionId, PeerId) {
        self.until("a connection", |event| match event {
            SwarmEvent::ConnectionEstablished { connection_id, peer_id, endpoint, .. }
                if is_direct(&endpoint) == direct =>
            {
                Some((connection_id, peer_id))
            }
            _ => None,
        })
        .await
    }

    /// Waits for a direct connection to fail.
    pub(crate) async fn failed(&mut self) -> Failure {
        self.until("a failure", |event| match event {
            SwarmEvent::Behaviour(BehaviourEvent::Webrtc(failure)) => Some(failure),
            _ => None,
        })
        .await
    }

    /// Waits for a ping on this connection; how long its round trip took.
    pub(crate) async fn pinged(&mut self, connection: ConnectionId) -> Duration {
        self.until("a ping", |event| match event {
            SwarmEvent::Behaviour(BehaviourEvent::Ping(event))
                if event.connection == connection =>
            {
                Some(event.result.unwrap())
            }
            _ => None,
        })
        .await
    }
}

fn is_direct(endpoint: &ConnectedPoint) -> bool {
    match endpoint {
        ConnectedPoint::Dialer { address, .. } => address::is_direct(address),
        ConnectedPoint::Listener { local_addr, .. } => address::is_direct(local_addr),
    }
}

async fn drive(
    mut swarm: Swarm<Behaviour>,
    mut commands: mpsc::UnboundedReceiver<Command>,
    events: mpsc::UnboundedSender<Event>,
) {
    loop {
        futures::select! {
            event = swarm.select_next_some() => drop(events.unbounded_send(event)),
            command = commands.next() => match command {
                Some(command) => command(&mut swarm),
                None => return,
            },
        }
    }
}

/// Two nodes with a circuit between them, which the first dialled.
pub(crate) async fn pair(config: Config) -> (Node, Node) {
    let (mut a, mut b) = (Node::start(config.clone()), Node::start(config));
    join(&mut a, &mut b).await;
    (a, b)
}

/// Makes a circuit.
pub(crate) async fn join(a: &mut Node, b: &mut Node) {
    a.dial(b.circuit.clone().with(Protocol::P2p(b.peer)));
    a.connected(false).await;
    b.connected(false).await;
}

//! Swarms that run on the page's event loop.

use crate::circuit::Circuit;
use chats_webrtc::{self as webrtc, Config, Connection, Failure, address};
use futures::{FutureExt, StreamExt, channel::mpsc, future::Either};
use futures_timer::Delay;
use libp2p::{
    Multiaddr, PeerId, Swarm, Transport,
    core::{
        ConnectedPoint,
        muxing::{StreamMuxer, StreamMuxerBox, StreamMuxerEvent},
        transport::{ListenerId, OrTransport},
        upgrade::Version,
    },
    identity::Keypair,
    multiaddr::Protocol,
    noise, ping,
    swarm::{self, ConnectionId, NetworkBehaviour, SwarmEvent},
    yamux,
};
use std::{
    convert::Infallible,
    pin::Pin,
    sync::atomic::{AtomicU64, Ordering},
    task::{Context, Poll},
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
    /// That for direct connections.
    pub(crate) listener: ListenerId,
    commands: mpsc::UnboundedSender<Command>,
    events: mpsc::UnboundedReceiver<Event>,
}

impl Node {
    pub(crate) fn start(config: Config) -> Self {
        Self::with_muxer(config, StreamMuxerBox::new)
    }

    /// A node whose direct connections are given away; its swarm gets ones where nothing happens.
    pub(crate) fn giving_away(config: Config) -> (Self, mpsc::UnboundedReceiver<Connection>) {
        let (sender, connections) = mpsc::unbounded();
        let node = Self::with_muxer(config, move |connection| {
            sender.unbounded_send(connection).unwrap();
            StreamMuxerBox::new(Nothing)
        });
        (node, connections)
    }

    fn with_muxer(
        config: Config,
        muxer: impl FnOnce(Connection) -> StreamMuxerBox + Clone + Send + 'static,
    ) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let port = NEXT.fetch_add(1, Ordering::Relaxed);
        let key = Keypair::generate_ed25519();
        let peer = key.public().to_peer_id();
        let (direct, behaviour) = webrtc::new(config);
        let direct = direct.map(move |(peer, connection), _| (peer, muxer(connection)));
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
        let listener = swarm.listen_on(circuit.clone().with(Protocol::WebRTC)).unwrap();
        let (commands, receiver) = mpsc::unbounded();
        let (sender, events) = mpsc::unbounded();
        wasm_bindgen_futures::spawn_local(drive(swarm, receiver, sender));
        Self { peer, circuit, listener, commands, events }
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

/// Makes a circuit, which the first dials; its id at either end.
pub(crate) async fn join(a: &mut Node, b: &mut Node) -> (ConnectionId, ConnectionId) {
    a.dial(b.circuit.clone().with(Protocol::P2p(b.peer)));
    (a.connected(false).await.0, b.connected(false).await.0)
}

/// Waits for something, but not forever.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let late = Delay::new(DEADLINE);
    match futures::future::select(std::pin::pin!(future), late).await {
        Either::Left((done, _)) => done,
        Either::Right(_) => panic!("never happened: {what}"),
    }
}

/// A connection on which nothing happens.
struct Nothing;

impl StreamMuxer for Nothing {
    type Substream = webrtc::Stream;
    type Error = Infallible;

    fn poll_inbound(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Result<webrtc::Stream, Infallible>> {
        Poll::Pending
    }

    fn poll_outbound(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Result<webrtc::Stream, Infallible>> {
        Poll::Pending
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn poll(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Result<StreamMuxerEvent, Infallible>> {
        Poll::Pending
    }
}

//! The swarm, and how others ask things of it.

use crate::{
    gossip::{self, Gossip},
    paths::{On, Path},
    protocols::{self, Failed},
};
use chats_webrtc::address;
use futures::{
    StreamExt,
    channel::{mpsc, oneshot},
    future::Either,
    select,
    stream::SelectAll,
};
use libp2p::{
    Multiaddr, PeerId, StreamProtocol, Swarm, Transport,
    core::{
        muxing::StreamMuxerBox,
        transport::{OrTransport, upgrade::Version},
    },
    gossipsub, identify,
    identity::Keypair,
    multiaddr::Protocol,
    noise, ping, relay,
    swarm::{
        self, ConnectionId, NetworkBehaviour, Stream, SwarmEvent,
        dial_opts::{DialOpts, PeerCondition},
    },
    yamux,
};
use libp2p_stream::Control;
use std::{cell::RefCell, collections::HashMap, rc::Rc, time::Duration};
use wasm_bindgen_futures::spawn_local;

// The app's own: without it each handshake over WebSocket takes 400 ms longer.
#[path = "../../../../crates/net/src/browser/socket.rs"]
mod socket;

/// As in the app.
const HANDSHAKE: Duration = Duration::from_secs(10);
const IDLE: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(NetworkBehaviour)]
struct Behaviour {
    relay: relay::client::Behaviour,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    webrtc: chats_webrtc::Behaviour,
    direct: On<libp2p_stream::Behaviour>,
    circuits: On<libp2p_stream::Behaviour>,
    gossip: On<gossipsub::Behaviour>,
}

/// What the swarm can be asked to do.
pub(crate) enum Command {
    /// Make a connection, another one even if there is one.
    Dial { address: Multiaddr, reply: oneshot::Sender<Result<(), Failed>> },
    /// Close all connections to a peer.
    HangUp { peer: PeerId, reply: oneshot::Sender<()> },
    /// Publish to all.
    Publish { message: Vec<u8>, reply: oneshot::Sender<Result<(), Failed>> },
}

#[derive(Default)]
struct Known {
    happened: Vec<String>,
    connections: HashMap<PeerId, HashMap<ConnectionId, Path>>,
}

/// A handle; clones are of the same node.
#[derive(Clone)]
pub(crate) struct Node {
    commands: mpsc::UnboundedSender<Command>,
    direct: Control,
    circuits: Control,
    known: Rc<RefCell<Known>>,
    /// What comes by gossip.
    pub(crate) gossip: Gossip,
}

impl Node {
    /// Starts a node and waits until it can be reached through a relay; gives the address for
    /// direct connections.
    pub(crate) async fn start(relay: &str) -> Result<(Self, String), Failed> {
        let circuit = protocols::parse::<Multiaddr>(relay)?.with(Protocol::P2pCircuit);
        let key = Keypair::generate_ed25519();
        let mut swarm = swarm(&key)?;
        let failed = |error: libp2p::TransportError<_>| Failed(error.to_string());
        swarm.listen_on(circuit.clone().with(Protocol::WebRTC)).map_err(failed)?;
        let reserved = swarm.listen_on(circuit.clone()).map_err(failed)?;
        loop {
            match swarm.select_next_some().await {
                SwarmEvent::NewListenAddr { listener_id, .. } if listener_id == reserved => break,
                SwarmEvent::ListenerClosed { listener_id, reason, .. }
                    if listener_id == reserved =>
                {
                    return Err(Failed(format!("no place at the relay: {reason:?}")));
                }
                _ => {}
            }
        }
        let (commands, asked) = mpsc::unbounded();
        let node = Self {
            commands,
            direct: swarm.behaviour().direct.inner.new_control(),
            circuits: swarm.behaviour().circuits.inner.new_control(),
            known: Rc::default(),
            gossip: Gossip::default(),
        };
        node.serve()?;
        let own = *swarm.local_peer_id();
        spawn_local(run(swarm, asked, node.clone()));
        Ok((node, address::over(&circuit, own).to_string()))
    }

    /// Answers what others open.
    fn serve(&self) -> Result<(), Failed> {
        let mut incoming = SelectAll::new();
        for mut control in [self.direct.clone(), self.circuits.clone()] {
            for protocol in protocols::ANSWERED {
                let streams = control.accept(protocol.clone());
                let streams = streams.map_err(|error| Failed(error.to_string()))?;
                incoming.push(streams.map(move |(_, stream)| (protocol.clone(), stream)));
            }
        }
        let known = Rc::clone(&self.known);
        spawn_local(incoming.for_each(move |(protocol, stream)| {
            let known = Rc::clone(&known);
            spawn_local(async move {
                let told = protocols::answer(&protocol, stream).await;
                known.borrow_mut().happened.extend(told);
            });
            async {}
        }));
        Ok(())
    }

    /// Has the swarm do something and waits until it is done.
    pub(crate) async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, Failed> {
        let (reply, answer) = oneshot::channel();
        let gone = || Failed("the node has ended".to_owned());
        self.commands.unbounded_send(command(reply)).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())
    }

    /// Opens a stream on a connection of this kind.
    pub(crate) async fn open(
        &self,
        path: Path,
        peer: PeerId,
        protocol: StreamProtocol,
    ) -> Result<Stream, Failed> {
        let control = if path == Path::Direct { &self.direct } else { &self.circuits };
        let opened = control.clone().open_stream(peer, protocol).await;
        opened.map_err(|error| Failed(error.to_string()))
    }

    /// The connections to a peer, and of which kind each is.
    pub(crate) fn connections(&self, peer: PeerId) -> HashMap<ConnectionId, Path> {
        self.known.borrow().connections.get(&peer).cloned().unwrap_or_default()
    }

    /// What happened to streams that others opened.
    pub(crate) fn happened(&self) -> Vec<String> {
        self.known.borrow().happened.clone()
    }
}

fn swarm(key: &Keypair) -> Result<Swarm<Behaviour>, Failed> {
    let peer = key.public().to_peer_id();
    let (circuits, client) = relay::client::new(peer);
    let (direct, webrtc) = chats_webrtc::new(chats_webrtc::Config::default());
    let noise = noise::Config::new(key).map_err(|error| Failed(error.to_string()))?;
    let sockets = libp2p_websocket_websys::Transport::default();
    let sockets = sockets.map(|socket, _| socket::Socket::new(socket));
    let upgraded = OrTransport::new(circuits, sockets)
        .upgrade(Version::V1)
        .authenticate(noise)
        .multiplex(yamux::Config::default())
        .timeout(HANDSHAKE)
        .boxed();
    let direct = direct.map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)));
    let transport = OrTransport::new(direct, upgraded)
        .map(|made, _| match made {
            Either::Left(made) | Either::Right(made) => made,
        })
        .boxed();
    let behaviour = Behaviour {
        relay: client,
        identify: identify::Behaviour::new(identify::Config::new(
            "/interop/1".to_owned(),
            key.public(),
        )),
        ping: ping::Behaviour::default(),
        webrtc,
        direct: On::new(Path::Direct, libp2p_stream::Behaviour::new()),
        circuits: On::new(Path::Circuit, libp2p_stream::Behaviour::new()),
        gossip: On::new(Path::Direct, gossip::behaviour()?),
    };
    let config = swarm::Config::with_wasm_executor().with_idle_connection_timeout(IDLE);
    Ok(Swarm::new(transport, behaviour, peer, config))
}

type Dials = HashMap<ConnectionId, oneshot::Sender<Result<(), Failed>>>;

async fn run(mut swarm: Swarm<Behaviour>, asked: mpsc::UnboundedReceiver<Command>, node: Node) {
    let mut asked = asked.fuse();
    let mut dials = Dials::new();
    loop {
        select! {
            command = asked.select_next_some() => obey(&mut swarm, &mut dials, command),
            event = swarm.select_next_some() => note(&node, &mut dials, event),
        }
    }
}

fn obey(swarm: &mut Swarm<Behaviour>, dials: &mut Dials, command: Command) {
    match command {
        Command::Dial { address, reply } => {
            let options = match protocols::last_peer(&address) {
                Some(peer) => DialOpts::peer_id(peer).addresses(vec![address]),
                None => {
                    let _ = reply.send(Err(Failed(format!("{address} names no peer"))));
                    return;
                }
            };
            let options = options.condition(PeerCondition::Always).build();
            let connection = options.connection_id();
            match swarm.dial(options) {
                Ok(()) => drop(dials.insert(connection, reply)),
                Err(error) => drop(reply.send(Err(Failed(error.to_string())))),
            }
        }
        Command::HangUp { peer, reply } => {
            // An error says that there was none.
            let _ = swarm.disconnect_peer_id(peer);
            let _ = reply.send(());
        }
        Command::Publish { message, reply } => {
            let done = swarm.behaviour_mut().gossip.inner.publish(gossip::topic(), message);
            let _ = reply.send(done.map(drop).map_err(|error| Failed(error.to_string())));
        }
    }
}

fn note(node: &Node, dials: &mut Dials, event: SwarmEvent<BehaviourEvent>) {
    match event {
        SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
            let mut known = node.known.borrow_mut();
            let connections = known.connections.entry(peer_id).or_default();
            connections.insert(connection_id, Path::of_endpoint(&endpoint));
            if let Some(reply) = dials.remove(&connection_id) {
                let _ = reply.send(Ok(()));
            }
        }
        SwarmEvent::ConnectionClosed { peer_id, connection_id, .. } => {
            if let Some(connections) = node.known.borrow_mut().connections.get_mut(&peer_id) {
                connections.remove(&connection_id);
            }
        }
        SwarmEvent::OutgoingConnectionError { connection_id, error, .. } => {
            if let Some(reply) = dials.remove(&connection_id) {
                let _ = reply.send(Err(Failed(error.to_string())));
            }
        }
        SwarmEvent::Behaviour(BehaviourEvent::Gossip(event)) => {
            if let Some(answer) = node.gossip.note(event) {
                let (reply, _) = oneshot::channel();
                let command = Command::Publish { message: answer, reply };
                let _ = node.commands.unbounded_send(command);
            }
        }
        _ => {}
    }
}

//! Gossip on a link that nobody has proven.

use super::{DIALER, Device, LISTENER, RelayTask, memory, secret};
use crate::{
    behaviour::{HANDSHAKE, IDLE},
    identity,
    native::sockets,
    network::{Command, Event},
    noise::Noise,
    proof::{self, Heard, View},
    streams::{self, Happening},
};
use chats_core::id::{DeviceKey, DeviceSecret, GossipTopic};
use futures::{AsyncWriteExt, StreamExt, channel::oneshot};
use libp2p::{
    Multiaddr, PeerId, Stream, StreamProtocol, Swarm, Transport,
    core::{
        transport::{MemoryTransport, OrTransport},
        upgrade::Version,
    },
    multiaddr::Protocol,
    relay,
    swarm::{
        self, ConnectionId, NetworkBehaviour, SwarmEvent,
        dial_opts::{DialOpts, PeerCondition},
    },
    yamux,
};
use tokio::task::JoinHandle;

const TOPIC: GossipTopic = GossipTopic([8; 32]);
const MESHSUB: &str = "/meshsub/1.1.0";

#[derive(NetworkBehaviour)]
struct Behaviour {
    circuits: relay::client::Behaviour,
    streams: streams::Behaviour,
}

/// A device that passed, has a link, and does on it what it likes.
struct Mallory {
    swarm: Swarm<Behaviour>,
    secret: DeviceSecret,
    victim: PeerId,
}

impl Mallory {
    fn new(victim: DeviceKey) -> Self {
        let secret = secret();
        let key = identity::keypair(&secret).unwrap();
        let own = key.public().to_peer_id();
        let (circuits, client) = relay::client::new(own);
        let others = OrTransport::new(circuits, sockets());
        let transport = OrTransport::new(others, MemoryTransport::default())
            .upgrade(Version::V1)
            .authenticate(Noise::new(&key).unwrap())
            .multiplex(yamux::Config::default())
            .timeout(HANDSHAKE)
            .boxed();
        let streams = streams::Behaviour::new([]);
        let behaviour = Behaviour { circuits: client, streams };
        let config = swarm::Config::with_tokio_executor().with_idle_connection_timeout(IDLE);
        let swarm = Swarm::new(transport, behaviour, own, config);
        Self { swarm, secret, victim: identity::peer_id(victim).unwrap() }
    }

    async fn dial(&mut self, addr: Multiaddr) -> ConnectionId {
        let options = DialOpts::peer_id(self.victim)
            .addresses(vec![addr])
            .condition(PeerCondition::Always)
            .build();
        let wanted = options.connection_id();
        self.swarm.dial(options).unwrap();
        loop {
            match self.swarm.select_next_some().await {
                SwarmEvent::ConnectionEstablished { connection_id, .. }
                    if connection_id == wanted =>
                {
                    return wanted;
                }
                SwarmEvent::OutgoingConnectionError { error, .. } => panic!("{error}"),
                _ => {}
            }
        }
    }

    async fn open(&mut self, connection: ConnectionId, protocol: &'static str) -> Stream {
        let victim = self.victim;
        let streams = &mut self.swarm.behaviour_mut().streams;
        streams.open(victim, connection, StreamProtocol::new(protocol));
        loop {
            let event = self.swarm.select_next_some().await;
            if let SwarmEvent::Behaviour(BehaviourEvent::Streams(streams::Event { what, .. })) =
                event
            {
                match what {
                    Happening::Opened(_, stream) => return stream,
                    other => panic!("{protocol}: {other:?}"),
                }
            }
        }
    }

    /// Goes on until it is told something, or that it never will be.
    async fn wait(&mut self, mut told: oneshot::Receiver<()>) -> bool {
        loop {
            tokio::select! {
                told = &mut told => return told.is_ok(),
                _ = self.swarm.select_next_some() => {}
            }
        }
    }

    /// Comes by a circuit. Once it was let pass, subscribes to the victim's topic and publishes a
    /// frame on a link that is not proven. Proves it when told to, and stays.
    async fn gossip(
        mut self,
        relay: Multiaddr,
        passed: oneshot::Receiver<()>,
        prove: oneshot::Receiver<()>,
    ) {
        let circuit = relay.with(Protocol::P2pCircuit).with(Protocol::P2p(self.victim));
        self.dial(circuit).await;
        assert!(self.wait(passed).await);
        let link = self.dial(memory(self.victim)).await;
        let mut stream = self.open(link, MESHSUB).await;
        stream.write_all(&published(b"psst")).await.unwrap();
        stream.flush().await.unwrap();
        if self.wait(prove).await {
            let proof = self.open(link, proof::PROTOCOL).await;
            let view = View {
                theirs: identity::device(self.victim).unwrap(),
                own_certificate: DIALER,
                their_certificate: LISTENER,
                dialer: true,
            };
            let secret = self.secret.clone();
            let mut proving = Box::pin(async move {
                match proof::begin(proof, secret.clone(), view).await? {
                    Heard::Asked(stream) => proof::settle(stream, secret, view).await,
                    Heard::Settled => Ok(()),
                }
            });
            loop {
                tokio::select! {
                    result = &mut proving => break result.unwrap(),
                    _ = self.swarm.select_next_some() => {}
                }
            }
        }
        loop {
            self.swarm.select_next_some().await;
        }
    }
}

/// An RPC of gossipsub that subscribes to [`TOPIC`] and publishes one frame there.
fn published(frame: &[u8]) -> Vec<u8> {
    /// A field of protobuf that holds bytes.
    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, u8::try_from(bytes.len()).unwrap()], bytes].concat()
    }
    let topic = blake3::Hash::from_bytes(TOPIC.0).to_hex();
    let subscription = [vec![1 << 3, 1], field(2, topic.as_bytes())].concat();
    let message = [field(2, frame), field(4, topic.as_bytes())].concat();
    let rpc = [field(1, &subscription), field(2, &message)].concat();
    let length = u16::try_from(rpc.len()).unwrap();
    // A length beyond 127 takes two bytes.
    let prefix = [u8::try_from(length % 128).unwrap() | 128, u8::try_from(length / 128).unwrap()];
    [&prefix, rpc.as_slice()].concat()
}

/// A device in front of Mallory, whom it let pass, and who has a link to it and gossips.
async fn begin(relay: &RelayTask) -> (Device, DeviceKey, oneshot::Sender<()>, JoinHandle<()>) {
    let mut device = Device::start(vec![relay.addr.clone()], false);
    device.relays_connected(1).await;
    device.tell(Command::Subscribe(TOPIC));
    let mallory = Mallory::new(device.key);
    let key = mallory.secret.device();
    let ((pass, passed), (prove, told)) = (oneshot::channel(), oneshot::channel());
    let task = tokio::spawn(mallory.gossip(relay.addr.clone(), passed, told));
    device.connected(key).await;
    device.tell(Command::Pass(key));
    pass.send(()).unwrap();
    (device, key, prove, task)
}

#[tokio::test]
async fn gossip_from_a_link_that_is_not_proven_is_not_heard() {
    let relay = RelayTask::start().await;
    let (mut device, mallory, _prove, task) = begin(&relay).await;
    let failed = device
        .until("the link is given up", |event| match event {
            Event::Gossip { .. } | Event::GossipReaches(_) => panic!("heard: {event:?}"),
            Event::LinkFailed { device, attack, .. } if *device == mallory => Some(*attack),
            _ => None,
        })
        .await;
    assert!(!failed, "nobody lied");
    task.abort();
}

#[tokio::test]
async fn what_was_said_before_the_proof_is_heard_after_it() {
    let relay = RelayTask::start().await;
    let (mut device, mallory, prove, task) = begin(&relay).await;
    prove.send(()).unwrap();
    device
        .until("the proof", |event| match event {
            Event::Gossip { .. } | Event::GossipReaches(_) => panic!("heard: {event:?}"),
            Event::Linked(device) if *device == mallory => Some(()),
            _ => None,
        })
        .await;
    let frame = device
        .until("gossip", |event| match event {
            Event::Gossip { source, frame, .. } if *source == mallory => Some(frame.clone()),
            _ => None,
        })
        .await;
    assert_eq!(frame, b"psst");
    task.abort();
}

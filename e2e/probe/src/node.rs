//! A libp2p peer that opens what it likes and hears everything.

use crate::ledger::{self, Seen, say};
use anyhow::{Context, Result, anyhow, bail};
use chats_core::{
    channel::Channel,
    id::{DeviceKey, DeviceSecret, MeetTag},
    wire,
};
use chats_net::{frame, identity, meet};
use futures::{
    AsyncRead, AsyncReadExt, AsyncWriteExt, SinkExt, StreamExt, channel::mpsc, io::WriteHalf,
    stream::SelectAll,
};
use libp2p::{
    Multiaddr, PeerId, Stream, StreamProtocol, Swarm, Transport,
    core::{transport::OrTransport, upgrade::Version},
    identify,
    multiaddr::Protocol,
    noise, ping, relay,
    swarm::{
        NetworkBehaviour, SwarmEvent,
        dial_opts::{DialOpts, PeerCondition},
    },
    tcp, yamux,
};
use libp2p_stream::{Control, OpenStreamError};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use tokio::time::timeout;

/// How long anything may take that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);
/// News that may wait; with more the probe gives up, as it does not listen.
const QUEUE: usize = 16_384;

/// Protocols taken from others: all that this program's devices have or may get, and what other
/// libp2p programs commonly speak.
pub(crate) const PROTOCOLS: [&str; 20] = [
    "/chats/hello/1",
    "/chats/meeting/1",
    "/chats/meet/1",
    "/chats/link/1",
    "/chats/turn/1",
    "/chats/sync/1",
    "/chats/knock/1",
    "/chats/presence/1",
    "/webrtc-signaling/0.0.1",
    "/meshsub/1.3.0",
    "/meshsub/1.2.0",
    "/meshsub/1.1.0",
    "/meshsub/1.0.0",
    "/floodsub/1.0.0",
    "/ipfs/kad/1.0.0",
    "/libp2p/dcutr",
    "/libp2p/autonat/1.0.0",
    "/libp2p/circuit/relay/0.2.0/hop",
    "/libp2p/circuit/relay/0.2.0/stop",
    "/ipfs/id/push/1.0.0",
];

#[derive(NetworkBehaviour)]
struct Behaviour {
    relay: relay::client::Behaviour,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    streams: libp2p_stream::Behaviour,
}

enum Order {
    Dial(PeerId),
    HangUp(PeerId),
}

/// What happened.
#[derive(Debug)]
pub(crate) enum News {
    /// These were under the tag before us.
    Present(Vec<DeviceKey>),
    /// This one came after us.
    Arrived(DeviceKey),
    /// It went.
    Left(DeviceKey),
    /// A connection stands; whether it was our doing.
    Connected(DeviceKey, bool),
    /// The last connection is gone.
    Gone(DeviceKey),
    DialFailed(DeviceKey, String),
    Protocols(DeviceKey, Vec<String>),
    /// A frame on a channel that the device opened.
    Frame(DeviceKey, Channel, Vec<u8>),
    /// Bytes on anything else, or against the direction of a channel.
    Bytes(DeviceKey, String, usize),
}

/// The peer, and what it has heard.
pub(crate) struct Node {
    pub(crate) secret: DeviceSecret,
    pub(crate) seen: BTreeMap<DeviceKey, Seen>,
    /// Those under the tag now.
    pub(crate) listed: BTreeSet<DeviceKey>,
    control: Control,
    orders: mpsc::Sender<Order>,
    news: mpsc::Receiver<News>,
    to_news: mpsc::Sender<News>,
}

impl Node {
    /// Connects to the relay and enters the tag; on return those who are there are listed.
    pub(crate) async fn start(secret: DeviceSecret, relay: &str, tag: MeetTag) -> Result<Self> {
        let relay: Multiaddr = relay.parse()?;
        let (dial, relay_peer) = identity::split_peer(&relay).context("a relay without peer id")?;
        let mut swarm = swarm(&secret)?;
        let mut control = swarm.behaviour().streams.new_control();
        let mut inbound = SelectAll::new();
        for protocol in PROTOCOLS {
            let streams = control.accept(StreamProtocol::new(protocol))?;
            inbound.push(streams.map(move |(peer, stream)| (peer, protocol, stream)));
        }
        let options = DialOpts::peer_id(relay_peer).addresses(vec![dial]);
        swarm.dial(options.build())?;
        let circuit = relay.clone().with(Protocol::P2pCircuit);
        let reserved = async {
            loop {
                match swarm.select_next_some().await {
                    SwarmEvent::ConnectionEstablished { .. } => {
                        swarm.listen_on(circuit.clone())?;
                    }
                    SwarmEvent::OutgoingConnectionError { error, .. } => bail!("{error}"),
                    SwarmEvent::Behaviour(BehaviourEvent::Relay(
                        relay::client::Event::ReservationReqAccepted { .. },
                    )) => return Ok(()),
                    _ => {}
                }
            }
        };
        timeout(PATIENCE, reserved).await.context("the relay makes no reservation")??;
        let (orders, taken) = mpsc::channel(64);
        let (to_news, news) = mpsc::channel(QUEUE);
        tokio::spawn(drive(swarm, relay, taken, inbound, to_news.clone()));
        let mut meeting =
            control.open_stream(relay_peer, StreamProtocol::new(meet::PROTOCOL)).await?;
        let enter = wire::encode(&meet::Request::Enter(tag));
        frame::write(&mut meeting, &enter, meet::MAX_FRAME).await?;
        tokio::spawn(read_meeting(meeting, to_news.clone()));
        let (seen, listed) = (BTreeMap::new(), BTreeSet::new());
        let mut node = Self { secret, seen, listed, control, orders, news, to_news };
        node.until("an answer under the tag", PATIENCE, |news| {
            matches!(news, News::Present(_)).then_some(())
        })
        .await?;
        Ok(node)
    }

    /// The next thing that happens, once it is written down.
    pub(crate) async fn next(&mut self) -> Result<News> {
        let news = self.news.next().await.context("the probe's network ended")?;
        self.note(&news);
        Ok(news)
    }

    fn note(&mut self, news: &News) {
        let name = |device: &DeviceKey| device.to_string();
        match news {
            News::Present(devices) => {
                self.listed.extend(devices);
                say(
                    json!({ "event": "present", "devices": devices.iter().map(name).collect::<Vec<_>>() }),
                );
            }
            News::Arrived(device) => {
                self.listed.insert(*device);
                self.seen.entry(*device).or_default().newcomer = true;
                say(json!({ "event": "arrived", "device": name(device) }));
            }
            News::Left(device) => {
                self.listed.remove(device);
            }
            News::Connected(device, true) => self.seen.entry(*device).or_default().dialled += 1,
            News::Connected(device, false) => {
                self.seen.entry(*device).or_default().dialled_us += 1;
                say(json!({ "event": "dialled", "device": name(device) }));
            }
            News::Protocols(device, protocols) => {
                self.seen.entry(*device).or_default().protocols.extend(protocols.iter().cloned());
            }
            News::Frame(device, Channel::Hello, frame) => {
                let kind = ledger::kind(frame);
                say(json!({ "event": "hello", "device": name(device), "kind": kind }));
                *self.seen.entry(*device).or_default().hello.entry(kind).or_default() += 1;
            }
            News::Frame(device, channel, frame) => {
                self.count(*device, channel.protocol(), frame.len());
            }
            News::Bytes(device, protocol, bytes) => self.count(*device, protocol, *bytes),
            News::DialFailed(device, reason) => {
                say(json!({ "event": "dialFailed", "device": name(device), "reason": reason }));
            }
            News::Gone(_) => {}
        }
    }

    fn count(&mut self, device: DeviceKey, protocol: &str, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        *self.seen.entry(device).or_default().bytes.entry(protocol.to_owned()).or_default() +=
            bytes;
    }

    /// What `pick` finds in the news to come; an error if that takes longer than `patience`.
    pub(crate) async fn until<T>(
        &mut self,
        what: &str,
        patience: Duration,
        mut pick: impl FnMut(&News) -> Option<T>,
    ) -> Result<T> {
        let found = async {
            loop {
                if let Some(found) = pick(&self.next().await?) {
                    return Ok(found);
                }
            }
        };
        timeout(patience, found).await.map_err(|_| anyhow!("not within {patience:?}: {what}"))?
    }

    /// Hears what there is to hear for so long.
    pub(crate) async fn listen(&mut self, time: Duration) -> Result<()> {
        let nothing = self.until("", time, |_| None::<()>).await;
        if self.orders.is_closed() {
            bail!("the probe's network ended");
        }
        drop(nothing);
        Ok(())
    }

    /// Connects to a device through the relay.
    pub(crate) async fn dial(&mut self, device: DeviceKey) -> Result<()> {
        self.orders.send(Order::Dial(peer(device)?)).await?;
        let answer = self.until("a dial's answer", PATIENCE, |news| match news {
            News::Connected(other, true) if *other == device => Some(Ok(())),
            News::DialFailed(other, reason) if *other == device => Some(Err(anyhow!("{reason}"))),
            _ => None,
        });
        answer.await?
    }

    /// Ends all connections to a device and waits for it.
    pub(crate) async fn hang_up(&mut self, device: DeviceKey) -> Result<()> {
        self.orders.send(Order::HangUp(peer(device)?)).await?;
        self.gone(device).await
    }

    /// Waits until no connection to a device is left.
    pub(crate) async fn gone(&mut self, device: DeviceKey) -> Result<()> {
        self.until("the end of a connection", PATIENCE, |news| {
            matches!(news, News::Gone(other) if *other == device).then_some(())
        })
        .await
    }

    /// Opens a stream; whatever comes back on it is counted.
    pub(crate) async fn open(
        &mut self,
        device: DeviceKey,
        protocol: &str,
    ) -> Result<WriteHalf<Stream>, OpenStreamError> {
        let bad = |_| OpenStreamError::Io(std::io::ErrorKind::InvalidInput.into());
        let name = StreamProtocol::try_from_owned(protocol.to_owned()).map_err(bad)?;
        let peer =
            peer(device).map_err(|_| OpenStreamError::Io(std::io::ErrorKind::NotFound.into()))?;
        let open = self.control.open_stream(peer, name);
        let late = |_| OpenStreamError::Io(std::io::ErrorKind::TimedOut.into());
        let (reader, writer) = timeout(PATIENCE, open).await.map_err(late)??.split();
        tokio::spawn(read_bytes(device, protocol.to_owned(), reader, self.to_news.clone()));
        Ok(writer)
    }

    /// A round trip by libp2p's ping on the same connection: what was written before has arrived.
    pub(crate) async fn round_trip(&mut self, device: DeviceKey) -> Result<()> {
        let trip = async {
            let open = self.control.open_stream(peer(device)?, ping::PROTOCOL_NAME);
            let mut stream = open.await?;
            stream.write_all(&[7; 32]).await?;
            stream.flush().await?;
            let mut answer = [0; 32];
            stream.read_exact(&mut answer).await?;
            Ok(())
        };
        timeout(PATIENCE, trip).await.context("no answer to a ping")?
    }
}

fn peer(device: DeviceKey) -> Result<PeerId> {
    identity::peer_id(device).context("a device that libp2p refuses")
}

fn swarm(secret: &DeviceSecret) -> Result<Swarm<Behaviour>> {
    let key = identity::keypair(secret).context("a key that libp2p refuses")?;
    let own = key.public().to_peer_id();
    let (circuits, client) = relay::client::new(own);
    let tcp = || tcp::tokio::Transport::new(tcp::Config::default().nodelay(true));
    let sockets = OrTransport::new(libp2p_websocket::Config::new(tcp()), tcp());
    let transport = OrTransport::new(circuits, sockets)
        .upgrade(Version::V1)
        .authenticate(noise::Config::new(&key)?)
        .multiplex(yamux::Config::default())
        .timeout(PATIENCE)
        .boxed();
    let behaviour = Behaviour {
        relay: client,
        identify: identify::Behaviour::new(identify::Config::new(
            "/chats/1".to_owned(),
            key.public(),
        )),
        // It answers; its own pings would only get in the way of `round_trip`.
        ping: ping::Behaviour::new(ping::Config::new().with_interval(Duration::from_secs(3600))),
        streams: libp2p_stream::Behaviour::new(),
    };
    let config = libp2p::swarm::Config::with_tokio_executor()
        .with_idle_connection_timeout(Duration::from_secs(600));
    Ok(Swarm::new(transport, behaviour, own, config))
}

/// Runs the swarm until the node is dropped.
async fn drive(
    mut swarm: Swarm<Behaviour>,
    relay: Multiaddr,
    mut orders: mpsc::Receiver<Order>,
    mut inbound: SelectAll<impl futures::Stream<Item = (PeerId, &'static str, Stream)> + Unpin>,
    mut news: mpsc::Sender<News>,
) {
    let relay_peer = identity::split_peer(&relay).map(|(_, peer)| peer);
    loop {
        let told = tokio::select! {
            order = orders.next() => match order {
                None => return,
                Some(Order::HangUp(peer)) => {
                    // An error says that there was no connection.
                    let connected = swarm.disconnect_peer_id(peer).is_ok();
                    identity::device(peer).filter(|_| !connected).map(News::Gone)
                }
                Some(Order::Dial(peer)) => {
                    let address = relay.clone().with(Protocol::P2pCircuit).with(Protocol::P2p(peer));
                    let options = DialOpts::peer_id(peer).addresses(vec![address]);
                    let dialled = swarm.dial(options.condition(PeerCondition::Always).build());
                    match (dialled, identity::device(peer)) {
                        (Err(error), Some(device)) => Some(News::DialFailed(device, error.to_string())),
                        _ => None,
                    }
                }
            },
            Some((peer, protocol, stream)) = inbound.next() => {
                if let Some(device) = identity::device(peer) {
                    let channel = Channel::ALL.into_iter().find(|c| c.protocol() == protocol);
                    match channel {
                        Some(channel) => drop(tokio::spawn(read_frames(device, channel, stream, news.clone()))),
                        None => {
                            let name = protocol.to_owned();
                            drop(tokio::spawn(read_bytes(device, name, stream, news.clone())));
                        }
                    }
                }
                None
            }
            event = swarm.select_next_some() => told(event).filter(|(peer, _)| Some(*peer) != relay_peer).map(|(_, news)| news),
        };
        if let Some(told) = told
            && news.try_send(told).is_err()
        {
            return;
        }
    }
}

fn told(event: SwarmEvent<BehaviourEvent>) -> Option<(PeerId, News)> {
    match event {
        SwarmEvent::ConnectionEstablished { peer_id, endpoint, .. } if endpoint.is_relayed() => {
            Some((peer_id, News::Connected(identity::device(peer_id)?, endpoint.is_dialer())))
        }
        SwarmEvent::ConnectionClosed { peer_id, num_established: 0, .. } => {
            Some((peer_id, News::Gone(identity::device(peer_id)?)))
        }
        SwarmEvent::OutgoingConnectionError { peer_id: Some(peer), error, .. } => {
            let mut cause: &dyn std::error::Error = &error;
            while let Some(source) = cause.source() {
                cause = source;
            }
            Some((peer, News::DialFailed(identity::device(peer)?, cause.to_string())))
        }
        SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Received {
            peer_id,
            info,
            ..
        })) => {
            let protocols = info.protocols.iter().map(ToString::to_string).collect();
            Some((peer_id, News::Protocols(identity::device(peer_id)?, protocols)))
        }
        _ => None,
    }
}

async fn read_meeting(mut stream: Stream, mut news: mpsc::Sender<News>) {
    while let Ok(Some(bytes)) = frame::read(&mut stream, meet::MAX_FRAME).await {
        let told = match wire::decode::<meet::Reply>("reply", &bytes) {
            Ok(meet::Reply::Present(_, devices)) => News::Present(devices),
            Ok(meet::Reply::Arrived(_, device)) => News::Arrived(device),
            Ok(meet::Reply::Left(_, device)) => News::Left(device),
            _ => return,
        };
        if news.send(told).await.is_err() {
            return;
        }
    }
}

async fn read_frames(
    device: DeviceKey,
    channel: Channel,
    mut stream: Stream,
    mut news: mpsc::Sender<News>,
) {
    while let Ok(Some(frame)) = frame::read(&mut stream, channel.max_frame()).await {
        if news.send(News::Frame(device, channel, frame)).await.is_err() {
            return;
        }
    }
}

async fn read_bytes(
    device: DeviceKey,
    protocol: String,
    mut stream: impl AsyncRead + Unpin,
    mut news: mpsc::Sender<News>,
) {
    let mut bytes = vec![0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut bytes).await {
        if news.send(News::Bytes(device, protocol.clone(), count)).await.is_err() {
            return;
        }
    }
}

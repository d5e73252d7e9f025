//! Connections on which one side opens streams without end.

use super::{Device, PATIENCE, RelayTask, links::pair};
use crate::{
    behaviour::{HANDSHAKE, IDLE, MAX_STREAMS},
    identity, meet,
    native::sockets,
    network::{Command, Event},
    noise::Noise,
};
use chats_core::channel::Channel;
use futures::{AsyncRead, AsyncWrite, StreamExt, future};
use libp2p::{
    Multiaddr, PeerId, Swarm, Transport,
    core::{
        muxing::{StreamMuxer, StreamMuxerBox, StreamMuxerEvent},
        transport::{Boxed, OrTransport},
        upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade, UpgradeInfo, Version},
    },
    identity::Keypair,
    multiaddr::Protocol,
    relay,
    swarm::{self, SwarmEvent},
    yamux,
};
use std::{
    io,
    iter::{Once, once},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
};
use tokio::{
    sync::{Notify, oneshot},
    time::timeout,
};

const STREAMS: u32 = 10_000;
const HOP: &str = "/libp2p/circuit/relay/0.2.0/hop";
const PING: &str = "/ipfs/ping/1.0.0";

/// A multiplexer that opens [`STREAMS`] streams on its connection and asks on each for a protocol,
/// or for none. It ends none of them, whatever the other side says.
#[derive(Clone)]
struct Flood {
    protocol: Option<&'static str>,
    opened: Arc<AtomicUsize>,
    /// Of these, those that the other side has ended.
    ended: Arc<AtomicUsize>,
    changed: Arc<Notify>,
}

struct Flooding<S> {
    socket: S,
    flood: Flood,
    next: u32,
    unsent: Vec<u8>,
    unread: Vec<u8>,
}

impl Flood {
    fn of(protocol: Option<&'static str>) -> Self {
        let (opened, ended, changed) = Default::default();
        Self { protocol, opened, ended, changed }
    }

    /// Whether all were opened, and no more are left than one may have.
    fn is_refused(&self) -> bool {
        let opened = self.opened.load(Ordering::Relaxed);
        opened == STREAMS as usize && opened - self.ended.load(Ordering::Relaxed) <= MAX_STREAMS
    }

    fn count(&self, what: &AtomicUsize) {
        what.fetch_add(1, Ordering::Relaxed);
        self.changed.notify_one();
    }

    fn begin<S>(self, socket: S) -> future::Ready<io::Result<Flooding<S>>> {
        let flooding =
            Flooding { socket, flood: self, next: 0, unsent: Vec::new(), unread: Vec::new() };
        future::ready(Ok(flooding))
    }
}

impl UpgradeInfo for Flood {
    type Info = &'static str;
    type InfoIter = Once<&'static str>;

    fn protocol_info(&self) -> Self::InfoIter {
        once("/yamux/1.0.0")
    }
}

impl<S> OutboundConnectionUpgrade<S> for Flood {
    type Output = Flooding<S>;
    type Error = io::Error;
    type Future = future::Ready<io::Result<Flooding<S>>>;

    fn upgrade_outbound(self, socket: S, _: &'static str) -> Self::Future {
        self.begin(socket)
    }
}

impl<S> InboundConnectionUpgrade<S> for Flood {
    type Output = Flooding<S>;
    type Error = io::Error;
    type Future = future::Ready<io::Result<Flooding<S>>>;

    fn upgrade_inbound(self, socket: S, _: &'static str) -> Self::Future {
        self.begin(socket)
    }
}

/// A frame of yamux that opens a stream, and says what multistream wants to hear on it.
fn opening(number: u32, protocol: Option<&str>) -> Vec<u8> {
    let line =
        |text: &str| [&[u8::try_from(text.len() + 1).unwrap()], text.as_bytes(), b"\n"].concat();
    let said = protocol.map(|one| [line("/multistream/1.0.0"), line(one)].concat());
    let said = said.unwrap_or_default();
    let length = u32::try_from(said.len()).unwrap();
    // Version, data, SYN.
    let mut frame = vec![0, 0, 0, 1];
    frame.extend((2 * number + 1).to_be_bytes());
    frame.extend(length.to_be_bytes());
    frame.extend(said);
    frame
}

impl<S: AsyncRead + AsyncWrite + Unpin> Flooding<S> {
    fn send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.unsent.is_empty() {
                if self.next == STREAMS {
                    return Pin::new(&mut self.socket).poll_flush(cx);
                }
                self.unsent = opening(self.next, self.flood.protocol);
                self.next += 1;
                self.flood.count(&self.flood.opened);
            }
            let sent = ready!(Pin::new(&mut self.socket).poll_write(cx, &self.unsent))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.unsent.drain(..sent);
        }
    }

    /// Reads until there is no more, and counts the own streams that are reset.
    fn read(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let mut bytes = [0; 4096];
        loop {
            match ready!(Pin::new(&mut self.socket).poll_read(cx, &mut bytes)) {
                Ok(0) => return Poll::Ready(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.unread.extend(&bytes[..count]),
                Err(error) => return Poll::Ready(error),
            }
            while let Some(header) = self.unread.first_chunk::<12>() {
                let [_, kind, _, flags, _, _, _, id, ..] = *header;
                let length = u32::from_be_bytes(*header.last_chunk().unwrap()) as usize;
                let frame = if kind == 0 { 12 + length } else { 12 };
                if self.unread.len() < frame {
                    break;
                }
                self.unread.drain(..frame);
                // RST, of a stream of ours.
                if flags & 8 != 0 && id % 2 == 1 {
                    self.flood.count(&self.flood.ended);
                }
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> StreamMuxer for Flooding<S> {
    type Substream = futures::io::Cursor<Vec<u8>>;
    type Error = io::Error;

    fn poll_inbound(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<io::Result<Self::Substream>> {
        Poll::Pending
    }

    fn poll_outbound(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<io::Result<Self::Substream>> {
        Poll::Pending
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<StreamMuxerEvent>> {
        if let Poll::Ready(error) = self.read(cx) {
            return Poll::Ready(Err(error));
        }
        match self.send(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
        }
    }
}

/// Who floods.
struct Flooder {
    swarm: Swarm<relay::client::Behaviour>,
    flood: Flood,
}

impl Flooder {
    /// Floods relays, or else those to whom it has a circuit.
    fn new(flood: Flood, relays: bool) -> Self {
        let key = Keypair::generate_ed25519();
        let own = key.public().to_peer_id();
        let (circuits, client) = relay::client::new(own);
        let sockets = sockets().upgrade(Version::V1).authenticate(Noise::new(&key).unwrap());
        let sockets: Boxed<(PeerId, StreamMuxerBox)> = if relays {
            sockets.multiplex(flood.clone()).timeout(HANDSHAKE).boxed()
        } else {
            sockets.multiplex(yamux::Config::default()).timeout(HANDSHAKE).boxed()
        };
        let circuits = circuits.upgrade(Version::V1).authenticate(Noise::new(&key).unwrap());
        let circuits = circuits.multiplex(flood.clone()).timeout(HANDSHAKE).boxed();
        let transport =
            OrTransport::new(circuits, sockets).map(|either, _| either.into_inner()).boxed();
        let config = swarm::Config::with_tokio_executor().with_idle_connection_timeout(IDLE);
        Self { swarm: Swarm::new(transport, client, own, config), flood }
    }

    /// Connects to `addr` and floods until it is cut off, which is true, or until all but a few of
    /// its streams were refused. Tells when it begins.
    async fn run(mut self, addr: Multiaddr, begun: oneshot::Sender<()>) -> bool {
        let (_, victim) = identity::split_peer(&addr).unwrap();
        self.swarm.dial(addr).unwrap();
        let mut begun = Some(begun);
        loop {
            tokio::select! {
                () = self.flood.changed.notified() => {
                    if self.flood.is_refused() {
                        return false;
                    }
                }
                event = self.swarm.select_next_some() => match event {
                    SwarmEvent::ConnectionEstablished { peer_id, .. } if peer_id == victim => {
                        begun.take().unwrap().send(()).unwrap();
                    }
                    SwarmEvent::ConnectionClosed { peer_id, .. } if peer_id == victim => return true,
                    SwarmEvent::OutgoingConnectionError { error, .. } => panic!("{error}"),
                    _ => {}
                }
            }
        }
    }
}

/// Two connect through the relay and hear each other, whoever else comes and goes.
async fn speak(one: &mut Device, other: &mut Device) {
    one.tell(Command::Dial(other.key));
    one.connected(other.key).await;
    other.connected(one.key).await;
    says(one, other).await;
    says(other, one).await;
}

async fn says(from: &mut Device, to: &mut Device) {
    let (frame, channel) = (b"here".to_vec(), Channel::Hello);
    from.tell(Command::Send { to: to.key, channel, frame });
    let whose = from.key;
    to.until("a frame", |event| match event {
        Event::Received { from, .. } => (*from == whose).then_some(()),
        _ => None,
    })
    .await;
}

/// Floods the relay itself, or somebody to whom it has a circuit, until that is cut off, which is
/// true, or refused. Others hear each other through the relay meanwhile and afterwards.
async fn flood(protocol: Option<&'static str>, at_relay: bool) -> bool {
    let relay = RelayTask::start().await;
    let (mut one, mut other) = pair(&relay).await;
    let addr = if at_relay {
        relay.addr.clone()
    } else {
        let victim = Protocol::P2p(identity::peer_id(one.key).unwrap());
        relay.addr.clone().with(Protocol::P2pCircuit).with(victim)
    };
    let (begin, begun) = oneshot::channel();
    let flooder = Flooder::new(Flood::of(protocol), at_relay);
    let flooding = tokio::spawn(flooder.run(addr, begin));
    timeout(PATIENCE, begun).await.unwrap().unwrap();
    speak(&mut one, &mut other).await;
    let ended = timeout(PATIENCE, flooding).await;
    let cut_off = ended.expect("the flood comes to nothing").unwrap();
    let (mut next, _) = pair(&relay).await;
    speak(&mut next, &mut one).await;
    cut_off
}

#[tokio::test]
async fn a_flood_of_streams_that_ask_for_nothing_is_cut_off() {
    assert!(flood(None, true).await, "by a relay");
    assert!(flood(None, false).await, "by a device");
}

#[tokio::test]
async fn a_flood_of_streams_of_a_protocol_is_cut_off_or_refused_by_a_relay() {
    for protocol in [HOP, PING, meet::PROTOCOL] {
        flood(Some(protocol), true).await;
    }
}

#[tokio::test]
async fn a_flood_of_streams_of_a_protocol_is_cut_off_or_refused_by_a_device() {
    for protocol in [PING, Channel::Hello.protocol(), Channel::Sync.protocol()] {
        flood(Some(protocol), false).await;
    }
}

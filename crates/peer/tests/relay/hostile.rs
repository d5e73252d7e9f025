//! A libp2p peer that does as it likes: raw streams, and silence on demand.

use crate::process::PATIENCE;
use chats_core::id::{DeviceKey, DeviceSecret};
use chats_net::{Multiaddr, PeerId, identity};
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, StreamExt, channel::oneshot};
use libp2p::{
    Stream, StreamProtocol, Swarm, Transport, core::upgrade::Version, identity::Keypair,
    multiaddr::Protocol, noise, ping, swarm::NetworkBehaviour, swarm::SwarmEvent, tcp, yamux,
};
use libp2p_websocket as websocket;
use std::time::Duration;
use tokio::{task::JoinHandle, time::timeout};

#[derive(NetworkBehaviour)]
pub struct Behaviour {
    streams: libp2p_stream::Behaviour,
    ping: ping::Behaviour,
}

pub struct Hostile {
    pub key: DeviceKey,
    pub peer: PeerId,
    control: libp2p_stream::Control,
    /// Ends when the connection does.
    task: JoinHandle<()>,
    silence: oneshot::Sender<()>,
}

impl Hostile {
    /// Connects to `addr`, which names a peer.
    pub async fn connect(addr: &Multiaddr) -> Self {
        Self::connect_by(addr, Keypair::generate_ed25519(), tcp::tokio::Transport::default()).await
    }

    /// Connects as this device.
    pub async fn connect_as(addr: &Multiaddr, secret: &DeviceSecret) -> Self {
        let key = identity::keypair(secret).unwrap();
        Self::connect_by(addr, key, tcp::tokio::Transport::default()).await
    }

    /// Connects over `wss` if the other end shows this certificate, or one that it signed.
    pub async fn connect_tls(addr: &Multiaddr, trusted: &[u8]) -> Self {
        let mut tls = websocket::tls::Config::builder();
        tls.add_trust(&websocket::tls::Certificate::new(trusted.to_vec())).unwrap();
        let mut transport = websocket::Config::new(tcp::tokio::Transport::default());
        transport.set_tls_config(tls.finish());
        Self::connect_by(addr, Keypair::generate_ed25519(), transport).await
    }

    async fn connect_by<T>(addr: &Multiaddr, key: Keypair, transport: T) -> Self
    where
        T: Transport<Dial: Send, ListenerUpgrade: Send, Error: Send + Sync>,
        T: Send + Unpin + 'static,
        T::Output: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let own = key.public().to_peer_id();
        let transport = transport
            .upgrade(Version::V1)
            .authenticate(noise::Config::new(&key).unwrap())
            .multiplex(yamux::Config::default())
            .boxed();
        let behaviour = Behaviour {
            streams: libp2p_stream::Behaviour::new(),
            ping: ping::Behaviour::default(),
        };
        let control = behaviour.streams.new_control();
        // Without an executor, connections live only while this swarm is polled.
        let config = libp2p::swarm::Config::without_executor()
            .with_idle_connection_timeout(Duration::from_secs(600));
        let mut swarm = Swarm::new(transport, behaviour, own, config);
        let Some(Protocol::P2p(peer)) = addr.iter().last() else { panic!("{addr} has no peer") };
        swarm.dial(addr.clone()).unwrap();
        let (connected, on_connected) = oneshot::channel();
        let (silence, mut on_silence) = oneshot::channel();
        let task = tokio::spawn(async move {
            let mut connected = Some(connected);
            loop {
                let event = tokio::select! {
                    event = swarm.select_next_some() => event,
                    // The swarm and its socket stay as they are.
                    _ = &mut on_silence => return std::future::pending().await,
                };
                match event {
                    SwarmEvent::ConnectionEstablished { .. } => {
                        connected.take().unwrap().send(()).unwrap();
                    }
                    SwarmEvent::ConnectionClosed { .. }
                    | SwarmEvent::OutgoingConnectionError { .. } => return,
                    _ => {}
                }
            }
        });
        timeout(PATIENCE, on_connected).await.unwrap().unwrap();
        Self { key: identity::device(own).unwrap(), peer, control, task, silence }
    }

    pub async fn open(&mut self, protocol: &'static str) -> Stream {
        self.try_open(protocol).await.expect("the stream opens")
    }

    /// Whether the stream could be opened: the other side may close the connection meanwhile.
    pub async fn try_open(&mut self, protocol: &'static str) -> Option<Stream> {
        let open = self.control.open_stream(self.peer, StreamProtocol::new(protocol));
        timeout(PATIENCE, open).await.unwrap().ok()
    }

    /// Opens a stream and writes these bytes as they are.
    pub async fn write(&mut self, protocol: &'static str, bytes: &[u8]) -> Stream {
        let mut stream = self.open(protocol).await;
        stream.write_all(bytes).await.unwrap();
        stream.flush().await.unwrap();
        stream
    }

    /// Takes the streams of this protocol that the other side opens, and reads nothing from them.
    pub fn leave_unread(&mut self, protocol: &'static str) {
        let mut streams = self.control.accept(StreamProtocol::new(protocol)).unwrap();
        tokio::spawn(async move {
            let mut unread = Vec::new();
            while let Some((_, stream)) = streams.next().await {
                unread.push(stream);
            }
        });
    }

    /// Waits until the other side closes the connection.
    pub async fn closed(&mut self) {
        timeout(PATIENCE, &mut self.task).await.expect("the connection is closed").unwrap();
    }

    /// From now on says and answers nothing, and keeps its socket open, like a machine that lost
    /// its network.
    pub fn fall_silent(self) -> JoinHandle<()> {
        self.silence.send(()).unwrap();
        self.task
    }

    pub fn is_connected(&self) -> bool {
        !self.task.is_finished()
    }
}

/// Whether the stream ends without a byte.
pub async fn ends(mut stream: Stream) -> bool {
    let mut byte = [0];
    matches!(timeout(PATIENCE, stream.read(&mut byte)).await.unwrap(), Ok(0) | Err(_))
}

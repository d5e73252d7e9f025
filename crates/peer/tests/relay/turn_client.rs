//! A TURN client over real sockets, made of `turn-client-proto`.
#![allow(unreachable_pub, dead_code)]

use std::{
    collections::VecDeque,
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    time::{Instant, sleep_until, timeout},
};
use turn_client_proto::{
    api::{Transmit, TurnConfig, TurnEvent, TurnPollRet, TurnRecvRet},
    prelude::*,
    udp::TurnClientUdp,
};
use turn_server_proto::{
    stun::{
        Instant as EngineInstant,
        auth::Feature,
        types::{
            attribute::{AttributeType, ErrorCode, Nonce, RawAttribute, Realm, Username},
            message::{
                BINDING, IntegrityAlgorithm, LongTermCredentials, Message, MessageWrite,
                MessageWriteExt, MessageWriteVec, Method,
            },
        },
    },
    types::{
        TransportType, TurnCredentials,
        attribute::{ChannelNumber, Data, Lifetime, RequestedTransport, XorPeerAddress},
        message::{ALLOCATE, CHANNEL_BIND, CONNECT, CREATE_PERMISSION, REFRESH, SEND},
    },
};

/// Generous: the machine may be busy with a build.
const PATIENCE: Duration = Duration::from_secs(30);

enum Wire {
    Udp(UdpSocket),
    Tcp(TcpStream),
}

impl Wire {
    async fn send(&mut self, bytes: &[u8], to: SocketAddr) -> io::Result<()> {
        match self {
            Self::Udp(socket) => socket.send_to(bytes, to).await.map(|_| ()),
            // Filled up to four bytes (RFC 8656, section 12.5).
            Self::Tcp(stream) => {
                let mut filled = bytes.to_vec();
                filled.resize(bytes.len().next_multiple_of(4), 0);
                stream.write_all(&filled).await
            }
        }
    }

    async fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Udp(socket) => socket.recv(buffer).await,
            Self::Tcp(stream) => {
                // Both kinds of messages have their length in these bytes. It is looked at before
                // anything is taken, since this may be cancelled.
                loop {
                    stream.readable().await?;
                    let waiting = stream.peek(buffer).await?;
                    if waiting == 0 {
                        return Ok(0);
                    }
                    let length = usize::from(buffer[2]) << 8 | usize::from(buffer[3]);
                    let whole = if buffer[0] < 0x40 { 20 + length } else { 4 + length };
                    if waiting >= 4 && waiting >= whole.next_multiple_of(4) {
                        stream.read_exact(&mut buffer[..whole.next_multiple_of(4)]).await?;
                        return Ok(whole);
                    }
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
        }
    }
}

pub struct TurnClient {
    wire: Wire,
    client: TurnClientUdp,
    local: SocketAddr,
    server: SocketAddr,
    started: Instant,
    /// Where it can be reached through the server.
    pub relayed: Option<SocketAddr>,
    /// What peers sent, and who they seem to be.
    pub received: VecDeque<(SocketAddr, Vec<u8>)>,
    /// What became of requests.
    pub events: VecDeque<TurnEvent>,
    /// Error codes the server answered with.
    pub errors: Vec<u16>,
    /// What the server wants in requests.
    pub nonce: String,
    /// The connection to the server is over.
    pub ended: bool,
}

impl TurnClient {
    /// One that says its name, as browsers do.
    pub async fn udp(server: SocketAddr, name: &str, password: &str) -> Self {
        Self::udp_as(Feature::Disabled, server, name, password).await
    }

    /// One that says a hash of its name (RFC 8489, section 14.4).
    pub async fn udp_hidden(server: SocketAddr, name: &str, password: &str) -> Self {
        Self::udp_as(Feature::Required, server, name, password).await
    }

    async fn udp_as(hidden: Feature, server: SocketAddr, name: &str, password: &str) -> Self {
        let socket = UdpSocket::bind((server.ip(), 0)).await.unwrap();
        let local = socket.local_addr().unwrap();
        let mut config = TurnConfig::new(TurnCredentials::new(name, password));
        config.set_anonymous_username(hidden);
        let client = TurnClientUdp::allocate(local, server, config);
        Self::new(Wire::Udp(socket), client, local, server)
    }

    /// Each message is taken out of the stream here: the library's own client over TCP does not
    /// fill up channel data.
    pub async fn tcp(server: SocketAddr, name: &str, password: &str) -> Self {
        let stream = TcpStream::connect(server).await.unwrap();
        let local = stream.local_addr().unwrap();
        let mut config = TurnConfig::new(TurnCredentials::new(name, password));
        config.set_anonymous_username(Feature::Disabled);
        let client = TurnClientUdp::allocate(local, server, config);
        Self::new(Wire::Tcp(stream), client, local, server)
    }

    fn new(wire: Wire, client: TurnClientUdp, local: SocketAddr, server: SocketAddr) -> Self {
        Self {
            wire,
            client,
            local,
            server,
            started: Instant::now(),
            relayed: None,
            received: VecDeque::new(),
            events: VecDeque::new(),
            errors: Vec::new(),
            nonce: String::new(),
            ended: false,
        }
    }

    fn now(&self) -> EngineInstant {
        EngineInstant::from_nanos(self.started.elapsed().as_nanos() as i64)
    }

    /// Goes on until `pick` finds what it wants.
    pub async fn until<T>(
        &mut self,
        what: &str,
        mut pick: impl FnMut(&mut Self) -> Option<T>,
    ) -> T {
        let found = timeout(PATIENCE, async {
            loop {
                let wake = self.settle().await;
                if let Some(found) = pick(self) {
                    return found;
                }
                let mut buffer = vec![0; 65_536];
                tokio::select! {
                    received = self.wire.receive(&mut buffer), if !self.ended => match received {
                        Ok(0) => self.ended = true,
                        Ok(length) => self.take(&buffer[..length]),
                        Err(_) => self.ended = true,
                    },
                    () = sleep_until(wake) => {}
                }
            }
        });
        let found = found.await;
        found.unwrap_or_else(|_| {
            panic!("not seen: {what}; {:?} {:?} {:?}", self.events, self.errors, self.relayed)
        })
    }

    /// Sends what is due; tells when more is.
    async fn settle(&mut self) -> Instant {
        let now = self.now();
        let wake = match self.client.poll(now) {
            TurnPollRet::WaitUntil(at) => Instant::now() + at.saturating_duration_since(now),
            _ => Instant::now() + Duration::from_millis(100),
        };
        while let Some(transmit) = self.client.poll_transmit(now) {
            // What cannot be sent is sent again.
            let _ = self.wire.send(&transmit.data, transmit.to).await;
        }
        while let Some(event) = self.client.poll_event() {
            if let TurnEvent::AllocationCreated(_, address) = &event {
                self.relayed = Some(*address);
            }
            self.events.push_back(event);
        }
        wake
    }

    fn take(&mut self, bytes: &[u8]) {
        if let Ok(message) = Message::from_bytes(bytes)
            && let Ok(error) = message.attribute::<ErrorCode>()
        {
            self.errors.push(error.code());
            if let Ok(nonce) = message.attribute::<Nonce>() {
                nonce.nonce().clone_into(&mut self.nonce);
            }
        }
        let transmit = Transmit::new(bytes.to_vec(), TransportType::Udp, self.server, self.local);
        if let TurnRecvRet::PeerData(data) = self.client.recv(transmit, self.now()) {
            self.received.push_back((data.peer, data.data().to_vec()));
        }
        while let Some(data) = self.client.poll_recv(self.now()) {
            self.received.push_back((data.peer, data.data().to_vec()));
        }
    }

    pub async fn allocated(&mut self) -> SocketAddr {
        self.until("an allocation", |client| client.relayed).await
    }

    /// The error code with which an allocation is refused. The first is always 401, which asks who
    /// it is for.
    pub async fn refused(&mut self) -> u16 {
        self.until("a refusal", |client| {
            assert_eq!(client.relayed, None);
            client.errors.get(1).copied()
        })
        .await
    }

    /// Asks for a permission; the error code if it is refused.
    pub async fn permit(&mut self, ip: IpAddr) -> Result<(), u16> {
        self.client.create_permission(TransportType::Udp, ip, self.now()).unwrap();
        self.answer(move |event| match event {
            TurnEvent::PermissionCreated(_, of) if *of == ip => Some(true),
            TurnEvent::PermissionCreateFailed(_, of) if *of == ip => Some(false),
            _ => None,
        })
        .await
    }

    /// Asks for a channel; the error code if it is refused.
    pub async fn bind(&mut self, peer: SocketAddr) -> Result<(), u16> {
        self.client.bind_channel(TransportType::Udp, peer, self.now()).unwrap();
        self.answer(move |event| match event {
            TurnEvent::ChannelCreated(_, of) if *of == peer => Some(true),
            TurnEvent::ChannelCreateFailed(_, of) if *of == peer => Some(false),
            _ => None,
        })
        .await
    }

    async fn answer(&mut self, pick: impl Fn(&TurnEvent) -> Option<bool>) -> Result<(), u16> {
        let done = self
            .until("an answer", |client| {
                let found = client.events.iter().find_map(&pick);
                client.events.clear();
                found
            })
            .await;
        if done { Ok(()) } else { Err(*self.errors.last().unwrap()) }
    }

    /// Sends to a peer, as the library sees fit.
    pub async fn send(&mut self, peer: SocketAddr, bytes: &[u8]) {
        let now = self.now();
        let sent = self.client.send_to(TransportType::Udp, peer, bytes.to_vec(), now);
        if let Some(transmit) = sent.unwrap() {
            let to = transmit.to;
            self.wire.send(&transmit.data.build(), to).await.unwrap();
        }
    }

    /// Gives up the allocation.
    pub async fn delete(&mut self) {
        self.client.delete(self.now()).unwrap();
        self.settle().await;
    }

    /// Sends bytes to the server as they are.
    pub async fn send_raw(&mut self, bytes: &[u8]) {
        let server = self.server;
        self.wire.send(bytes, server).await.unwrap();
    }

    /// The first of the coming datagrams.
    pub async fn receive(&mut self) -> (SocketAddr, Vec<u8>) {
        self.until("a datagram", |client| client.received.pop_front()).await
    }
}

/// Requests and indications as clients send them, signed with no valid name.
pub fn samples() -> Vec<Vec<u8>> {
    let key = LongTermCredentials::new("name".to_owned(), "password".to_owned());
    let key = key.to_key("community-chats".to_owned()).make_key(IntegrityAlgorithm::Sha1);
    let peer: SocketAddr = "127.0.0.1:9".parse().unwrap();
    let mut samples = vec![[0x40, 0, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8].to_vec()];
    for method in [BINDING, ALLOCATE, REFRESH, CREATE_PERMISSION, CHANNEL_BIND, CONNECT] {
        let mut request = Message::builder_request(method, MessageWriteVec::new());
        let xor = XorPeerAddress::new(peer, request.transaction_id());
        request.add_attribute(&RequestedTransport::new(RequestedTransport::UDP)).unwrap();
        request.add_attribute(&xor).unwrap();
        request.add_attribute(&Lifetime::new(600)).unwrap();
        request.add_attribute(&ChannelNumber::new(0x4001)).unwrap();
        request.add_attribute(&Username::new("name").unwrap()).unwrap();
        request.add_attribute(&Realm::new("community-chats").unwrap()).unwrap();
        request.add_attribute(&Nonce::new("nonce").unwrap()).unwrap();
        request.add_message_integrity_with_key(&key, IntegrityAlgorithm::Sha1).unwrap();
        request.add_fingerprint().unwrap();
        samples.push(request.finish());
    }
    samples.push(indication(peer));
    samples
}

/// A request with these attributes besides, signed by a user.
pub fn signed(
    method: u16,
    attributes: &[(u16, Vec<u8>)],
    name: &str,
    password: &str,
    nonce: &str,
) -> Vec<u8> {
    let key = LongTermCredentials::new(name.to_owned(), password.to_owned());
    let key = key.to_key("community-chats".to_owned()).make_key(IntegrityAlgorithm::Sha1);
    let mut request = Message::builder_request(Method::new(method), MessageWriteVec::new());
    for (kind, content) in attributes {
        let attribute = RawAttribute::new(AttributeType::new(*kind), content);
        // Some may stand only at the end, or once.
        let _ = request.add_attribute(&attribute);
    }
    let _ = request.add_attribute(&Username::new(name).unwrap());
    let _ = request.add_attribute(&Realm::new("community-chats").unwrap());
    let _ = request.add_attribute(&Nonce::new(nonce).unwrap());
    let _ = request.add_message_integrity_with_key(&key, IntegrityAlgorithm::Sha1);
    request.finish()
}

fn indication(peer: SocketAddr) -> Vec<u8> {
    let mut send = Message::builder_indication(SEND, MessageWriteVec::new());
    let xor = XorPeerAddress::new(peer, send.transaction_id());
    send.add_attribute(&xor).unwrap();
    send.add_attribute(&Data::new(b"hello")).unwrap();
    send.finish()
}

/// An ordinary socket on loopback, and its address.
pub async fn peer() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// The first of the coming datagrams of an ordinary socket.
pub async fn received(socket: &UdpSocket) -> (SocketAddr, Vec<u8>) {
    let mut buffer = vec![0; 65_536];
    let (length, from) = timeout(PATIENCE, socket.recv_from(&mut buffer)).await.unwrap().unwrap();
    buffer.truncate(length);
    (from, buffer)
}

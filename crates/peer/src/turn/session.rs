//! One client of the TURN server: the protocol's state machine of `turn-server-proto` (RFC 8656),
//! with our rules in front of it and the sockets behind it.

use super::{
    credentials::{REALM, User},
    quota::{Pass, Way},
    server::Shared,
};
use chats_core::time::Time;
use chats_peer::packet::{self, MAX_DATAGRAM, binding};
use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::UdpSocket,
    sync::mpsc,
    time::{Instant, sleep_until},
};
use turn_server_proto::{
    api::{SocketAllocateError, TcpConnectError, Transmit, TurnServerApi, TurnServerPollRet},
    server::TurnServer,
    stun::types::{
        attribute::ErrorCode,
        message::{
            IntegrityAlgorithm, IntegrityKey, LongTermCredentials, Message, MessageClass,
            MessageWrite, MessageWriteExt, MessageWriteVec,
        },
    },
    types::{
        AddressFamily, TransportType,
        message::{CHANNEL_BIND, CREATE_PERMISSION, SEND},
        prelude::DelayedTransmitBuild,
    },
};

/// Datagrams of a client that wait for its session.
pub(super) const MAX_WAITING: usize = 64;
/// How long a client may take to allocate something.
const PATIENCE: Duration = Duration::from_secs(10);
/// Datagrams of a client that has allocated nothing yet: each may be answered by a larger one, to
/// an address that may be false. Two exchanges, most of them lost and repeated.
pub(super) const MAX_UNPROVEN: u32 = 12;
/// Addresses for which a client may have permissions at once and over time.
const MAX_PEERS: usize = 256;

/// How a client is answered.
#[derive(Debug)]
pub(super) enum Client {
    Udp(Arc<UdpSocket>, SocketAddr),
    /// A connection, on which each message stands by itself.
    Tcp(mpsc::Sender<Vec<u8>>, SocketAddr),
}

impl Client {
    pub(super) const fn address(&self) -> SocketAddr {
        match self {
            Self::Udp(_, address) | Self::Tcp(_, address) => *address,
        }
    }

    /// Sends, or drops what does not go out at once: so does any network.
    fn send(&self, bytes: Vec<u8>) {
        let sent = match self {
            Self::Udp(socket, address) => socket.try_send_to(&bytes, *address).is_ok(),
            Self::Tcp(queue, _) => queue.try_send(bytes).is_ok(),
        };
        if !sent {
            tracing::trace!("a datagram to a client was dropped");
        }
    }
}

/// What the client allocated.
struct Relayed {
    socket: UdpSocket,
    /// As others know it.
    address: SocketAddr,
    /// Its share of the quotas.
    lease: Lease,
}

/// An entry in the tables of the server, for as long as it lives.
struct Lease {
    shared: Arc<Shared>,
    user: User,
    ip: IpAddr,
    port: u16,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.shared.allocated().remove(&self.port);
        self.shared.quotas().release(self.user.wallet, self.ip);
    }
}

pub(super) struct Session {
    shared: Arc<Shared>,
    client: Client,
    /// Where the engine thinks it listens.
    listen: SocketAddr,
    engine: TurnServer,
    user: Option<User>,
    relayed: Option<Relayed>,
    peers: BTreeSet<IpAddr>,
    /// How much of [`MAX_UNPROVEN`] is left.
    unproven: u32,
    /// When the session ends whatever happens.
    until: Instant,
}

/// The session is over.
struct Over;

impl Session {
    pub(super) fn new(shared: Arc<Shared>, client: Client) -> Self {
        let listen = SocketAddr::new(shared.bound(), 3478);
        let engine = TurnServer::new(TransportType::Udp, listen, REALM.to_owned());
        let until = Instant::now() + PATIENCE;
        let (user, relayed, peers) = (None, None, BTreeSet::new());
        let unproven = MAX_UNPROVEN;
        Self { shared, client, listen, engine, user, relayed, peers, unproven, until }
    }

    /// Serves until the client, its device's last credential or its share of the quotas is gone. `opened` is
    /// called once something is allocated.
    pub(super) async fn run(mut self, mut inbox: mpsc::Receiver<Vec<u8>>, opened: impl FnOnce()) {
        let mut opened = Some(opened);
        let mut buffer = vec![0; MAX_DATAGRAM];
        loop {
            let Ok(wake) = self.settle().await else { return };
            if self.relayed.is_some()
                && let Some(opened) = opened.take()
            {
                opened();
            }
            let done = tokio::select! {
                packet = inbox.recv() => match packet {
                    Some(packet) => self.client_says(packet),
                    None => return,
                },
                received = receive(self.relayed.as_ref(), &mut buffer) => match received {
                    Some((length, from)) => self.peer_says(buffer.get(..length), from),
                    None => Ok(()),
                },
                () = sleep_until(wake.min(self.until)) => Ok(()),
            };
            if done.is_err() || (Instant::now() >= self.until && !self.goes_on()) {
                return;
            }
        }
    }

    /// Whether the device was granted another credential before the one in use ended.
    fn goes_on(&mut self) -> bool {
        let Some(relayed) = &self.relayed else { return false };
        let left = self.shared.credentials().end(&relayed.lease.user).since(self.shared.now());
        self.until = Instant::now() + left;
        !left.is_zero()
    }

    /// Does what the engine wants done, and tells when it wants to be asked again.
    async fn settle(&mut self) -> Result<Instant, Over> {
        loop {
            let now = self.shared.engine_now();
            while let Some(transmit) = self.engine.poll_transmit(now) {
                self.client.send(transmit.data);
            }
            match self.engine.poll(now) {
                TurnServerPollRet::WaitUntil(at) => {
                    return Ok(Instant::now() + at.saturating_duration_since(now));
                }
                TurnServerPollRet::AllocateSocket {
                    transport,
                    listen_addr,
                    client_addr,
                    allocation_transport,
                    family,
                } => {
                    let made = self.allocate(allocation_transport, family).await;
                    self.engine.allocated_socket(
                        transport,
                        listen_addr,
                        client_addr,
                        allocation_transport,
                        family,
                        made,
                        now,
                    );
                }
                TurnServerPollRet::TcpConnect {
                    relayed_addr,
                    peer_addr,
                    listen_addr,
                    client_addr,
                } => {
                    // Nothing over TCP is ever allocated.
                    let refused = Err(TcpConnectError::Forbidden);
                    self.engine.tcp_connected(
                        relayed_addr,
                        peer_addr,
                        listen_addr,
                        client_addr,
                        refused,
                        now,
                    );
                }
                TurnServerPollRet::TcpClose { .. } => {}
                // The only allocation has ended.
                TurnServerPollRet::SocketClose { .. } => return Err(Over),
            }
        }
    }

    async fn allocate(
        &mut self,
        transport: TransportType,
        family: AddressFamily,
    ) -> Result<SocketAddr, SocketAllocateError> {
        let same = (family == AddressFamily::IPV4) == self.shared.bound().is_ipv4();
        if transport != TransportType::Udp || !same {
            return Err(SocketAllocateError::AddressFamilyNotSupported);
        }
        let full = SocketAllocateError::InsufficientCapacity;
        let user = self.user.clone().filter(|_| self.relayed.is_none()).ok_or(full)?;
        let (socket, port) = self.shared.bind().await.ok_or(full)?;
        let ip = self.client.address().ip();
        let now = self.shared.now();
        if let Err(denied) = self.shared.quotas().admit(user.wallet, ip, now) {
            tracing::info!(?denied, "an allocation was denied");
            return Err(full);
        }
        self.shared.allocated().insert(port);
        let lease = Lease { shared: Arc::clone(&self.shared), user: user.clone(), ip, port };
        let address = self.shared.outside(port);
        self.relayed = Some(Relayed { socket, address, lease });
        self.until = Instant::now() + user.expires.since(now);
        tracing::debug!(%port, "allocated");
        Ok(address)
    }

    fn client_says(&mut self, packet: Vec<u8>) -> Result<(), Over> {
        if self.relayed.is_none() {
            let Some(left) = self.unproven.checked_sub(1) else { return Ok(()) };
            self.unproven = left;
        }
        if let Ok(message) = Message::from_bytes(&packet) {
            if let Some(answer) = binding(&message, self.client.address()) {
                self.client.send(answer);
                return Ok(());
            }
            if !self.may(&message) {
                return Ok(());
            }
        }
        let transmit =
            Transmit::new(packet, TransportType::Udp, self.client.address(), self.listen);
        let Some(out) = self.engine.recv(transmit, self.shared.engine_now()) else {
            return Ok(());
        };
        let to = out.to;
        let bytes = out.data.build();
        if to == self.client.address() {
            self.client.send(bytes);
            return Ok(());
        }
        self.to_peer(&bytes, to)
    }

    /// Whether the engine is to see a message. Learns who the client is, and answers by itself if
    /// a peer is denied.
    fn may(&mut self, message: &Message<'_>) -> bool {
        if self.user.is_none()
            && let Some(user) = self.shared.find(message)
        {
            self.engine.add_user(user.name.clone(), user.password.clone());
            self.user = Some(user);
        }
        let peers = packet::peers(message);
        let asks = message.has_class(MessageClass::Request)
            && (message.has_method(CREATE_PERMISSION) || message.has_method(CHANNEL_BIND));
        let sends = message.has_class(MessageClass::Indication) && message.has_method(SEND);
        let denied = peers.iter().any(|peer| !self.shared.peers().permits(*peer));
        if !asks {
            return !(sends && denied);
        }
        // The engine answers whoever has no right to ask.
        let Some((key, algorithm)) = self.user.as_ref().and_then(|user| user.signed(message))
        else {
            return true;
        };
        let many = self.peers.union(&peers).count() > MAX_PEERS;
        if !denied && !many {
            self.peers.extend(peers);
            return true;
        }
        tracing::debug!(?peers, denied, "a permission was denied");
        let code = if denied { ErrorCode::FORBIDDEN } else { ErrorCode::INSUFFICIENT_CAPACITY };
        let answer = refusal(message, code).and_then(|mut answer| {
            answer.add_message_integrity_with_key(&key, algorithm).ok()?;
            Some(answer.finish())
        });
        answer.into_iter().for_each(|answer| self.client.send(answer));
        false
    }

    fn to_peer(&self, bytes: &[u8], peer: SocketAddr) -> Result<(), Over> {
        let Some(relayed) = &self.relayed else { return Ok(()) };
        let route = self.shared.peers().route(peer, &self.shared.allocated());
        let Some(route) = route else { return Ok(()) };
        self.count(relayed, Way::Out, bytes.len(), || {
            if relayed.socket.try_send_to(bytes, route).is_err() {
                tracing::trace!("a datagram to a peer was dropped");
            }
        })
    }

    fn peer_says(&mut self, bytes: Option<&[u8]>, from: SocketAddr) -> Result<(), Over> {
        let (Some(relayed), Some(bytes)) = (&self.relayed, bytes) else { return Ok(()) };
        let from = self.shared.peers().origin(from, &self.shared.allocated());
        let transmit = Transmit::new(bytes, TransportType::Udp, from, relayed.address);
        // The engine drops what no permission is for, and that is not counted.
        let Some(out) = self.engine.recv(transmit, self.shared.engine_now()) else {
            return Ok(());
        };
        let out = out.data.build();
        self.count(relayed, Way::In, bytes.len(), || self.client.send(out))
    }

    /// Does `then` if the quotas allow so many bytes.
    fn count(
        &self,
        relayed: &Relayed,
        way: Way,
        bytes: usize,
        then: impl FnOnce(),
    ) -> Result<(), Over> {
        let Lease { user, ip, .. } = &relayed.lease;
        let now: Time = self.shared.now();
        let pass = self.shared.quotas().pass(user.wallet, *ip, way, bytes, now);
        match pass {
            Pass::Yes => then(),
            Pass::No => tracing::trace!("a datagram was too much"),
            Pass::Spent => {
                tracing::info!("a member or an address has used up its day");
                return Err(Over);
            }
        }
        Ok(())
    }
}

/// The next datagram of a peer; `None` if there was none after all.
async fn receive(relayed: Option<&Relayed>, buffer: &mut [u8]) -> Option<(usize, SocketAddr)> {
    let Some(relayed) = relayed else { return std::future::pending().await };
    let (length, from) = relayed.socket.recv_from(buffer).await.ok()?;
    // A full buffer may be a longer datagram that was cut.
    (length < buffer.len()).then_some((length, from))
}

impl User {
    /// The key with which a message is signed, if it is by this user.
    fn signed(&self, message: &Message<'_>) -> Option<(IntegrityKey, IntegrityAlgorithm)> {
        let credentials = LongTermCredentials::new(self.name.clone(), self.password.clone());
        let credentials = credentials.to_key(REALM.to_owned());
        [IntegrityAlgorithm::Sha1, IntegrityAlgorithm::Sha256].into_iter().find_map(|algorithm| {
            let key = credentials.make_key(algorithm);
            message.validate_integrity_with_key(&key).is_ok().then_some((key, algorithm))
        })
    }
}

fn refusal(message: &Message<'_>, code: u16) -> Option<MessageWriteVec> {
    let mut answer = Message::builder_error(message, MessageWriteVec::new());
    answer.add_attribute(&ErrorCode::builder(code).build().ok()?).ok()?;
    Some(answer)
}

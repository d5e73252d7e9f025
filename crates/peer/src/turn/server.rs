//! The sockets of the TURN server, and who talks to them.
//!
//! Whoever sends a request gets a [`Session`]; until it has allocated something, which takes a
//! credential, it costs little, lives for 10 s, and is the first to go when there are many.

use super::{
    credentials::{Credentials, User},
    peers::Peers,
    quota::{MAX_ALLOCATIONS, Quotas},
    session::{Client, MAX_WAITING, Session},
    tcp,
};
use chats_core::time::Time;
use chats_net::relay::site;
use chats_peer::packet::{MAX_DATAGRAM, binding};
use rand::Rng;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};
use tokio::{
    net::{TcpListener, UdpSocket},
    sync::mpsc,
    time::Instant,
};
use turn_server_proto::stun::{
    Instant as EngineInstant,
    types::{
        attribute::{Userhash, Username},
        message::{Message, MessageClass},
    },
};

/// The ports of allocations: as many as there may be allocations, to be let through firewalls.
const PORTS: std::ops::Range<u16> = 49_152..50_176;
const _: () = assert!((PORTS.end - PORTS.start) as usize == MAX_ALLOCATIONS);
/// Clients that have allocated nothing yet.
const MAX_PENDING: usize = 1024;
/// Answers a second to those without a session, and of these to one address.
const MAX_BINDINGS: (u32, u32) = (2000, 100);
/// New sessions a second, and of these from one address: each may send a few times as much as it
/// receives, to an address that may be false.
const MAX_NEW: (u32, u32) = (500, 16);
/// How often those who left are forgotten.
const SWEEP: Duration = Duration::from_secs(5);

/// What all sessions share.
pub(super) struct Shared {
    /// The moment from which both clocks count.
    started: (Instant, Time),
    bound: IpAddr,
    external: IpAddr,
    peers: Peers,
    credentials: Mutex<Credentials>,
    quotas: Mutex<Quotas>,
    allocated: Mutex<BTreeSet<u16>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Of a server bound to `bound`, which others know as `external`.
    pub(super) fn new(
        bound: IpAddr,
        external: IpAddr,
        peers: Peers,
        credentials: Credentials,
    ) -> Self {
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self {
            started: (Instant::now(), Time::default() + wall),
            bound,
            external,
            peers,
            credentials: Mutex::new(credentials),
            quotas: Mutex::default(),
            allocated: Mutex::default(),
        }
    }

    /// The time, which never runs backwards.
    pub(super) fn now(&self) -> Time {
        let (instant, time) = self.started;
        time + instant.elapsed()
    }

    /// The same for the engine.
    pub(super) fn engine_now(&self) -> EngineInstant {
        let elapsed = self.started.0.elapsed().as_nanos();
        EngineInstant::from_nanos(i64::try_from(elapsed).unwrap_or(i64::MAX))
    }

    pub(super) const fn bound(&self) -> IpAddr {
        self.bound
    }

    /// How others know an own port.
    pub(super) const fn outside(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.external, port)
    }

    pub(super) const fn peers(&self) -> &Peers {
        &self.peers
    }

    pub(super) fn credentials(&self) -> MutexGuard<'_, Credentials> {
        lock(&self.credentials)
    }

    pub(super) fn quotas(&self) -> MutexGuard<'_, Quotas> {
        lock(&self.quotas)
    }

    pub(super) fn allocated(&self) -> MutexGuard<'_, BTreeSet<u16>> {
        lock(&self.allocated)
    }

    /// Who a message says it is from, if there is such a user now.
    pub(super) fn find(&self, message: &Message<'_>) -> Option<User> {
        let now = self.now();
        if let Ok(name) = message.attribute::<Username>() {
            return self.credentials().find(name.username(), now);
        }
        let hash = message.attribute::<Userhash>().ok()?;
        self.credentials().find_hash(hash.hash(), now)
    }

    /// A socket for an allocation, on a random one of the free ports.
    pub(super) async fn bind(&self) -> Option<(UdpSocket, u16)> {
        let first = rand::rng().random_range(PORTS);
        for port in (first..PORTS.end).chain(PORTS.start..first) {
            if let Ok(socket) = UdpSocket::bind((self.bound, port)).await {
                return Some((socket, port));
            }
        }
        tracing::warn!("no port from {} to {} is free", PORTS.start, PORTS.end - 1);
        None
    }
}

/// A client with a session.
struct Entry {
    inbox: mpsc::Sender<Vec<u8>>,
    /// It has allocated something.
    opened: Arc<AtomicBool>,
}

impl Entry {
    fn pending(&self) -> bool {
        !self.inbox.is_closed() && !self.opened.load(Ordering::Relaxed)
    }
}

/// So many a second in all and for each address, and no more.
struct Pace {
    most: u32,
    each: u32,
    left: u32,
    /// What each took of this second; who took nothing is not in it.
    taken: BTreeMap<IpAddr, u32>,
    since: Instant,
}

impl Pace {
    fn new((most, each): (u32, u32)) -> Self {
        Self { most, each, left: most, taken: BTreeMap::new(), since: Instant::now() }
    }

    fn take(&mut self, from: IpAddr) -> bool {
        if self.since.elapsed() >= Duration::from_secs(1) {
            (self.left, self.since) = (self.most, Instant::now());
            self.taken.clear();
        }
        let site = site(from);
        let taken = self.taken.get(&site).copied().unwrap_or_default();
        if self.left == 0 || taken >= self.each {
            return false;
        }
        self.left -= 1;
        self.taken.insert(site, taken + 1);
        true
    }
}

/// The server on UDP.
struct Udp {
    shared: Arc<Shared>,
    socket: Arc<UdpSocket>,
    clients: BTreeMap<SocketAddr, Entry>,
    /// Those without an allocation, the oldest first; some may have one by now, or be gone.
    pending: VecDeque<SocketAddr>,
    bindings: Pace,
    new: Pace,
}

/// Serves both sockets; ends only if one of them breaks.
pub(super) async fn serve(shared: Arc<Shared>, udp: UdpSocket, tcp: TcpListener) -> io::Result<()> {
    let server = Udp {
        shared: Arc::clone(&shared),
        socket: Arc::new(udp),
        clients: BTreeMap::new(),
        pending: VecDeque::new(),
        bindings: Pace::new(MAX_BINDINGS),
        new: Pace::new(MAX_NEW),
    };
    tokio::select! {
        ended = server.run() => ended,
        ended = tcp::serve(shared, tcp) => ended,
    }
}

impl Udp {
    async fn run(mut self) -> io::Result<()> {
        let mut buffer = vec![0; MAX_DATAGRAM];
        let mut sweep = tokio::time::interval(SWEEP);
        loop {
            tokio::select! {
                received = self.socket.recv_from(&mut buffer) => match received {
                    // A full buffer may be a longer datagram that was cut.
                    Ok((length, from)) if length < buffer.len() => {
                        if let Some(packet) = buffer.get(..length) {
                            self.take(packet, from);
                        }
                    }
                    Ok(_) => {}
                    // Word of an earlier answer that did not arrive.
                    Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                    Err(error) => return Err(error),
                },
                _ = sweep.tick() => {
                    self.clients.retain(|_, entry| !entry.inbox.is_closed());
                    let clients = &self.clients;
                    self.pending.retain(|from| clients.get(from).is_some_and(Entry::pending));
                }
            }
        }
    }

    fn take(&mut self, packet: &[u8], from: SocketAddr) {
        use mpsc::error::TrySendError::{Closed, Full};
        if let Some(entry) = self.clients.get(&from) {
            match entry.inbox.try_send(packet.to_vec()) {
                Ok(()) => return,
                Err(Full(_)) => return tracing::trace!("a client is too fast"),
                Err(Closed(_)) => self.clients.remove(&from),
            };
        }
        let Ok(message) = Message::from_bytes(packet) else { return };
        if let Some(answer) = binding(&message, from) {
            if self.bindings.take(from.ip()) && self.socket.try_send_to(&answer, from).is_err() {
                tracing::trace!("an answer was dropped");
            }
            return;
        }
        // Indications of those without an allocation mean nothing.
        if message.has_class(MessageClass::Request) && self.new.take(from.ip()) {
            self.open(packet, from);
        }
    }

    fn open(&mut self, packet: &[u8], from: SocketAddr) {
        while self.pending.len() >= MAX_PENDING {
            let oldest = self.pending.pop_front();
            let Some(oldest) = oldest else { break };
            if self.clients.get(&oldest).is_some_and(Entry::pending) {
                self.clients.remove(&oldest);
            }
        }
        let (inbox, packets) = mpsc::channel(MAX_WAITING);
        if inbox.try_send(packet.to_vec()).is_err() {
            return;
        }
        let opened = Arc::new(AtomicBool::new(false));
        let client = Client::Udp(Arc::clone(&self.socket), from);
        let session = Session::new(Arc::clone(&self.shared), client);
        let mark = Arc::clone(&opened);
        tokio::spawn(session.run(packets, move || mark.store(true, Ordering::Relaxed)));
        self.clients.insert(from, Entry { inbox, opened });
        self.pending.push_back(from);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::turn_client::{TurnClient, samples};
    use super::*;
    use chats_core::id::{DeviceKey, Wallet};
    use std::net::Ipv4Addr;
    use zeroize::Zeroizing;

    const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    /// A server that is served packets by hand.
    async fn by_hand() -> Udp {
        let peers = Peers::new(true, LOOPBACK, LOOPBACK, []);
        let credentials = Credentials::new(Zeroizing::new([7; 32]));
        Udp {
            shared: Arc::new(Shared::new(LOOPBACK, LOOPBACK, peers, credentials)),
            socket: Arc::new(UdpSocket::bind((LOOPBACK, 0)).await.unwrap()),
            clients: BTreeMap::new(),
            pending: VecDeque::new(),
            bindings: Pace::new(MAX_BINDINGS),
            new: Pace::new((u32::MAX, u32::MAX)),
        }
    }

    #[tokio::test]
    async fn a_flood_of_false_addresses_takes_a_bounded_place_and_ends_no_allocation() {
        let mut server = by_hand().await;
        let address = server.socket.local_addr().unwrap();
        let now = server.shared.now();
        let user = server.shared.credentials().issue(DeviceKey([1; 32]), Wallet([1; 20]), now);
        let user = user.unwrap();
        let mut client = TurnClient::udp(address, &user.name, &user.password).await;
        let socket = Arc::clone(&server.socket);
        let mut buffer = [0; MAX_DATAGRAM];
        tokio::select! {
            _ = client.allocated() => {}
            () = async {
                loop {
                    let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
                    server.take(&buffer[..length], from);
                }
            } => {}
        }
        let allocate = &samples()[2];
        for n in 0..5000 {
            server.take(allocate, SocketAddr::new(LOOPBACK, 10_000 + n));
        }
        assert_eq!(server.pending.len(), MAX_PENDING);
        assert!(server.clients.len() <= MAX_PENDING + 1, "{}", server.clients.len());
        let open = |entry: &&Entry| entry.opened.load(Ordering::Relaxed);
        assert_eq!(server.clients.values().filter(open).count(), 1);
        assert_eq!(server.shared.allocated().len(), 1);
    }

    #[tokio::test]
    async fn only_requests_of_strangers_open_a_session_and_not_too_many_a_second() {
        let mut server = by_hand().await;
        server.new = Pace::new((3, 3));
        let from = |n: u16| SocketAddr::new(LOOPBACK, 20_000 + n);
        let samples = samples();
        // Channel data, and an indication.
        server.take(&samples[0], from(0));
        server.take(samples.last().unwrap(), from(1));
        // A request for an address is answered and forgotten.
        server.take(&samples[1], from(2));
        assert!(server.clients.is_empty());
        for n in 3..10 {
            server.take(&samples[2], from(n));
        }
        assert_eq!(server.clients.len(), 3);
    }

    #[tokio::test]
    async fn new_sessions_of_one_household_leave_room_for_others() {
        let mut server = by_hand().await;
        server.new = Pace::new((500, 2));
        let allocate = &samples()[2];
        let from = |text: &str| -> SocketAddr { text.parse().unwrap() };
        for port in 1..10 {
            server.take(allocate, from(&format!("192.0.2.1:{port}")));
            // Another address each time, of the same network.
            server.take(allocate, from(&format!("[2001:db8::{port}]:1")));
        }
        assert_eq!(server.clients.len(), 4);
        server.take(allocate, from("192.0.2.2:1"));
        server.take(allocate, from("[2001:db8:0:1::1]:1"));
        assert_eq!(server.clients.len(), 6);
    }
}

//! Devices: several connections to one count as one session.
//!
//! A session is what the application sees between `Connected` and `Disconnected`. Its channels
//! run on one of its connections, and move once, without losing a frame, when a direct link is
//! proven ([`super::links`]). If a connection dies on which frames travelled, the session is over:
//! frames may be lost, and both sides must know. Relays end circuits after half a minute, so that
//! is how every session ends for which no direct link is made. A device that opens a channel a
//! second time on another circuit has started over (a reloaded page), so its session does too.

use super::{
    Driver, LINGER, Lingering,
    links::Direct,
    pipes::{self, Source},
};
use crate::{
    identity,
    network::{Event, Path},
};
use chats_core::{channel::Channel, id::DeviceKey, small::SmallMap};
use futures::channel::mpsc;
use libp2p::{
    Multiaddr, PeerId, Stream, StreamProtocol, core::ConnectedPoint, multiaddr::Protocol,
    swarm::ConnectionId,
};
use std::time::Duration;
use web_time::Instant;

/// Frames that wait on one channel of one device.
const MAX_QUEUED: usize = 64;
/// Devices that came to us and have not passed hello.
const MAX_STRANGERS: usize = 32;
/// How long hello may take.
const HELLO: Duration = Duration::from_secs(10);
/// A circuit that ends before did not end because its time was up.
const EARLY: Duration = Duration::from_secs(25);

/// All sessions.
#[derive(Default)]
pub(super) struct Devices(pub(super) SmallMap<DeviceKey, Session>);

pub(super) struct Session {
    pub(super) peer: PeerId,
    pub(super) passed: bool,
    /// They came to us.
    incoming: bool,
    /// By when hello must have passed.
    deadline: Instant,
    /// All connections but links that are not proven yet.
    pub(super) connections: SmallMap<ConnectionId, Connection>,
    pub(super) outbound: SmallMap<Channel, Outbound>,
    pub(super) inbound: SmallMap<Channel, Inbound>,
    pub(super) direct: Direct,
}

#[derive(Clone, Copy)]
pub(super) struct Connection {
    path: Path,
    /// They dialled it.
    incoming: bool,
    /// Who carries it.
    pub(super) carrier: Option<PeerId>,
    pub(super) since: Instant,
    /// A channel runs on it.
    pub(super) used: bool,
    /// We made it in case that the link does not answer.
    pub(super) spare: bool,
    /// It was asked for an answer, since no hello came.
    pub(super) asked: bool,
}

impl Connection {
    fn new(endpoint: &ConnectedPoint) -> Self {
        let path = if endpoint.is_relayed() { Path::Circuit } else { Path::Direct };
        let (incoming, carrier) = (endpoint.is_listener(), carrier(endpoint));
        Self { path, incoming, carrier, used: false, ..Self::link() }
    }

    /// The same, which a session begins to use.
    pub(super) fn anew(self) -> Self {
        Self { since: Instant::now(), ..self }
    }

    /// The link that a session moves to.
    pub(super) fn link() -> Self {
        Self {
            path: Path::Direct,
            incoming: false,
            carrier: None,
            since: Instant::now(),
            used: true,
            spare: false,
            asked: false,
        }
    }
}

/// Who carries a connection, if it is a circuit.
fn carrier(endpoint: &ConnectedPoint) -> Option<PeerId> {
    let addr = match endpoint {
        ConnectedPoint::Dialer { address, .. } => address,
        ConnectedPoint::Listener { local_addr, .. } => local_addr,
    };
    relay_in(addr)
}

/// The relay in the address of a circuit.
pub(super) fn relay_in(addr: &Multiaddr) -> Option<PeerId> {
    let mut last = None;
    for part in addr {
        match part {
            Protocol::P2p(peer) => last = Some(peer),
            Protocol::P2pCircuit => return last,
            _ => {}
        }
    }
    None
}

pub(super) struct Outbound {
    pub(super) connection: ConnectionId,
    pub(super) frames: mpsc::Sender<Vec<u8>>,
    /// Until the stream is open.
    pub(super) unopened: Option<mpsc::Receiver<Vec<u8>>>,
}

pub(super) struct Inbound {
    pub(super) connection: ConnectionId,
    /// The channel moves: the stream on the old connection ended, the new one is not there yet.
    pub(super) ended: bool,
    /// The channel moves: to be read once the stream on the old connection ended.
    pub(super) next: Option<(ConnectionId, Stream)>,
}

impl Outbound {
    pub(super) fn new(connection: ConnectionId) -> Self {
        // A channel holds one more than this for its one sender.
        let (frames, unopened) = mpsc::channel(MAX_QUEUED - 1);
        Self { connection, frames, unopened: Some(unopened) }
    }
}

impl Session {
    fn new(peer: PeerId, incoming: bool) -> Self {
        Self {
            peer,
            passed: false,
            incoming,
            deadline: Instant::now() + HELLO,
            connections: SmallMap::new(),
            outbound: SmallMap::new(),
            inbound: SmallMap::new(),
            direct: Direct::default(),
        }
    }

    /// The connection for a new outbound channel: direct before relayed, then one in use before an
    /// idle one, then the newest.
    fn carrier(&self) -> Option<ConnectionId> {
        let rank = |(id, it): &(&ConnectionId, &Connection)| (it.path, it.used, **id);
        self.connections.iter().max_by_key(rank).map(|(id, _)| *id)
    }

    fn path(&self) -> Path {
        self.connections.values().map(|it| it.path).max().unwrap_or(Path::Circuit)
    }
}

impl Devices {
    pub(super) fn connected(&self, device: DeviceKey) -> bool {
        self.0.contains_key(&device)
    }

    pub(super) fn has(&self, device: DeviceKey, connection: ConnectionId) -> bool {
        self.0.get(&device).is_some_and(|session| session.connections.contains_key(&connection))
    }

    /// The link to a device.
    pub(super) fn link(&self, device: DeviceKey) -> Option<ConnectionId> {
        self.0.get(&device)?.direct.link()
    }

    fn strangers(&self) -> usize {
        self.0.values().filter(|session| session.incoming && !session.passed).count()
    }
}

impl Driver {
    pub(super) fn device_connected(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        endpoint: &ConnectedPoint,
    ) {
        let begun = Connection::new(endpoint);
        match identity::device(peer) {
            Some(device) if endpoint.is_listener() => {
                self.begin(peer, device, connection, begun);
            }
            Some(device) if begun.path == Path::Circuit => {
                self.dial_stands(device, connection, begun);
            }
            // A relay that was taken off the list.
            _ => {
                self.swarm.close_connection(connection);
            }
        }
    }

    /// A connection may carry the session of a device from now on.
    pub(super) fn begin(
        &mut self,
        peer: PeerId,
        device: DeviceKey,
        connection: ConnectionId,
        begun: Connection,
    ) {
        let strangers = self.devices.strangers();
        let Connection { incoming, path, .. } = begun;
        if let Some(known) = self.devices.0.get_mut(&device) {
            let spare = !incoming && known.direct.link().is_some();
            known.connections.insert(connection, Connection { spare, ..begun });
            self.drop_spares(device);
        } else if incoming && strangers >= MAX_STRANGERS {
            tracing::debug!(%device, "refused, {MAX_STRANGERS} others have not passed hello");
            self.swarm.close_connection(connection);
        } else {
            let mut session = Session::new(peer, incoming);
            session.connections.insert(connection, begun);
            self.devices.0.insert(device, session);
            self.tell(Event::Connected { device, path });
        }
    }

    /// Closes the circuits that were made in case that a link does not answer, if it does.
    pub(super) fn drop_spares(&mut self, device: DeviceKey) {
        let Some(session) = self.devices.0.get_mut(&device) else { return };
        let link = session.direct.link();
        if link.is_none_or(|link| self.suspects.contains_key(&link)) {
            return;
        }
        session.connections.retain(|connection, it| {
            if it.spare {
                self.swarm.close_connection(*connection);
            }
            !it.spare
        });
    }

    pub(super) fn device_closed(&mut self, connection: ConnectionId, reason: &str) {
        self.doubt_carrier(connection);
        let mut sessions = self.devices.0.iter_mut();
        let found = sessions.find_map(|(device, session)| {
            let closed = session.connections.remove(&connection)?;
            Some((*device, closed.used, session.connections.is_empty()))
        });
        let Some((device, used, last)) = found else { return };
        if last || used {
            self.start_over(device, reason, |_, other| !other.used);
        }
    }

    /// A stream of a session broke, and the session with it.
    pub(super) fn channel_broke(&mut self, peer: PeerId, connection: ConnectionId, reason: &str) {
        if let Some(device) = identity::device(peer)
            && self.devices.has(device, connection)
        {
            // Streams are often the first to tell that a connection is gone.
            self.doubt_carrier(connection);
            self.end_device(device, reason);
        }
    }

    /// Doubts who carries a connection that ends, if it is a circuit whose time was not up.
    fn doubt_carrier(&mut self, connection: ConnectionId) {
        let carrier = self.devices.0.values().find_map(|session| {
            let it = session.connections.get(&connection)?;
            // Strangers come and go as they please.
            let lost = session.direct.link().is_none() && (session.passed || !session.incoming);
            it.carrier.filter(|_| lost && it.used && it.since.elapsed() < EARLY)
        });
        if let Some(carrier) = carrier {
            self.relays.doubt(carrier);
        }
    }

    /// Ends a session and all its connections.
    pub(super) fn end_device(&mut self, device: DeviceKey, reason: &str) {
        self.start_over(device, reason, |_, _| false);
    }

    /// Ends a session; connections to keep begin the next one.
    fn start_over(
        &mut self,
        device: DeviceKey,
        reason: &str,
        keep: impl Fn(ConnectionId, Connection) -> bool,
    ) {
        let Some(session) = self.devices.0.remove(&device) else { return };
        tracing::debug!(%device, reason, "session ended");
        self.direct_ended(session.peer, &session.direct);
        let mut next = Session::new(session.peer, session.incoming);
        let until = Instant::now() + LINGER;
        let mut lingering = SmallMap::<ConnectionId, Lingering>::new();
        // Writers end once what is queued is out, since the queues' senders are dropped here.
        for (channel, outbound) in session.outbound {
            let connection = lingering.entry(outbound.connection).or_insert_with(|| Lingering {
                until,
                writers: 0,
                unopened: SmallMap::new(),
            });
            connection.writers += 1;
            connection.unopened.extend(outbound.unopened.map(|frames| (channel, frames)));
        }
        for (connection, it) in session.connections {
            // A link rests on its session, so it ends with it.
            if keep(connection, it) && session.direct.link() != Some(connection) {
                next.connections.insert(connection, Connection { used: false, spare: false, ..it });
            } else if let Some(lingering) = lingering.remove(&connection) {
                self.lingering.insert(connection, lingering);
                self.wake_within(LINGER);
            } else {
                self.swarm.close_connection(connection);
            }
        }
        self.tell(Event::Disconnected { device, reason: reason.to_owned() });
        if !next.connections.is_empty() {
            self.tell(Event::Connected { device, path: next.path() });
            self.devices.0.insert(device, next);
        }
    }

    pub(super) fn pass(&mut self, device: DeviceKey) {
        if let Some(session) = self.devices.0.get_mut(&device) {
            session.passed = true;
            let peer = session.peer;
            self.swarm.behaviour_mut().answer_links(peer, true);
        }
    }

    pub(super) fn send(&mut self, device: DeviceKey, channel: Channel, frame: Vec<u8>) {
        let Some(session) = self.devices.0.get_mut(&device) else {
            tracing::debug!(%device, ?channel, "not connected, a frame is dropped");
            return;
        };
        if !session.passed && !channel.open_to_strangers() {
            tracing::warn!(?channel, "a frame for a device that has not passed hello is dropped");
            return;
        }
        if !session.outbound.contains_key(&channel) {
            let running = session.outbound.values().map(|out| out.connection).next();
            let running = session.direct.link().or(running);
            let Some(connection) = running.or_else(|| session.carrier()) else { return };
            if let Some(carrier) = session.connections.get_mut(&connection) {
                carrier.used = true;
            }
            session.outbound.insert(channel, Outbound::new(connection));
            let protocol = StreamProtocol::new(channel.protocol());
            self.swarm.behaviour_mut().streams.open(session.peer, connection, protocol);
        }
        let Some(outbound) = session.outbound.get_mut(&channel) else { return };
        if outbound.frames.try_send(frame).is_err() {
            tracing::warn!(?channel, "a device does not keep up with {MAX_QUEUED} waiting frames");
            self.end_device(device, "it does not keep up with what it is sent");
        }
    }

    pub(super) fn channel_opened(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        protocol: &str,
        stream: Stream,
    ) {
        let Some(channel) = Channel::ALL.into_iter().find(|c| c.protocol() == protocol) else {
            return;
        };
        let session = identity::device(peer).and_then(|device| self.devices.0.get_mut(&device));
        let wanted = session
            .and_then(|session| session.outbound.get_mut(&channel))
            .filter(|outbound| outbound.connection == connection)
            .and_then(|outbound| outbound.unopened.take());
        let late = || self.lingering.get_mut(&connection)?.unopened.remove(&channel);
        if let Some(frames) = wanted.or_else(late) {
            let max = channel.max_frame();
            self.writing.push(pipes::write(peer, connection, stream, frames, max));
        }
        if let Some(device) = identity::device(peer) {
            self.move_channels(device);
        }
    }

    pub(super) fn channel_accepted(
        &mut self,
        device: DeviceKey,
        connection: ConnectionId,
        channel: Channel,
        stream: Stream,
    ) {
        let Some(session) = self.devices.0.get_mut(&device) else { return };
        if let Some(stream) = session.direct.hold(connection, channel, stream)
            && session.connections.contains_key(&connection)
        {
            self.take_channel(device, connection, channel, stream);
        }
    }

    /// Reads a channel from a connection that belongs to the session.
    pub(super) fn take_channel(
        &mut self,
        device: DeviceKey,
        connection: ConnectionId,
        channel: Channel,
        stream: Stream,
    ) {
        let Some(session) = self.devices.0.get_mut(&device) else { return };
        let moved = session.direct.link() == Some(connection);
        match session.inbound.get_mut(&channel) {
            Some(before) if before.connection == connection || before.next.is_some() => {
                return self.end_device(device, "it opened a channel twice");
            }
            Some(before) if moved && !before.ended => {
                before.next = Some((connection, stream));
                return;
            }
            Some(_) if !moved => {
                self.start_over(device, "it started over", |id, _| id == connection);
            }
            Some(_) | None => {}
        }
        let Some(session) = self.devices.0.get_mut(&device) else { return };
        if let Some(carrier) = session.connections.get_mut(&connection) {
            carrier.used = true;
        }
        session.inbound.insert(channel, Inbound { connection, ended: false, next: None });
        let (peer, source) = (session.peer, Source::Channel(channel));
        self.reading.push(pipes::read(peer, connection, source, stream, channel.max_frame()));
    }

    pub(super) fn received(
        &mut self,
        from: DeviceKey,
        connection: ConnectionId,
        channel: Channel,
        frame: Vec<u8>,
    ) {
        let Some(session) = self.devices.0.get(&from) else { return };
        if session.inbound.get(&channel).is_none_or(|inbound| inbound.connection != connection) {
            return;
        }
        if session.passed || channel.open_to_strangers() {
            self.tell(Event::Received { from, channel, frame });
        } else {
            tracing::debug!(device = %from, ?channel, "dropped, it has not passed hello");
        }
    }

    /// Ends sessions that did not pass hello in time.
    pub(super) fn strangers_due(&mut self, now: Instant) {
        let late = |session: &Session| !session.passed && session.deadline <= now;
        let due: Vec<_> =
            self.devices.0.iter().filter(|(_, s)| late(s)).map(|(device, _)| *device).collect();
        for device in due {
            self.end_device(device, "hello did not pass within 10 s");
        }
    }
}

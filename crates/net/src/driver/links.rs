//! Direct links: made over a circuit, proven, and then everything moves to them.
//!
//! A session's channels move from the circuit to the link without losing or reordering a frame:
//!
//! 1. Each side opens its channels anew on the link, and writes there what comes from now on. What
//!    is queued for the old streams still goes out on them.
//! 2. The dialer of the link ends its old streams at once. The listener ends its own when it has
//!    read the dialer's to their end.
//! 3. A side reads a channel's new stream only after the end of the old one. When the dialer has
//!    read all old streams to their ends, nothing is left on the circuit, and it closes it.
//!
//! Members with a link carry circuits for each other (circuit relay v2), so that two of them can
//! reach each other through a third when no relay is left: each reserves at those it is linked to.

use super::{
    Driver,
    devices::{Connection, Inbound, Outbound, Session},
};
use crate::{
    identity,
    linking::Fingerprints,
    network::Event,
    proof::{self, ProofError, View},
};
use chats_core::{channel::Channel, id::DeviceKey, small::SmallMap};
use futures::{FutureExt, channel::mpsc, future::BoxFuture};
use libp2p::{
    Multiaddr, PeerId, Stream, StreamProtocol,
    core::{
        ConnectedPoint,
        transport::{ListenerId, TransportError},
    },
    multiaddr::Protocol,
    swarm::{
        ConnectionId, DialError,
        dial_opts::{DialOpts, PeerCondition},
    },
};
use std::time::Duration;
use web_time::Instant;

/// How long a link may take to be proven, and channels to move to it.
const PATIENCE: Duration = Duration::from_secs(10);
/// Members through whom somebody is dialled at most.
const MAX_CARRIERS: usize = 4;

/// How far a session is with its direct link.
#[derive(Default)]
pub(super) enum Direct {
    /// There is none.
    #[default]
    None,
    /// It is being made.
    Dialing(ConnectionId),
    /// It stands, and is not proven.
    Unproven(Unproven),
    /// It is proven, and carries the session.
    Proven(Proven),
}

pub(super) struct Unproven {
    link: ConnectionId,
    view: View,
    since: Instant,
    /// Channels that the other side, which has our proof, opened before we have its own.
    held: SmallMap<Channel, Stream>,
}

pub(super) struct Proven {
    link: ConnectionId,
    dialer: bool,
    since: Instant,
    stage: Stage,
    /// Keeps the listener's old streams open.
    held: Vec<mpsc::Sender<Vec<u8>>>,
    /// We can be reached through the other side.
    listener: Option<ListenerId>,
}

/// How far the channels are on their way to the link.
enum Stage {
    /// An own stream on an old connection is not open yet: the other side would not know of it.
    Waiting,
    /// What others sent before is still being read.
    Moving,
    /// All are there.
    Moved,
}

/// A proof came to its end.
pub(super) struct Proof {
    device: DeviceKey,
    connection: ConnectionId,
    result: Result<(), ProofError>,
}

impl Direct {
    /// The connection that carries the session.
    pub(super) const fn link(&self) -> Option<ConnectionId> {
        match self {
            Self::Proven(proven) => Some(proven.link),
            _ => None,
        }
    }

    /// Keeps a channel opened on an unproven link for later; gives back any other.
    pub(super) fn hold(
        &mut self,
        connection: ConnectionId,
        channel: Channel,
        stream: Stream,
    ) -> Option<Stream> {
        match self {
            Self::Unproven(unproven) if unproven.link == connection => {
                unproven.held.entry(channel).or_insert(stream);
                None
            }
            _ => Some(stream),
        }
    }
}

impl Driver {
    /// Makes a direct link to a device that passed.
    pub(super) fn link(&mut self, device: DeviceKey) {
        let Some(session) = self.devices.0.get_mut(&device).filter(|session| session.passed) else {
            return self.link_failed(device, false, "it is not connected");
        };
        if !matches!(session.direct, Direct::None) {
            return;
        }
        let options = DialOpts::peer_id(session.peer)
            .addresses(vec![(self.linking.address)(session.peer)])
            .condition(PeerCondition::Always)
            .build();
        let connection = options.connection_id();
        match self.swarm.dial(options) {
            Ok(()) => session.direct = Direct::Dialing(connection),
            Err(error) => self.link_failed(device, false, &super::dial_reason(&error)),
        }
    }

    fn link_failed(&mut self, device: DeviceKey, attack: bool, reason: &str) {
        self.tell(Event::LinkFailed { device, attack, reason: reason.to_owned() });
    }

    /// A link that was not proven yet is gone.
    pub(super) fn link_closed(&mut self, connection: ConnectionId, reason: &str) {
        let mut sessions = self.devices.0.iter_mut();
        let unproven = sessions.find(|(_, session)| {
            matches!(&session.direct, Direct::Unproven(unproven) if unproven.link == connection)
        });
        if let Some((device, session)) = unproven {
            session.direct = Direct::None;
            let device = *device;
            self.link_failed(device, false, reason);
        }
    }

    /// Whether it was a link's dial that failed.
    pub(super) fn link_refused(&mut self, connection: ConnectionId, error: &DialError) -> bool {
        let mut sessions = self.devices.0.iter_mut();
        let Some((device, session)) = sessions.find(|(_, session)| {
            matches!(session.direct, Direct::Dialing(dialing) if dialing == connection)
        }) else {
            return false;
        };
        session.direct = Direct::None;
        let device = *device;
        let is_attack = |(_, error): &(_, TransportError<_>)| match error {
            TransportError::Other(error) => (self.linking.is_attack)(error),
            TransportError::MultiaddrNotSupported(_) => false,
        };
        let attack = matches!(error, DialError::Transport(tried) if tried.iter().any(is_attack));
        self.link_failed(device, attack, &super::dial_reason(error));
        true
    }

    /// A link stands between us and a device; it must still be proven.
    pub(super) fn link_connected(
        &mut self,
        peer: PeerId,
        link: ConnectionId,
        endpoint: &ConnectedPoint,
    ) {
        let dialer = endpoint.is_dialer();
        let certificates = self.linking.certificates.take(peer, dialer);
        let device = identity::device(peer);
        let session = device.and_then(|device| self.devices.0.get_mut(&device));
        let (Some(theirs), Some(session), Some(Fingerprints { own, theirs: their_certificate })) =
            (device, session.filter(|session| session.passed), certificates)
        else {
            self.close_link(peer, link);
            return;
        };
        let view = View { theirs, own_certificate: own, their_certificate, dialer };
        let unproven = Unproven { link, view, since: Instant::now(), held: SmallMap::new() };
        // If both dialled, the link counts that the smaller key made, and one that is proven.
        let counts = dialer == (self.secret.device() < theirs);
        let superfluous = match &session.direct {
            Direct::Proven(_) => Some(link),
            Direct::Unproven(_) if !counts => Some(link),
            Direct::Unproven(before) => Some(before.link),
            Direct::None | Direct::Dialing(_) => None,
        };
        if superfluous != Some(link) {
            session.direct = Direct::Unproven(unproven);
        }
        if let Some(superfluous) = superfluous {
            self.close_link(peer, superfluous);
        }
        if dialer && superfluous != Some(link) {
            let protocol = StreamProtocol::new(proof::PROTOCOL);
            self.swarm.behaviour_mut().streams.open(peer, link, protocol);
        }
    }

    /// A stream for the proof of a link is there.
    pub(super) fn proof_opened(&mut self, peer: PeerId, connection: ConnectionId, stream: Stream) {
        let Some(device) = identity::device(peer) else { return };
        let unproven = match self.devices.0.get(&device).map(|session| &session.direct) {
            Some(Direct::Unproven(unproven)) if unproven.link == connection => unproven,
            _ => return,
        };
        let proof = proof::prove(stream, self.secret.clone(), unproven.view);
        let proof = proof.map(move |result| Proof { device, connection, result });
        self.proving.push(proof.boxed());
    }

    pub(super) fn on_proof(&mut self, Proof { device, connection, result }: Proof) {
        let Some(session) = self.devices.0.get_mut(&device) else { return };
        if !matches!(&session.direct, Direct::Unproven(unproven) if unproven.link == connection) {
            return;
        }
        match (result, std::mem::take(&mut session.direct)) {
            (Ok(()), Direct::Unproven(unproven)) => self.linked(device, unproven),
            (Ok(()), _) => {}
            (Err(error), _) => {
                let peer = session.peer;
                self.close_link(peer, connection);
                let attack = matches!(error, ProofError::Forged);
                self.link_failed(device, attack, &error.to_string());
            }
        }
    }

    /// The link is proven: everything shall move to it.
    fn linked(&mut self, device: DeviceKey, Unproven { link, view, held, .. }: Unproven) {
        let Some(session) = self.devices.0.get_mut(&device) else { return };
        let peer = session.peer;
        session.connections.insert(link, Connection::link());
        session.direct = Direct::Proven(Proven {
            link,
            dialer: view.dialer,
            since: Instant::now(),
            stage: Stage::Waiting,
            held: Vec::new(),
            listener: None,
        });
        self.swarm.behaviour_mut().gossip.admit(peer, link);
        self.linking.linked.set(peer, true);
        self.tell(Event::Linked(device));
        for (channel, stream) in held {
            self.take_channel(device, link, channel, stream);
        }
        self.move_channels(device);
    }

    /// Writes to the link from now on, once all own streams on old connections are open.
    pub(super) fn move_channels(&mut self, device: DeviceKey) {
        let Some(session) = self.devices.0.get_mut(&device) else { return };
        let Direct::Proven(proven) = &mut session.direct else { return };
        let link = proven.link;
        let unopened = |out: &Outbound| out.connection != link && out.unopened.is_some();
        if !matches!(proven.stage, Stage::Waiting) || session.outbound.values().any(unopened) {
            return;
        }
        for (channel, outbound) in &mut session.outbound {
            if outbound.connection == link {
                continue;
            }
            let old = std::mem::replace(outbound, Outbound::new(link));
            if !proven.dialer {
                proven.held.push(old.frames);
            }
            let protocol = StreamProtocol::new(channel.protocol());
            self.swarm.behaviour_mut().streams.open(session.peer, link, protocol);
        }
        proven.stage = Stage::Moving;
        self.moved(device);
    }

    /// A stream of a channel was read to its end. Whether the channel moved to another connection.
    pub(super) fn channel_ended(
        &mut self,
        device: DeviceKey,
        connection: ConnectionId,
        channel: Channel,
    ) -> bool {
        let Some(session) = self.devices.0.get_mut(&device) else { return false };
        if session.direct.link().is_none_or(|link| link == connection) {
            return false;
        }
        let Some(inbound) = session.inbound.get_mut(&channel) else { return false };
        if inbound.connection != connection {
            return true;
        }
        inbound.ended = true;
        if let Some((link, stream)) = inbound.next.take() {
            self.take_channel(device, link, channel, stream);
        }
        self.moved(device);
        true
    }

    /// Looks whether all that was on its way over old connections has come.
    fn moved(&mut self, device: DeviceKey) {
        let Some(session) = self.devices.0.get_mut(&device) else { return };
        let Direct::Proven(proven) = &mut session.direct else { return };
        let link = proven.link;
        let old = |inbound: &Inbound| inbound.connection != link && !inbound.ended;
        if !matches!(proven.stage, Stage::Moving) || session.inbound.values().any(old) {
            return;
        }
        // What the listener held open ends here; the dialer, who has seen it all, hangs up.
        proven.stage = Stage::Moved;
        proven.held.clear();
        // By now both sides know that the link is proven, so this is not refused.
        let through = (self.linking.address)(session.peer).with(Protocol::P2pCircuit);
        proven.listener = self.swarm.listen_on(through).ok();
        let left = session.connections.iter_mut().filter(|(connection, _)| **connection != link);
        for (connection, it) in left {
            it.used = false;
            if proven.dialer {
                self.swarm.close_connection(*connection);
            }
        }
    }

    /// The session of a link is over.
    pub(super) fn direct_ended(&mut self, peer: PeerId, direct: &Direct) {
        match direct {
            Direct::None | Direct::Dialing(_) => {}
            Direct::Unproven(unproven) => self.close_link(peer, unproven.link),
            Direct::Proven(proven) => {
                self.swarm.behaviour_mut().gossip.give_up(peer, proven.link);
                if let Some(listener) = proven.listener {
                    self.swarm.remove_listener(listener);
                }
                self.linking.linked.set(peer, false);
            }
        }
        self.swarm.behaviour_mut().answer_links(peer, false);
    }

    fn close_link(&mut self, peer: PeerId, link: ConnectionId) {
        self.swarm.behaviour_mut().gossip.give_up(peer, link);
        self.swarm.close_connection(link);
    }

    /// A relay says that a device is gone. Then its link must show soon that it is not: the browser
    /// at this end notices late that nobody is at the other.
    pub(super) fn suspect(&mut self, device: DeviceKey) {
        let link = self.devices.0.get(&device).and_then(|session| session.direct.link());
        if let Some(link) = link {
            self.suspects.entry(link).or_insert_with(Instant::now);
        }
    }

    /// Members at whom others may be reachable, other ones each time.
    pub(super) fn carriers(&mut self) -> Vec<Multiaddr> {
        let linked = |session: &&Session| session.direct.link().is_some();
        let linked = self.devices.0.values().filter(linked);
        let mut peers: Vec<_> = linked.map(|session| session.peer).collect();
        let from = self.carried % peers.len().max(1);
        peers.rotate_left(from);
        peers.truncate(MAX_CARRIERS);
        // By one more than are named: whoever is dialled every second time meets all, too.
        self.carried = from + peers.len() + 1;
        peers.into_iter().map(self.linking.address).collect()
    }

    /// Gives up on links that are not proven in time, or to which not everything moves.
    pub(super) fn links_due(&mut self, now: Instant) {
        let late = |since: Instant| now.saturating_duration_since(since) > PATIENCE;
        let mut unproven = Vec::new();
        let mut stuck = Vec::new();
        for (device, session) in &self.devices.0 {
            match &session.direct {
                Direct::Unproven(it) if late(it.since) => unproven.push((*device, it.link)),
                Direct::Proven(it) if !matches!(it.stage, Stage::Moved) && late(it.since) => {
                    stuck.push(*device);
                }
                _ => {}
            }
        }
        for (device, connection) in unproven {
            let error = ProofError::Cut("it took too long".to_owned());
            self.on_proof(Proof { device, connection, result: Err(error) });
        }
        for device in stuck {
            self.end_device(device, "it did not move to the direct link");
        }
    }
}

/// A proof on its way.
pub(super) type Proving = BoxFuture<'static, Proof>;

//! Direct links: made over a circuit, proven, and then everything moves to them ([`moving`]).
//!
//! Both sides may make one at the same moment, and each hears of the two in an order of its own.
//! Which of them carries the session is for one side alone to say, the one with the smaller key:
//! it is the last to sign a link ([`crate::proof`]), and signs one. Until then both keep all that
//! stand, so no side ever closes what the other has moved to.
//!
//! Members with a link carry circuits for each other (circuit relay v2), so that two of them can
//! reach each other through a third when no relay is left: each reserves at those it is linked to.

mod moving;

use super::{Driver, devices::Session};
use crate::{
    behaviour::SignallingEvent,
    identity,
    linking::Fingerprints,
    network::Event,
    proof::{self, Heard, ProofError, View},
};
use chats_core::{channel::Channel, id::DeviceKey, small::SmallMap};
use futures::{FutureExt, future::BoxFuture};
use libp2p::{
    Multiaddr, PeerId, Stream, StreamProtocol,
    core::{ConnectedPoint, transport::TransportError},
    swarm::{
        ConnectionId, DialError,
        dial_opts::{DialOpts, PeerCondition},
    },
};
use moving::Proven;
use std::time::Duration;
use web_time::Instant;

/// How long a link may take to be proven, and channels to move to it.
const PATIENCE: Duration = Duration::from_secs(10);
/// Members through whom somebody is dialled at most.
const MAX_CARRIERS: usize = 4;

/// How far a session is with its direct link.
#[derive(Default)]
pub(super) struct Direct {
    /// The one that we are making.
    dialing: Option<ConnectionId>,
    /// Those that stand and are not proven; the swarm bounds the connections of a peer.
    unproven: Vec<Unproven>,
    /// The one that carries the session.
    proven: Option<Proven>,
}

/// A link that stands and is not proven.
pub(super) struct Unproven {
    link: ConnectionId,
    view: View,
    since: Instant,
    /// We dialled it, or were told to take it.
    taken: bool,
    /// Where it is to be proven, until it is taken.
    stream: Option<Stream>,
    /// It is being proven.
    proving: bool,
    /// Why it is gone, if its proof had begun: that may still say that it was an attack.
    gone: Option<String>,
    /// Channels that the other side, which has our proof, opened before we have its own.
    held: SmallMap<Channel, Stream>,
}

/// A proof came one step further.
pub(super) struct Proof {
    device: DeviceKey,
    connection: ConnectionId,
    result: Result<Heard<Stream>, ProofError>,
}

impl Direct {
    /// The connection that carries the session.
    pub(super) fn link(&self) -> Option<ConnectionId> {
        self.proven.as_ref().map(|proven| proven.link)
    }

    /// Whether there is none, and none on its way.
    const fn is_none(&self) -> bool {
        self.dialing.is_none() && self.unproven.is_empty() && self.proven.is_none()
    }

    fn unproven(&mut self, link: ConnectionId) -> Option<&mut Unproven> {
        self.unproven.iter_mut().find(|unproven| unproven.link == link)
    }

    fn take_unproven(&mut self, link: ConnectionId) -> Option<Unproven> {
        let at = self.unproven.iter().position(|unproven| unproven.link == link)?;
        Some(self.unproven.swap_remove(at))
    }

    /// Keeps a channel opened on an unproven link for later; gives back any other.
    pub(super) fn hold(
        &mut self,
        connection: ConnectionId,
        channel: Channel,
        stream: Stream,
    ) -> Option<Stream> {
        match self.unproven(connection) {
            Some(unproven) => {
                unproven.held.entry(channel).or_insert(stream);
                None
            }
            None => Some(stream),
        }
    }
}

impl Driver {
    /// Makes a direct link to a device that passed.
    pub(super) fn link(&mut self, device: DeviceKey) {
        let Some(session) = self.devices.0.get_mut(&device).filter(|session| session.passed) else {
            return self.link_failed(device, false, "it is not connected");
        };
        if !session.direct.is_none() {
            return;
        }
        let options = DialOpts::peer_id(session.peer)
            .addresses(vec![(self.linking.address)(session.peer)])
            .condition(PeerCondition::Always)
            .build();
        let connection = options.connection_id();
        match self.swarm.dial(options) {
            Ok(()) => session.direct.dialing = Some(connection),
            Err(error) => self.link_failed(device, false, &super::dial_reason(&error)),
        }
    }

    /// One link came to nothing. That is told if no other is left; an attack always.
    fn link_failed(&mut self, device: DeviceKey, attack: bool, reason: &str) {
        let session = self.devices.0.get(&device);
        if attack || session.is_none_or(|session| session.direct.is_none()) {
            self.tell(Event::LinkFailed { device, attack, reason: reason.to_owned() });
        }
    }

    /// A link that was not proven yet is gone.
    pub(super) fn link_closed(&mut self, connection: ConnectionId, reason: &str) {
        let mut sessions = self.devices.0.iter_mut();
        let lost = sessions.find_map(|(device, session)| {
            let unproven = session.direct.unproven(connection)?;
            if unproven.proving {
                unproven.gone = Some(reason.to_owned());
                return None;
            }
            session.direct.take_unproven(connection).map(|_| *device)
        });
        if let Some(device) = lost {
            self.link_failed(device, false, reason);
        }
    }

    /// Whether it was a link's dial that failed.
    pub(super) fn link_refused(&mut self, connection: ConnectionId, error: &DialError) -> bool {
        let mut sessions = self.devices.0.iter_mut();
        let failed = sessions.find_map(|(device, session)| {
            session.direct.dialing.take_if(|dialing| *dialing == connection).map(|_| *device)
        });
        let Some(device) = failed else { return false };
        let is_attack = |(_, error): &(_, TransportError<_>)| match error {
            TransportError::Other(error) => (self.linking.is_attack)(error),
            TransportError::MultiaddrNotSupported(_) => false,
        };
        let attack = matches!(error, DialError::Transport(tried) if tried.iter().any(is_attack));
        self.link_failed(device, attack, &super::dial_reason(error));
        true
    }

    /// A link that a device was making to us may have come to nothing because of an attack.
    pub(super) fn link_attacked(&mut self, event: SignallingEvent) {
        let device = (self.linking.attacked)(event).and_then(identity::device);
        let passed = |device: &DeviceKey| self.devices.0.get(device).is_some_and(|it| it.passed);
        if let Some(device) = device.filter(passed) {
            self.link_failed(device, true, "an end of it has another certificate than announced");
        }
    }

    /// A link stands between us and a device; it must still be proven.
    pub(super) fn link_connected(
        &mut self,
        peer: PeerId,
        link: ConnectionId,
        endpoint: &ConnectedPoint,
    ) {
        let dialer = endpoint.is_dialer();
        let signalling = &self.swarm.behaviour().signalling;
        let fingerprints = (self.linking.fingerprints)(signalling, link, dialer);
        let device = identity::device(peer);
        let session = device.and_then(|device| self.devices.0.get_mut(&device));
        let session = session.filter(|session| session.passed);
        let (Some(theirs), Some(session)) = (device, session) else {
            return self.close_link(peer, link);
        };
        session.direct.dialing.take_if(|dialing| *dialing == link);
        if session.direct.proven.is_some() {
            return self.close_link(peer, link);
        }
        let Some(Fingerprints { own, theirs: their_certificate }) = fingerprints else {
            self.close_link(peer, link);
            return self.link_failed(theirs, false, "its certificates are not known");
        };
        let view = View { theirs, own_certificate: own, their_certificate, dialer };
        session.direct.unproven.push(Unproven {
            link,
            view,
            since: Instant::now(),
            taken: dialer,
            stream: None,
            proving: false,
            gone: None,
            held: SmallMap::new(),
        });
        if dialer {
            let protocol = StreamProtocol::new(proof::PROTOCOL);
            self.swarm.behaviour_mut().streams.open(peer, link, protocol);
        } else {
            self.tell(Event::LinkOffered(theirs));
        }
    }

    /// Takes links that a device makes to us, or does not.
    pub(super) fn take_links(&mut self, device: DeviceKey, take: bool) {
        let Some(session) = self.devices.0.get_mut(&device).filter(|session| session.passed) else {
            return;
        };
        let (peer, links) = (session.peer, &mut session.direct.unproven);
        self.swarm.behaviour_mut().answer_links(peer, take);
        if take {
            links.iter_mut().for_each(|it| it.taken = true);
            let ready = links.iter_mut().filter_map(|it| Some((it.link, it.stream.take()?)));
            for (link, stream) in ready.collect::<Vec<_>>() {
                self.proof_opened(peer, link, stream);
            }
        } else {
            let offered: Vec<_> = links.extract_if(.., |it| !it.taken).collect();
            for Unproven { link, .. } in offered {
                self.close_link(peer, link);
            }
        }
    }

    /// A stream for the proof of a link is there.
    pub(super) fn proof_opened(&mut self, peer: PeerId, connection: ConnectionId, stream: Stream) {
        let Some(device) = identity::device(peer) else { return };
        let session = self.devices.0.get_mut(&device);
        let unproven = session.and_then(|session| session.direct.unproven(connection));
        let Some(unproven) = unproven else { return };
        if !unproven.taken {
            unproven.stream.get_or_insert(stream);
            return;
        }
        // Another one only asks for an answer, of which being opened is one.
        if std::mem::replace(&mut unproven.proving, true) {
            return;
        }
        let proof = proof::begin(stream, self.secret.clone(), unproven.view);
        let proof = proof.map(move |result| Proof { device, connection, result });
        self.proving.push(proof.boxed());
    }

    pub(super) fn on_proof(&mut self, Proof { device, connection, result }: Proof) {
        let Some(session) = self.devices.0.get_mut(&device) else { return };
        if session.direct.link() == Some(connection) {
            // What we settled did not get there.
            if let Err(error) = result {
                self.end_device(device, &error.to_string());
            }
            return;
        }
        let Some(unproven) = session.direct.take_unproven(connection) else { return };
        let result = match (&unproven.gone, result) {
            (Some(reason), Ok(_)) => Err(ProofError::Cut(reason.clone())),
            (_, result) => result,
        };
        match result {
            Ok(heard) => {
                if let Heard::Asked(stream) = heard {
                    let settled = proof::settle(stream, self.secret.clone(), unproven.view);
                    let settled = settled.map(move |result| {
                        let result = result.map(|()| Heard::Settled);
                        Proof { device, connection, result }
                    });
                    self.proving.push(settled.boxed());
                }
                self.linked(device, unproven);
            }
            Err(error) => {
                let peer = session.peer;
                self.close_link(peer, connection);
                let attack = matches!(error, ProofError::Forged);
                self.link_failed(device, attack, &error.to_string());
            }
        }
    }

    /// The session of a link is over.
    pub(super) fn direct_ended(&mut self, peer: PeerId, direct: &Direct) {
        for unproven in &direct.unproven {
            self.close_link(peer, unproven.link);
        }
        if let Some(proven) = &direct.proven {
            self.swarm.behaviour_mut().gossip.give_up(peer, proven.link);
            if let Some(listener) = proven.listener {
                self.swarm.remove_listener(listener);
            }
            self.linking.linked.set(peer, false);
        }
        self.swarm.behaviour_mut().answer_links(peer, false);
    }

    fn close_link(&mut self, peer: PeerId, link: ConnectionId) {
        self.swarm.behaviour_mut().gossip.give_up(peer, link);
        self.swarm.close_connection(link);
    }

    /// Members at whom others may be reachable, other ones each time.
    pub(super) fn carriers(&mut self) -> Vec<Multiaddr> {
        let linked = |session: &&Session| {
            session.direct.link().is_some_and(|link| !self.suspects.contains_key(&link))
        };
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
            let direct = &session.direct;
            let slow = direct.unproven.iter().filter(|it| late(it.since));
            unproven.extend(slow.map(|it| (*device, it.link)));
            if direct.proven.as_ref().is_some_and(|it| it.is_moving() && late(it.since)) {
                stuck.push(*device);
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

//! Relays: the first of the list that work are dialled, reserved and met at.
//!
//! Devices of a community share its list, so that any two of them meet at the same relays, they
//! all take the first ones that work, in the order of the list, and not the ones that are best for
//! themselves. The rest stand by, and the next one steps in at once when one in use fails. How
//! fast each is decides only through which of those in use others are dialled, and so does what
//! came of the circuits through it: a relay that answers, and loses or spoils what it carries, is
//! not seen to fail by itself.

use super::{
    Driver,
    pipes::{self, Source},
};
use crate::{
    backoff::Backoff,
    behaviour::HANDSHAKE,
    identity,
    meet::{
        self, Request,
        client::{Listing, News},
    },
    network::{Event, RelayState},
};
use chats_core::{
    id::{DeviceKey, MeetTag},
    small::SmallMap,
    wire,
};
use futures::{AsyncReadExt, channel::mpsc};
use libp2p::{
    Multiaddr, PeerId, Stream, StreamProtocol,
    core::{ConnectedPoint, transport::ListenerId},
    multiaddr::Protocol,
    relay::outbound::hop::ProtocolViolation,
    swarm::{
        ConnectionId,
        dial_opts::{DialOpts, PeerCondition},
    },
};
use std::io;
use std::time::Duration;
use web_time::Instant;

/// Relays in the list.
const MAX_RELAYS: usize = 16;
/// Relays in use.
const MAX_USED: usize = 3;
/// A relay that served us this long is trusted again: its next failure is its first.
const STEADY: Duration = Duration::from_secs(10);

/// How long others are dialled through a relay last, after it did not carry a circuit as it should.
/// It may not be to blame, so nothing else follows.
const DOUBT: Duration = Duration::from_secs(10 * 60);

/// All relays of the list that can be used.
#[derive(Default)]
pub(super) struct Relays(Vec<Relay>);

struct Relay {
    /// As given, with the peer at its end.
    addr: Multiaddr,
    /// Without it.
    dial: Multiaddr,
    peer: PeerId,
    backoff: Backoff,
    listing: Listing,
    stage: Stage,
    /// Tells it from others, as the origin of what it says.
    number: u32,
    /// The last round trip to it.
    rtt: Option<Duration>,
    /// When it last failed to carry a circuit.
    doubted: Option<Instant>,
}

enum Stage {
    /// Enough others are in use.
    Standby,
    /// For the next attempt.
    Waiting { until: Instant },
    /// Being dialled, or connected and not yet ready.
    Opening(Opening),
    /// Reserved and meeting.
    Ready {
        connection: ConnectionId,
        listener: ListenerId,
        since: Instant,
        requests: mpsc::Sender<Vec<u8>>,
    },
}

struct Opening {
    connection: ConnectionId,
    /// By when it must be ready; connections have a timeout of their own.
    deadline: Option<Instant>,
    listener: Option<ListenerId>,
    reserved: bool,
    requests: Option<mpsc::Sender<Vec<u8>>>,
}

impl Relay {
    fn connection(&self) -> Option<ConnectionId> {
        match &self.stage {
            Stage::Standby | Stage::Waiting { .. } => None,
            Stage::Opening(opening) => Some(opening.connection),
            Stage::Ready { connection, .. } => Some(*connection),
        }
    }

    fn listener(&self) -> Option<ListenerId> {
        match &self.stage {
            Stage::Standby | Stage::Waiting { .. } => None,
            Stage::Opening(opening) => opening.listener,
            Stage::Ready { listener, .. } => Some(*listener),
        }
    }
}

impl Relays {
    pub(super) fn is_relay(&self, peer: PeerId) -> bool {
        self.0.iter().any(|relay| relay.peer == peer)
    }

    /// Addresses of relays through which a device can be dialled: those that carry circuits as they
    /// should first, of these those at which it is listed, and the fastest first.
    pub(super) fn towards(&self, device: DeviceKey) -> Vec<Multiaddr> {
        let ready = |relay: &&Relay| matches!(relay.stage, Stage::Ready { .. });
        let placed = self.0.iter().filter(ready).enumerate().map(|(number, relay)| {
            let rtt = relay.rtt.unwrap_or(Duration::MAX);
            let doubted = relay.doubted.is_some_and(|at| at.elapsed() < DOUBT);
            ((doubted, !relay.listing.lists(device), rtt, number), &relay.addr)
        });
        let ready: SmallMap<_, _> = placed.collect();
        ready.into_values().cloned().collect()
    }

    /// Those in use, the fastest first.
    pub(super) fn fastest(&self) -> Vec<(PeerId, ConnectionId)> {
        let ready = |relay: &&Relay| matches!(relay.stage, Stage::Ready { .. });
        let ready = self.0.iter().filter(ready).enumerate();
        let ready: SmallMap<_, _> = ready
            .map(|(number, relay)| ((relay.rtt.unwrap_or(Duration::MAX), number), relay))
            .collect();
        ready.into_values().filter_map(|relay| Some((relay.peer, relay.connection()?))).collect()
    }

    /// Those that ought to be dialled now: of those that may be, the first ones, until enough are
    /// in use; one that waited its time also if it comes before one that is in use.
    fn wanted(&self, now: Instant) -> Vec<PeerId> {
        let mut used = 0;
        let mut wanted = Vec::new();
        for relay in &self.0 {
            let due = match &relay.stage {
                Stage::Waiting { until } => *until <= now,
                Stage::Standby => true,
                Stage::Opening(_) | Stage::Ready { .. } => {
                    used += 1;
                    false
                }
            };
            if due && used + wanted.len() < MAX_USED {
                wanted.push(relay.peer);
            }
        }
        wanted
    }

    /// One that is in use and not needed, since enough that come before it are ready.
    fn superfluous(&self) -> Option<ConnectionId> {
        let ready = |relay: &&Relay| matches!(relay.stage, Stage::Ready { .. });
        let last = self.0.iter().filter(ready).nth(MAX_USED - 1)?;
        let mut after = self.0.iter().skip_while(|relay| relay.peer != last.peer).skip(1);
        after.find_map(Relay::connection)
    }

    /// A relay did not carry a circuit as it should.
    pub(super) fn doubt(&mut self, peer: PeerId) {
        if let Some(relay) = self.of(peer) {
            tracing::debug!(%peer, "a circuit through this relay failed");
            relay.doubted = Some(Instant::now());
        }
    }

    fn on(&mut self, connection: ConnectionId) -> Option<&mut Relay> {
        self.0.iter_mut().find(|relay| relay.connection() == Some(connection))
    }

    fn of(&mut self, peer: PeerId) -> Option<&mut Relay> {
        self.0.iter_mut().find(|relay| relay.peer == peer)
    }
}

impl Driver {
    pub(super) fn set_relays(&mut self, wanted: Vec<Multiaddr>) {
        let old = std::mem::take(&mut self.relays.0);
        let (mut kept, dropped): (Vec<_>, Vec<_>) =
            old.into_iter().partition(|relay| wanted.contains(&relay.addr));
        let known: Vec<_> = kept.iter().map(|relay| relay.addr.clone()).collect();
        let mut refused = Vec::new();
        let order = wanted.clone();
        for addr in wanted.into_iter().filter(|addr| !known.contains(addr)) {
            let split = identity::split_peer(&addr).filter(|(dial, _)| !dial.iter().any(is_peer));
            let reason = match split {
                None => "the address must end in /p2p/ and the relay's peer id",
                Some((_, peer)) if kept.iter().any(|relay| relay.peer == peer) => {
                    "this relay is already in the list"
                }
                Some(_) if kept.len() >= MAX_RELAYS => "at most 16 relays are used",
                Some((dial, peer)) => {
                    self.relays_made = self.relays_made.wrapping_add(1);
                    kept.push(Relay {
                        addr,
                        dial,
                        peer,
                        backoff: Backoff::default(),
                        listing: Listing::default(),
                        stage: Stage::Standby,
                        number: self.relays_made,
                        rtt: None,
                        doubted: None,
                    });
                    continue;
                }
            };
            refused.push((addr, reason));
        }
        let place = |relay: &Relay| order.iter().position(|addr| *addr == relay.addr);
        let kept: SmallMap<_, _> = kept
            .into_iter()
            .enumerate()
            .map(|(number, relay)| ((place(&relay), number), relay))
            .collect();
        let kept: Vec<_> = kept.into_values().collect();
        let standby = kept.iter().filter(|relay| matches!(relay.stage, Stage::Standby));
        let standby: Vec<_> = standby.map(|relay| relay.addr.clone()).collect();
        self.relays.0 = kept;
        for addr in standby {
            self.tell(Event::Relay { addr, state: RelayState::Standby });
        }
        for (addr, reason) in refused {
            let reason = reason.to_owned();
            let state = RelayState::Failed { reason, clock_ahead: false, retry_in: None };
            self.tell(Event::Relay { addr, state });
        }
        for mut relay in dropped {
            if let Some(connection) = relay.connection() {
                self.swarm.close_connection(connection);
            }
            self.forget(&mut relay.listing);
        }
        self.use_enough();
    }

    /// Takes relays into use until there are enough, and lets go of those beyond.
    fn use_enough(&mut self) {
        for peer in self.relays.wanted(Instant::now()) {
            self.dial_relay(peer);
        }
        while let Some(connection) = self.relays.superfluous() {
            let Some(relay) = self.relays.on(connection) else { return };
            relay.stage = Stage::Standby;
            let addr = relay.addr.clone();
            let mut listing = std::mem::take(&mut relay.listing);
            self.tell(Event::Relay { addr, state: RelayState::Standby });
            self.swarm.close_connection(connection);
            self.forget(&mut listing);
        }
    }

    pub(super) fn retry_relays(&mut self) {
        for relay in &mut self.relays.0 {
            relay.backoff.reset();
            if let Stage::Waiting { until } = &mut relay.stage {
                *until = Instant::now();
            }
        }
        self.use_enough();
    }

    fn dial_relay(&mut self, peer: PeerId) {
        let Some(relay) = self.relays.of(peer) else { return };
        let options = DialOpts::peer_id(peer)
            .addresses(vec![relay.dial.clone()])
            .condition(PeerCondition::Always)
            .build();
        let connection = options.connection_id();
        relay.stage = Stage::Opening(Opening {
            connection,
            deadline: None,
            listener: None,
            reserved: false,
            requests: None,
        });
        let addr = relay.addr.clone();
        self.tell(Event::Relay { addr, state: RelayState::Connecting });
        if let Err(error) = self.swarm.dial(options) {
            self.relay_closed(connection, &super::dial_reason(&error));
        }
    }

    pub(super) fn relay_connected(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        endpoint: &ConnectedPoint,
    ) {
        let relay = self.relays.on(connection).filter(|_| !endpoint.is_relayed());
        let Some(Relay { stage: Stage::Opening(opening), addr, .. }) = relay else {
            // Not dialled by us for relaying, and a relay is no device.
            self.swarm.close_connection(connection);
            return;
        };
        opening.deadline = Some(Instant::now() + HANDSHAKE);
        match self.swarm.listen_on(addr.clone().with(Protocol::P2pCircuit)) {
            Ok(listener) => opening.listener = Some(listener),
            Err(error) => {
                let reason = super::attempt(&error);
                return self.relay_closed(connection, &reason);
            }
        }
        let protocol = StreamProtocol::new(meet::PROTOCOL);
        self.swarm.behaviour_mut().streams.open(peer, connection, protocol);
    }

    pub(super) fn reserved(&mut self, peer: PeerId) {
        if let Some(Relay { stage: Stage::Opening(opening), .. }) = self.relays.of(peer) {
            opening.reserved = true;
            let connection = opening.connection;
            self.relay_ready(connection);
        }
    }

    pub(super) fn meet_opened(&mut self, connection: ConnectionId, stream: Stream) {
        let Some(relay) = self.relays.on(connection) else { return };
        let Stage::Opening(opening) = &mut relay.stage else { return };
        // A channel holds one more than this for its one sender.
        let (requests, queue) = mpsc::channel(meet::MAX_TAGS - 1);
        opening.requests = Some(requests);
        let (reader, writer) = stream.split();
        let peer = relay.peer;
        self.reading.push(pipes::read(peer, connection, Source::Meet, reader, meet::MAX_FRAME));
        self.writing.push(pipes::write(peer, connection, writer, queue, meet::MAX_FRAME));
        self.relay_ready(connection);
    }

    /// Enters the tags once others can reach us, and not before.
    fn relay_ready(&mut self, connection: ConnectionId) {
        let Some(relay) = self.relays.on(connection) else { return };
        let Stage::Opening(opening) = &mut relay.stage else { return };
        let Some(listener) = opening.listener.filter(|_| opening.reserved) else { return };
        let Some(requests) = opening.requests.take() else { return };
        relay.stage = Stage::Ready { connection, listener, since: Instant::now(), requests };
        let addr = relay.addr.clone();
        self.tell(Event::Relay { addr, state: RelayState::Connected { rtt: None } });
        for tag in self.tags.clone() {
            self.enter(connection, tag);
        }
        self.use_enough();
    }

    pub(super) fn meet(&mut self, tag: MeetTag) {
        if self.tags.contains(&tag) {
            return;
        }
        if self.tags.len() >= meet::MAX_TAGS {
            tracing::warn!("at most {} tags can be entered, one is ignored", meet::MAX_TAGS);
            return;
        }
        self.tags.insert(tag);
        let connections: Vec<_> = self.relays.0.iter().filter_map(Relay::connection).collect();
        connections.into_iter().for_each(|connection| self.enter(connection, tag));
    }

    fn enter(&mut self, connection: ConnectionId, tag: MeetTag) {
        let Some(relay) = self.relays.on(connection) else { return };
        let Stage::Ready { requests, .. } = &mut relay.stage else { return };
        relay.listing.entered(tag);
        // There is room for every tag there can be.
        if requests.try_send(wire::encode(&Request::Enter(tag))).is_err() {
            self.relay_closed(connection, "the relay does not take requests");
        }
    }

    pub(super) fn meet_said(&mut self, connection: ConnectionId, frame: &[u8]) {
        let own = self.own();
        let Some(relay) = self.relays.on(connection) else { return };
        let source = relay.number;
        match relay.listing.read(own, frame) {
            Ok(News::Present(devices)) => self.tell(Event::Present { source, devices }),
            Ok(News::Arrived(device)) => {
                let listings = self.relays.0.iter().filter(|relay| relay.listing.lists(device));
                if listings.count() == 1 {
                    self.tell(Event::Arrived { source, device });
                }
            }
            Ok(News::Left(device)) => {
                if !self.relays.0.iter().any(|relay| relay.listing.lists(device)) {
                    self.suspect(device);
                    self.tell(Event::Left(device));
                }
            }
            Ok(News::Nothing) => {}
            Err(reason) => self.relay_closed(connection, &reason),
        }
    }

    /// Notes a round trip; whether the connection is a relay's.
    pub(super) fn relay_rtt(&mut self, connection: ConnectionId, rtt: Duration) -> bool {
        let Some(relay) = self.relays.on(connection) else { return false };
        relay.rtt = Some(rtt);
        if matches!(relay.stage, Stage::Ready { .. }) {
            let addr = relay.addr.clone();
            self.tell(Event::Relay { addr, state: RelayState::Connected { rtt: Some(rtt) } });
        }
        true
    }

    pub(super) fn reservation_ended(&mut self, listener: ListenerId, why: Result<(), io::Error>) {
        let relay = self.relays.0.iter().find(|relay| relay.listener() == Some(listener));
        let Some(connection) = relay.and_then(Relay::connection) else { return };
        match why {
            Ok(()) => self.relay_closed(connection, "no longer reserved"),
            Err(error) if is_over(&error) => {
                self.relay_failed(connection, "this device's clock is ahead of the relay's", true);
            }
            Err(error) => self.relay_closed(connection, &super::root_cause(&error)),
        }
    }

    /// The connection to a relay is gone or of no use: tries again later.
    pub(super) fn relay_closed(&mut self, connection: ConnectionId, reason: &str) {
        self.relay_failed(connection, reason, false);
    }

    fn relay_failed(&mut self, connection: ConnectionId, reason: &str, clock_ahead: bool) {
        let Some(relay) = self.relays.0.iter_mut().find(|r| r.connection() == Some(connection))
        else {
            return;
        };
        let now = Instant::now();
        if let Stage::Ready { since, .. } = relay.stage
            && now.saturating_duration_since(since) > STEADY
        {
            relay.backoff.reset();
        }
        let wait = relay.backoff.next(&mut self.rng);
        relay.stage = Stage::Waiting { until: now + wait };
        let mut listing = std::mem::take(&mut relay.listing);
        let (reason, retry_in) = (reason.to_owned(), Some(wait));
        let state = RelayState::Failed { reason, clock_ahead, retry_in };
        let event = Event::Relay { addr: relay.addr.clone(), state };
        self.tell(event);
        self.swarm.close_connection(connection);
        self.forget(&mut listing);
        self.wake_within(wait);
        self.use_enough();
    }

    fn forget(&mut self, listing: &mut Listing) {
        for device in listing.clear() {
            if !self.relays.0.iter().any(|relay| relay.listing.lists(device)) {
                self.tell(Event::Left(device));
            }
        }
    }

    /// Dials relays whose wait is over, and gives up on those that do not become ready.
    pub(super) fn relays_due(&mut self, now: Instant) {
        let late = |relay: &Relay| match &relay.stage {
            Stage::Opening(opening) if opening.deadline.is_some_and(|at| at <= now) => {
                Some(opening.connection)
            }
            _ => None,
        };
        let late: Vec<_> = self.relays.0.iter().filter_map(late).collect();
        for connection in late {
            self.relay_closed(connection, "the relay answers, but makes no reservation");
        }
        self.use_enough();
    }
}

/// Whether a reservation was refused here because it ends before it begins, by our clock.
fn is_over(error: &(dyn std::error::Error + 'static)) -> bool {
    let said = |error: &&(dyn std::error::Error + 'static)| {
        matches!(
            error.downcast_ref::<ProtocolViolation>(),
            Some(ProtocolViolation::InvalidReservationExpiration)
        )
    };
    std::iter::successors(Some(error), |error| error.source()).any(|error| said(&error))
}

fn is_peer(part: Protocol<'_>) -> bool {
    matches!(part, Protocol::P2p(_) | Protocol::P2pCircuit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use libp2p::relay::{client::transport::Error, outbound::hop::ReserveError};

    #[test]
    fn a_reservation_that_is_over_before_it_begins_is_told_from_others() {
        let ended = |violation| {
            is_over(&io::Error::other(Error::Reservation(ReserveError::Protocol(violation))))
        };
        assert!(ended(ProtocolViolation::InvalidReservationExpiration));
        assert!(!ended(ProtocolViolation::NoAddressesInReservation));
        assert!(!is_over(&io::Error::other(Error::Reservation(ReserveError::Refused))));
    }
}

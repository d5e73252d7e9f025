//! The one driver of the network, for browsers and native programs alike.
//!
//! A single task owns the swarm and everything that reads or writes a stream, so nothing here is
//! shared or locked. While the application does not take events, no stream is read.

mod devices;
mod dialing;
mod links;
mod pipes;
mod relays;
mod silence;
#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests;
mod turn;

use crate::{
    behaviour::{Behaviour, BehaviourEvent, Quiet},
    gossip, identity,
    linking::Linking,
    meet,
    network::{Command, Event},
    proof,
    streams::{self, Happening},
};
use chats_core::{
    channel::Channel,
    id::{DeviceKey, DeviceSecret, MeetTag},
    small::{SmallMap, SmallSet},
};
use devices::Devices;
use dialing::Dialing;
use futures::{
    FutureExt, StreamExt,
    channel::mpsc,
    future::BoxFuture,
    stream::{BoxStream, FuturesUnordered, SelectAll},
};
use futures_timer::Delay;
use libp2p::{
    Multiaddr, PeerId, Swarm,
    core::{ConnectedPoint, transport::TransportError},
    multiaddr::Protocol,
    ping, relay,
    swarm::{ConnectionId, DialError, SwarmEvent},
};
use links::Proving;
use pipes::{Incoming, Source, Written};
use rand::rngs::SmallRng;
use relays::Relays;
use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use turn::{Asking, Question};
use web_time::Instant;

/// What relays with a TURN server speak.
const TURN: &str = chats_core::turn::PROTOCOL;
/// How often deadlines are looked at.
const TICK: Duration = Duration::from_secs(1);
/// How long a connection that we end may take to send what was queued.
const LINGER: Duration = Duration::from_secs(1);
/// Events that wait for the application beside its queue; with more, everything stops.
const MAX_WAITING: usize = 1024;
/// Frames read in one round, and events that may wait before reading stops.
const MAX_READS: usize = 16;
/// Rounds without giving way to other tasks; in a browser that is the page itself.
const MAX_ROUNDS: usize = 32;

/// See the module. A future that ends when the [`crate::network::Network`] is dropped.
pub(crate) struct Driver {
    swarm: Swarm<Quiet<Behaviour>>,
    secret: DeviceSecret,
    linking: Linking,
    commands: mpsc::Receiver<Command>,
    events: mpsc::Sender<Event>,
    waiting: VecDeque<Event>,
    tags: SmallSet<MeetTag>,
    relays: Relays,
    /// Relays that were ever taken into the list.
    relays_made: u32,
    devices: Devices,
    dialing: SmallMap<DeviceKey, Dialing>,
    /// Dials on their way to devices to which another one was faster.
    outpaced: SmallSet<ConnectionId>,
    /// When each connection last proved to be alive.
    heard: SmallMap<ConnectionId, Instant>,
    /// Connections at whose other end there may be nobody, and since when they owe an answer.
    suspects: SmallMap<ConnectionId, Instant>,
    /// With which linked member the next who help to dial begin.
    carried: usize,
    lingering: SmallMap<ConnectionId, Lingering>,
    reading: SelectAll<BoxStream<'static, Incoming>>,
    writing: FuturesUnordered<BoxFuture<'static, Written>>,
    proving: FuturesUnordered<Proving>,
    asking: Option<Asking>,
    /// The relay whose TURN server was granted last.
    granter: Option<PeerId>,
    questions: FuturesUnordered<Question>,
    tick: Delay,
    tick_due: Instant,
    rng: SmallRng,
}

/// A connection that closes once its writers are done, at the latest at a moment.
struct Lingering {
    until: Instant,
    writers: usize,
    /// Frames for streams that are not open yet.
    unopened: SmallMap<Channel, mpsc::Receiver<Vec<u8>>>,
}

impl Driver {
    pub(crate) fn new(
        swarm: Swarm<Quiet<Behaviour>>,
        secret: DeviceSecret,
        linking: Linking,
        commands: mpsc::Receiver<Command>,
        events: mpsc::Sender<Event>,
        rng: SmallRng,
    ) -> Self {
        Self {
            swarm,
            secret,
            linking,
            commands,
            events,
            waiting: VecDeque::new(),
            tags: SmallSet::new(),
            relays: Relays::default(),
            relays_made: 0,
            devices: Devices::default(),
            dialing: SmallMap::new(),
            outpaced: SmallSet::new(),
            heard: SmallMap::new(),
            suspects: SmallMap::new(),
            carried: 0,
            lingering: SmallMap::new(),
            reading: SelectAll::new(),
            writing: FuturesUnordered::new(),
            proving: FuturesUnordered::new(),
            asking: None,
            granter: None,
            questions: FuturesUnordered::new(),
            tick: Delay::new(TICK),
            tick_due: Instant::now() + TICK,
            rng,
        }
    }

    /// Takes up the relays it starts with.
    pub(crate) fn use_relays(&mut self, relays: Vec<Multiaddr>) {
        self.set_relays(relays);
    }

    /// Accepts direct connections at `addr`.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn listen(&mut self, addr: Multiaddr) -> Result<(), String> {
        self.swarm.listen_on(addr).map(|_| ()).map_err(|error| attempt(&error))
    }

    fn own(&self) -> DeviceKey {
        self.secret.device()
    }

    fn tell(&mut self, event: Event) {
        self.waiting.push_back(event);
    }

    /// Looks at deadlines no later than after `wait`.
    fn wake_within(&mut self, wait: Duration) {
        let due = Instant::now() + wait;
        if due < self.tick_due {
            self.tick_due = due;
            self.tick.reset(wait);
        }
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Meet(tag) => self.meet(tag),
            Command::Dial(device) => self.dial(device),
            Command::Disconnect(device) => self.end_device(device, "we ended it"),
            Command::Pass(device) => self.pass(device),
            Command::Link(device) => self.link(device),
            Command::Check(device) => self.check(device),
            Command::TakeLinks { device, take } => self.take_links(device, take),
            Command::Subscribe(topic) => self.swarm.behaviour_mut().gossip.subscribe(topic),
            Command::Publish { topic, frame } => {
                self.swarm.behaviour_mut().gossip.publish(topic, frame);
            }
            Command::Judge { id, source, verdict } => {
                if let Some(source) = identity::peer_id(source) {
                    self.swarm.behaviour_mut().gossip.judge(source, id, verdict);
                }
            }
            Command::Send { to, channel, frame } => self.send(to, channel, frame),
            Command::AskForTurn(request) => self.ask_for_turn(request),
            Command::SetRelays(relays) => self.set_relays(relays),
            Command::RetryNow => self.retry_relays(),
        }
    }

    fn on_swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.heard.insert(connection_id, Instant::now());
                let addr = match &endpoint {
                    ConnectedPoint::Dialer { address, .. } => address,
                    ConnectedPoint::Listener { local_addr, .. } => local_addr,
                };
                if (self.linking.is_link)(addr) {
                    self.link_connected(peer_id, connection_id, &endpoint);
                } else if self.relays.is_relay(peer_id) {
                    self.relay_connected(peer_id, connection_id, &endpoint);
                } else {
                    self.device_connected(peer_id, connection_id, &endpoint);
                }
            }
            SwarmEvent::ConnectionClosed { connection_id, cause, .. } => {
                self.heard.remove(&connection_id);
                self.suspects.remove(&connection_id);
                self.lingering.remove(&connection_id);
                let reason = cause
                    .map_or_else(|| "the connection ended".to_owned(), |cause| root_cause(&cause));
                self.relay_closed(connection_id, &reason);
                self.link_closed(connection_id, &reason);
                self.device_closed(connection_id, &reason);
                self.dial_failed(connection_id, &reason);
            }
            SwarmEvent::OutgoingConnectionError { connection_id, error, .. } => {
                let reason = dial_reason(&error);
                if !self.dial_failed(connection_id, &reason)
                    && !self.link_refused(connection_id, &error)
                {
                    self.relay_closed(connection_id, &reason);
                }
            }
            SwarmEvent::NewListenAddr { address, .. }
                if !address.iter().any(|part| part == Protocol::P2pCircuit) =>
            {
                let own = *self.swarm.local_peer_id();
                self.tell(Event::Listening(address.with(Protocol::P2p(own))));
            }
            SwarmEvent::ListenerClosed { listener_id, reason, .. } => {
                self.reservation_ended(listener_id, reason);
            }
            SwarmEvent::Behaviour(BehaviourEvent::Relay(
                relay::client::Event::ReservationReqAccepted { relay_peer_id, renewal, .. },
            )) if !renewal => self.reserved(relay_peer_id),
            SwarmEvent::Behaviour(BehaviourEvent::Ping(ping::Event {
                peer,
                connection,
                result: Ok(rtt),
            })) => {
                if let Some(heard) = self.heard.get_mut(&connection) {
                    *heard = Instant::now();
                }
                self.answered(peer, connection);
                if !self.relay_rtt(connection, rtt)
                    && let Some(device) = identity::device(peer)
                    && self.devices.connected(device)
                {
                    self.tell(Event::Rtt { device, rtt });
                }
            }
            SwarmEvent::Behaviour(BehaviourEvent::Streams(event)) => self.on_stream(event),
            SwarmEvent::Behaviour(BehaviourEvent::Gossip(event)) => self.on_gossip(event),
            SwarmEvent::Behaviour(BehaviourEvent::Signalling(event)) => self.link_attacked(event),
            _ => {}
        }
    }

    fn on_gossip(&mut self, event: gossip::Event) {
        match event {
            gossip::Event::Reaches(peer) => {
                if let Some(device) = identity::device(peer) {
                    self.tell(Event::GossipReaches(device));
                }
            }
            gossip::Event::Frame { source, id, frame } => {
                if let Some(source) = identity::device(source) {
                    self.tell(Event::Gossip { source, id, frame });
                }
            }
        }
    }

    fn on_stream(&mut self, streams::Event { peer, connection, what }: streams::Event) {
        match what {
            Happening::Inbound(protocol, stream) | Happening::Opened(protocol, stream)
                if protocol.as_ref() == proof::PROTOCOL =>
            {
                self.answered(peer, connection);
                self.proof_opened(peer, connection, stream);
            }
            Happening::Inbound(protocol, stream) => {
                let channel = Channel::ALL.into_iter().find(|c| c.protocol() == protocol.as_ref());
                if let (Some(device), Some(channel)) = (identity::device(peer), channel) {
                    self.channel_accepted(device, connection, channel, stream);
                }
            }
            Happening::Opened(protocol, stream) => match protocol.as_ref() {
                meet::PROTOCOL => self.meet_opened(connection, stream),
                TURN => self.turn_opened(connection, stream),
                protocol => self.channel_opened(peer, connection, protocol, stream),
            },
            Happening::OpenFailed(protocol, reason) if protocol.as_ref() == TURN => {
                self.turn_failed(connection, &reason);
            }
            Happening::OpenFailed(protocol, reason) => {
                tracing::debug!(%peer, %protocol, reason, "no stream");
                self.pipe_broke(peer, connection, &reason);
            }
        }
    }

    fn on_incoming(&mut self, incoming: Incoming) {
        let Incoming { peer, connection, source, frame } = incoming;
        let device = identity::device(peer);
        match (frame, source, device) {
            (Ok(Some(frame)), Source::Meet, _) => self.meet_said(connection, &frame),
            (Ok(Some(frame)), Source::Channel(channel), Some(device)) => {
                self.received(device, connection, channel, frame);
            }
            (Ok(Some(_)), Source::Channel(_), None) => {}
            (Ok(None), Source::Channel(channel), Some(device))
                if self.channel_ended(device, connection, channel) => {}
            (Ok(None), ..) => self.pipe_broke(peer, connection, "the other side ended it"),
            (Err(reason), ..) => self.pipe_broke(peer, connection, &reason),
        }
    }

    fn on_written(&mut self, written: Written) {
        if let Some(lingering) = self.lingering.get_mut(&written.connection) {
            lingering.writers = lingering.writers.saturating_sub(1);
            if lingering.writers == 0 {
                self.lingering.remove(&written.connection);
                self.swarm.close_connection(written.connection);
            }
        }
        if let Some(reason) = written.failed {
            self.pipe_broke(written.peer, written.connection, &reason);
        }
    }

    /// A stream of ours on this connection ended; no frame may be lost silently, so whatever used
    /// it ends too.
    fn pipe_broke(&mut self, peer: PeerId, connection: ConnectionId, reason: &str) {
        self.relay_closed(connection, reason);
        self.channel_broke(peer, connection, reason);
    }

    fn on_tick(&mut self) {
        let now = Instant::now();
        self.forgive(now.saturating_duration_since(self.tick_due));
        let tick = if self.suspects.is_empty() { TICK } else { silence::SHORT_TICK };
        self.tick_due = now + tick;
        self.tick.reset(tick);
        self.silence_due(now);
        let due = self.lingering.iter().filter(|(_, lingering)| lingering.until <= now);
        let due: Vec<_> = due.map(|(id, _)| *id).collect();
        for connection in due {
            self.lingering.remove(&connection);
            self.swarm.close_connection(connection);
        }
        self.dials_due(now);
        self.circuits_due(now);
        self.relays_due(now);
        self.strangers_due(now);
        self.links_due(now);
        self.turn_due(now);
    }

    /// One round over everything that can happen; whether anything did.
    fn round(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        while !self.waiting.is_empty() {
            match self.events.poll_ready(cx) {
                Poll::Ready(Ok(())) => {
                    if let Some(event) = self.waiting.pop_front()
                        && self.events.start_send(event).is_err()
                    {
                        return Poll::Ready(false);
                    }
                }
                Poll::Ready(Err(_)) => return Poll::Ready(false),
                Poll::Pending => break,
            }
        }
        if self.waiting.len() >= MAX_WAITING {
            return Poll::Pending;
        }
        let mut busy = false;
        // Before the swarm, so that frames that came ahead of a disconnect are seen before it.
        for _ in 0..MAX_READS {
            if self.waiting.len() >= MAX_READS {
                break;
            }
            let Poll::Ready(Some(incoming)) = self.reading.poll_next_unpin(cx) else { break };
            self.on_incoming(incoming);
            busy = true;
        }
        if let Poll::Ready(Some(event)) = self.swarm.poll_next_unpin(cx) {
            self.on_swarm_event(event);
            busy = true;
        }
        if let Poll::Ready(Some(written)) = self.writing.poll_next_unpin(cx) {
            self.on_written(written);
            busy = true;
        }
        if let Poll::Ready(Some(proof)) = self.proving.poll_next_unpin(cx) {
            self.on_proof(proof);
            busy = true;
        }
        if let Poll::Ready(Some(asked)) = self.questions.poll_next_unpin(cx) {
            self.turn_answered(asked);
            busy = true;
        }
        match self.commands.poll_next_unpin(cx) {
            Poll::Ready(Some(command)) => {
                self.on_command(command);
                busy = true;
            }
            Poll::Ready(None) => return Poll::Ready(false),
            Poll::Pending => {}
        }
        if self.tick.poll_unpin(cx).is_ready() {
            self.on_tick();
            busy = true;
        }
        if busy { Poll::Ready(true) } else { Poll::Pending }
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..MAX_ROUNDS {
            match self.round(cx) {
                Poll::Ready(true) => {}
                Poll::Ready(false) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// The innermost cause of an error; the layers above it only say where it passed.
pub(crate) fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// Why one address did not work, for people. What libp2p says of it names the address, and what
/// writes addresses is large ([`crate::address`]).
pub(crate) fn attempt(error: &TransportError<std::io::Error>) -> String {
    match error {
        TransportError::MultiaddrNotSupported(_) if cfg!(target_arch = "wasm32") => {
            "a browser cannot use this kind of address; it needs /ws, /wss or /tls/ws".to_owned()
        }
        TransportError::MultiaddrNotSupported(_) => {
            "this kind of address cannot be used; it needs /tcp or /tcp and /ws".to_owned()
        }
        TransportError::Other(error) => match root_cause(error) {
            // All that a browser tells of a socket that did not open.
            cause if cfg!(target_arch = "wasm32") && cause == "broken pipe" => {
                "no connection; the relay may be down, or the browser refuses it".to_owned()
            }
            cause => cause,
        },
    }
}

/// Why a dial did not work, for people; in own words, as for [`attempt`].
fn dial_reason(error: &DialError) -> String {
    match error {
        DialError::Transport(attempts) => {
            let mut reasons: Vec<_> = attempts.iter().map(|(_, error)| attempt(error)).collect();
            reasons.dedup();
            reasons.join("; ")
        }
        DialError::WrongPeerId { obtained, .. } => {
            format!("another peer answers at this address: {obtained}")
        }
        DialError::Denied { cause } => root_cause(cause),
        DialError::LocalPeerId { .. } => "this device itself is at this address".to_owned(),
        DialError::NoAddresses => "there is no address to try".to_owned(),
        DialError::DialPeerConditionFalse(_) => "it is connected or being dialled".to_owned(),
        DialError::Aborted => "the attempt was given up".to_owned(),
    }
}

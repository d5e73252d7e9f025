//! Finds or makes the connection that signalling runs over, and opens and accepts its streams.
//!
//! `libp2p-stream` could do this, but takes any connection of a peer at random, which may be a
//! direct one, and drops streams that arrive faster than they are taken.

mod handler;

use crate::{
    Answer, Error, address,
    shared::{Failure, Fingerprints, Inbound, Made, Request, Shared, SignallingStream},
};
use handler::{Handler, Happening, Token};
use libp2p::{
    Multiaddr, PeerId,
    core::{
        Endpoint,
        transport::{PortUse, TransportError},
    },
    swarm::{
        ConnectionDenied, ConnectionId, DialError, FromSwarm, NetworkBehaviour, NotifyHandler,
        THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
        dial_opts::{DialOpts, PeerCondition},
    },
};
use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, PoisonError, Weak},
    task::{Context, Poll},
};

/// How many connections to one peer may be in the making because it began signalling.
const MAX_PER_PEER: usize = 2;
/// How many streams lent for dials may wait to be used.
const MAX_LENT: usize = 8;

/// Whose signalling is answered.
#[derive(Debug)]
pub(crate) struct Gate {
    default: bool,
    exceptions: Mutex<HashSet<PeerId>>,
}

impl Gate {
    fn answers(&self, peer: &PeerId) -> bool {
        let exceptions = self.exceptions.lock().unwrap_or_else(PoisonError::into_inner);
        self.default != exceptions.contains(peer)
    }

    fn set(&self, peer: PeerId, answered: bool) {
        let mut exceptions = self.exceptions.lock().unwrap_or_else(PoisonError::into_inner);
        if answered == self.default {
            exceptions.remove(&peer);
        } else {
            exceptions.insert(peer);
        }
    }
}

/// A connection that signalling may run over.
#[derive(Debug, Clone, Copy)]
struct Path {
    connection: ConnectionId,
    relayed: bool,
}

/// A dial of the transport that waits for its stream.
struct Waiting {
    request: Request,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// A connection to signal over is being made.
    Dialling(ConnectionId),
    /// A stream is being opened on this connection.
    Opening(ConnectionId, Token),
}

/// The other half of a `Transport`; both must be part of one swarm.
///
/// Its events are the failures of connections that did not come to stand, inbound ones included,
/// of which the swarm names no peer.
pub struct Behaviour {
    shared: Arc<Shared>,
    gate: Arc<Gate>,
    /// The oldest first.
    paths: HashMap<PeerId, Vec<Path>>,
    waiting: Vec<Waiting>,
    lent: VecDeque<(PeerId, SignallingStream)>,
    answering: Vec<(PeerId, Weak<()>)>,
    direct: HashMap<ConnectionId, Made>,
    next_token: Token,
    queue: VecDeque<ToSwarm<Failure, Token>>,
}

impl Behaviour {
    pub(crate) fn new(shared: Arc<Shared>, answer: Answer) -> Self {
        let gate = Gate { default: answer == Answer::Anyone, exceptions: Mutex::default() };
        Self {
            shared,
            gate: Arc::new(gate),
            paths: HashMap::new(),
            waiting: Vec::new(),
            lent: VecDeque::new(),
            answering: Vec::new(),
            direct: HashMap::new(),
            next_token: 0,
            queue: VecDeque::new(),
        }
    }

    /// Answers signalling of this peer from now on.
    pub fn allow(&mut self, peer: PeerId) {
        self.gate.set(peer, true);
    }

    /// Answers no signalling of this peer from now on; to it, the protocol is not spoken here.
    /// Connections that stand, or that are being made, are left alone.
    pub fn forbid(&mut self, peer: PeerId) {
        self.gate.set(peer, false);
    }

    /// The certificates of a direct connection; `None` for all other connections.
    #[must_use]
    pub fn fingerprints(&self, connection: ConnectionId) -> Option<Fingerprints> {
        self.direct.get(&connection).map(|made| made.fingerprints)
    }

    /// Signals over a stream of the caller's making instead of one on a connection of the swarm.
    /// It must be authenticated from end to end.
    ///
    /// As [`Endpoint::Dialer`], the next dial of this peer uses it; dial `/webrtc/p2p/<peer>` if no
    /// other way is to be tried. As [`Endpoint::Listener`], the peer at the other end of the stream
    /// is dialling, and is answered even if it is not allowed otherwise.
    ///
    /// # Errors
    /// [`Error::Busy`] if too many connections are in the making.
    pub fn signal_over(
        &mut self,
        stream: SignallingStream,
        peer: PeerId,
        role: Endpoint,
    ) -> Result<(), Error> {
        if role == Endpoint::Listener {
            return self.answer(peer, stream);
        }
        self.lent.retain(|(other, _)| *other != peer);
        if self.lent.len() >= MAX_LENT {
            return Err(Error::Busy);
        }
        self.lent.push_back((peer, stream));
        Ok(())
    }

    fn answer(&mut self, peer: PeerId, stream: SignallingStream) -> Result<(), Error> {
        self.answering.retain(|(_, making)| making.strong_count() > 0);
        if self.answering.iter().filter(|(other, _)| *other == peer).count() >= MAX_PER_PEER {
            return Err(Error::Busy);
        }
        let permit = self.shared.inbound_permit()?;
        self.answering.push((peer, permit.watch()));
        self.shared.arrive(Inbound { peer, stream, permit });
        Ok(())
    }

    /// The connection to signal over: the newest that goes through a relay, else the newest.
    fn path(&self, peer: &PeerId) -> Option<ConnectionId> {
        let paths = self.paths.get(peer)?;
        let relayed = paths.iter().rev().find(|path| path.relayed);
        relayed.or(paths.last()).map(|path| path.connection)
    }

    fn serve(&mut self, request: Request) {
        let peer = request.peer;
        if let Some(at) = self.lent.iter().position(|(other, _)| *other == peer) {
            if let Some((_, stream)) = self.lent.remove(at) {
                let _ = request.reply.send(Ok(stream));
            }
        } else if let Some(connection) = self.path(&peer) {
            self.open(request, connection);
        } else if let Some(circuit) = request.circuit.clone() {
            // The dial of the direct address is under way itself, so there is no condition.
            let dial = DialOpts::peer_id(peer).addresses(vec![circuit]);
            let dial = dial.condition(PeerCondition::Always).build();
            let stage = Stage::Dialling(dial.connection_id());
            self.waiting.push(Waiting { request, stage });
            self.queue.push_back(ToSwarm::Dial { opts: dial });
        } else {
            let why = "there is no connection to it, and the address names no relay";
            let _ = request.reply.send(Err(Error::Unreachable(why.to_owned())));
        }
    }

    fn open(&mut self, request: Request, connection: ConnectionId) {
        let token = self.next_token;
        self.next_token += 1;
        self.queue.push_back(ToSwarm::NotifyHandler {
            peer_id: request.peer,
            handler: NotifyHandler::One(connection),
            event: token,
        });
        self.waiting.push(Waiting { request, stage: Stage::Opening(connection, token) });
    }

    fn connected(&mut self, peer: PeerId, connection: ConnectionId) {
        let (dialling, rest) = std::mem::take(&mut self.waiting).into_iter().partition(|waiting| {
            waiting.request.peer == peer && matches!(waiting.stage, Stage::Dialling(_))
        });
        self.waiting = rest;
        for Waiting { request, .. } in dialling {
            self.open(request, connection);
        }
    }

    /// Ends the waiting of those that `of` picks.
    fn give_up(&mut self, why: &Error, of: impl Fn(Stage) -> bool) {
        for waiting in std::mem::take(&mut self.waiting) {
            if of(waiting.stage) {
                let _ = waiting.request.reply.send(Err(why.clone()));
            } else {
                self.waiting.push(waiting);
            }
        }
    }

    /// Makes the handler of a connection, of which other parts of the swarm may still say no.
    fn handler(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        own_address: &Multiaddr,
        dialled: bool,
    ) -> Handler {
        let direct = address::is_direct(own_address);
        if direct && let Some(made) = self.shared.take_made(peer, dialled) {
            self.direct.insert(connection, made);
        }
        Handler::new(peer, Arc::clone(&self.gate), direct)
    }

    fn opened(&mut self, token: Token, stream: SignallingStream) {
        let at = self
            .waiting
            .iter()
            .position(|waiting| matches!(waiting.stage, Stage::Opening(_, one) if one == token));
        if let Some(at) = at {
            let _ = self.waiting.swap_remove(at).request.reply.send(Ok(stream));
        }
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Failure;

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(connection, peer, local, false))
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        remote: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(connection, peer, remote, true))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(event) => {
                let (peer, connection) = (event.peer_id, event.connection_id);
                if !address::is_direct(own_address(event.endpoint)) {
                    let relayed = event.endpoint.is_relayed();
                    self.paths.entry(peer).or_default().push(Path { connection, relayed });
                    self.connected(peer, connection);
                }
            }
            FromSwarm::ConnectionClosed(event) => {
                self.direct.remove(&event.connection_id);
                if let Some(paths) = self.paths.get_mut(&event.peer_id) {
                    paths.retain(|path| path.connection != event.connection_id);
                    if paths.is_empty() {
                        self.paths.remove(&event.peer_id);
                    }
                }
                let why = Error::Unreachable("the connection to it closed".to_owned());
                self.give_up(
                    &why,
                    |stage| matches!(stage, Stage::Opening(on, _) if on == event.connection_id),
                );
            }
            FromSwarm::ListenFailure(event) => {
                self.direct.remove(&event.connection_id);
            }
            FromSwarm::DialFailure(event) => {
                self.direct.remove(&event.connection_id);
                let why = Error::Unreachable(reason(event.error));
                self.give_up(&why, |stage| stage == Stage::Dialling(event.connection_id));
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        _: ConnectionId,
        happening: THandlerOutEvent<Self>,
    ) {
        let this = |stage, token| matches!(stage, Stage::Opening(_, one) if one == token);
        match happening {
            // Dropped, the stream is reset. That is the answer to a flood.
            Happening::Inbound(stream) => drop(self.answer(peer, Box::new(stream))),
            Happening::Opened(token, stream) => self.opened(token, Box::new(stream)),
            Happening::Refused(token) => {
                self.give_up(&Error::Refused, |stage| this(stage, token));
            }
            Happening::Failed(token, reason) => {
                self.give_up(&Error::Unreachable(reason), |stage| this(stage, token));
            }
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Failure, THandlerInEvent<Self>>> {
        self.waiting.retain(|waiting| !waiting.request.reply.is_canceled());
        while let Some(request) = self.shared.next_request(cx) {
            self.serve(request);
        }
        let failure = self.shared.next_failure().map(ToSwarm::GenerateEvent);
        failure.or_else(|| self.queue.pop_front()).map_or(Poll::Pending, Poll::Ready)
    }
}

/// The address that says which transport a connection runs on.
fn own_address(endpoint: &libp2p::core::ConnectedPoint) -> &Multiaddr {
    match endpoint {
        libp2p::core::ConnectedPoint::Dialer { address, .. } => address,
        libp2p::core::ConnectedPoint::Listener { local_addr, .. } => local_addr,
    }
}

fn reason(error: &DialError) -> String {
    match error {
        DialError::Transport(tried) => {
            let failed = tried.iter().find_map(|(_, error)| match error {
                TransportError::Other(error) => Some(error.to_string()),
                TransportError::MultiaddrNotSupported(_) => None,
            });
            failed.unwrap_or_else(|| "no address of it can be used".to_owned())
        }
        DialError::Denied { cause } => cause.to_string(),
        DialError::WrongPeerId { .. } => "another peer answers at its address".to_owned(),
        DialError::NoAddresses => "no address of it is known".to_owned(),
        _ => "the attempt was given up".to_owned(),
    }
}

#[cfg(test)]
mod tests;

//! Streams of our own protocols, bound to the connection they run on.
//!
//! `libp2p-stream` picks any connection of a peer, dials when there is none, and drops inbound
//! streams that arrive faster than they are taken. Channels must neither move between connections
//! nor lose frames, so this behaviour names the connection of every stream and drops none.

mod handler;

pub(crate) use handler::Handler;

use libp2p::{
    Multiaddr, PeerId, Stream, StreamProtocol,
    core::{Endpoint, transport::PortUse},
    swarm::{
        ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler, THandler,
        THandlerInEvent, THandlerOutEvent, ToSwarm,
    },
};
use std::{
    collections::VecDeque,
    sync::Arc,
    task::{Context, Poll},
};

/// What happened on a connection.
#[derive(Debug)]
pub(crate) enum Happening {
    /// The other side opened a stream.
    Inbound(StreamProtocol, Stream),
    /// A stream asked for by [`Behaviour::open`] is there.
    Opened(StreamProtocol, Stream),
    /// A stream asked for could not be opened, for this reason.
    OpenFailed(StreamProtocol, String),
}

/// A happening and where it happened.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) peer: PeerId,
    pub(crate) connection: ConnectionId,
    pub(crate) what: Happening,
}

/// Opens and accepts streams of a fixed list of protocols.
pub(crate) struct Behaviour {
    accepted: Arc<[StreamProtocol]>,
    queue: VecDeque<ToSwarm<Event, StreamProtocol>>,
}

impl Behaviour {
    pub(crate) fn new(accepted: impl IntoIterator<Item = StreamProtocol>) -> Self {
        Self { accepted: accepted.into_iter().collect(), queue: VecDeque::new() }
    }

    /// Asks for a stream on this very connection. Nothing is heard of it if the connection closes
    /// first. The swarm must be polled afterwards.
    pub(crate) fn open(
        &mut self,
        peer_id: PeerId,
        connection: ConnectionId,
        protocol: StreamProtocol,
    ) {
        self.queue.push_back(ToSwarm::NotifyHandler {
            peer_id,
            handler: NotifyHandler::One(connection),
            event: protocol,
        });
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Event;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::new(Arc::clone(&self.accepted)))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::new(Arc::clone(&self.accepted)))
    }

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        what: THandlerOutEvent<Self>,
    ) {
        self.queue.push_back(ToSwarm::GenerateEvent(Event { peer, connection, what }));
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Event, THandlerInEvent<Self>>> {
        self.queue.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}

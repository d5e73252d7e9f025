//! Behaviours on connections of one kind. Between two peers there are two, through a relay and
//! direct, and most behaviours take either, or the first.

use chats_webrtc::address;
use either::Either;
use libp2p::{
    Multiaddr, PeerId,
    core::{ConnectedPoint, Endpoint, transport::PortUse},
    swarm::{
        ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
        THandlerOutEvent, ToSwarm, dummy,
    },
};
use std::{
    collections::HashMap,
    task::{Context, Poll},
};

/// A kind of connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Path {
    /// From browser to browser.
    Direct,
    /// Through a relay, or to one.
    Circuit,
}

impl Path {
    /// By the address that says which transport is used.
    fn of(address: &Multiaddr) -> Self {
        if address::is_direct(address) { Self::Direct } else { Self::Circuit }
    }

    /// Of a connection that stands.
    pub(crate) fn of_endpoint(endpoint: &ConnectedPoint) -> Self {
        match endpoint {
            ConnectedPoint::Dialer { address, .. } => Self::of(address),
            ConnectedPoint::Listener { local_addr, .. } => Self::of(local_addr),
        }
    }
}

/// A behaviour that sees one kind of connection. It must not ask for any handler of a peer.
pub(crate) struct On<B> {
    path: Path,
    /// How many of that kind there are to each peer.
    open: HashMap<PeerId, usize>,
    pub(crate) inner: B,
}

impl<B> On<B> {
    pub(crate) fn new(path: Path, inner: B) -> Self {
        Self { path, open: HashMap::new(), inner }
    }
}

type Handler<B> = Either<THandler<B>, dummy::ConnectionHandler>;

impl<B: NetworkBehaviour> NetworkBehaviour for On<B> {
    type ConnectionHandler = Handler<B>;
    type ToSwarm = B::ToSwarm;

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<Handler<B>, ConnectionDenied> {
        if Path::of(local) != self.path {
            return Ok(Either::Right(dummy::ConnectionHandler));
        }
        let inner = &mut self.inner;
        inner
            .handle_established_inbound_connection(connection, peer, local, remote)
            .map(Either::Left)
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        remote: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<Handler<B>, ConnectionDenied> {
        if Path::of(remote) != self.path {
            return Ok(Either::Right(dummy::ConnectionHandler));
        }
        let inner = &mut self.inner;
        inner
            .handle_established_outbound_connection(connection, peer, remote, role, port)
            .map(Either::Left)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        let event = match event {
            FromSwarm::ConnectionEstablished(mut event) => {
                if Path::of_endpoint(event.endpoint) != self.path {
                    return;
                }
                let open = self.open.entry(event.peer_id).or_default();
                event.other_established = *open;
                *open += 1;
                FromSwarm::ConnectionEstablished(event)
            }
            FromSwarm::ConnectionClosed(mut event) => {
                if Path::of_endpoint(event.endpoint) != self.path {
                    return;
                }
                let open = self.open.entry(event.peer_id).or_default();
                *open = open.saturating_sub(1);
                event.remaining_established = *open;
                FromSwarm::ConnectionClosed(event)
            }
            event => event,
        };
        self.inner.on_swarm_event(event);
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {
            Either::Left(event) => {
                self.inner.on_connection_handler_event(peer, connection, event);
            }
            Either::Right(never) => match never {},
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<B::ToSwarm, THandlerInEvent<Self>>> {
        self.inner.poll(cx).map(|event| event.map_in(Either::Left))
    }
}

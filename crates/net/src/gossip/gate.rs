//! Keeps gossipsub's share of a connection still until the connection is admitted.

use libp2p::{
    gossipsub,
    swarm::{
        ConnectionHandler, ConnectionHandlerEvent, SubstreamProtocol, handler::ConnectionEvent,
    },
};
use std::task::{Context, Poll};

type Handler = <gossipsub::Behaviour as libp2p::swarm::NetworkBehaviour>::ConnectionHandler;
type Inbound = <Handler as ConnectionHandler>::InboundProtocol;
type Outbound = <Handler as ConnectionHandler>::OutboundProtocol;

/// What a connection is told.
#[derive(Debug)]
pub(crate) enum Told {
    /// It is admitted.
    Open,
    /// Something from gossipsub.
    Inner(<Handler as ConnectionHandler>::FromBehaviour),
}

/// gossipsub's handler. Until it is admitted it takes a stream of the other side, and reads none;
/// it sends nothing, and does not wait for anything to send, as there may be another one.
pub(crate) struct Gated {
    inner: Handler,
    open: bool,
}

impl Gated {
    pub(super) const fn new(inner: Handler) -> Self {
        Self { inner, open: false }
    }
}

impl ConnectionHandler for Gated {
    type FromBehaviour = Told;
    type ToBehaviour = <Handler as ConnectionHandler>::ToBehaviour;
    type InboundProtocol = Inbound;
    type OutboundProtocol = Outbound;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Inbound> {
        self.inner.listen_protocol()
    }

    fn connection_keep_alive(&self) -> bool {
        self.inner.connection_keep_alive()
    }

    fn on_behaviour_event(&mut self, told: Told) {
        match told {
            Told::Open => self.open = true,
            Told::Inner(event) => self.inner.on_behaviour_event(event),
        }
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, Inbound, Outbound>) {
        self.inner.on_connection_event(event);
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Outbound, (), Self::ToBehaviour>> {
        if self.open { self.inner.poll(cx) } else { Poll::Pending }
    }
}

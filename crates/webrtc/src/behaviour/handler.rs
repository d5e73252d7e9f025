//! One connection's share of [`super::Behaviour`].

use super::Gate;
use crate::codec::signalling::PROTOCOL;
use futures::future::{Ready, ready};
use libp2p::{
    PeerId, Stream, StreamProtocol,
    core::upgrade::{InboundUpgrade, OutboundUpgrade, UpgradeInfo},
    swarm::{
        ConnectionHandler, ConnectionHandlerEvent, StreamUpgradeError, SubstreamProtocol,
        handler::{
            ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound,
        },
    },
};
use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

/// Streams that wait to be taken; a peer that opens more at once is flooding.
const MAX_WAITING: usize = 4;

/// Tells one request for a stream from another.
pub(crate) type Token = u64;

/// What happened on a connection.
#[derive(Debug)]
pub enum Happening {
    /// The other side began signalling.
    Inbound(Stream),
    /// A stream is there.
    Opened(Token, Stream),
    /// The other side does not speak the protocol, or not with us.
    Refused(Token),
    /// The stream could not be opened, for this reason.
    Failed(Token, String),
}

/// Negotiates signalling, if it is on offer, and keeps the raw stream.
#[derive(Debug)]
pub struct Signalling {
    offered: bool,
}

impl UpgradeInfo for Signalling {
    type Info = StreamProtocol;
    type InfoIter = Option<StreamProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        self.offered.then_some(StreamProtocol::new(PROTOCOL))
    }
}

impl InboundUpgrade<Stream> for Signalling {
    type Output = Stream;
    type Error = Infallible;
    type Future = Ready<Result<Stream, Infallible>>;

    fn upgrade_inbound(self, stream: Stream, _: StreamProtocol) -> Self::Future {
        ready(Ok(stream))
    }
}

impl OutboundUpgrade<Stream> for Signalling {
    type Output = Stream;
    type Error = Infallible;
    type Future = Ready<Result<Stream, Infallible>>;

    fn upgrade_outbound(self, stream: Stream, _: StreamProtocol) -> Self::Future {
        ready(Ok(stream))
    }
}

/// See [`super::Behaviour`].
#[derive(Debug)]
pub struct Handler {
    peer: PeerId,
    gate: Arc<Gate>,
    /// Signalling does not run over direct connections.
    direct: bool,
    wanted: VecDeque<Token>,
    happened: VecDeque<Happening>,
}

impl Handler {
    pub(super) fn new(peer: PeerId, gate: Arc<Gate>, direct: bool) -> Self {
        Self { peer, gate, direct, wanted: VecDeque::new(), happened: VecDeque::new() }
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Token;
    type ToBehaviour = Happening;
    type InboundProtocol = Signalling;
    type OutboundProtocol = Signalling;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Token;

    fn listen_protocol(&self) -> SubstreamProtocol<Signalling> {
        let offered = !self.direct && self.gate.answers(&self.peer);
        SubstreamProtocol::new(Signalling { offered }, ())
    }

    fn on_behaviour_event(&mut self, token: Token) {
        self.wanted.push_back(token);
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, Signalling, Signalling, (), Token>,
    ) {
        let happened = match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: stream,
                ..
            }) => {
                if self.happened.len() >= MAX_WAITING {
                    return;
                }
                Happening::Inbound(stream)
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: stream,
                info,
            }) => Happening::Opened(info, stream),
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info, error }) => match error {
                StreamUpgradeError::NegotiationFailed => Happening::Refused(info),
                StreamUpgradeError::Timeout => Happening::Failed(info, "no answer".to_owned()),
                StreamUpgradeError::Io(error) => Happening::Failed(info, error.to_string()),
                StreamUpgradeError::Apply(never) => match never {},
            },
            _ => return,
        };
        self.happened.push_back(happened);
    }

    fn poll(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Signalling, Token, Happening>> {
        if let Some(happening) = self.happened.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(happening));
        }
        if let Some(token) = self.wanted.pop_front() {
            let protocol = SubstreamProtocol::new(Signalling { offered: true }, token);
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
        }
        Poll::Pending
    }
}

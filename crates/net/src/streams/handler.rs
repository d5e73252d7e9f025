//! One connection's share of [`super::Behaviour`].

use super::Happening;
use futures::future::{Ready, ready};
use libp2p::{
    Stream, StreamProtocol,
    core::{
        UpgradeInfo,
        upgrade::{InboundUpgrade, OutboundUpgrade},
    },
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
const MAX_WAITING: usize = 32;

/// Negotiates a protocol and keeps the raw stream.
pub(crate) struct Raw(Arc<[StreamProtocol]>);

impl UpgradeInfo for Raw {
    type Info = StreamProtocol;
    type InfoIter = Vec<StreamProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        self.0.to_vec()
    }
}

impl InboundUpgrade<Stream> for Raw {
    type Output = (Stream, StreamProtocol);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_inbound(self, stream: Stream, protocol: StreamProtocol) -> Self::Future {
        ready(Ok((stream, protocol)))
    }
}

impl OutboundUpgrade<Stream> for Raw {
    type Output = (Stream, StreamProtocol);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_outbound(self, stream: Stream, protocol: StreamProtocol) -> Self::Future {
        ready(Ok((stream, protocol)))
    }
}

/// See [`super::Behaviour`].
pub(crate) struct Handler {
    accepted: Arc<[StreamProtocol]>,
    wanted: VecDeque<StreamProtocol>,
    happened: VecDeque<Happening>,
}

impl Handler {
    pub(super) fn new(accepted: Arc<[StreamProtocol]>) -> Self {
        Self { accepted, wanted: VecDeque::new(), happened: VecDeque::new() }
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = StreamProtocol;
    type ToBehaviour = Happening;
    type InboundProtocol = Raw;
    type OutboundProtocol = Raw;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = StreamProtocol;

    fn listen_protocol(&self) -> SubstreamProtocol<Raw> {
        SubstreamProtocol::new(Raw(Arc::clone(&self.accepted)), ())
    }

    fn on_behaviour_event(&mut self, protocol: StreamProtocol) {
        self.wanted.push_back(protocol);
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, Raw, Raw, (), StreamProtocol>) {
        let happened = match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: (stream, protocol),
                ..
            }) => {
                if self.happened.len() >= MAX_WAITING {
                    tracing::debug!(%protocol, "too many streams at once, one is reset");
                    return;
                }
                Happening::Inbound(protocol, stream)
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: (stream, protocol),
                ..
            }) => Happening::Opened(protocol, stream),
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info, error }) => {
                let reason = match error {
                    StreamUpgradeError::Timeout => format!("no answer to {info}"),
                    StreamUpgradeError::NegotiationFailed => format!("{info} is not offered"),
                    StreamUpgradeError::Io(error) => error.to_string(),
                    StreamUpgradeError::Apply(never) => match never {},
                };
                Happening::OpenFailed(info, reason)
            }
            _ => return,
        };
        self.happened.push_back(happened);
    }

    fn poll(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Raw, StreamProtocol, Happening>> {
        if let Some(happening) = self.happened.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(happening));
        }
        if let Some(protocol) = self.wanted.pop_front() {
            let raw = Raw(Arc::from([protocol.clone()]));
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest {
                protocol: SubstreamProtocol::new(raw, protocol),
            });
        }
        Poll::Pending
    }
}

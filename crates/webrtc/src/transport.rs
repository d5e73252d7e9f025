//! The transport of a swarm.

use crate::{
    Config, Error, address,
    behaviour::Behaviour,
    connection::Connection,
    handshake,
    shared::{Failure, Inbound, Made, Request, Shared, SignallingStream},
    state::exchange::Role,
};
use futures::{
    channel::oneshot,
    future::{BoxFuture, Either, select},
};
use futures_timer::Delay;
use libp2p::{
    Multiaddr, PeerId,
    core::transport::{
        DialOpts, ListenerId, Transport as CoreTransport, TransportError, TransportEvent,
    },
    multiaddr::Protocol,
};
use send_wrapper::SendWrapper;
use std::{
    collections::VecDeque,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};

type Upgrade = BoxFuture<'static, Result<(PeerId, Connection), Error>>;

/// The transport and the behaviour of one swarm. Both must be part of it: the behaviour finds or
/// makes the connections that the transport signals over.
#[must_use]
pub fn new(config: Config) -> (Transport, Behaviour) {
    let shared = Arc::new(Shared::new(config.max_handshakes));
    let behaviour = Behaviour::new(Arc::clone(&shared), config.answer);
    let transport = Transport {
        shared,
        config: Arc::new(config),
        listeners: Vec::new(),
        events: VecDeque::new(),
    };
    (transport, behaviour)
}

/// Makes direct connections: dials `<relay>/p2p-circuit/webrtc/p2p/<peer>`, and listens on
/// `<relay>/p2p-circuit/webrtc` or just `/webrtc`. Its connections are encrypted and multiplexed
/// already and need no upgrade.
///
/// It has to stand before the transport of circuits in an
/// [`OrTransport`](libp2p::core::transport::OrTransport), which would take its addresses otherwise.
pub struct Transport {
    shared: Arc<Shared>,
    config: Arc<Config>,
    listeners: Vec<(ListenerId, Multiaddr)>,
    events: VecDeque<TransportEvent<Upgrade, Error>>,
}

impl CoreTransport for Transport {
    type Output = (PeerId, Connection);
    type Error = Error;
    type ListenerUpgrade = Upgrade;
    type Dial = Upgrade;

    fn listen_on(
        &mut self,
        listener_id: ListenerId,
        address: Multiaddr,
    ) -> Result<(), TransportError<Error>> {
        if !address::can_listen(&address) {
            return Err(TransportError::MultiaddrNotSupported(address));
        }
        let listen_addr = address.clone();
        self.listeners.push((listener_id, address));
        self.events.push_back(TransportEvent::NewAddress { listener_id, listen_addr });
        self.shared.wake_transport();
        Ok(())
    }

    fn remove_listener(&mut self, listener_id: ListenerId) -> bool {
        let Some(at) = self.listeners.iter().position(|(id, _)| *id == listener_id) else {
            return false;
        };
        self.listeners.remove(at);
        self.events.push_back(TransportEvent::ListenerClosed { listener_id, reason: Ok(()) });
        self.shared.wake_transport();
        true
    }

    fn dial(&mut self, address: Multiaddr, _: DialOpts) -> Result<Upgrade, TransportError<Error>> {
        let Some((peer, circuit)) = address::parse(&address) else {
            return Err(TransportError::MultiaddrNotSupported(address));
        };
        let permit = self.shared.outbound_permit().map_err(TransportError::Other)?;
        let shared = Arc::clone(&self.shared);
        let stream = async move {
            let (reply, stream) = oneshot::channel();
            shared.request(Request { peer, circuit, reply });
            stream.await.unwrap_or(Err(Error::Closed))
        };
        let made =
            make(Arc::clone(&self.shared), Arc::clone(&self.config), peer, Role::Offers, stream);
        Ok(Box::pin(SendWrapper::new(async move {
            let _permit = permit;
            made.await
        })))
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<TransportEvent<Upgrade, Error>> {
        if let Some(event) = self.events.pop_front() {
            return Poll::Ready(event);
        }
        while let Some(Inbound { peer, stream, permit }) = self.shared.next_arrived(cx) {
            // Nobody listens: dropped, the stream is reset.
            let Some((listener_id, local_addr)) = self.listeners.first().cloned() else { continue };
            let stream = async move { Ok(stream) };
            let made = make(
                Arc::clone(&self.shared),
                Arc::clone(&self.config),
                peer,
                Role::Answers,
                stream,
            );
            let upgrade = Box::pin(SendWrapper::new(async move {
                let _permit = permit;
                made.await
            }));
            let send_back_addr =
                Multiaddr::empty().with(Protocol::WebRTC).with(Protocol::P2p(peer));
            return Poll::Ready(TransportEvent::Incoming {
                listener_id,
                upgrade,
                local_addr,
                send_back_addr,
            });
        }
        Poll::Pending
    }
}

/// Makes a connection, and tells the behaviour how that went.
async fn make(
    shared: Arc<Shared>,
    config: Arc<Config>,
    peer: PeerId,
    role: Role,
    stream: impl Future<Output = Result<SignallingStream, Error>>,
) -> Result<(PeerId, Connection), Error> {
    let dialled = role == Role::Offers;
    let work = async { handshake::run(stream.await?, role, &config).await };
    let done = match select(pin!(work), Delay::new(config.handshake)).await {
        Either::Left((done, _)) => done,
        Either::Right(_) => Err(Error::TimedOut(config.handshake)),
    };
    match done {
        Ok((connection, link)) => {
            let fingerprints = connection.fingerprints();
            shared.make(Made { peer, dialled, fingerprints, alive: link.watch() });
            Ok((peer, connection))
        }
        Err(error) => {
            shared.fail(Failure { peer, dialled, error: error.clone() });
            Err(error)
        }
    }
}

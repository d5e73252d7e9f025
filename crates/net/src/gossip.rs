//! Gossip among members: libp2p's gossipsub, on direct links alone.
//!
//! [`Behaviour`] stands around gossipsub and decides which connections it sees:
//!
//! - only direct links: there is no gossip on circuits and with relays;
//! - nothing is said or read on a link before [`Behaviour::admit`] ([`gate`]), which of several
//!   links to a device is that of one. gossipsub 0.50.1 falls silent on a second connection to a
//!   peer that it knows once the first one closes, since nothing wakes the second one's handler.
//!   So beside one that is admitted none is shown to it, and until then no handler is woken.

mod gate;

use chats_core::{
    gossip::{self, GossipId, GossipVerdict},
    id::GossipTopic,
    small::SmallMap,
};
use either::Either;
use gate::{Gated, Told};
use libp2p::{
    Multiaddr, PeerId,
    core::{ConnectedPoint, Endpoint, transport::PortUse},
    gossipsub::{
        self, IdentTopic, MessageAcceptance, MessageAuthenticity, MessageId, TopicHash,
        ValidationMode,
    },
    swarm::{
        ConnectionClosed, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour,
        NotifyHandler, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
        behaviour::ConnectionEstablished, dummy,
    },
};
use std::{
    collections::VecDeque,
    task::{Context, Poll},
};

/// Longest message in bytes, with room for its envelope of topic and lengths.
const MAX_MESSAGE: usize = gossip::MAX_FRAME + 256;
/// Messages that wait to be sent to one device.
const MAX_QUEUED: usize = 256;

/// What gossip has to say.
#[derive(Debug)]
pub(crate) enum Event {
    /// Frames published from now on reach this peer.
    Reaches(PeerId),
    /// A frame, as `source` passed it on. It wants a verdict.
    Frame { source: PeerId, id: GossipId, frame: Vec<u8> },
}

/// See the module.
pub(crate) struct Behaviour {
    inner: gossipsub::Behaviour,
    /// Whether a connection between these addresses is a direct link.
    is_link: fn(&Multiaddr) -> bool,
    topic: Option<TopicHash>,
    /// One that is admitted, or those of which one may be.
    seen: SmallMap<PeerId, Vec<Seen>>,
    /// To be told that they are admitted.
    opening: VecDeque<(PeerId, ConnectionId)>,
}

/// A connection that gossipsub sees.
struct Seen {
    connection: ConnectionId,
    endpoint: Option<ConnectedPoint>,
    admitted: bool,
}

impl Behaviour {
    /// `Err` only if gossipsub finds fault with constants.
    pub(crate) fn new(is_link: fn(&Multiaddr) -> bool) -> Result<Self, String> {
        let config = gossipsub::ConfigBuilder::default()
            .validation_mode(ValidationMode::Anonymous)
            .validate_messages()
            .message_id_fn(|message| MessageId::from(gossip::id(&message.data).0.to_vec()))
            .max_transmit_size(MAX_MESSAGE)
            .connection_handler_queue_len(MAX_QUEUED)
            .max_publish_messages(64)
            .build()
            .map_err(|error| error.to_string())?;
        let inner = gossipsub::Behaviour::new(MessageAuthenticity::Anonymous, config)?;
        Ok(Self { inner, is_link, topic: None, seen: SmallMap::new(), opening: VecDeque::new() })
    }

    /// Takes part in the gossip of one topic, and in that of no other.
    pub(crate) fn subscribe(&mut self, topic: GossipTopic) {
        let topic = named(topic);
        let hash = topic.hash();
        if self.topic.as_ref() != Some(&hash) {
            if let Some(old) = self.topic.replace(hash) {
                self.inner.unsubscribe(&IdentTopic::new(old.into_string()));
            }
            if let Err(error) = self.inner.subscribe(&topic) {
                tracing::warn!(%error, "no gossip");
            }
        }
    }

    /// Says something to all who take part; whom it does not reach, [`Event::Reaches`] did not
    /// name.
    pub(crate) fn publish(&mut self, topic: GossipTopic, frame: Vec<u8>) {
        if let Err(error) = self.inner.publish(named(topic), frame) {
            tracing::debug!(%error, "published to nobody");
        }
    }

    /// Passes a frame on, or not.
    pub(crate) fn judge(&mut self, source: PeerId, id: GossipId, verdict: GossipVerdict) {
        let acceptance = match verdict {
            GossipVerdict::Accept => MessageAcceptance::Accept,
            GossipVerdict::Ignore => MessageAcceptance::Ignore,
            GossipVerdict::Reject => MessageAcceptance::Reject,
        };
        let id = MessageId::from(id.0.to_vec());
        self.inner.report_message_validation_result(&id, &source, acceptance);
    }

    /// The link is proven: gossip flows on it from now on, and on no other of this peer.
    pub(crate) fn admit(&mut self, peer_id: PeerId, connection_id: ConnectionId) {
        let links = self.seen.get(&peer_id).map_or(&[][..], Vec::as_slice);
        let admitted = links.iter().any(|seen| seen.admitted);
        if admitted || !links.iter().any(|seen| seen.connection == connection_id) {
            return;
        }
        let others: Vec<_> = links.iter().map(|seen| seen.connection).collect();
        for other in others.into_iter().filter(|other| *other != connection_id) {
            self.give_up(peer_id, other);
        }
        let Some([seen]) = self.seen.get_mut(&peer_id).map(Vec::as_mut_slice) else { return };
        seen.admitted = true;
        if let Some(endpoint) = &seen.endpoint {
            self.inner.on_swarm_event(FromSwarm::ConnectionEstablished(ConnectionEstablished {
                peer_id,
                connection_id,
                endpoint,
                failed_addresses: &[],
                other_established: 0,
            }));
        }
        self.opening.push_back((peer_id, connection_id));
    }

    /// Whether a new link to `peer` may be the one that is admitted.
    fn keeps(&self, peer: PeerId) -> bool {
        self.seen.get(&peer).is_none_or(|links| !links.iter().any(|seen| seen.admitted))
    }

    fn see(&mut self, peer: PeerId, connection: ConnectionId) {
        let seen = Seen { connection, endpoint: None, admitted: false };
        self.seen.entry(peer).or_default().push(seen);
    }

    /// The link is closed, or will be: gossipsub does not see it any more.
    pub(crate) fn give_up(&mut self, peer_id: PeerId, connection_id: ConnectionId) {
        let Some(links) = self.seen.get_mut(&peer_id) else { return };
        let Some(at) = links.iter().position(|seen| seen.connection == connection_id) else {
            return;
        };
        let Seen { endpoint, .. } = links.swap_remove(at);
        let remaining_established = links.len();
        if links.is_empty() {
            self.seen.remove(&peer_id);
        }
        let endpoint = endpoint.unwrap_or_else(|| ConnectedPoint::Listener {
            local_addr: Multiaddr::empty(),
            send_back_addr: Multiaddr::empty(),
        });
        self.inner.on_swarm_event(FromSwarm::ConnectionClosed(ConnectionClosed {
            peer_id,
            connection_id,
            endpoint: &endpoint,
            cause: None,
            remaining_established,
        }));
    }

    fn translate(&mut self, event: gossipsub::Event) -> Option<Event> {
        match event {
            gossipsub::Event::Subscribed { peer_id, topic }
                if Some(&topic) == self.topic.as_ref() =>
            {
                Some(Event::Reaches(peer_id))
            }
            gossipsub::Event::Message { propagation_source, message_id, message } => {
                let id = message_id.0.as_slice().try_into().ok().map(GossipId)?;
                Some(Event::Frame { source: propagation_source, id, frame: message.data })
            }
            _ => None,
        }
    }
}

/// A topic's name on the wire, in hexadecimal.
fn named(topic: GossipTopic) -> IdentTopic {
    IdentTopic::new(blake3::Hash::from_bytes(topic.0).to_hex().as_str())
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Either<Gated, dummy::ConnectionHandler>;
    type ToSwarm = Event;

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        if !(self.is_link)(local) || !self.keeps(peer) {
            return Ok(Either::Right(dummy::ConnectionHandler));
        }
        self.see(peer, connection);
        let handler =
            self.inner.handle_established_inbound_connection(connection, peer, local, remote)?;
        Ok(Either::Left(Gated::new(handler)))
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        addr: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        if !(self.is_link)(addr) || !self.keeps(peer) {
            return Ok(Either::Right(dummy::ConnectionHandler));
        }
        self.see(peer, connection);
        let handler = self
            .inner
            .handle_established_outbound_connection(connection, peer, addr, role, port)?;
        Ok(Either::Left(Gated::new(handler)))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(established) => {
                let links = self.seen.get_mut(&established.peer_id).into_iter().flatten();
                for seen in links.filter(|seen| seen.connection == established.connection_id) {
                    seen.endpoint = Some(established.endpoint.clone());
                }
            }
            FromSwarm::ConnectionClosed(closed) => {
                self.give_up(closed.peer_id, closed.connection_id);
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        let Either::Left(event) = event;
        let links = self.seen.get(&peer).map_or(&[][..], Vec::as_slice);
        if links.iter().any(|seen| seen.connection == connection && seen.admitted) {
            self.inner.on_connection_handler_event(peer, connection, event);
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Event, THandlerInEvent<Self>>> {
        if let Some((peer_id, connection)) = self.opening.pop_front() {
            let (handler, event) = (NotifyHandler::One(connection), Either::Left(Told::Open));
            return Poll::Ready(ToSwarm::NotifyHandler { peer_id, handler, event });
        }
        while let Poll::Ready(event) = self.inner.poll(cx) {
            let event = match event {
                ToSwarm::GenerateEvent(event) => match self.translate(event) {
                    Some(event) => ToSwarm::GenerateEvent(event),
                    None => continue,
                },
                ToSwarm::NotifyHandler { peer_id, handler, event } => {
                    let event = Either::Left(Told::Inner(event));
                    ToSwarm::NotifyHandler { peer_id, handler, event }
                }
                // It would dial peers that it heard of; whom to dial is not for it to say.
                _ => continue,
            };
            return Poll::Ready(event);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first link, and one beside it.
    fn links() -> (ConnectionId, ConnectionId) {
        (ConnectionId::new_unchecked(1), ConnectionId::new_unchecked(2))
    }

    fn gossip() -> Behaviour {
        Behaviour::new(|_| true).unwrap()
    }

    /// A link to `peer` comes up, dialled here or there.
    fn established(gossip: &mut Behaviour, peer: PeerId, connection: ConnectionId, dialer: bool) {
        let addr = Multiaddr::empty();
        let endpoint = if dialer {
            let (role_override, port_use) = (Endpoint::Dialer, PortUse::New);
            let made = gossip.handle_established_outbound_connection(
                connection,
                peer,
                &addr,
                role_override,
                port_use,
            );
            assert!(made.is_ok());
            ConnectedPoint::Dialer { address: addr, role_override, port_use }
        } else {
            let made = gossip.handle_established_inbound_connection(connection, peer, &addr, &addr);
            assert!(made.is_ok());
            ConnectedPoint::Listener { local_addr: addr.clone(), send_back_addr: addr }
        };
        gossip.on_swarm_event(FromSwarm::ConnectionEstablished(ConnectionEstablished {
            peer_id: peer,
            connection_id: connection,
            endpoint: &endpoint,
            failed_addresses: &[],
            other_established: 0,
        }));
    }

    fn closed(gossip: &mut Behaviour, peer: PeerId, connection: ConnectionId) {
        gossip.on_swarm_event(FromSwarm::ConnectionClosed(ConnectionClosed {
            peer_id: peer,
            connection_id: connection,
            endpoint: &ConnectedPoint::Listener {
                local_addr: Multiaddr::empty(),
                send_back_addr: Multiaddr::empty(),
            },
            cause: None,
            remaining_established: 1,
        }));
    }

    fn sees(gossip: &Behaviour, peer: PeerId) -> bool {
        gossip.inner.all_peers().any(|(known, _)| *known == peer)
    }

    fn admitted(gossip: &Behaviour, peer: PeerId) -> Vec<ConnectionId> {
        let links = gossip.seen.get(&peer).into_iter().flatten();
        links.filter(|seen| seen.admitted).map(|seen| seen.connection).collect()
    }

    #[test]
    fn a_second_link_beside_a_proven_one_comes_and_goes_without_a_trace() {
        let ((link, other), peer) = (links(), PeerId::random());
        for dialer in [true, false] {
            let mut gossip = gossip();
            established(&mut gossip, peer, link, true);
            gossip.admit(peer, link);
            established(&mut gossip, peer, other, dialer);
            gossip.admit(peer, other);
            closed(&mut gossip, peer, other);
            assert!(sees(&gossip, peer));
            assert_eq!(admitted(&gossip, peer), [link]);
        }
    }

    #[test]
    fn of_two_links_either_can_be_the_one_and_the_other_goes_without_a_trace() {
        let ((link, other), peer) = (links(), PeerId::random());
        for (kept, lost) in [(link, other), (other, link)] {
            let mut gossip = gossip();
            established(&mut gossip, peer, link, true);
            established(&mut gossip, peer, other, false);
            gossip.admit(peer, kept);
            closed(&mut gossip, peer, lost);
            assert!(sees(&gossip, peer));
            assert_eq!(admitted(&gossip, peer), [kept]);
            closed(&mut gossip, peer, kept);
            assert!(!sees(&gossip, peer));
        }
    }

    #[test]
    fn a_link_that_was_given_up_makes_room_for_the_next_at_once() {
        let ((link, other), peer) = (links(), PeerId::random());
        let mut gossip = gossip();
        established(&mut gossip, peer, link, true);
        gossip.give_up(peer, link);
        established(&mut gossip, peer, other, false);
        closed(&mut gossip, peer, link);
        gossip.admit(peer, other);
        assert!(sees(&gossip, peer));
        assert_eq!(admitted(&gossip, peer), [other]);
    }
}

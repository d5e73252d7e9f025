//! Packets to a STUN and TURN server (RFC 8489, RFC 8656), with the parser and the state machine
//! that `chats relay` has.

use chats_peer::packet;
use futures::executor::block_on;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use turn_server_proto::{
    api::{Transmit, TurnServerApi, TurnServerPollRet},
    server::TurnServer,
    stun::{
        Instant,
        types::{
            attribute::{
                AttributeStaticType, AttributeType, Fingerprint, MessageIntegrity,
                MessageIntegritySha256, Nonce, RawAttribute, Realm, Userhash, Username,
            },
            message::{
                IntegrityAlgorithm, LongTermCredentials, Message, MessageWrite, MessageWriteExt,
                MessageWriteVec, Method,
            },
        },
    },
    types::{
        TransportType,
        attribute::{ChannelNumber, RequestedTransport, XorPeerAddress},
        message::{ALLOCATE, CHANNEL_BIND},
        prelude::DelayedTransmitBuild,
    },
};

const REALM: &str = "realm";
const NAME: &str = "name";
const PASSWORD: &str = "password";
const LISTEN: SocketAddr = address(1, 3478);
const RELAYED: SocketAddr = address(1, 50_000);
const MEMBER: SocketAddr = address(2, 1000);
const STRANGER: SocketAddr = address(3, 1000);
const PEER: SocketAddr = address(4, 1000);
const CHANNEL: u16 = 0x4000;
/// The time, which stands still.
const NOW: Instant = Instant::ZERO;
/// Attributes that are calculated, and added in another way.
const ENDS: [AttributeType; 3] =
    [MessageIntegrity::TYPE, MessageIntegritySha256::TYPE, Fingerprint::TYPE];
/// The most attributes of an input that are signed.
const MAX_ATTRIBUTES: usize = 64;

const fn address(host: u8, port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, host)), port)
}

/// Takes a packet of a stranger, of a member, of a member's peer, and the same signed by the
/// member. Without a signature it must not cost the member its way to the peer.
pub(crate) fn read_packet(data: &[u8]) {
    if let Ok(message) = Message::from_bytes(data) {
        let _ = (message.attribute::<Username>(), message.attribute::<Userhash>());
        let _ = packet::peers(&message);
        if let Some(answer) = packet::binding(&message, STRANGER) {
            assert!(Message::from_bytes(&answer).is_ok());
        }
    }
    let mut server = Server::with_member();
    server.take(data, STRANGER, LISTEN);
    server.take(data, MEMBER, LISTEN);
    server.take(data, PEER, RELAYED);
    let sent = server.take(&[&CHANNEL.to_be_bytes()[..], &[0, 1, 9]].concat(), MEMBER, LISTEN);
    assert_eq!(sent, Some((PEER, vec![9])));
    let signed = server.sign(data);
    server.take(&signed, MEMBER, LISTEN);
}

/// Takes packets out of a stream, which are parts of it in their order.
pub(crate) fn read_stream(data: &[u8]) {
    let mut rest = data;
    loop {
        let before = rest;
        let Ok(Some(message)) = block_on(packet::read(&mut rest)) else { return };
        assert!(message.len() < 4 + packet::MAX_DATAGRAM && before.starts_with(&message));
    }
}

/// A server with one member, who has allocated an address and bound a channel to a peer.
struct Server {
    engine: TurnServer,
    nonce: String,
}

impl Server {
    fn with_member() -> Self {
        let mut engine = TurnServer::new(TransportType::Udp, LISTEN, REALM.to_owned());
        engine.add_user(NAME.to_owned(), PASSWORD.to_owned());
        let mut server = Self { engine, nonce: String::new() };
        let transport = RequestedTransport::new(RequestedTransport::UDP);
        let mut unsigned = Message::builder_request(ALLOCATE, MessageWriteVec::new());
        unsigned.add_attribute(&transport).expect("room for an attribute");
        server.nonce = server
            .take(&unsigned.finish(), MEMBER, LISTEN)
            .and_then(|(_, refusal)| {
                let refusal = Message::from_bytes(&refusal).ok()?;
                Some(refusal.attribute::<Nonce>().ok()?.nonce().to_owned())
            })
            .expect("a nonce");
        let allocate = server.request(ALLOCATE, |request| {
            request.add_attribute(&transport).expect("room for an attribute");
        });
        server.take(&allocate, MEMBER, LISTEN);
        let bind = server.request(CHANNEL_BIND, |request| {
            let peer = XorPeerAddress::new(PEER, request.transaction_id());
            request.add_attribute(&ChannelNumber::new(CHANNEL)).expect("room for an attribute");
            request.add_attribute(&peer).expect("room for an attribute");
        });
        server.take(&bind, MEMBER, LISTEN);
        server
    }

    /// Has the engine take a packet; what it sends at once, and where.
    fn take(
        &mut self,
        packet: &[u8],
        from: SocketAddr,
        to: SocketAddr,
    ) -> Option<(SocketAddr, Vec<u8>)> {
        let transmit = Transmit::new(packet, TransportType::Udp, from, to);
        let sent = self.engine.recv(transmit, NOW).map(|sent| (sent.to, sent.data.build()));
        loop {
            while self.engine.poll_transmit(NOW).is_some() {}
            match self.engine.poll(NOW) {
                TurnServerPollRet::AllocateSocket {
                    transport,
                    listen_addr,
                    client_addr,
                    allocation_transport,
                    family,
                } => self.engine.allocated_socket(
                    transport,
                    listen_addr,
                    client_addr,
                    allocation_transport,
                    family,
                    Ok(RELAYED),
                    NOW,
                ),
                TurnServerPollRet::WaitUntil(_) => return sent,
                // Of TCP, and of what has ended.
                _ => {}
            }
        }
    }

    /// A request of the member.
    fn request(&self, method: Method, fill: impl FnOnce(&mut MessageWriteVec)) -> Vec<u8> {
        let key = LongTermCredentials::new(NAME.to_owned(), PASSWORD.to_owned());
        let key = key.to_key(REALM.to_owned()).make_key(IntegrityAlgorithm::Sha1);
        let mut request = Message::builder_request(method, MessageWriteVec::new());
        fill(&mut request);
        // What an input already has is not added again.
        let _ = Username::new(NAME).map(|name| request.add_attribute(&name));
        let _ = Realm::new(REALM).map(|realm| request.add_attribute(&realm));
        let _ = Nonce::new(&self.nonce).map(|nonce| request.add_attribute(&nonce));
        let _ = request.add_message_integrity_with_key(&key, IntegrityAlgorithm::Sha1);
        request.finish()
    }

    /// What is taken for a packet's method and attributes, signed by the member.
    fn sign(&self, data: &[u8]) -> Vec<u8> {
        let number = |at: usize| {
            let bytes = data.get(at..at.checked_add(2)?)?;
            Some(u16::from_be_bytes(bytes.try_into().ok()?))
        };
        self.request(Method::new(number(0).unwrap_or_default() & 0xfff), |request| {
            let mut at = 20;
            for _ in 0..MAX_ATTRIBUTES {
                let Some((kind, length)) = number(at).zip(number(at + 2)) else { return };
                let end = at + 4 + usize::from(length);
                let Some(content) = data.get(at + 4..end) else { return };
                let kind = AttributeType::new(kind);
                if !ENDS.contains(&kind) {
                    let _ = request.add_attribute(&RawAttribute::new(kind, content));
                }
                at = end.next_multiple_of(4);
            }
        })
    }
}

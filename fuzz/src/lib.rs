//! Everything that reads bytes of others, by name: for libFuzzer (the program of this crate), for
//! the tests, which replay what it found, and for their smoke, which changes that at random.
//!
//! No decoder may panic, and what a codec of ours reads it must write back as the same bytes.
#![forbid(unsafe_code)]

mod backup;
mod chain;
pub mod corpus;
pub mod mutation;
mod stun;
mod sync;

use chats_core::{
    certificate::DeviceCertificate,
    config::Config,
    content::Content,
    control::ControlItem,
    epoch::{EpochId, EpochKeys, EpochSecret},
    gossip::GossipMessage,
    hello::HelloMessage,
    id::{Community, MeetingName, Registry, Wallet},
    markdown,
    op::{Body, Envelope, Header, OpId},
    presence::MeetingMessage,
    rooms::{RoomGossip, SealedTyping, Typing},
    sync::SyncMessage,
    time::Time,
    turn::{self, TurnAnswer},
    wire, wrap,
};
use chats_net::{
    Multiaddr, address as relays, frame, identity,
    meet::{Reply, Request},
};
use chats_webrtc::{
    address,
    codec::{self, Delimiter, signalling},
    sdp,
    state::{
        exchange::{Exchange, MAX_CANDIDATE, MAX_CANDIDATES, Role, Step},
        stream,
    },
};
use futures::{executor::block_on, io::Cursor};
use minicbor::{Decode, Encode};

/// Reads bytes of others, and panics if that goes wrong.
pub type Read = fn(&[u8]);

/// What reads bytes of others, by name. `cargo xtask fuzz` runs all of them.
pub const DECODERS: [(&str, Read); 29] = [
    ("address", |data| text(data, read_address)),
    ("backup", backup::read_backup),
    ("certificate", cbor::<DeviceCertificate>),
    ("chain", chain::read_answers),
    ("config", |data| text(data, |text| drop(Config::parse(text)))),
    ("content", read_content),
    ("control", read_control),
    ("frame", read_frames),
    ("gossip", cbor::<GossipMessage>),
    ("grant", read_grant),
    ("hello", cbor::<HelloMessage>),
    ("markdown", |data| text(data, |text| drop(markdown::parse(text)))),
    ("meet-reply", cbor::<Reply>),
    ("meet-request", cbor::<Request>),
    ("meeting", cbor::<MeetingMessage>),
    ("op", read_op),
    ("op-body", read_op_body),
    ("op-header", cbor::<Header>),
    ("op-id", |data| text(data, read_op_id)),
    ("room-gossip", read_room_gossip),
    ("sdp", |data| text(data, read_sdp)),
    ("stun", stun::read_packet),
    ("stun-stream", stun::read_stream),
    ("sync", read_sync),
    ("sync-session", sync::read_session),
    ("turn", read_turn),
    ("typing", cbor::<Typing>),
    ("webrtc-signalling", read_signalling),
    ("webrtc-stream", read_stream),
];

/// The decoder of this name.
#[must_use]
pub fn decoder(name: &str) -> Option<Read> {
    DECODERS.iter().find(|(known, _)| *known == name).map(|(_, decoder)| *decoder)
}

fn text(data: &[u8], read: fn(&str)) {
    if let Ok(text) = std::str::from_utf8(data) {
        read(text);
    }
}

fn cbor<T: Encode<()> + for<'b> Decode<'b, ()>>(data: &[u8]) {
    if let Ok(value) = wire::decode::<T>("fuzzed bytes", data) {
        assert_eq!(wire::encode(&value), data);
    }
}

fn read_address(text: &str) {
    drop(MeetingName::parse(text));
    drop(relays::read(text));
    if let Ok(addr) = text.parse::<Multiaddr>() {
        drop(identity::split_peer(&addr));
        drop(address::parse(&addr));
        let _ = (address::is_direct(&addr), address::can_listen(&addr));
    }
}

fn read_frames(data: &[u8]) {
    let mut stream = Cursor::new(data);
    while let Ok(Some(frame)) = block_on(frame::read(&mut stream, 1000)) {
        assert!(frame.len() <= 1000);
    }
}

fn read_grant(data: &[u8]) {
    if let Some(keys) = wrap::read_keys(data) {
        assert_eq!(wire::encode(&keys), data);
    }
}

/// Items, and all that is judged from their bytes alone.
fn read_control(data: &[u8]) {
    if let Ok(item) = ControlItem::decode(data) {
        assert_eq!(item.encode(), data);
        let registry = Registry { chain: 1, contract: Wallet([1; 20]) };
        let checked = item.check(Community { registry, id: 1 }, Time(1_767_225_600_000));
        let _ = (checked, item.id(), item.device(), item.room());
    }
}

fn read_room_gossip(data: &[u8]) {
    cbor::<RoomGossip>(data);
    if let Ok(RoomGossip::Typing(typing)) = wire::decode("gossip of rooms", data) {
        let id = EpochId([1; 16]);
        let keys = EpochKeys::derive(&EpochSecret::new([1; 32]), &id);
        let registry = Registry { chain: 1, contract: Wallet([1; 20]) };
        let community = Community { registry, id: 1 };
        assert_eq!(SealedTyping { epoch: id, ..typing }.open(community, &keys), None);
    }
}

fn read_content(data: &[u8]) {
    let Some((content_type, bytes)) = data.split_first() else { return };
    if let Ok(content) = Content::decode((*content_type).into(), bytes) {
        assert_eq!(content.encode().as_deref(), Ok(bytes));
    }
}

fn read_op(data: &[u8]) {
    if let Ok(op) = Envelope::decode(data) {
        assert_eq!(op.encode(), data);
        let without_body = op.encode_without_body();
        assert_eq!(Envelope::decode(&without_body).map(|less| less.id()), Ok(op.id()));
    }
}

fn read_op_body(data: &[u8]) {
    if let Ok(body) = Body::read(data.to_vec()) {
        assert!(data.get(20..).is_some_and(|rest| rest.starts_with(body.content())));
    }
}

fn read_op_id(text: &str) {
    if let Some(id) = OpId::parse(text) {
        assert_eq!(id.to_string(), text);
    }
}

fn read_sdp(text: &str) {
    let _ = sdp::fingerprint(text);
}

fn read_sync(data: &[u8]) {
    if let Ok(message) = SyncMessage::read(data) {
        assert_eq!(wire::encode(&message), data);
    }
}

fn read_turn(data: &[u8]) {
    if let Ok(answer) = TurnAnswer::read(data) {
        assert_eq!(wire::encode(&answer), data);
    }
    drop(turn::read_request(data));
}

/// What comes on the stream, and what either side of an exchange makes of it.
fn read_signalling(data: &[u8]) {
    let mut delimiter = Delimiter::default();
    let mut exchanges = vec![Exchange::new(Role::Offers), Exchange::new(Role::Answers)];
    delimiter.push(data);
    while let Ok(Some(message)) = delimiter.next() {
        assert!(message.len() <= codec::MAX_MESSAGE);
        if let Ok(message) = signalling::decode(message)
            && let Ok(bytes) = signalling::encode(&message)
        {
            let mut again = Delimiter::default();
            again.push(&bytes);
            let again = again.next().ok().flatten().map(signalling::decode);
            assert_eq!(again, Some(Ok(message.clone())));
            exchanges.retain_mut(|exchange| takes(exchange, message.clone()));
        }
    }
}

/// Whether an exchange goes on after a message.
fn takes(exchange: &mut Exchange, message: signalling::Message) -> bool {
    match exchange.receive(message) {
        Ok(Step::Describe { sdp, fingerprint, candidates }) => {
            assert!(candidates.len() <= MAX_CANDIDATES && exchange.end().is_ok());
            assert_eq!(sdp::fingerprint(&sdp), Ok(fingerprint));
            true
        }
        Ok(Step::Candidate(candidate)) => {
            assert!(candidate.len() <= MAX_CANDIDATE && exchange.end().is_ok());
            true
        }
        Ok(Step::Wait) => true,
        Err(_) => false,
    }
}

fn read_stream(data: &[u8]) {
    let mut stream = stream::Stream::default();
    let mut into = [0; 64];
    for message in data.chunks(97) {
        if stream.receive(message).is_err() {
            assert!(matches!(stream.read(&mut into), Some(Err(_))));
            return;
        }
        while matches!(stream.read(&mut into), Some(Ok(read)) if read > 0) {}
        assert!(stream.unread() <= stream::MAX_UNREAD);
    }
}

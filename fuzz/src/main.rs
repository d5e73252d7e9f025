//! Feeds libFuzzer's bytes to a decoder: the one that the first argument after libFuzzer's own
//! names in the environment variable `CHATS_DECODER`. No decoder may panic, and what a codec of
//! ours reads it must write back as the same bytes.
#![no_main]

use chats_core::{
    certificate::DeviceCertificate,
    config::Config,
    gossip::GossipMessage,
    hello::HelloMessage,
    id::MeetingName,
    presence::MeetingMessage,
    turn::{self, TurnAnswer},
    wire,
};
use chats_net::{
    Multiaddr, frame, identity,
    meet::{Reply, Request},
};
use chats_webrtc::{
    address,
    codec::{self, Delimiter, signalling},
    sdp,
    state::stream,
};
use futures::{executor::block_on, io::Cursor};
use libfuzzer_sys::fuzz_target;
use minicbor::{Decode, Encode};
use std::sync::OnceLock;

/// What reads bytes of others, by name. `cargo xtask fuzz` runs all of them.
const DECODERS: [(&str, fn(&[u8])); 13] = [
    ("address", |data| text(data, read_address)),
    ("certificate", cbor::<DeviceCertificate>),
    ("config", |data| text(data, |text| drop(Config::parse(text)))),
    ("frame", read_frames),
    ("gossip", cbor::<GossipMessage>),
    ("hello", cbor::<HelloMessage>),
    ("meet-reply", cbor::<Reply>),
    ("meet-request", cbor::<Request>),
    ("meeting", cbor::<MeetingMessage>),
    ("sdp", |data| text(data, |text| drop(sdp::fingerprint(text)))),
    ("turn", read_turn),
    ("webrtc-signalling", read_signalling),
    ("webrtc-stream", read_stream),
];

fuzz_target!(|data: &[u8]| {
    static CHOSEN: OnceLock<fn(&[u8])> = OnceLock::new();
    let decoder = CHOSEN.get_or_init(|| {
        let name = std::env::var("CHATS_DECODER").unwrap_or_default();
        let found = DECODERS.iter().find(|(known, _)| *known == name);
        let Some((_, decoder)) = found else {
            DECODERS.iter().for_each(|(name, _)| println!("{name}"));
            std::process::exit(2);
        };
        *decoder
    });
    decoder(data);
});

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

fn read_turn(data: &[u8]) {
    if let Ok(answer) = TurnAnswer::read(data) {
        assert_eq!(wire::encode(&answer), data);
    }
    drop(turn::read_request(data));
}

fn read_signalling(data: &[u8]) {
    let mut delimiter = Delimiter::default();
    delimiter.push(data);
    while let Ok(Some(message)) = delimiter.next() {
        assert!(message.len() <= codec::MAX_MESSAGE);
        if let Ok(message) = signalling::decode(message)
            && let Ok(bytes) = signalling::encode(&message)
        {
            let mut again = Delimiter::default();
            again.push(&bytes);
            let again = again.next().ok().flatten().map(signalling::decode);
            assert_eq!(again, Some(Ok(message)));
        }
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

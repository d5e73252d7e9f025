//! What decoders do with bytes that nobody foresaw.
#![cfg(not(target_arch = "wasm32"))]
#![allow(missing_docs, clippy::unwrap_used)]

use chats_webrtc::{
    codec::{
        Delimiter, MAX_MESSAGE,
        frame::{self, Flag},
        signalling::{self, Message},
    },
    sdp,
    state::{
        exchange::{Exchange, MAX_CANDIDATES, Role, Step},
        stream::{MAX_UNREAD, Stream},
    },
};
use proptest::{collection::vec, prelude::*};

/// Bytes that are often nearly right: fields of both protocols, with numbers of all sizes.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        vec(any::<u8>(), 0..8),
        (0..3u8, 0..5u8).prop_map(|(field, number)| vec![field << 3, number]),
        vec(any::<u8>(), 0..40).prop_map(|payload| frame::encode(&payload).0),
        Just(frame::encode_flag(Flag::Fin).to_vec()),
        Just(frame::encode_flag(Flag::StopSending).to_vec()),
        Just(frame::encode_flag(Flag::FinAck).to_vec()),
        "[ -~]{0,30}".prop_map(|text| signalling::encode(&Message::Candidate(text)).unwrap()),
    ];
    vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn message() -> impl Strategy<Value = Message> {
    let digest = ["0a"; 32].join(":");
    let sdp = format!("m=application 9 x\r\na=fingerprint:sha-256 {digest}\r\n");
    prop_oneof![
        Just(Message::Offer(sdp.clone())),
        Just(Message::Answer(sdp)),
        ".*".prop_map(Message::Offer),
        ".*".prop_map(Message::Candidate),
    ]
}

proptest! {
    #[test]
    fn any_bytes_are_messages_or_malformed(bytes in bytes()) {
        let _ = frame::decode(&bytes);
        let _ = signalling::decode(&bytes);
        let _ = sdp::fingerprint(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn how_bytes_are_split_changes_nothing(bytes in bytes(), size in 1..20usize) {
        let cut = |size| {
            let (mut delimiter, mut found) = (Delimiter::default(), Vec::new());
            for part in bytes.chunks(size) {
                delimiter.push(part);
                loop {
                    match delimiter.next() {
                        Ok(Some(message)) => found.push(message.to_vec()),
                        Ok(None) => break,
                        Err(malformed) => return (found, Some(malformed)),
                    }
                }
            }
            (found, None)
        };
        prop_assert_eq!(cut(size), cut(MAX_MESSAGE));
    }

    #[test]
    fn a_stream_takes_any_bytes_and_gives_no_more_than_it_got(parts in vec(bytes(), 0..20)) {
        let mut stream = Stream::default();
        let (mut given, mut into) = (0, [0; 64]);
        for part in &parts {
            let taken = stream.receive(part);
            prop_assert!(stream.unread() <= MAX_UNREAD);
            if let Some(Ok(size)) = stream.read(&mut into) {
                given += size;
            }
            if taken.is_err() {
                prop_assert!(stream.check_write().is_err());
            }
        }
        prop_assert!(given <= parts.iter().map(Vec::len).sum());
        stream.drop_handle();
        prop_assert_eq!(stream.unread(), 0);
    }

    #[test]
    fn an_exchange_describes_once_and_keeps_few_candidates(messages in vec(message(), 0..200)) {
        for role in [Role::Offers, Role::Answers] {
            let (mut exchange, mut described, mut candidates) = (Exchange::new(role), 0, 0);
            for message in &messages {
                match exchange.receive(message.clone()) {
                    Ok(Step::Describe { candidates: early, .. }) => {
                        described += 1;
                        candidates += early.len();
                    }
                    Ok(Step::Candidate(_)) => candidates += 1,
                    Ok(Step::Wait) => {}
                    Err(_) => break,
                }
            }
            prop_assert!(described <= 1);
            prop_assert!(candidates <= MAX_CANDIDATES);
        }
    }

    #[test]
    fn text_of_any_kind_survives_signalling(text in ".*") {
        let message = Message::Answer(text);
        let bytes = signalling::encode(&message).unwrap();
        let mut delimiter = Delimiter::default();
        delimiter.push(&bytes);
        let read = delimiter.next().unwrap().unwrap();
        prop_assert_eq!(signalling::decode(read), Ok(message));
    }
}

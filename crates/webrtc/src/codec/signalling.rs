//! Messages of `/webrtc-signaling/0.0.1` (libp2p/specs, webrtc/webrtc.md, "Signaling Protocol").

use super::{
    MAX_MESSAGE, Malformed,
    protobuf::{self, Fields, Value},
    put_varint,
};

/// The protocol's name.
pub const PROTOCOL: &str = "/webrtc-signaling/0.0.1";

/// A message of signalling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// The session description of who opened the stream.
    Offer(String),
    /// The session description of who did not.
    Answer(String),
    /// A candidate of the sender: `RTCIceCandidate.toJSON()` as text, or `null` after the last.
    Candidate(String),
}

/// Reads a message, without its length.
///
/// # Errors
/// [`Malformed`] if this is no such message. The text is not looked into.
pub fn decode(bytes: &[u8]) -> Result<Message, Malformed> {
    // In proto3 a field that is absent has its default.
    let (mut kind, mut data) = (0, &[][..]);
    for field in Fields(bytes) {
        match field? {
            (1, Value::Number(number)) => kind = number,
            (2, Value::Bytes(bytes)) => data = bytes,
            (1 | 2, _) => return Err(Malformed::Field),
            _ => {}
        }
    }
    let text = std::str::from_utf8(data).map_err(|_| Malformed::Text)?.to_owned();
    match kind {
        0 => Ok(Message::Offer(text)),
        1 => Ok(Message::Answer(text)),
        2 => Ok(Message::Candidate(text)),
        _ => Err(Malformed::Field),
    }
}

/// Writes a message with its length before it.
///
/// # Errors
/// [`Malformed::TooLong`] if it would be longer than [`MAX_MESSAGE`].
pub fn encode(message: &Message) -> Result<Vec<u8>, Malformed> {
    let (kind, text) = match message {
        Message::Offer(text) => (0, text),
        Message::Answer(text) => (1, text),
        Message::Candidate(text) => (2, text),
    };
    let mut body = Vec::with_capacity(text.len() + 5);
    protobuf::put_number(1, kind, &mut body);
    protobuf::put_bytes(2, text.as_bytes(), &mut body);
    let mut bytes = Vec::with_capacity(body.len() + 2);
    put_varint(body.len(), &mut bytes);
    bytes.append(&mut body);
    if bytes.len() > MAX_MESSAGE { Err(Malformed::TooLong) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Delimiter;

    #[test]
    fn messages_are_read_back() {
        let messages = [
            Message::Offer("v=0".to_owned()),
            Message::Answer("x".repeat(300)),
            Message::Candidate("null".to_owned()),
        ];
        let mut delimiter = Delimiter::default();
        for message in messages {
            delimiter.push(&encode(&message).unwrap());
            assert_eq!(decode(delimiter.next().unwrap().unwrap()), Ok(message));
        }
    }

    #[test]
    fn an_absent_type_means_an_offer() {
        assert_eq!(decode(b"\x12\x01x"), Ok(Message::Offer("x".to_owned())));
    }

    #[test]
    fn an_unknown_type_is_refused() {
        assert_eq!(decode(b"\x08\x03\x12\x01x"), Err(Malformed::Field));
    }

    #[test]
    fn text_that_is_none_is_refused() {
        assert_eq!(decode(b"\x08\x00\x12\x01\xff"), Err(Malformed::Text));
    }

    #[test]
    fn a_message_too_long_is_not_written() {
        let long = Message::Offer("x".repeat(MAX_MESSAGE));
        assert_eq!(encode(&long), Err(Malformed::TooLong));
    }
}

//! Frames of a stream: what a data channel carries (libp2p/specs, webrtc/README.md,
//! "Multiplexing").

use super::{
    MAX_MESSAGE, Malformed,
    protobuf::{self, Fields, Value},
    put_varint,
};

/// The most payload that fits into one frame without a flag, in bytes: what is left of
/// [`MAX_MESSAGE`] after the frame's length, the tag of the payload and its length.
pub const MAX_PAYLOAD: usize = MAX_MESSAGE - 2 - 1 - 2;

/// What a frame can say beside carrying payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flag {
    /// The sender will send no more.
    Fin = 0,
    /// The sender will read no more.
    StopSending = 1,
    /// The sender gives up the stream; what it sent may be lost.
    Reset = 2,
    /// The sender has received `Fin`, and so all that was sent before.
    FinAck = 3,
}

/// A frame as it arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Frame<'a> {
    /// The flag, if there is one that is known.
    pub flag: Option<Flag>,
    /// The payload; empty if there is none.
    pub payload: &'a [u8],
}

/// Reads a frame, without its length; fields and flags of later versions are passed over.
///
/// # Errors
/// [`Malformed`] if this is no such frame.
pub fn decode(bytes: &[u8]) -> Result<Frame<'_>, Malformed> {
    let mut frame = Frame::default();
    for field in Fields(bytes) {
        match field? {
            (1, Value::Number(flag)) => {
                frame.flag = match flag {
                    0 => Some(Flag::Fin),
                    1 => Some(Flag::StopSending),
                    2 => Some(Flag::Reset),
                    3 => Some(Flag::FinAck),
                    _ => None,
                };
            }
            (2, Value::Bytes(payload)) => frame.payload = payload,
            (1 | 2, _) => return Err(Malformed::Field),
            _ => {}
        }
    }
    Ok(frame)
}

/// A frame that carries the first [`MAX_PAYLOAD`] bytes of `payload` at most, and how many bytes
/// of it these are.
#[must_use]
pub fn encode(payload: &[u8]) -> (Vec<u8>, usize) {
    let payload = payload.get(..MAX_PAYLOAD).unwrap_or(payload);
    let mut bytes = Vec::with_capacity(payload.len() + 6);
    let body = 1 + if payload.len() < 0x80 { 1 } else { 2 } + payload.len();
    put_varint(body, &mut bytes);
    protobuf::put_bytes(2, payload, &mut bytes);
    (bytes, payload.len())
}

/// A frame that carries a flag alone.
#[must_use]
pub fn encode_flag(flag: Flag) -> [u8; 3] {
    [2, 1 << 3, flag as u8]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Delimiter;

    fn decoded(bytes: &[u8], check: impl FnOnce(Frame<'_>)) {
        let mut delimiter = Delimiter::default();
        delimiter.push(bytes);
        check(decode(delimiter.next().unwrap().unwrap()).unwrap());
        assert!(!delimiter.is_amid_message());
    }

    #[test]
    fn payload_is_read_back() {
        for size in [0, 1, 0x7d, 0x7e, 0x7f, 0x80, 1_000, MAX_PAYLOAD] {
            let payload = vec![5; size];
            let (bytes, taken) = encode(&payload);
            assert_eq!(taken, size);
            decoded(&bytes, |frame| assert_eq!(frame, Frame { flag: None, payload: &payload }));
        }
    }

    #[test]
    fn the_largest_frame_fills_a_message() {
        let (bytes, taken) = encode(&[0; 2 * MAX_MESSAGE]);
        assert_eq!((bytes.len(), taken), (MAX_MESSAGE, MAX_PAYLOAD));
    }

    #[test]
    fn a_flag_is_read_back() {
        for flag in [Flag::Fin, Flag::StopSending, Flag::Reset, Flag::FinAck] {
            let frame = Frame { flag: Some(flag), payload: &[] };
            decoded(&encode_flag(flag), |read| assert_eq!(read, frame));
        }
    }

    #[test]
    fn flag_and_payload_may_come_in_one_frame() {
        let frame = Frame { flag: Some(Flag::Fin), payload: b"end" };
        assert_eq!(decode(b"\x08\x00\x12\x03end"), Ok(frame));
    }

    #[test]
    fn what_a_later_version_adds_is_passed_over() {
        assert_eq!(decode(b"\x08\x09\x1a\x01x\x12\x01y").unwrap().payload, b"y");
    }

    #[test]
    fn a_field_of_the_wrong_type_is_refused() {
        assert_eq!(decode(b"\x10\x01"), Err(Malformed::Field));
        assert_eq!(decode(b"\x0a\x01x"), Err(Malformed::Field));
    }
}

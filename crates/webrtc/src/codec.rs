//! The bytes of the two protocols: decoders for what others send, encoders for what we send.
//!
//! Nothing here touches a browser, so all of it is tested and can be fuzzed natively. No decoder
//! panics, and none keeps more than its stated bound.

mod delimiter;
pub mod frame;
mod protobuf;
pub mod signalling;

pub use delimiter::Delimiter;

/// The largest message of either protocol, in bytes, its length prefix included
/// (libp2p/specs, webrtc/README.md, "Multiplexing").
pub const MAX_MESSAGE: usize = 16 * 1024;

/// Why bytes of another peer could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A length or number is not an unsigned varint in its shortest form.
    #[error("a number is not encoded as the multiformats varint specification says")]
    Number,
    /// A message announces that it is longer than [`MAX_MESSAGE`].
    #[error("a message is longer than {MAX_MESSAGE} bytes")]
    TooLong,
    /// A message is no protobuf message.
    #[error("a message is not the protobuf message it should be")]
    Field,
    /// Text is not UTF-8.
    #[error("text in a message is not UTF-8")]
    Text,
}

/// Reads an unsigned varint; the number and how many bytes it took. `None`: more bytes are needed.
/// A number must be encoded in its shortest form and fit into 63 bits.
pub(crate) fn varint(bytes: &[u8]) -> Result<Option<(u64, usize)>, Malformed> {
    let mut number = 0u64;
    for (at, byte) in bytes.iter().enumerate().take(9) {
        number |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            // A last byte without bits could have been left out.
            let shortest = at == 0 || *byte != 0;
            return if shortest { Ok(Some((number, at + 1))) } else { Err(Malformed::Number) };
        }
    }
    if bytes.len() < 9 { Ok(None) } else { Err(Malformed::Number) }
}

/// Appends an unsigned varint.
pub(crate) fn put_varint(mut number: usize, to: &mut Vec<u8>) {
    while number >= 0x80 {
        to.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    to.push(number as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_back() {
        for number in [0, 1, 0x7f, 0x80, 300, 0x3fff, 0x4000, 1 << 30] {
            let mut bytes = Vec::new();
            put_varint(number, &mut bytes);
            assert_eq!(varint(&bytes), Ok(Some((number as u64, bytes.len()))));
            assert_eq!(varint(&bytes[..bytes.len() - 1]), Ok(None));
        }
    }

    #[test]
    fn a_number_with_needless_bytes_is_refused() {
        assert_eq!(varint(&[0x81, 0]), Err(Malformed::Number));
    }

    #[test]
    fn a_number_that_never_ends_is_refused() {
        assert_eq!(varint(&[0xff; 10]), Err(Malformed::Number));
    }
}

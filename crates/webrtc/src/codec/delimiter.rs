//! Messages cut out of a stream of bytes.

use super::{MAX_MESSAGE, Malformed, varint};

/// Cuts a stream of bytes into messages that are each preceded by their length as an unsigned
/// varint. Where the bytes were split on their way does not matter: js-libp2p sends a length and
/// its message as two messages of a data channel.
///
/// Holds less than [`MAX_MESSAGE`] bytes beside what was last pushed, provided that
/// [`Delimiter::next`] is called after each push until it gives none.
#[derive(Debug, Default)]
pub struct Delimiter {
    bytes: Vec<u8>,
    /// How many of the bytes were given out.
    done: usize,
}

impl Delimiter {
    /// Adds bytes that arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.done);
        self.done = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole message, without its length; `None` if more bytes are needed.
    ///
    /// # Errors
    /// [`Malformed::Number`] or [`Malformed::TooLong`]; there is no way on after either.
    #[expect(clippy::should_implement_trait, reason = "what it gives borrows from this")]
    pub fn next(&mut self) -> Result<Option<&[u8]>, Malformed> {
        let rest = self.bytes.get(self.done..).unwrap_or_default();
        let Some((length, prefix)) = varint(rest)? else { return Ok(None) };
        let length = usize::try_from(length).map_err(|_| Malformed::TooLong)?;
        let end = prefix.saturating_add(length);
        if end > MAX_MESSAGE {
            return Err(Malformed::TooLong);
        }
        let message = rest.get(prefix..end);
        if message.is_some() {
            self.done += end;
        }
        Ok(message)
    }

    /// Whether a message has begun and not ended.
    #[must_use]
    pub fn is_amid_message(&self) -> bool {
        self.done < self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::put_varint;

    fn delimited(message: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        put_varint(message.len(), &mut bytes);
        bytes.extend_from_slice(message);
        bytes
    }

    #[test]
    fn messages_are_the_same_however_their_bytes_are_split() {
        let messages: [&[u8]; 4] = [b"one", b"", &[7; 300], b"four"];
        let bytes: Vec<u8> = messages.iter().flat_map(|message| delimited(message)).collect();
        for size in [1, 2, 3, 100, bytes.len()] {
            let mut delimiter = Delimiter::default();
            let mut found = Vec::new();
            for part in bytes.chunks(size) {
                delimiter.push(part);
                while let Some(message) = delimiter.next().unwrap() {
                    found.push(message.to_vec());
                }
            }
            assert_eq!(found, messages);
            assert!(!delimiter.is_amid_message());
        }
    }

    #[test]
    fn the_largest_message_passes_and_one_byte_more_is_refused() {
        let mut delimiter = Delimiter::default();
        let largest = vec![1; MAX_MESSAGE - 2];
        delimiter.push(&delimited(&largest));
        assert_eq!(delimiter.next(), Ok(Some(&largest[..])));
        delimiter.push(&delimited(&vec![1; MAX_MESSAGE - 1]));
        assert_eq!(delimiter.next(), Err(Malformed::TooLong));
    }

    #[test]
    fn a_message_too_long_is_refused_before_it_arrives() {
        let mut delimiter = Delimiter::default();
        let mut prefix = Vec::new();
        put_varint(usize::MAX >> 2, &mut prefix);
        delimiter.push(&prefix);
        assert_eq!(delimiter.next(), Err(Malformed::TooLong));
    }

    #[test]
    fn a_message_cut_short_is_noticed() {
        let mut delimiter = Delimiter::default();
        delimiter.push(&[3, 1, 2]);
        assert_eq!(delimiter.next(), Ok(None));
        assert!(delimiter.is_amid_message());
    }
}

//! The ids of ops and of control items.

use crate::hlc::Hlc;
use minicbor::{Decode, Encode};
use std::fmt;

/// The digits of Crockford's base32, in lower case.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Characters of an id as text.
const TEXT: usize = 52;

/// Which op (or control item): its time, 8 bytes big endian, and the first 24 bytes of the hash of
/// what was signed. So ids are in the order of a room, and nothing else can have the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct OpId(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 32]);

impl OpId {
    /// The id of what was written down as `bytes` at the moment `hlc`.
    #[must_use]
    pub fn of(hlc: Hlc, bytes: &[u8]) -> Self {
        let hash = blake3::hash(bytes);
        let mut id = [0; 32];
        let (time, tail) = id.split_at_mut(8);
        time.copy_from_slice(&hlc.0.to_be_bytes());
        tail.iter_mut().zip(hash.as_bytes()).for_each(|(to, from)| *to = *from);
        Self(id)
    }

    /// The moment that it names.
    #[must_use]
    pub fn hlc(&self) -> Hlc {
        Hlc(self.0.first_chunk().copied().map_or(0, u64::from_be_bytes))
    }

    /// Reads what [`fmt::Display`] wrote, in exactly that form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != TEXT {
            return None;
        }
        let mut id = [0; 32];
        let mut bytes = id.iter_mut();
        let (mut held, mut bits) = (0_u32, 0);
        for digit in text.bytes() {
            let value = DIGITS.iter().position(|known| *known == digit)?;
            held = held << 5 | u32::try_from(value).ok()?;
            bits += 5;
            if bits >= 8 {
                bits -= 8;
                *bytes.next()? = u8::try_from(held >> bits).ok()?;
                held &= (1 << bits) - 1;
            }
        }
        // The four bits that are left fill the last digit.
        (held == 0).then_some(Self(id))
    }
}

impl fmt::Display for OpId {
    /// Crockford's base32 in lower case, 52 characters: the bits from the first on and four zeros.
    /// Texts have the order of the ids.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(TEXT);
        let (mut held, mut bits) = (0_u32, 0);
        for byte in self.0.iter().chain([&0]) {
            held = held << 8 | u32::from(*byte);
            bits += 8;
            while bits >= 5 && text.len() < TEXT {
                bits -= 5;
                let digit = usize::try_from(held >> bits & 31).unwrap_or_default();
                text.push(char::from(DIGITS.get(digit).copied().unwrap_or(b'0')));
            }
            held &= (1 << bits) - 1;
        }
        f.write_str(&text)
    }
}

impl fmt::Debug for OpId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_id_begins_with_its_time_and_ends_with_the_hash() {
        let id = OpId::of(Hlc(0x0102_0304_0506_0708), b"signed");
        assert_eq!(id.0[..8], [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(id.0[8..], blake3::hash(b"signed").as_bytes()[..24]);
        assert_eq!(id.hlc(), Hlc(0x0102_0304_0506_0708));
    }

    #[test]
    fn an_id_reads_as_known_digits() {
        let zeros = "0".repeat(TEXT);
        assert_eq!(OpId([0; 32]).to_string(), zeros);
        assert_eq!(OpId([0xff; 32]).to_string(), format!("{}g", "z".repeat(TEXT - 1)));
        let mut id = OpId([0; 32]);
        id.0[0] = 0b0101_0001;
        id.0[1] = 0b1000_0000;
        assert_eq!(id.to_string(), format!("a6{}", &zeros[2..]));
    }

    #[test]
    fn other_texts_are_no_ids() {
        let right = OpId([7; 32]).to_string();
        assert_eq!(OpId::parse(&right), Some(OpId([7; 32])));
        assert_eq!(OpId::parse(&right[1..]), None);
        assert_eq!(OpId::parse(&format!("{right}0")), None);
        assert_eq!(OpId::parse(&right.to_uppercase()), None);
        for digit in ["i", "l", "o", "u", "-", " "] {
            assert_eq!(OpId::parse(&format!("{digit}{}", &right[1..])), None, "{digit}");
        }
        assert_eq!(OpId::parse(&format!("é{}", &right[2..])), None);
    }

    #[test]
    fn bits_behind_the_last_byte_are_refused() {
        assert_eq!(OpId::parse(&format!("{}1", "0".repeat(TEXT - 1))), None);
    }

    proptest! {
        #[test]
        fn what_is_written_reads_again(id in any::<[u8; 32]>()) {
            prop_assert_eq!(OpId::parse(&OpId(id).to_string()), Some(OpId(id)));
        }

        #[test]
        fn texts_have_the_order_of_ids(a in any::<[u8; 32]>(), b in any::<[u8; 32]>()) {
            prop_assert_eq!(OpId(a).to_string().cmp(&OpId(b).to_string()), a.cmp(&b));
        }
    }
}

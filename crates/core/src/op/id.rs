//! The ids of ops and of control items.

use crate::base32;
use crate::hlc::Hlc;
use minicbor::{Decode, Encode};
use std::fmt;

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
        base32::read(text).map(Self)
    }
}

impl fmt::Display for OpId {
    /// Crockford's base32 in lower case, 52 characters. Texts have the order of the ids.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base32::write(&self.0))
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

//! Ids, short, for one session alone.

use super::wire::Salt;
use crate::op::OpId;
use minicbor::{Decode, Encode};

/// An id as one session knows it. Who does not know the session's key cannot make two ids the
/// same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct Short(#[n(0)] pub u64);

/// By what ids are shortened.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Key(u64, u64);

impl Key {
    /// A key of these halves.
    #[cfg(test)]
    pub(super) const fn new(first: u64, second: u64) -> Self {
        Self(first, second)
    }

    /// That of a session with these salts.
    pub(super) fn of(leader: &Salt, other: &Salt) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("community-chats/1 sync sketch");
        let hash = hasher.update(leader).update(other).finalize();
        let (words, _) = hash.as_bytes().as_chunks::<8>();
        let mut words = words.iter().map(|word| u64::from_le_bytes(*word));
        Self(words.next().unwrap_or_default(), words.next().unwrap_or_default())
    }

    /// SipHash-2-4 of an id (Aumasson and Bernstein, 2012).
    pub(super) fn short(self, id: &OpId) -> Short {
        let mut state = State([
            self.0 ^ 0x736f_6d65_7073_6575,
            self.1 ^ 0x646f_7261_6e64_6f6d,
            self.0 ^ 0x6c79_6765_6e65_7261,
            self.1 ^ 0x7465_6462_7974_6573,
        ]);
        let (words, _) = id.0.as_chunks::<8>();
        words.iter().for_each(|word| state.take(u64::from_le_bytes(*word)));
        // No bytes are left over: the length alone, 32.
        state.take(32 << 56);
        Short(state.finish())
    }
}

struct State([u64; 4]);

impl State {
    fn take(&mut self, word: u64) {
        self.0[3] ^= word;
        self.round();
        self.round();
        self.0[0] ^= word;
    }

    fn finish(mut self) -> u64 {
        self.0[2] ^= 0xff;
        (0..4).for_each(|_| self.round());
        let [a, b, c, d] = self.0;
        a ^ b ^ c ^ d
    }

    fn round(&mut self) {
        let [mut a, mut b, mut c, mut d] = self.0;
        a = a.wrapping_add(b);
        b = b.rotate_left(13) ^ a;
        a = a.rotate_left(32);
        c = c.wrapping_add(d);
        d = d.rotate_left(16) ^ c;
        a = a.wrapping_add(d);
        d = d.rotate_left(21) ^ a;
        c = c.wrapping_add(b);
        b = b.rotate_left(17) ^ c;
        c = c.rotate_left(32);
        self.0 = [a, b, c, d];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hash::Hasher;

    #[test]
    fn an_id_is_shortened_by_siphash() {
        let bytes = |from: u8| std::array::from_fn(|at| from + u8::try_from(at).unwrap());
        let (first, second) = (u64::from_le_bytes(bytes(0)), u64::from_le_bytes(bytes(8)));
        let id = OpId(std::array::from_fn(|at| u8::try_from(at).unwrap()));
        #[allow(deprecated)]
        let mut hasher = std::hash::SipHasher::new_with_keys(first, second);
        hasher.write(&id.0);
        assert_eq!(Key::new(first, second).short(&id), Short(hasher.finish()));
    }

    #[test]
    fn each_session_has_a_key_of_its_own() {
        let id = OpId([7; 32]);
        let short = |leader: u8, other: u8| Key::of(&[leader; 16], &[other; 16]).short(&id);
        assert_eq!(short(1, 2), short(1, 2));
        assert!(short(1, 2) != short(2, 1) && short(1, 2) != short(1, 3));
    }
}

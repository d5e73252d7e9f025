//! Random numbers, made of a seed: the core draws none itself.

use std::fmt;
use zeroize::Zeroizing;

/// Numbers that nobody can foretell who does not know the seed: BLAKE3, keyed with the seed, of
/// how many were drawn before. Never printed.
pub(crate) struct Generator {
    seed: Zeroizing<[u8; 32]>,
    drawn: u64,
}

impl Generator {
    /// Of a seed that was never used before.
    pub(crate) const fn new(seed: Zeroizing<[u8; 32]>) -> Self {
        Self { seed, drawn: 0 }
    }

    /// Fills all of `into`.
    pub(crate) fn fill(&mut self, into: &mut [u8]) {
        self.drawn += 1;
        let mut hasher = blake3::Hasher::new_keyed(&self.seed);
        hasher.update(&self.drawn.to_be_bytes()).finalize_xof().fill(into);
    }

    /// As many bytes as are asked for.
    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// Less than `bound`, or 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        u64::from_be_bytes(self.bytes()).checked_rem(bound).unwrap_or(0)
    }
}

impl fmt::Debug for Generator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Generator(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_comes_twice_and_a_seed_tells_all() {
        let generator = |seed| Generator::new(Zeroizing::new([seed; 32]));
        let (mut one, mut same, mut other) = (generator(1), generator(1), generator(2));
        let first: [u8; 32] = one.bytes();
        assert_eq!(first, same.bytes::<32>());
        assert_ne!(first, one.bytes());
        assert_ne!(first, other.bytes());
    }

    #[test]
    fn a_number_is_below_its_bound() {
        let mut generator = Generator::new(Zeroizing::new([1; 32]));
        let drawn: Vec<_> = (0..100).map(|_| generator.below(3)).collect();
        assert!((0..3).all(|number| drawn.contains(&number)) && drawn.iter().all(|it| *it < 3));
        assert_eq!(generator.below(0), 0);
    }
}

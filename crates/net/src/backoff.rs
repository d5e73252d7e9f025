//! How long to wait before the next attempt.

use rand::Rng;
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);

/// Doubles from 500 ms to 30 s; each wait is shortened by up to half, so that devices that lost a
/// relay at the same moment do not return at the same moment.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The wait after one more failure.
    pub(crate) fn next(&mut self, rng: &mut impl Rng) -> Duration {
        let longest = FIRST.saturating_mul(2_u32.saturating_pow(self.failures)).min(LONGEST);
        self.failures = self.failures.saturating_add(1).min(16);
        longest.mul_f64(rng.random_range(0.5..=1.0))
    }

    /// Forgets all failures.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{SeedableRng, rngs::SmallRng};
    use std::collections::BTreeSet;

    #[test]
    fn waits_grow_up_to_half_a_minute_and_start_over_on_reset() {
        let mut rng = SmallRng::seed_from_u64(1);
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..40).map(|_| backoff.next(&mut rng)).collect();
        assert!(waits[0] >= FIRST / 2 && waits[0] <= FIRST);
        assert!(waits[3] > FIRST);
        assert!(waits[7..].iter().all(|wait| *wait >= LONGEST / 2 && *wait <= LONGEST));
        let different: BTreeSet<_> = waits[7..].iter().collect();
        assert!(different.len() > 30, "the longest waits are of {} lengths", different.len());
        backoff.reset();
        assert!(backoff.next(&mut rng) <= FIRST);
    }
}

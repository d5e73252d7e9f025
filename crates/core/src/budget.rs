//! How much of something somebody may have us do: some at once, then one after the other.

use crate::small::SmallMap;
use crate::time::{Duration, Time};

/// For each key, when all that was spent for it is paid for at the pace.
#[derive(Debug)]
pub(crate) struct Budget<K> {
    burst: u32,
    pace: Duration,
    paid: SmallMap<K, Time>,
}

impl<K: Ord + Copy> Budget<K> {
    /// The most keys that are counted at once.
    const MAX: usize = 256;

    /// `burst` in a row, and another one after each `pace`.
    pub(crate) const fn new(burst: u32, pace: Duration) -> Self {
        Self { burst, pace, paid: SmallMap::new() }
    }

    /// From when on something may be spent for this key.
    pub(crate) fn free_at(&self, key: K) -> Time {
        let credit = self.pace * self.burst.saturating_sub(1);
        let credit = u64::try_from(credit.as_millis()).unwrap_or(u64::MAX);
        self.paid.get(&key).map_or(Time::default(), |paid| Time(paid.0.saturating_sub(credit)))
    }

    /// Counts one for this key, if it may be spent now.
    pub(crate) fn spend(&mut self, key: K, now: Time) -> bool {
        if self.free_at(key) > now {
            return false;
        }
        if self.paid.len() >= Self::MAX {
            self.paid.retain(|_, paid| *paid > now);
        }
        if self.paid.len() >= Self::MAX && !self.paid.contains_key(&key) {
            return false;
        }
        let paid = self.paid.entry(key).or_insert(now);
        *paid = (*paid).max(now) + self.pace;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_secs(1000);
    const PACE: Duration = Duration::from_secs(5);
    const BURST: u32 = 16;

    fn spent() -> Budget<u16> {
        let mut budget = Budget::new(BURST, PACE);
        for _ in 0..BURST {
            assert!(budget.spend(1, NOW));
        }
        budget
    }

    #[test]
    fn some_are_free_at_once_and_then_one_at_a_time() {
        let mut budget = spent();
        assert!(!budget.spend(1, NOW));
        let next = budget.free_at(1);
        assert_eq!(next, NOW + PACE);
        assert!(budget.spend(1, next));
        assert!(!budget.spend(1, next));
    }

    #[test]
    fn one_spends_nothing_of_another() {
        assert!(spent().spend(2, NOW));
    }

    #[test]
    fn all_comes_back_with_time() {
        let mut budget = spent();
        let later = NOW + PACE * BURST;
        for _ in 0..BURST {
            assert!(budget.spend(1, later));
        }
        assert!(!budget.spend(1, later));
    }

    #[test]
    fn those_who_owe_nothing_make_room_for_others() {
        let mut budget = Budget::new(BURST, PACE);
        for key in 0..256 {
            assert!(budget.spend(key, NOW));
        }
        assert!(!budget.spend(999, NOW));
        assert!(budget.spend(999, NOW + PACE));
        assert_eq!(budget.paid.len(), 1);
    }
}

//! How many media connections somebody may have us make.
//!
//! A new stay or a higher attempt replaces a connection, and both cost others no more than a
//! message. Connections are dear, and browsers make a limited number of them in the life of a
//! page, so each wallet gets a few at once and then one after the other.

use crate::id::Wallet;
use crate::time::{Duration, Time};
use std::collections::BTreeMap;

/// Connections made for one wallet in a row.
pub(super) const BURST: u32 = 16;
/// How long after that until each of the next ones.
pub(super) const PACE: Duration = Duration::from_secs(5);
/// The most wallets that are counted at once.
const MAX_WALLETS: usize = 256;

/// For each wallet, when all that was made for it is paid for at [`PACE`].
#[derive(Debug, Default)]
pub(super) struct Budget(BTreeMap<Wallet, Time>);

impl Budget {
    /// From when on a connection may be made for this wallet.
    pub(super) fn free_at(&self, wallet: Wallet) -> Time {
        let credit = u64::try_from((PACE * (BURST - 1)).as_millis()).unwrap_or(u64::MAX);
        self.0.get(&wallet).map_or(Time::default(), |paid| Time(paid.0.saturating_sub(credit)))
    }

    /// Counts a connection for this wallet, if one may be made now.
    pub(super) fn spend(&mut self, wallet: Wallet, now: Time) -> bool {
        if self.free_at(wallet) > now {
            return false;
        }
        if self.0.len() >= MAX_WALLETS {
            self.0.retain(|_, paid| *paid > now);
        }
        if self.0.len() >= MAX_WALLETS && !self.0.contains_key(&wallet) {
            return false;
        }
        let paid = self.0.entry(wallet).or_insert(now);
        *paid = (*paid).max(now) + PACE;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: Wallet = Wallet([1; 20]);
    const NOW: Time = Time::from_secs(1000);

    fn spent() -> Budget {
        let mut budget = Budget::default();
        for _ in 0..BURST {
            assert!(budget.spend(ALICE, NOW));
        }
        budget
    }

    #[test]
    fn a_wallet_gets_some_connections_at_once_and_then_one_at_a_time() {
        let mut budget = spent();
        assert!(!budget.spend(ALICE, NOW));
        let next = budget.free_at(ALICE);
        assert_eq!(next, NOW + PACE);
        assert!(budget.spend(ALICE, next));
        assert!(!budget.spend(ALICE, next));
    }

    #[test]
    fn one_wallet_spends_nothing_of_another() {
        assert!(spent().spend(Wallet([2; 20]), NOW));
    }

    #[test]
    fn all_comes_back_with_time() {
        let mut budget = spent();
        let later = NOW + PACE * BURST;
        for _ in 0..BURST {
            assert!(budget.spend(ALICE, later));
        }
        assert!(!budget.spend(ALICE, later));
    }

    #[test]
    fn wallets_that_owe_nothing_make_room_for_others() {
        let mut budget = Budget::default();
        let wallet = |number: u16| {
            let [high, low] = number.to_be_bytes();
            let mut bytes = [0; 20];
            (bytes[0], bytes[1]) = (high, low);
            Wallet(bytes)
        };
        for number in 0..MAX_WALLETS as u16 {
            assert!(budget.spend(wallet(number), NOW));
        }
        assert!(!budget.spend(wallet(999), NOW));
        assert!(budget.spend(wallet(999), NOW + PACE));
        assert_eq!(budget.0.len(), 1);
    }
}

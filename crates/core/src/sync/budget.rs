//! How much one device may have us take, give and do.

use crate::id::DeviceKey;
use crate::small::SmallMap;
use crate::time::{Duration, Time};

/// The most items taken from one device within an [`HOUR`].
pub const MAX_TAKEN: u32 = 20_000;
/// The most bytes of items taken from one device within an [`HOUR`].
pub const MAX_TAKEN_BYTES: u64 = 64 * 1024 * 1024;
/// How much more may be given to one device than taken from it: its hour began at another time,
/// and what was lost with a connection is asked for twice.
const GIVEN_RATIO: u32 = 2;
/// One in so many items may be invalid.
const VALID_RATIO: u32 = 20;
/// Fewer items than this count as so many: one bad of few says nothing.
const SAMPLE: u32 = 100;
/// For how long is counted, and for how long a device is left that did what it must not.
pub const HOUR: Duration = Duration::from_secs(3600);
/// The most devices that are counted for at once.
const MAX_ACCOUNTS: usize = 256;

#[derive(Debug, Default)]
struct Account {
    since: Time,
    left_until: Time,
    taken: u32,
    taken_bytes: u64,
    given: u32,
    given_bytes: u64,
    judged: u32,
    invalid: u32,
}

/// What was taken from and given to each device, within an hour.
#[derive(Debug, Default)]
pub(super) struct Ledger(SmallMap<DeviceKey, Account>);

impl Ledger {
    fn account(&mut self, device: DeviceKey, now: Time) -> &mut Account {
        if !self.0.contains_key(&device) && self.0.len() >= MAX_ACCOUNTS {
            // Those that are left are forgotten last.
            let oldest = self.0.iter().min_by_key(|(_, it)| (it.left_until > now, it.since));
            if let Some(device) = oldest.map(|(device, _)| *device) {
                self.0.remove(&device);
            }
        }
        let account = self.0.entry(device).or_default();
        if account.since + HOUR <= now || now < account.since {
            *account = Account { since: now, left_until: account.left_until, ..Account::default() };
        }
        account
    }

    /// Nothing is exchanged with this device for an hour.
    pub(super) fn leave(&mut self, device: DeviceKey, now: Time) {
        self.account(device, now).left_until = now + HOUR;
    }

    /// Whether nothing is exchanged with it.
    pub(super) fn left(&self, device: DeviceKey, now: Time) -> bool {
        self.0.get(&device).is_some_and(|account| account.left_until > now)
    }

    /// Counts up to `wanted` items that are to be taken from it. Returns how many may be.
    pub(super) fn take(&mut self, device: DeviceKey, wanted: usize, now: Time) -> usize {
        let account = self.account(device, now);
        let free = MAX_TAKEN.saturating_sub(account.taken);
        let taken = u32::try_from(wanted).unwrap_or(u32::MAX).min(free);
        account.taken += taken;
        taken as usize
    }

    /// Counts bytes that came from it. Returns whether they may be taken.
    pub(super) fn take_bytes(&mut self, device: DeviceKey, bytes: usize, now: Time) -> bool {
        let account = self.account(device, now);
        account.taken_bytes = account.taken_bytes.saturating_add(bytes as u64);
        account.taken_bytes <= MAX_TAKEN_BYTES
    }

    /// Counts items that it asks for. Returns whether it may have them.
    pub(super) fn give(&mut self, device: DeviceKey, items: usize, now: Time) -> bool {
        let account = self.account(device, now);
        let items = u32::try_from(items).unwrap_or(u32::MAX);
        account.given = account.given.saturating_add(items);
        account.given <= MAX_TAKEN * GIVEN_RATIO
    }

    /// Counts bytes that it asked for. Returns whether it may have them.
    pub(super) fn give_bytes(&mut self, device: DeviceKey, bytes: usize, now: Time) -> bool {
        let account = self.account(device, now);
        account.given_bytes = account.given_bytes.saturating_add(bytes as u64);
        account.given_bytes <= MAX_TAKEN_BYTES * u64::from(GIVEN_RATIO)
    }

    /// Counts items from it that were judged. Returns whether there were too many invalid ones.
    pub(super) fn judge(
        &mut self,
        device: DeviceKey,
        judged: usize,
        invalid: usize,
        now: Time,
    ) -> bool {
        let account = self.account(device, now);
        let count = |items: usize| u32::try_from(items).unwrap_or(u32::MAX);
        account.judged = account.judged.saturating_add(count(judged));
        account.invalid = account.invalid.saturating_add(count(invalid));
        account.invalid > account.judged.max(SAMPLE) / VALID_RATIO
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_secs(1_000_000);
    const EVE: DeviceKey = DeviceKey([1; 32]);

    #[test]
    fn an_hour_s_items_are_taken_and_no_more() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.take(EVE, 15_000, NOW), 15_000);
        assert_eq!(ledger.take(EVE, 15_000, NOW), 5_000);
        assert_eq!(ledger.take(EVE, 1, NOW), 0);
        assert_eq!(ledger.take(DeviceKey([2; 32]), 1, NOW), 1);
        assert_eq!(ledger.take(EVE, 1, NOW + HOUR), 1);
    }

    #[test]
    fn bytes_have_a_bound_of_their_own() {
        let mut ledger = Ledger::default();
        assert!(ledger.take_bytes(EVE, 64 * 1024 * 1024, NOW));
        assert!(!ledger.take_bytes(EVE, 1, NOW));
        assert!(ledger.give_bytes(EVE, 128 * 1024 * 1024, NOW));
        assert!(!ledger.give_bytes(EVE, 1, NOW));
        assert!(ledger.take_bytes(EVE, 1, NOW + HOUR));
    }

    #[test]
    fn twice_as_much_is_given_as_taken() {
        let mut ledger = Ledger::default();
        assert!(ledger.give(EVE, 40_000, NOW));
        assert!(!ledger.give(EVE, 1, NOW));
    }

    #[test]
    fn over_one_in_twenty_invalid_is_too_many_but_few_of_few_are_not() {
        let mut ledger = Ledger::default();
        assert!(!ledger.judge(EVE, 5, 5, NOW));
        assert!(ledger.judge(EVE, 1, 1, NOW));
        let mut ledger = Ledger::default();
        assert!(!ledger.judge(EVE, 2000, 100, NOW));
        assert!(ledger.judge(EVE, 1, 1, NOW));
    }

    #[test]
    fn a_device_that_is_left_is_left_for_an_hour() {
        let mut ledger = Ledger::default();
        ledger.leave(EVE, NOW);
        assert!(
            ledger.left(EVE, NOW) && ledger.left(EVE, Time(NOW.0 + HOUR.as_millis() as u64 - 1))
        );
        assert!(!ledger.left(EVE, NOW + HOUR));
    }

    #[test]
    fn ever_more_devices_take_no_more_room_and_do_not_hide_one_that_is_left() {
        let mut ledger = Ledger::default();
        ledger.leave(EVE, NOW);
        for other in 0..2 * MAX_ACCOUNTS as u32 {
            let mut key = [2; 32];
            key[..4].copy_from_slice(&other.to_be_bytes());
            ledger.take(DeviceKey(key), 1, NOW);
        }
        assert_eq!(ledger.0.len(), MAX_ACCOUNTS);
        assert!(ledger.left(EVE, NOW));
    }
}

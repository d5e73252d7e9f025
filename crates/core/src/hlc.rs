//! The clock that orders a room: a hybrid logical clock.

use crate::time::{Duration, Time};
use minicbor::{Decode, Encode};

/// How far ahead of the reader's clock an op may be and count at once.
pub const MAX_AHEAD: Duration = Duration::from_secs(5 * 60);
/// How far ahead it may be and be kept until it counts.
pub const MAX_WAIT: Duration = Duration::from_secs(24 * 3600);

/// Bits of the counter below the milliseconds.
const COUNTER: u32 = 16;

/// A moment in a room: Unix milliseconds in the upper 48 bits, a counter in the lower 16.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Default)]
#[cbor(transparent)]
pub struct Hlc(#[n(0)] pub u64);

impl Hlc {
    /// The first moment of a millisecond.
    #[must_use]
    pub const fn at(time: Time) -> Self {
        // Later than the year 10,000 nothing is told apart.
        let last = u64::MAX >> COUNTER;
        Self(if time.0 < last { time.0 } else { last } << COUNTER)
    }

    /// The millisecond that it lies in.
    #[must_use]
    pub const fn time(self) -> Time {
        Time(self.0 >> COUNTER)
    }

    /// What to make of an op of this moment that arrives when the clock here shows `now`.
    #[must_use]
    pub fn arrival(self, now: Time) -> Arrival {
        let ahead = self.time().since(now);
        if ahead <= MAX_AHEAD {
            Arrival::Due
        } else if ahead <= MAX_WAIT {
            let early = u64::try_from(MAX_AHEAD.as_millis()).unwrap_or_default();
            Arrival::Waits { until: Time(self.time().0.saturating_sub(early)) }
        } else {
            Arrival::Refused
        }
    }
}

/// What to make of an op, by its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// It counts.
    Due,
    /// It is more than [`MAX_AHEAD`] ahead: it is kept, and counts from `until` on.
    Waits {
        /// When the clock here must show at least this.
        until: Time,
    },
    /// It is more than [`MAX_WAIT`] ahead: it is not kept.
    Refused,
}

/// The clock of one room on one device. It never gives the same moment twice, nor one that is not
/// later than all it was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HybridClock {
    last: Hlc,
}

impl HybridClock {
    /// Shows it an op that counts ([`Arrival::Due`]), of others or from the store. Not one that
    /// waits: whoever is ahead would take all with him.
    pub fn see(&mut self, hlc: Hlc) {
        self.last = self.last.max(hlc);
    }

    /// The moment for a new op of our own, when the device's clock shows `now`.
    pub fn tick(&mut self, now: Time) -> Hlc {
        // A full counter carries into the milliseconds.
        self.last = Hlc::at(now).max(Hlc(self.last.0.saturating_add(1)));
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time(1_767_225_600_000);

    #[test]
    fn a_new_op_takes_the_time_of_the_device() {
        assert_eq!(HybridClock::default().tick(NOW), Hlc(NOW.0 << 16));
        assert_eq!(Hlc::at(NOW).time(), NOW);
    }

    #[test]
    fn ops_of_one_millisecond_are_counted() {
        let mut clock = HybridClock::default();
        let first = clock.tick(NOW);
        assert_eq!(clock.tick(NOW), Hlc(first.0 + 1));
    }

    #[test]
    fn a_new_op_is_later_than_all_that_were_seen() {
        let mut clock = HybridClock::default();
        let ahead = Hlc::at(NOW + Duration::from_secs(60));
        clock.see(ahead);
        clock.see(Hlc::at(NOW));
        assert_eq!(clock.tick(NOW), Hlc(ahead.0 + 1));
    }

    #[test]
    fn a_clock_that_was_set_back_still_goes_on() {
        let mut clock = HybridClock::default();
        let first = clock.tick(NOW);
        assert_eq!(clock.tick(Time(5)), Hlc(first.0 + 1));
    }

    #[test]
    fn a_full_counter_adds_a_millisecond() {
        let mut clock = HybridClock::default();
        clock.see(Hlc(Hlc::at(NOW).0 | 0xffff));
        assert_eq!(clock.tick(NOW), Hlc::at(Time(NOW.0 + 1)));
    }

    #[test]
    fn up_to_five_minutes_ahead_is_due() {
        assert_eq!(Hlc::at(Time(0)).arrival(NOW), Arrival::Due);
        assert_eq!(Hlc(Hlc::at(NOW + MAX_AHEAD).0 | 0xffff).arrival(NOW), Arrival::Due);
    }

    #[test]
    fn more_than_that_waits_until_it_is_due() {
        let early = Hlc::at(NOW + MAX_AHEAD + Duration::from_millis(1));
        let Arrival::Waits { until } = early.arrival(NOW) else {
            panic!("{early:?} does not wait")
        };
        assert_eq!(until, Time(NOW.0 + 1));
        assert_eq!(early.arrival(until), Arrival::Due);
        let last = Hlc::at(NOW + MAX_WAIT);
        assert!(matches!(last.arrival(NOW), Arrival::Waits { .. }));
    }

    #[test]
    fn more_than_a_day_ahead_is_refused() {
        let late = Hlc::at(NOW + MAX_WAIT + Duration::from_millis(1));
        assert_eq!(late.arrival(NOW), Arrival::Refused);
        assert_eq!(Hlc(u64::MAX).arrival(NOW), Arrival::Refused);
        assert_eq!(Hlc::at(Time(u64::MAX)).arrival(NOW), Arrival::Refused);
    }
}

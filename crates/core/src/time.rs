//! When. The core never asks for the time; it is told.

use minicbor::{Decode, Encode};
use std::ops::Add;
pub use std::time::Duration;

/// A moment: milliseconds since the Unix epoch, by the clock of the device that says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Default)]
#[cbor(transparent)]
pub struct Time(#[n(0)] pub u64);

impl Time {
    /// The moment `seconds` after the Unix epoch.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Whole seconds since the Unix epoch.
    #[must_use]
    pub const fn secs(self) -> u64 {
        self.0 / 1000
    }

    /// How long after `earlier` this is; zero if it is not.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(millis))
    }
}

/// A clock that never runs backwards, made of one that may: a clock that was set back does not
/// stop timers, and what others know of it stays true.
#[derive(Debug, Default)]
pub(crate) struct SteadyClock {
    last: Time,
    ahead: Duration,
}

impl SteadyClock {
    /// The steady time when the device's clock shows `shown`.
    pub(crate) fn read(&mut self, shown: Time) -> Time {
        self.ahead += self.last.since(shown + self.ahead);
        self.last = shown + self.ahead;
        self.last
    }

    /// What the device's clock shows at the steady time `now`.
    pub(crate) fn shown(&self, now: Time) -> Time {
        Time(now.0.saturating_sub(u64::try_from(self.ahead.as_millis()).unwrap_or(u64::MAX)))
    }

    /// The steady time when the device's clock will show `shown`.
    pub(crate) fn when(&self, shown: Time) -> Time {
        shown + self.ahead
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_back_goes_on_from_where_it_was() {
        let mut clock = SteadyClock::default();
        assert_eq!(clock.read(Time(5000)), Time(5000));
        assert_eq!(clock.read(Time(1000)), Time(5000));
        assert_eq!(clock.read(Time(1200)), Time(5200));
        assert_eq!(clock.shown(Time(5200)), Time(1200));
        assert_eq!(clock.when(Time(1200)), Time(5200));
        assert_eq!(clock.read(Time(9000)), Time(13_000));
    }
}

//! In which parts a set is compared.

use crate::hlc::{Hlc, MAX_WAIT};
use crate::time::{Duration, Time};
use minicbor::{Decode, Encode};

/// How far back the newest window of a room reaches, and the one before it.
const REACH: [Duration; 2] = [Duration::from_secs(24 * 3600), Duration::from_secs(7 * 24 * 3600)];

/// A part of a set, by the time of what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Window {
    /// The first moment.
    #[n(0)]
    pub from: Hlc,
    /// The first moment behind it.
    #[n(1)]
    pub until: Hlc,
}

impl Window {
    /// All of a set.
    pub const ALL: Self = Self { from: Hlc(0), until: Hlc(u64::MAX) };

    /// Whether nothing can be in it.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.from.0 >= self.until.0
    }

    /// Whether this moment is in it.
    #[must_use]
    pub const fn contains(&self, hlc: Hlc) -> bool {
        self.from.0 <= hlc.0 && hlc.0 < self.until.0
    }

    /// The windows of a room of which nothing older than `horizon` is wanted, newest first, when
    /// the clock shows `now`: a day (and what waits until it is due), a week, the rest.
    #[must_use]
    pub fn of_room(now: Time, horizon: Hlc) -> [Self; 3] {
        let ago = |reach: Duration| {
            let reach = u64::try_from(reach.as_millis()).unwrap_or(u64::MAX);
            Hlc::at(Time(now.0.saturating_sub(reach))).max(horizon)
        };
        let [day, week] = REACH.map(ago);
        let newest = Hlc::at(now + MAX_WAIT).max(horizon);
        [
            Self { from: day, until: newest },
            Self { from: week, until: day },
            Self { from: horizon, until: week },
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time(1_767_225_600_000);
    const DAY: u64 = 24 * 3600 * 1000;

    #[test]
    fn windows_follow_each_other_from_what_waits_down_to_the_horizon() {
        let at = |ms: u64| Hlc(ms << 16);
        let [day, week, rest] = Window::of_room(NOW, Hlc(5));
        assert_eq!(day, Window { from: at(NOW.0 - DAY), until: at(NOW.0 + DAY) });
        assert_eq!(week, Window { from: at(NOW.0 - 7 * DAY), until: day.from });
        assert_eq!(rest, Window { from: Hlc(5), until: week.from });
        assert!(day.contains(at(NOW.0)) && !week.contains(day.from) && day.contains(day.from));
    }

    #[test]
    fn what_lies_before_the_horizon_is_in_no_window() {
        let horizon = Hlc::at(Time(NOW.0 - DAY / 2));
        let [day, week, rest] = Window::of_room(NOW, horizon);
        assert_eq!(day.from, horizon);
        assert!(week.is_empty() && rest.is_empty());
        assert!(Window::of_room(NOW, Hlc(u64::MAX)).iter().all(Window::is_empty));
    }
}

//! Times, as people say them, by the clock of this device.

use chats_core::time::Time;
use leptos::wasm_bindgen::JsValue;
use web_sys::js_sys::Date;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: i64 = 24 * 60 * 60 * 1000;

// Times fit: they are far below 2^53 milliseconds, and others show nothing sensible.
#[allow(clippy::cast_precision_loss)]
fn date(time: Time) -> Date {
    Date::new(&JsValue::from_f64(time.0 as f64))
}

/// The number of the local day, from some day on.
#[allow(clippy::cast_possible_truncation)]
pub fn day_of(time: Time) -> i64 {
    // Minutes to add to local time, to the west; whole ones, and not-a-number counts as none.
    let offset = date(time).get_timezone_offset() as i64 * 60_000;
    i64::try_from(time.0).unwrap_or(i64::MAX).saturating_sub(offset).div_euclid(DAY)
}

/// What a local day is called on the day of `now`: `Today`, `Monday, 3 March`.
pub fn day(time: Time, now: Time) -> String {
    match day_of(now) - day_of(time) {
        0 => return "Today".to_owned(),
        1 => return "Yesterday".to_owned(),
        _ => {}
    }
    let (date, now) = (date(time), date(now));
    let weekday = DAYS.get(date.get_day() as usize).unwrap_or(&"");
    let mut text = [weekday, ", "].concat();
    push_date(&mut text, &date, date.get_full_year() != now.get_full_year());
    text
}

/// The day without a time: `3 March 2025`.
pub fn whole_day(time: Time) -> String {
    let mut text = String::new();
    push_date(&mut text, &date(time), true);
    text
}

/// To the second: `3 March 2025, 14:05:09`.
pub fn exact(time: Time) -> String {
    let mut text = whole_day(time);
    text.push_str(", ");
    text.push_str(&clock(time));
    text.push(':');
    push_two(&mut text, date(time).get_seconds());
    text
}

/// `14:05`.
pub fn clock(time: Time) -> String {
    let date = date(time);
    let mut text = String::new();
    push_two(&mut text, date.get_hours());
    text.push(':');
    push_two(&mut text, date.get_minutes());
    text
}

/// How long ago: `just now`, `5 min ago`, `3 h ago`; the time of day for another day.
pub fn relative(time: Time, now: Time) -> String {
    let seconds = now.since(time).as_secs();
    let (n, unit) = match seconds {
        _ if day_of(time) != day_of(now) && seconds >= HOUR => return clock(time),
        0..MINUTE => return "just now".to_owned(),
        MINUTE..HOUR => (seconds / MINUTE, " min ago"),
        _ => (seconds / HOUR, " h ago"),
    };
    let mut text = n.to_string();
    text.push_str(unit);
    text
}

/// For machines (ISO 8601).
pub fn machine(time: Time) -> String {
    let date = date(time);
    // Of a time that no calendar has there is no text, and asking for it throws.
    if date.get_time().is_nan() { String::new() } else { date.to_iso_string().into() }
}

fn push_date(text: &mut String, date: &Date, year: bool) {
    text.push_str(&date.get_date().to_string());
    text.push(' ');
    text.push_str(MONTHS.get(date.get_month() as usize).unwrap_or(&""));
    if year {
        text.push(' ');
        text.push_str(&date.get_full_year().to_string());
    }
}

fn push_two(text: &mut String, n: u32) {
    if n < 10 {
        text.push('0');
    }
    text.push_str(&n.to_string());
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test;

    /// Noon of a day, by the clock of this device.
    #[allow(clippy::cast_sign_loss, clippy::cast_possible_truncation)]
    fn noon(year: u32, month: i32, day: i32) -> Time {
        Time(Date::new_with_year_month_day_hr(year, month, day, 12).get_time() as u64)
    }

    #[wasm_bindgen_test]
    fn days_are_called_as_people_call_them() {
        let now = noon(2025, 2, 3);
        assert_eq!(day(now, now), "Today");
        assert_eq!(day(noon(2025, 2, 2), now), "Yesterday");
        assert_eq!(day(noon(2025, 2, 1), now), "Saturday, 1 March");
        assert_eq!(day(noon(2024, 11, 31), now), "Tuesday, 31 December 2024");
    }

    #[wasm_bindgen_test]
    fn times_are_told_from_now_and_exactly() {
        let now = noon(2025, 2, 3);
        let ago = |seconds: u64| Time(now.0 - seconds * 1000);
        assert_eq!(relative(ago(59), now), "just now");
        assert_eq!(relative(ago(60), now), "1 min ago");
        assert_eq!(relative(ago(3 * HOUR), now), "3 h ago");
        assert_eq!(relative(ago(24 * HOUR), now), "12:00");
        assert_eq!(relative(Time(now.0 + 5000), now), "just now");
        assert_eq!(exact(ago(55)), "3 March 2025, 11:59:05");
    }

    #[wasm_bindgen_test]
    fn a_time_that_no_calendar_has_breaks_nothing() {
        let never = Time(u64::MAX);
        assert_eq!(machine(never), "");
        for words in [exact(never), day(never, Time(0)), relative(Time(0), never)] {
            assert!(!words.is_empty());
        }
    }
}

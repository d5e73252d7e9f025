//! The device's clock.

use chats_core::time::{Duration, Time};
use futures::channel::oneshot;
use gloo::timers::callback::Timeout;

/// The longest that `setTimeout` can wait: it counts milliseconds in 32 signed bits, and fires
/// at once if given more (HTML, "timers").
const LONGEST: u32 = i32::MAX as u32;

/// The time by the clock of this device.
#[must_use]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub fn now() -> Time {
    Time(js_sys::Date::now() as u64)
}

/// Waits for `duration`, at most 24.8 days. Browsers stretch this in a hidden page, to a minute
/// at times.
pub async fn sleep(duration: Duration) {
    let millis = u32::try_from(duration.as_millis()).unwrap_or(LONGEST).min(LONGEST);
    let (sender, rung) = oneshot::channel();
    // Dropped with this future, and the timer with it.
    let _timeout = Timeout::new(millis, move || {
        let _ = sender.send(());
    });
    let _ = rung.await;
}

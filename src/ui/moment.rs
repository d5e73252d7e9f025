//! When.

use super::saying;
use crate::text::time;
use chats_core::time::{Duration, Time};
use chats_web::clock;
use leptos::prelude::*;

/// How often what is said of times is looked at again.
const EVERY: Duration = Duration::from_secs(20);

/// What time it is, roughly. Provided as context.
#[derive(Debug, Clone, Copy)]
pub struct Now(RwSignal<Time>);

impl Now {
    /// Starts to tell the time.
    pub fn start() -> Self {
        let now = RwSignal::new(clock::now());
        set_interval(move || now.set(clock::now()), EVERY);
        Self(now)
    }

    /// The time, to be read in a reactive place. Not before `at`, which just was.
    pub fn get(self, at: Time) -> Time {
        self.0.get().max(at)
    }
}

/// A time, as people say it; exactly when one points at it.
#[component]
pub fn Moment(
    /// When.
    time: Time,
) -> impl IntoView {
    let now: Now = expect_context();
    let said = Memo::new(move |_| time::relative(time, now.get(time)));
    view! {
        <time class="moment" datetime=time::machine(time) title=time::exact(time)>
            {saying(move || said.get())}
        </time>
    }
}

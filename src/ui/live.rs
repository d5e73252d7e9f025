//! What happened just now, for people who cannot see it.

use leptos::prelude::*;

/// Says things through the page's polite live region. Provided as context.
#[derive(Debug, Clone, Copy)]
pub struct Live(RwSignal<String>);

impl Live {
    /// Nothing said yet.
    pub fn new() -> Self {
        Self(RwSignal::default())
    }

    /// Says it, once the person's reader has a pause.
    pub fn say(self, text: impl Into<String>) {
        self.0.set(text.into());
    }
}

/// The region itself; exactly one on the page.
#[component]
pub fn LiveRegion(
    /// What to say.
    live: Live,
) -> impl IntoView {
    view! {
        <div class="visually-hidden" aria-live="polite">
            {super::saying(move || live.0.get())}
        </div>
    }
}

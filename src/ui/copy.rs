//! Putting text on the clipboard.

use super::{Icon, Live, press, saying};
use crate::text;
use leptos::prelude::*;
use std::time::Duration;
use wasm_bindgen_futures::JsFuture;

/// How long a button says that it copied.
const SAID_FOR: Duration = Duration::from_secs(2);

/// Writes to the clipboard, then runs `done` with whether that worked.
pub(super) fn copy(value: &str, done: impl FnOnce(bool) + 'static) {
    let clipboard = window().navigator().clipboard();
    // Absent where the page is not in a secure context.
    if clipboard.is_undefined() {
        return done(false);
    }
    let written = JsFuture::from(clipboard.write_text(value));
    leptos::task::spawn_local(async move { done(written.await.is_ok()) });
}

/// Copies, says so aloud, and returns a signal that is true for a moment afterwards.
pub(super) fn copier(value: Signal<String>) -> (Signal<bool>, Callback<()>) {
    let copied = RwSignal::new(false);
    let live = use_context::<Live>();
    let copy = Callback::new(move |()| {
        copy(&value.get_untracked(), move |worked| {
            // The button may be gone by now.
            let _ = copied.try_set(worked);
            if let Some(live) = live {
                live.say(if worked { text::COPIED } else { text::NOT_COPIED });
            }
            let unsay = move || {
                let _ = copied.try_set(false);
            };
            set_timeout(unsay, SAID_FOR);
        });
    });
    (copied.into(), copy)
}

/// A button that copies a text.
#[component]
pub fn CopyButton(
    /// What to copy.
    #[prop(into)]
    value: Signal<String>,
    /// What the button says.
    label: &'static str,
    /// What else belongs to its name, for who cannot see what stands beside it.
    #[prop(optional)]
    what: &'static str,
) -> impl IntoView {
    let (copied, copy) = copier(value);
    view! {
        <button type="button" class="button" on:click=press(move || copy.run(()))>
            <Icon name=Signal::derive(move || if copied.get() { "check" } else { "copy" }) />
            <span>
                {saying(move || if copied.get() { text::COPIED } else { label })}
                <span class="visually-hidden">" "{what}</span>
            </span>
        </button>
    }
}

//! How everything stands, for whoever mends it.

use super::model;
use crate::text::{self, doctor};
use crate::ui::{CopyButton, saying};
use leptos::prelude::*;

/// The diagnostics as text, to read and to send.
#[component]
pub fn Doctor() -> impl IntoView {
    let model = model();
    let shown = move || {
        let text = model.diagnostics.get();
        if text.is_empty() { doctor::EMPTY.to_owned() } else { text }
    };
    view! {
        <section class="doctor">
            <h2>{text::DIAGNOSTICS}</h2>
            <p>{doctor::HELP}</p>
            <CopyButton value=model.diagnostics label=text::COPY />
            <pre class="code" role="region" aria-label=text::DIAGNOSTICS tabindex="0">
                {saying(shown)}
            </pre>
        </section>
    }
}

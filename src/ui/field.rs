//! Fields for a line of text.

use leptos::{ev, prelude::*};

/// What `on:input` takes.
pub type Typed = Box<dyn FnMut(ev::Event)>;

/// Keeps what is typed.
pub fn typed(into: RwSignal<String>) -> Typed {
    Box::new(move |event| into.set(event_target_value(&event)))
}

/// A field for one line, with its label.
#[component]
pub fn TextField(
    /// An id of its own within the page.
    id: &'static str,
    /// What belongs in it.
    label: &'static str,
    /// What is in it.
    value: RwSignal<String>,
    /// The most characters that fit.
    most: usize,
    /// Whether nobody should read it over one's shoulder.
    #[prop(optional)]
    secret: bool,
) -> impl IntoView {
    view! {
        <div class="field">
            <label for=id>{label}</label>
            <input
                id=id
                type=if secret { "password" } else { "text" }
                autocomplete="off"
                maxlength=most.to_string()
                prop:value=value
                on:input=typed(value)
            />
        </div>
    }
}

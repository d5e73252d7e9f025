//! Line drawings from the sprite `icons.svg`, which stands in the page: each use of another file is
//! a request.

use leptos::prelude::*;

/// A drawing that says nothing the text beside it does not say; hidden from assistive technology.
#[component]
pub fn Icon(
    /// The drawing's id in the sprite.
    #[prop(into)]
    name: Signal<&'static str>,
) -> impl IntoView {
    view! {
        <svg class="icon" aria-hidden="true" focusable="false">
            <use href=move || format!("#icon-{}", name.get())></use>
        </svg>
    }
}

//! Pressing things. What happens then is boxed, so that all buttons share their code.

use super::Icon;
use leptos::{ev, prelude::*};

/// What `on:click` takes.
pub type Press = Box<dyn FnMut(ev::MouseEvent)>;

/// Does this at a click.
pub fn press(mut act: impl FnMut() + 'static) -> Press {
    Box::new(move |_| act())
}

/// A button that is a drawing; its name shows when one points at it.
#[component]
pub fn IconButton(
    /// The drawing.
    icon: &'static str,
    /// Its name.
    #[prop(into)]
    label: String,
    /// What it does.
    on_press: Callback<()>,
) -> impl IntoView {
    view! {
        <button
            type="button"
            class="icon-button"
            title=label.clone()
            aria-label=label
            on:click=press(move || on_press.run(()))
        >
            <Icon name=icon />
        </button>
    }
}

/// A button with words.
#[component]
pub fn Button(
    /// What it says.
    label: &'static str,
    /// How it looks, beside what all buttons have: `button-primary` and the like.
    #[prop(optional)]
    look: &'static str,
    /// What it does.
    on_press: Callback<()>,
) -> impl IntoView {
    view! {
        <button type="button" class=["button ", look].concat() on:click=press(move || on_press.run(()))>
            {label}
        </button>
    }
}

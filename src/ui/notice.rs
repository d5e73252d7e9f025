//! Things the person should know.

use super::{Button, Icon};
use crate::model::Problem;
use crate::text;
use leptos::prelude::*;

/// A problem as an alert, with what can be done about it.
#[component]
pub fn NoticeCard(
    /// What happened.
    problem: Problem,
    /// Tries again; the button appears where the problem says that this may help.
    on_retry: Callback<()>,
    /// Takes it away; no button without.
    #[prop(optional)]
    on_dismiss: Option<Callback<()>>,
) -> impl IntoView {
    let Problem { title, help, retry } = problem;
    view! {
        <div class="notice" role="alert">
            <Icon name="alert" />
            <div class="notice-text">
                <strong>{title}</strong>
                <p>{help}</p>
            </div>
            <div class="actions">
                {retry
                    .then(|| {
                        view! {
                            <Button label=text::TRY_AGAIN on_press=on_retry />
                        }
                    })}
                {on_dismiss
                    .map(|dismiss| {
                        view! {
                            <Button
                                label=text::DISMISS
                                look="button-quiet"
                                on_press=dismiss
                            />
                        }
                    })}
            </div>
        </div>
    }
}

/// A calm line about how things stand, with at most one thing to press.
#[component]
pub fn Banner(
    /// The drawing before the text.
    icon: &'static str,
    /// The text.
    #[prop(into)]
    text: String,
    /// A button or link.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    view! {
        <div class="banner">
            <Icon name=icon />
            <p>{text}</p>
            {children.map(|children| children())}
        </div>
    }
}

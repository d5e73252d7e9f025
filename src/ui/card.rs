//! Surfaces.

use super::Icon;
use leptos::prelude::*;

/// A page that holds one message: what happened, what now.
#[component]
pub fn Panel(
    /// The drawing above the title.
    icon: &'static str,
    /// What happened.
    #[prop(into)]
    title: String,
    /// Whether it is to be said at once, as an alert.
    #[prop(optional)]
    alert: bool,
    /// Why, and what to do.
    #[prop(into)]
    help: String,
    /// Buttons and what else there is to see.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    view! {
        <section class="panel">
            <div role=alert.then_some("alert")>
                <span class="panel-icon">
                    <Icon name=icon />
                </span>
                <h2>{title}</h2>
                <p>{help}</p>
            </div>
            {children.map(|children| children())}
        </section>
    }
}

/// The shape of what is about to appear, with words.
#[component]
pub fn Skeleton(
    /// What is going on.
    label: &'static str,
) -> impl IntoView {
    view! {
        <section class="skeleton" aria-busy="true">
            <p>{label}</p>
            <div class="skeleton-card" aria-hidden="true">
                <span class="bone bone-title"></span>
                <span class="bone"></span>
                <span class="bone bone-short"></span>
                <span class="bone bone-button"></span>
            </div>
        </section>
    }
}

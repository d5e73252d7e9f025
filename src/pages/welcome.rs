//! The front door.

use super::connect::Choosing;
use super::model;
use crate::route::Route;
use crate::text::{self, welcome};
use crate::ui::{Icon, ShortAddress, When, changing, press, saying};
use leptos::prelude::*;

/// Who this is, and the one thing to press.
#[component]
pub fn Welcome() -> impl IntoView {
    let model = model();
    let choosing: Choosing = expect_context();
    let community = model.community;
    let about = move || {
        let about = community.with(|it| it.about.clone());
        Some(about).filter(|about| !about.is_empty()).unwrap_or(welcome::ABOUT.into())
    };
    let owner = move || {
        let owner = community.with(|it| it.owner).map(|owner| {
            view! {
                <p class="owner">
                    <span class="quiet">{welcome::OWNER}</span>
                    <ShortAddress wallet=owner />
                </p>
            }
            .into_any()
        });
        owner.into_any()
    };
    let then = move || model.route.with(|route| matches!(route, Route::Meeting(_)));
    let facts = ["wallet", "mic", "shield"].into_iter().zip(welcome::FACTS);
    view! {
        <section class="welcome">
            <p class="about">{saying(about)}</p>
            <button
                type="button"
                class="button button-primary button-large"
                on:click=press(move || choosing.open())
            >
                {welcome::CONNECT}
            </button>
            <p class="quiet">
                {welcome::CONNECT_HELP} <When on=then>" "{welcome::THEN_MEETING}</When>
            </p>
            // Below what is pressed: it comes late, and would push the button from under the finger.
            {changing(owner)}
        </section>
        <ul class="facts" role="list">
            {facts
                .map(|(icon, (title, text))| {
                    view! {
                        <li>
                            <Icon name=icon />
                            <h2>{title}</h2>
                            <p>{text}</p>
                        </li>
                    }
                })
                .collect_view()}
        </ul>
        <p class="foot">
            <a class="link" href="#/doctor">
                {text::DIAGNOSTICS}
            </a>
        </p>
    }
}

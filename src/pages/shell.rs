//! The frame around every screen.

use super::account::AccountButton;
use super::call::CallStrip;
use super::doctor::Doctor;
use super::gate::{Checking, OtherTab, Refused, Starting, Undecided, Unusable};
use super::home::Home;
use super::lost::Lost;
use super::meeting::Meeting;
use super::members::Members;
use super::nav::Rooms;
use super::notices::Notices;
use super::room::Room;
use super::settings::Settings;
use super::status::{Connection, Trouble};
use super::welcome::Welcome;
use super::{Screen, current_meeting, model};
use crate::model::Stage;
use crate::route::Route;
use crate::text::{self, shell};
use crate::ui::{When, changing, saying};
use leptos::{ev, html, prelude::*};

/// Header, navigation, the screen, and who is online.
#[component]
pub fn Shell(
    /// What fills the middle.
    screen: Memo<Screen>,
) -> impl IntoView {
    let model = model();
    let inside = Memo::new(move |_| model.stage.with(|stage| *stage == Stage::SignedIn));
    let beside = move || inside.get() && screen.with(|screen| *screen != Screen::People);
    let current = current_meeting(model);
    let in_call = Memo::new(move |_| match screen.get() {
        Screen::Meeting(name) => current.get() == Some(name),
        _ => false,
    });
    let main = NodeRef::<html::Main>::new();
    let focus = move || {
        if let Some(main) = main.get_untracked() {
            // Cannot fail for an element in the page.
            let _ = main.focus();
        }
    };
    let skip = move |event: ev::MouseEvent| {
        // The fragment is the route; the skip link must not change it.
        event.prevent_default();
        focus();
    };
    // Who goes elsewhere starts reading there; but nothing moves on the first screen.
    let place = Memo::new(move |_| {
        let started = model.stage.with(|stage| *stage != Stage::Starting);
        started.then(|| model.route.get())
    });
    Effect::new(move |before: Option<Option<Route>>| {
        let now = place.get();
        if now.is_some() && before.flatten().is_some_and(|before| now.as_ref() != Some(&before)) {
            focus();
        }
        now
    });
    let name = move || model.community.with(|community| community.name.clone());
    let title = move || Some(name()).filter(|name| !name.is_empty()).unwrap_or(text::APP.into());
    view! {
        <div
            class="shell"
            class:inside=move || inside.get()
            class:in-call=move || in_call.get()
            data-screen=move || screen.with(kind)
        >
            <a class="skip" href="#main" on:click=skip>
                {shell::SKIP}
            </a>
            <header class="header">
                <div class="brand">
                    <h1>
                        <a href="#/">{saying(title)}</a>
                    </h1>
                    <Connection />
                </div>
                <AccountButton />
            </header>
            <When on=inside>
                <Rooms />
            </When>
            <main id="main" class="main" tabindex="-1" node_ref=main>
                <Notices />
                <Trouble />
                {changing(move || match screen.get() {
                    Screen::Starting => view! { <Starting /> }.into_any(),
                    Screen::Unusable(problem) => view! { <Unusable problem=problem /> }.into_any(),
                    Screen::OtherTab => view! { <OtherTab /> }.into_any(),
                    Screen::Welcome => view! { <Welcome /> }.into_any(),
                    Screen::Checking => view! { <Checking /> }.into_any(),
                    Screen::Undecided(reason) => view! { <Undecided reason=reason /> }.into_any(),
                    Screen::Refused(role) => view! { <Refused role=role /> }.into_any(),
                    Screen::Home => view! { <Home /> }.into_any(),
                    Screen::People => view! { <Members /> }.into_any(),
                    Screen::Room(address) => view! { <Room address=address /> }.into_any(),
                    Screen::Settings => view! { <Settings /> }.into_any(),
                    Screen::Meeting(name) => view! { <Meeting name=name /> }.into_any(),
                    Screen::Doctor => view! { <Doctor /> }.into_any(),
                    Screen::Lost => view! { <Lost /> }.into_any(),
                })}
            </main>
            <When on=move || !in_call.get()>
                <CallStrip />
            </When>
            <When on=beside>
                <Members />
            </When>
        </div>
    }
}

/// The screen's name for the style sheet.
const fn kind(screen: &Screen) -> &'static str {
    match screen {
        Screen::Welcome => "welcome",
        Screen::Home => "home",
        Screen::People => "people",
        Screen::Room(_) => "room",
        Screen::Settings => "settings",
        Screen::Meeting(_) => "meeting",
        Screen::Doctor => "doctor",
        _ => "message",
    }
}

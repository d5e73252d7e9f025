//! How the connection stands.

use super::model;
use crate::model::{Model, RelayStatus, Stage};
use crate::text::shell;
use crate::ui::Banner;
use leptos::prelude::*;

/// How the connection stands, coarsely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    Offline,
    Idle,
    Connecting,
    NoRelay,
    Direct(usize),
    Through(usize),
}

impl Link {
    fn of(model: Model) -> Self {
        if !model.online.get() {
            return Self::Offline;
        }
        model.relays.with(|relays| {
            let connected = |status: &RelayStatus| matches!(status, RelayStatus::Connected { .. });
            let failed = |status: &RelayStatus| matches!(status, RelayStatus::Failed { .. });
            let through = relays.iter().filter(|relay| connected(&relay.state)).count();
            let links = model.links.get();
            if through > 0 {
                Self::Through(through)
            } else if links > 0 {
                Self::Direct(links)
            } else if relays.is_empty() {
                let inside = model.stage.with(|stage| *stage == Stage::SignedIn);
                if inside { Self::Connecting } else { Self::Idle }
            } else if relays.iter().all(|relay| failed(&relay.state)) {
                Self::NoRelay
            } else {
                Self::Connecting
            }
        })
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Offline | Self::NoRelay => "down",
            Self::Idle => "idle",
            Self::Connecting => "connecting",
            Self::Direct(_) => "direct",
            Self::Through(_) => "up",
        }
    }

    fn words(self) -> String {
        match self {
            Self::Offline => shell::OFFLINE.to_owned(),
            Self::Idle => shell::NOT_YET.to_owned(),
            Self::Connecting => shell::CONNECTING.to_owned(),
            Self::NoRelay => shell::NO_RELAY.to_owned(),
            Self::Direct(members) => shell::direct(members),
            Self::Through(relays) => shell::connected(relays),
        }
    }
}

/// The connection in a few words.
#[component]
pub fn Connection() -> impl IntoView {
    let model = model();
    let link = Memo::new(move |_| Link::of(model));
    view! {
        <div class="connection" role="status" aria-label=shell::CONNECTION data-link=move || link.get().name()>
            <span class="dot" aria-hidden="true"></span>
            <span>{move || link.get().words()}</span>
        </div>
    }
}

/// What it means when there is none, and what still works.
#[component]
pub fn Trouble() -> impl IntoView {
    let model = model();
    let link = Memo::new(move |_| match Link::of(model) {
        Link::Direct(_) => Link::Direct(0),
        link => link,
    });
    move || match link.get() {
        Link::Offline => {
            Some(view! { <Banner icon="offline" text=shell::OFFLINE_HELP /> }.into_any())
        }
        Link::Direct(_) => {
            Some(view! { <Banner icon="offline" text=shell::DIRECT_HELP /> }.into_any())
        }
        Link::NoRelay => {
            Some(view! { <Banner icon="offline" text=shell::NO_RELAY_HELP /> }.into_any())
        }
        _ => None,
    }
}

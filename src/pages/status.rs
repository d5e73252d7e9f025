//! How the connection stands.

use super::model;
use crate::model::{Model, RelayStatus, RelayView, Stage};
use crate::text::rooms::settings;
use crate::text::{self, shell};
use crate::ui::{Banner, changing, saying};
use chats_core::rooms::{DeviceView, Standing};
use leptos::prelude::*;

/// How the connection stands, coarsely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    Offline,
    Idle,
    Connecting,
    NoRelay,
    /// The relays answer; what they promise is over by the clock here.
    ClockAhead,
    Direct(usize),
    Through(usize),
}

impl Link {
    fn of(model: Model) -> Self {
        if !model.online.get() {
            return Self::Offline;
        }
        let inside = model.stage.with(|stage| *stage == Stage::SignedIn);
        let links = model.links.get();
        model.relays.with(|relays| Self::by(relays, links, inside))
    }

    /// With a network: how the relays stand, how many members are linked, and whether we are in.
    fn by(relays: &[RelayView], links: usize, inside: bool) -> Self {
        let connected = |relay: &&RelayView| matches!(relay.state, RelayStatus::Connected { .. });
        let failed = |relay: &RelayView| matches!(relay.state, RelayStatus::Failed { .. });
        let ahead = |relay: &RelayView| {
            matches!(relay.state, RelayStatus::Failed { clock_ahead: true, .. })
        };
        let through = relays.iter().filter(connected).count();
        if through > 0 {
            Self::Through(through)
        } else if links > 0 {
            Self::Direct(links)
        } else if relays.is_empty() {
            if inside { Self::Connecting } else { Self::Idle }
        } else if relays.iter().all(failed) {
            if relays.iter().any(ahead) { Self::ClockAhead } else { Self::NoRelay }
        } else {
            Self::Connecting
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Offline | Self::NoRelay | Self::ClockAhead => "down",
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
            Self::ClockAhead => shell::CLOCK_AHEAD.to_owned(),
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
            <span>{saying(move || link.get().words())}</span>
        </div>
    }
}

/// What there is to say of the devices of whoever is signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Devices {
    /// Nothing.
    Fine,
    /// Another one waits for us.
    New,
    /// This one was revoked.
    Revoked,
}

impl Devices {
    fn of(model: Model) -> Self {
        let me = model.account.with(|account| account.as_ref().map(|account| account.wallet));
        model.rooms.devices.with(|devices| {
            let ours = || devices.iter().filter(|device| Some(device.wallet) == me);
            let is = |device: &DeviceView, standing| device.standing == standing;
            match ours().find(|device| device.own) {
                Some(own) if is(own, Standing::Revoked) => Self::Revoked,
                Some(own)
                    if is(own, Standing::Good)
                        && ours().any(|it| is(it, Standing::WaitsForApproval)) =>
                {
                    Self::New
                }
                _ => Self::Fine,
            }
        })
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
    let keeping = Memo::new(move |_| model.rooms.keeping.with(text::rooms::keeping));
    let banner = |icon, text: Option<String>| {
        text.map(|text| view! { <Banner icon=icon text=text /> }.into_any()).into_any()
    };
    let linked = move || {
        let text = match link.get() {
            Link::Offline => Some(shell::OFFLINE_HELP),
            Link::Direct(_) => Some(shell::DIRECT_HELP),
            Link::NoRelay => Some(shell::NO_RELAY_HELP),
            Link::ClockAhead => Some(shell::CLOCK_AHEAD_HELP),
            _ => None,
        };
        banner("offline", text.map(str::to_owned))
    };
    let devices = Memo::new(move |_| Devices::of(model));
    let devices = move || match devices.get() {
        Devices::Fine => ().into_any(),
        Devices::Revoked => banner("device", Some(settings::REVOKED_HERE.to_owned())),
        Devices::New => view! {
            <Banner icon="device" text=settings::NEW_DEVICE>
                <a class="button button-small" href="#/settings">
                    {settings::SEE_DEVICES}
                </a>
            </Banner>
        }
        .into_any(),
    };
    view! {
        {changing(linked)}
        {changing(move || banner("alert", keeping.get()))}
        {changing(devices)}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test;

    fn relays(states: &[RelayStatus]) -> Vec<RelayView> {
        states.iter().map(|state| RelayView { addr: String::new(), state: state.clone() }).collect()
    }

    #[wasm_bindgen_test]
    fn the_line_says_what_carries_the_talk() {
        let up = RelayStatus::Connected { rtt_ms: None };
        let failed = |clock_ahead| RelayStatus::Failed { reason: String::new(), clock_ahead };
        let (down, ahead) = (failed(false), failed(true));
        let words = |states: &[RelayStatus], links| Link::by(&relays(states), links, true).words();
        assert_eq!(words(&[up.clone(), up.clone()], 3), "Connected through 2 relays");
        assert_eq!(words(&[up, down.clone()], 3), "Connected through 1 relay");
        let direct = "No relay; connected to 3 members directly";
        assert_eq!(words(&[down.clone(), down.clone()], 3), direct);
        assert_eq!(words(&[down.clone(), RelayStatus::Connecting], 3), direct);
        assert_eq!(words(&[down.clone(), down.clone()], 0), shell::NO_RELAY);
        assert_eq!(words(&[down.clone(), ahead.clone()], 0), shell::CLOCK_AHEAD);
        assert_eq!(words(&[down, ahead.clone()], 3), direct);
        assert_eq!(words(&[RelayStatus::Connecting, ahead], 0), shell::CONNECTING);
    }
}

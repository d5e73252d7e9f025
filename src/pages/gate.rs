//! Between the door and the inside.

use super::{ask, model};
use crate::engine::Action;
use crate::model::Problem;
use crate::text::{self, gate};
use crate::ui::{CopyButton, Panel, Portrait, Skeleton, changing, press};
use chats_core::access::Role;
use chats_core::id::Wallet;
use leptos::prelude::*;

/// A button that asks the engine for something.
#[component]
fn Ask(
    /// What for.
    action: Action,
    /// What it says.
    label: &'static str,
    /// Whether it is the thing to press.
    #[prop(optional)]
    primary: bool,
) -> impl IntoView {
    let ask = ask();
    view! {
        <button
            type="button"
            class="button"
            class:button-primary=primary
            on:click=press(move || ask.run(action.clone()))
        >
            {label}
        </button>
    }
}

/// Reading what the browser keeps.
#[component]
pub fn Starting() -> impl IntoView {
    view! { <Skeleton label=gate::STARTING /> }
}

/// Asking the contract.
#[component]
pub fn Checking() -> impl IntoView {
    view! { <Skeleton label=gate::CHECKING /> }
}

/// The app cannot run here.
#[component]
pub fn Unusable(
    /// Why.
    problem: Problem,
) -> impl IntoView {
    view! {
        <Panel icon="alert" title=problem.title help=problem.help alert=true>
            <div class="actions">
                {problem
                    .retry
                    .then(|| view! { <Ask action=Action::Retry label=text::TRY_AGAIN primary=true /> })}
                <a class="button button-quiet" href="#/doctor">
                    {text::DIAGNOSTICS}
                </a>
            </div>
        </Panel>
    }
}

/// Another tab holds the device.
#[component]
pub fn OtherTab() -> impl IntoView {
    view! {
        <Panel icon="copy" title=gate::OTHER_TAB help=gate::OTHER_TAB_HELP>
            <div class="actions">
                <Ask action=Action::UseHere label=gate::USE_HERE primary=true />
            </div>
        </Panel>
    }
}

/// The chain gave no answer.
#[component]
pub fn Undecided(
    /// In words for people.
    reason: String,
) -> impl IntoView {
    view! {
        <Panel
            icon="alert"
            title=gate::UNDECIDED
            help=format!("{reason} {}", gate::UNDECIDED_HELP)
            alert=true
        >
            <div class="actions">
                <Ask action=Action::Retry label=text::TRY_AGAIN primary=true />
                <Ask action=Action::SignOut label=gate::OTHER_WALLET />
            </div>
        </Panel>
    }
}

/// The contract does not let the wallet in.
#[component]
pub fn Refused(
    /// What it said.
    role: Role,
) -> impl IntoView {
    let model = model();
    changing(move || {
        let wallet = model.account.with(|account| account.as_ref().map(|it| it.wallet));
        let (name, owner, paused) =
            model.community.with(|it| (it.name.clone(), it.owner, it.paused));
        let who = wallet.map_or_else(|| gate::THIS_WALLET.to_owned(), |wallet| wallet.short());
        let name = if name.is_empty() { gate::THIS_COMMUNITY.to_owned() } else { name };
        let title = gate::refused_title(role, paused, &who, &name);
        let line = |wallet: Option<Wallet>, term, copy| {
            wallet.map(|wallet| view! { <AddressLine term=term wallet=wallet copy=copy /> })
        };
        view! {
            <Panel icon="shield" title=title help=gate::refused_help(role, paused) alert=true>
                <dl class="addresses">
                    {line(wallet, gate::YOUR_ADDRESS, gate::COPY_YOURS)}
                    {line(owner, gate::OWNER_ADDRESS, gate::COPY_OWNERS)}
                </dl>
                <div class="actions">
                    <Ask action=Action::Retry label=gate::CHECK_AGAIN primary=true />
                    <Ask action=Action::SignOut label=gate::OTHER_WALLET />
                </div>
            </Panel>
        }
        .into_any()
    })
}

/// A whole address, to be sent to somebody.
#[component]
fn AddressLine(
    /// Whose it is.
    term: &'static str,
    /// The address.
    wallet: Wallet,
    /// The second half of the button's name.
    copy: &'static str,
) -> impl IntoView {
    view! {
        <div>
            <dt>{term}</dt>
            <dd>
                <Portrait wallet=wallet />
                <code>{wallet.to_string()}</code>
                <CopyButton value=Signal::stored(wallet.to_string()) label=text::COPY what=copy />
            </dd>
        </div>
    }
}

//! Why a room is not as one would like it, and what helps.

use super::Desk;
use crate::text::rooms::room;
use crate::ui::{Banner, Panel, When, changing, each};
use chats_core::id::{DeviceKey, Wallet};
use chats_core::rooms::{DeviceView, Standing};
use leptos::prelude::*;

/// No key yet.
#[component]
pub(super) fn Waits(
    /// What the page shares.
    desk: Desk,
) -> impl IntoView {
    let waits = |it: &DeviceView| it.own && it.standing == Standing::WaitsForApproval;
    let new_device =
        Memo::new(move |_| desk.model.rooms.devices.with(|devices| devices.iter().any(waits)));
    changing(move || {
        let help = if new_device.get() { room::WAITS_DEVICE_HELP } else { room::WAITS_HELP };
        view! { <Panel icon="lock" title=room::WAITS help=help /> }.into_any()
    })
}

/// What others wrote is of a later time than it is here.
#[component]
pub(super) fn Early(
    /// What the page shares.
    desk: Desk,
) -> impl IntoView {
    view! {
        <When on=move || desk.view.with(|view| view.early > 0)>
            <Banner icon="clock" text=room::EARLY />
        </When>
    }
}

/// A device wrote two things as its next.
#[component]
pub(super) fn Forked(
    /// What the page shares.
    desk: Desk,
) -> impl IntoView {
    let forked = move || desk.view.with(|view| view.forked.clone());
    let line = move |(device, wallet): (DeviceKey, Option<Wallet>)| {
        let whose = wallet.map_or_else(|| room::SOMEBODY.to_owned(), |it| desk.called(it));
        view! {
            <li>
                {whose} " " <code>{device.to_string()}</code>
            </li>
        }
        .into_any()
    };
    view! {
        <When on=move || !forked().is_empty()>
            <div class="notice" role="alert">
                <div class="notice-text">
                    <p>{room::FORKED}</p>
                    <ul role="list">{each(forked, |it: &(DeviceKey, _)| it.0, line)}</ul>
                </div>
            </div>
        </When>
    }
}

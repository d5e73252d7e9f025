//! Why a room is not as one would like it, and what helps.

use super::Desk;
use crate::text::rooms::room;
use crate::ui::Panel;
use chats_core::rooms::Standing;
use leptos::prelude::*;

/// No key yet.
#[component]
pub(super) fn Waits(
    /// What the page shares.
    desk: Desk,
) -> impl IntoView {
    let new_device = Memo::new(move |_| {
        let waits = |it: &chats_core::rooms::DeviceView| {
            it.own && it.standing == Standing::WaitsForApproval
        };
        desk.model.rooms.devices.with(|devices| devices.iter().any(waits))
    });
    move || {
        let help = if new_device.get() { room::WAITS_DEVICE_HELP } else { room::WAITS_HELP };
        view! { <Panel icon="lock" title=room::WAITS help=help /> }
    }
}

/// A device wrote two things as its next.
#[component]
pub(super) fn Forked(
    /// What the page shares.
    desk: Desk,
) -> impl IntoView {
    let forked = Memo::new(move |_| desk.view.with(|view| view.forked.clone()));
    move || {
        let forked = forked.get();
        if forked.is_empty() {
            return ().into_any();
        }
        let devices = forked.into_iter().map(|(device, wallet)| {
            let whose = wallet.map_or_else(|| room::SOMEBODY.to_owned(), |it| desk.called(it));
            view! {
                <li>
                    {whose} " " <code>{device.to_string()}</code>
                </li>
            }
        });
        view! {
            <div class="notice" role="alert">
                <div class="notice-text">
                    <p>{room::FORKED}</p>
                    <ul role="list">{devices.collect_view()}</ul>
                </div>
            </div>
        }
        .into_any()
    }
}

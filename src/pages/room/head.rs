//! What stands above the messages.

use super::message::excerpt;
use super::{Desk, room_title};
use crate::model::Message;
use crate::pages::room_form::RoomForm;
use crate::text::rooms::{form, room};
use crate::ui::{Dialog, Icon, IconButton, When, each, press, saying};
use chats_core::control::RoomKind;
use leptos::prelude::*;

/// What the room is called and about, what is pinned, and for moderators what can be changed.
#[component]
pub(super) fn Head(
    /// What the page shares.
    desk: Desk,
) -> impl IntoView {
    let me = desk.me();
    let title = move || desk.view.with(|view| room_title(view, me));
    let topic = move || desk.view.with(|view| view.topic.clone().unwrap_or_default());
    let can_change =
        move || desk.view.with(|view| view.moderated && view.kind == Some(RoomKind::All));
    let open = RwSignal::new(false);
    let change = Callback::new(move |()| open.set(true));
    view! {
        <header class="room-head">
            <a class="icon-button room-back" href="#/" aria-label=room::BACK>
                <Icon name="back" />
            </a>
            <div class="room-title">
                <h2 id="room-title">{saying(title)}</h2>
                <p class="quiet">{saying(topic)}</p>
            </div>
            <Pinned desk=desk />
            <When on=can_change>
                <IconButton icon="settings" label=form::CHANGE on_press=change />
                <Dialog
                    id="change-room"
                    title=form::CHANGE
                    open=open
                    on_cancel=Callback::new(move |()| open.set(false))
                >
                    <When on=open>
                        <RoomForm open=open room=Some(desk.view) />
                    </When>
                </Dialog>
            </When>
        </header>
    }
}

/// The pinned messages that are here, to go to.
#[component]
fn Pinned(
    /// What the page shares.
    desk: Desk,
) -> impl IntoView {
    let pinned = desk.model.rooms.pinned;
    let line = move |row: Message| {
        let (id, view) = (row.id, RwSignal::from(row.view));
        let who = view.with_untracked(|view| desk.called(view.author));
        view! {
            <li>
                <button
                    type="button"
                    class="reply"
                    on:click=press(move || desk.sought.set(Some(id)))
                >
                    <b>{who}</b>
                    " "
                    {saying(move || view.with(|view| excerpt(&view.words)))}
                </button>
            </li>
        }
        .into_any()
    };
    view! {
        <When on=move || pinned.with(|rows| !rows.is_empty())>
            <details class="pinned">
                <summary>
                    <Icon name="pin" />
                    {room::PINNED}
                </summary>
                <ul role="list">{each(move || pinned.get(), |row: &Message| row.id, line)}</ul>
            </details>
        </When>
    }
}

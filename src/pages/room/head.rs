//! What stands above the messages.

use super::{Desk, room_title};
use crate::pages::room_form::RoomForm;
use crate::text::rooms::{form, room};
use crate::ui::{Dialog, Icon, IconButton, When, press};
use chats_core::control::RoomKind;
use chats_core::rooms::MessageView;
use leptos::prelude::*;

/// What the room is called and about, what is pinned, and for moderators what can be changed.
#[component]
pub(super) fn Head(
    /// What the page shares.
    desk: Desk,
) -> impl IntoView {
    let me = desk.me();
    let title = Memo::new(move |_| desk.view.with(|view| room_title(view, me)));
    let topic = Memo::new(move |_| desk.view.with(|view| view.topic.clone().unwrap_or_default()));
    let can_change = Memo::new(move |_| {
        desk.view.with(|view| view.moderated && view.kind == Some(RoomKind::All))
    });
    let changing = RwSignal::new(false);
    let change = Callback::new(move |()| changing.set(true));
    view! {
        <header class="room-head">
            <a class="icon-button room-back" href="#/" aria-label=room::BACK>
                <Icon name="back" />
            </a>
            <div class="room-title">
                <h2 id="room-title">{title}</h2>
                <p class="quiet">{topic}</p>
            </div>
            <Pinned desk=desk />
            <When on=can_change>
                <IconButton icon="settings" label=form::CHANGE on_press=change />
                <Dialog
                    id="change-room"
                    title=form::CHANGE
                    open=changing
                    on_cancel=Callback::new(move |()| changing.set(false))
                >
                    <RoomForm open=changing room=Some(desk.view) />
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
    let pinned = Memo::new(move |_| {
        let excerpt = |view: &MessageView| {
            let text = super::message::excerpt(&view.words);
            view.pinned.then_some((view.id, view.author, text))
        };
        desk.model.rooms.shown.with(|shown| {
            shown.messages.iter().filter_map(|row| row.view.with(excerpt)).collect::<Vec<_>>()
        })
    });
    move || {
        let pinned = pinned.get();
        if pinned.is_empty() {
            return ().into_any();
        }
        let lines = pinned.into_iter().map(|(id, author, text)| {
            view! {
                <li>
                    <button
                        type="button"
                        class="reply"
                        on:click=press(move || desk.sought.set(Some(id)))
                    >
                        <b>{desk.called(author)}</b>
                        " "
                        {text}
                    </button>
                </li>
            }
        });
        view! {
            <details class="pinned">
                <summary>
                    <Icon name="pin" />
                    {room::PINNED}
                </summary>
                <ul role="list">{lines.collect_view()}</ul>
            </details>
        }
        .into_any()
    }
}

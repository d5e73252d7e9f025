//! What can be done with a message, and whose it is.

use super::message::react;
use super::{Desk, mentions};
use crate::model::Message;
use crate::text::rooms::{self as words, message};
use crate::text::{self, time};
use crate::ui::{Button, CopyButton, Dialog, Icon, ShortAddress, changing, press, saying, typed};
use chats_core::content::Pin;
use chats_core::rooms::{Action, MessageView, RoomState, Words};
use leptos::{ev, prelude::*};

/// The menu of the message that one chose.
#[component]
pub(super) fn Menu(
    /// What the page shares.
    desk: Desk,
) -> impl IntoView {
    let open = Signal::derive(move || desk.menu.with(Option::is_some));
    let close = Callback::new(move |()| desk.menu.set(None));
    view! {
        <Dialog id="message-menu" title=message::ACTIONS open=open on_cancel=close>
            {changing(move || {
                let id = desk.menu.get();
                let row = desk.model.rooms.shown.with_untracked(|shown| {
                    let chosen = |row: &&Message| Some(row.id) == id;
                    shown.messages.iter().find(chosen).map(|row| row.view.clone())
                });
                row.map(|view| entries(desk, RwSignal::from(view), close)).into_any()
            })}
        </Dialog>
    }
}

/// Emoji, actions and details of a message.
fn entries(desk: Desk, view: RwSignal<MessageView>, close: Callback<()>) -> AnyView {
    let MessageView { id, author, device, time, words: said, pinned, sending, .. } =
        view.get_untracked();
    let own = desk.me() == Some(author);
    let (moderated, state) = desk.view.with_untracked(|room| (room.moderated, room.state));
    let writable = state == RoomState::Open;
    let markdown = words_of(view);
    let deleted = said == Words::Deleted;
    let room = desk.tag;
    let entry = move |icon: &'static str, label: &'static str, act: Callback<()>| {
        let act = press(move || {
            close.run(());
            act.run(());
        });
        view! {
            <button type="button" class="menu-item" on:click=act>
                <Icon name=icon />
                {label}
            </button>
        }
        .into_any()
    };
    let reply = Callback::new(move |()| {
        desk.draft.answer(id);
        desk.write_here();
    });
    let pin = Callback::new(move |()| {
        let pin = Some(Pin { target: id, set: !pinned });
        desk.ask(Action::SetRoom { room, name: None, topic: None, pin, tighten: false });
    });
    let edits = writable && own && markdown.is_some();
    let edit = Callback::new(move |()| edit(desk, view));
    let copy =
        |text| view! { <CopyButton value=Signal::stored(text) label=message::COPY /> }.into_any();
    let pin_label = if pinned { message::UNPIN } else { message::PIN };
    view! {
        {(writable && !deleted).then(|| emoji(desk, view, close))}
        {writable.then(|| entry("reply", message::REPLY, reply))}
        {edits.then(|| entry("edit", message::EDIT, edit))}
        {(writable && moderated && !deleted).then(|| entry("pin", pin_label, pin))}
        {(writable && (own || moderated) && !deleted).then(|| delete(desk, view, close))}
        {markdown.map(copy)}
        <dl class="details">
            <div>
                <dt>{message::WALLET}</dt>
                <dd>
                    <ShortAddress wallet=author />
                </dd>
            </div>
            <div>
                <dt>{message::DEVICE}</dt>
                <dd>
                    <code>{device.to_string()}</code>
                    <span class="signed">
                        <Icon name="shield" />
                        {message::SIGNED}
                    </span>
                </dd>
            </div>
            <div>
                <dt>{message::TIME}</dt>
                <dd>{time::exact(time)}</dd>
            </div>
            <div>
                <dt>{message::STATE}</dt>
                <dd>{words::state(sending)}</dd>
            </div>
        </dl>
        <div class="actions">
            <Button label=text::CLOSE on_press=close />
        </div>
    }
    .into_any()
}

/// What a message says, if it says anything.
pub(super) fn words_of(view: RwSignal<MessageView>) -> Option<String> {
    view.with_untracked(|view| match &view.words {
        Words::Said(markdown) => Some(markdown.clone()),
        Words::Deleted | Words::Unknown | Words::Missing => None,
    })
}

/// Puts the words of a message where one writes.
pub(super) fn edit(desk: Desk, view: RwSignal<MessageView>) {
    let Some(markdown) = words_of(view) else { return };
    let (text, chosen) = mentions::collapse(&markdown, &|wallet| desk.called(wallet));
    desk.draft.improve(view.with_untracked(|view| view.id), text, chosen);
    desk.write_here();
}

/// Takes the message away, once one is sure.
fn delete(desk: Desk, view: RwSignal<MessageView>, close: Callback<()>) -> AnyView {
    let sure = RwSignal::new(false);
    let act = press(move || {
        if sure.get_untracked() {
            close.run(());
            let target = view.with_untracked(|view| view.id);
            desk.ask(Action::Delete { room: desk.tag, target });
        }
        sure.set(true);
    });
    view! {
        <button type="button" class="menu-item" class:sure=sure on:click=act>
            <Icon name="delete" />
            {saying(move || if sure.get() { message::DELETE_SURE } else { message::DELETE })}
        </button>
    }
    .into_any()
}

/// Emoji to put to the message, and a field for any other.
fn emoji(desk: Desk, view: RwSignal<MessageView>, close: Callback<()>) -> AnyView {
    let other = RwSignal::new(String::new());
    let put = move |emoji: String| {
        close.run(());
        desk.ask(react(desk, view, emoji, true));
    };
    let buttons = message::EMOJI.iter().map(|(emoji, name)| {
        let act = press(move || put((*emoji).to_owned()));
        view! {
            <button type="button" class="icon-button" title=*name aria-label=*name on:click=act>
                {*emoji}
            </button>
        }
        .into_any()
    });
    let submit = move |event: ev::SubmitEvent| {
        event.prevent_default();
        let emoji = other.get_untracked().trim().to_owned();
        if !emoji.is_empty() {
            put(emoji);
        }
    };
    view! {
        <form class="emoji" aria-label=message::REACT on:submit=submit>
            {buttons.collect_view()}
            <input
                type="text"
                autocomplete="off"
                maxlength="8"
                aria-label=message::OTHER_EMOJI
                placeholder="…"
                prop:value=other
                on:input=typed(other)
            />
        </form>
    }
    .into_any()
}

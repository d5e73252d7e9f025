//! What one writes.

mod choices;
mod note;
mod send;

use super::drafts::About;
use super::{Desk, menu, message, room_title};
use crate::text;
use crate::text::rooms::{compose, form, room};
use crate::ui::{Icon, IconButton, When, changing, press, saying};
use chats_core::content::MAX_CHARACTERS;
use chats_core::rooms::{self, MessageView, Words};
use chats_core::time::{Duration, Time};
use chats_web::clock;
pub(super) use send::say;

use choices::Choices;
use leptos::{ev, prelude::*};
use note::Note;

/// How often others are told that one is writing.
const TYPING: Duration = Duration::from_secs(3);
/// The most lines that are shown at a time.
const MAX_LINES: usize = 6;

/// The field, what helps to fill it, and the button that sends.
#[component]
pub(super) fn Composer(
    /// What the page shares.
    desk: Desk,
) -> impl IntoView {
    let draft = desk.draft;
    draft.follow(desk);
    let caret = RwSignal::new(0);
    let note = RwSignal::new(None::<Note>);
    let choices = Choices::of(desk, caret);
    let told = StoredValue::new(Time(0));
    let online = desk.model.online;
    let long = Memo::new(move |_| draft.text.with(|text| send::ready(desk, text).chars().count()));
    let too_long = move || long.get() > MAX_CHARACTERS;
    let lines = move || {
        let lines = draft.text.with(|text| text.split('\n').take(MAX_LINES).count());
        lines.to_string()
    };
    let send = move || {
        if !untrack(too_long) {
            send::send(desk, note);
        }
    };
    let read_caret = move || {
        let at = desk.field.get_untracked().and_then(|it| it.selection_start().ok().flatten());
        caret.set(at.unwrap_or(0) as usize);
    };
    let input = move |event: ev::Event| {
        draft.text.set(event_target_value(&event));
        draft.settle();
        read_caret();
        choices.reopen();
        let now = clock::now();
        let due = told.with_value(|told| now.since(*told) >= TYPING);
        if due && draft.text.with_untracked(|text| !text.is_empty() && !text.starts_with('/')) {
            told.set_value(now);
            desk.ask(rooms::Action::Typing { room: desk.tag });
        }
    };
    let key = move |event: ev::KeyboardEvent| {
        if event.is_composing() || choices.key(&event) {
            return;
        }
        match event.key().as_str() {
            "Enter" if !event.shift_key() => {
                event.prevent_default();
                send();
            }
            "Escape" if draft.about.get_untracked().is_some() => draft.clear(),
            "ArrowUp" if draft.text.with_untracked(String::is_empty) => {
                event.prevent_default();
                edit_last(desk);
            }
            _ => {}
        }
    };
    let verb = move || match draft.about.get() {
        Some(About::Edit(_)) => form::SAVE,
        _ => compose::SEND,
    };
    view! {
        <div class="composer">
            <p class="typing quiet" aria-live="off">
                {saying(move || typing(desk))}
            </p>
            {changing(move || note.get().map(|it| note::card(it, note)).into_any())}
            {changing(move || draft.about.get().map(|it| about_what(desk, it)).into_any())}
            {choices.list()}
            <div class="compose">
                <textarea
                    id="compose"
                    aria-label=compose::FIELD
                    placeholder=move || {
                        compose::placeholder(&desk.view.with(|view| room_title(view, desk.me())))
                    }
                    rows=lines
                    aria-autocomplete="list"
                    aria-controls="choices"
                    aria-activedescendant=move || choices.active_id()
                    node_ref=desk.field
                    prop:value=draft.text
                    on:input=input
                    on:keydown=key
                    on:keyup=move |_| read_caret()
                    on:click=press(read_caret)
                ></textarea>
                <button
                    type="button"
                    class="button button-primary send"
                    prop:disabled=too_long
                    on:click=press(move || {
                        send();
                        desk.write_here();
                    })
                >
                    <Icon name="send" />
                    <span>{saying(verb)}</span>
                </button>
            </div>
            <p class="compose-foot">
                <When on=move || !online.get()>
                    <span>{compose::OFFLINE}</span>
                </When>
                <span class="left" class:over=too_long>
                    {saying(move || compose::left(MAX_CHARACTERS, long.get()))}
                </span>
            </p>
        </div>
    }
}

/// Who writes here just now, apart from us.
fn typing(desk: Desk) -> String {
    let me = desk.me();
    desk.model.rooms.typing.with(|typing| match typing {
        Some((here, wallets)) if *here == desk.tag => {
            let others = wallets.iter().filter(|it| Some(**it) != me);
            room::typing(&others.map(|it| desk.called(*it)).collect::<Vec<_>>())
        }
        _ => String::new(),
    })
}

/// The message that is answered or changed, and the way out.
fn about_what(desk: Desk, about: About) -> AnyView {
    let find = |id| {
        let shown = desk.model.rooms.shown;
        shown.with_untracked(|shown| {
            let row = shown.messages.iter().find(|row| row.id == id)?;
            Some(row.view.with_untracked(|view| (view.author, message::excerpt(&view.words))))
        })
    };
    let (title, excerpt) = match about {
        About::Edit(_) => (compose::EDITING.to_owned(), None),
        About::Reply(id) => match find(id) {
            Some((author, excerpt)) => {
                ([compose::REPLYING, " ", &desk.called(author)].concat(), Some(excerpt))
            }
            None => (compose::REPLYING.to_owned(), None),
        },
    };
    let cancel = Callback::new(move |()| {
        match about {
            About::Reply(_) => desk.draft.about.set(None),
            About::Edit(_) => desk.draft.clear(),
        }
        desk.write_here();
    });
    view! {
        <div class="about-what">
            <p>
                <b>{title}</b>
                " "
                <span class="quiet">{excerpt}</span>
            </p>
            <IconButton icon="close" label=text::CANCEL on_press=cancel />
        </div>
    }
    .into_any()
}

/// Takes up the last message of one's own to say it better.
fn edit_last(desk: Desk) {
    let me = desk.me();
    let own = |view: &MessageView| Some(view.author) == me && matches!(view.words, Words::Said(_));
    let last = desk.model.rooms.shown.with_untracked(|shown| {
        let mut rows = shown.messages.iter().rev();
        rows.find(|row| row.view.with_untracked(own)).map(|row| row.view.clone())
    });
    if let Some(view) = last {
        menu::edit(desk, RwSignal::from(view));
    }
}

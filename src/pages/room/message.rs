//! A message.

use super::{Desk, commands, menu};
use crate::model::{Message, Place};
use crate::text::rooms::{self as words, message, room};
use crate::text::{self, time};
use crate::ui::{
    self, Button, Icon, IconButton, Moment, Now, Portrait, When, changing, each, press, saying,
};
use chats_core::markdown;
use chats_core::op::OpId;
use chats_core::rooms::{Action, MessageView, Sending, Words};
use chats_core::time::Time;
use chats_web::clock;
use leptos::{ev, prelude::*};

/// The most characters of a message where it is only named.
const EXCERPT: usize = 120;

/// How a message begins, in one line.
pub(super) fn excerpt(words: &Words) -> String {
    match words {
        Words::Said(said) => markdown::plain(said, EXCERPT),
        Words::Deleted => message::DELETED.to_owned(),
        Words::Unknown => message::UNKNOWN.to_owned(),
        Words::Missing => message::MISSING.to_owned(),
    }
}

/// A message with what stands before it: a new day, or the mark of what is new.
pub(super) fn row(desk: Desk, row: Message) -> AnyView {
    let Message { id, view, place } = row;
    let (view, place) = (RwSignal::from(view), RwSignal::from(place));
    let (author, time, reply) = view
        .with_untracked(|view| (view.author, view.time, view.reply.as_ref().map(|reply| reply.id)));
    let this = Some(id);
    let active = Memo::new(move |_| desk.active.get() == this || desk.pointed.get() == this);
    let first = Memo::new(move |_| place.with(|place| place.first));
    let own = desk.me() == Some(author);
    let focused = move |_: ev::FocusEvent| desk.active.set(this);
    let entered = move |_: ev::PointerEvent| desk.pointed.set(this);
    view! {
        {changing(move || before_it(place.get(), time))}
        <article
            class="message"
            class:first=first
            class:own=own
            class:mentions=move || view.with(|view| view.mentions_me)
            data-author=author.to_string()
            data-id=id.to_string()
            data-state=move || words::state_name(view.with(|view| view.sending))
            tabindex="-1"
            // What one has written oneself need not be read out.
            aria-live=own.then_some("off")
            on:focusin=focused
            on:pointerenter=entered
        >
            {changing(move || head(desk, view, first.get()))}
            {reply.map(|reply| answered(desk, view, reply))}
            {said(desk, view)}
            {foot(desk, view)}
            {changing(move || if active.get() { tools(desk, view) } else { ().into_any() })}
        </article>
    }
    .into_any()
}

/// A new day, or the mark of what is new.
fn before_it(place: Place, time: Time) -> AnyView {
    let day = place.day.map(|_| {
        let now: Now = expect_context();
        view! {
            <h3 class="divide" title=time::whole_day(time)>
                {saying(move || time::day(time, now.get(clock::now())))}
            </h3>
        }
        .into_any()
    });
    let fresh =
        place.fresh.then(|| view! { <p class="divide divide-new">{room::NEW}</p> }.into_any());
    (day, fresh).into_any()
}

/// Whose it is and when it was said; within a group only when.
fn head(desk: Desk, view: RwSignal<MessageView>, first: bool) -> AnyView {
    let (author, time) = view.with_untracked(|view| (view.author, view.time));
    if !first {
        return view! { <Moment time=time /> }.into_any();
    }
    let own = desk.me() == Some(author);
    // A name is anybody's choice, so the address stands beside it.
    let called = move || match view.with(|view| view.name.clone()) {
        Some(name) => name,
        None if own => text::shell::YOU.to_owned(),
        None => author.short(),
    };
    let address = move || {
        let beside = own || view.with(|view| view.name.is_some());
        if beside { author.short() } else { String::new() }
    };
    view! {
        <Portrait wallet=author />
        <p class="message-head" title=author.to_string()>
            <b>{saying(called)}</b>
            <span class="quiet">{saying(address)}</span>
            <Moment time=time />
        </p>
    }
    .into_any()
}

/// What it answers.
fn answered(desk: Desk, view: RwSignal<MessageView>, id: OpId) -> AnyView {
    let author = move || view.with(|view| view.reply.as_ref().and_then(|reply| reply.author));
    let who = move || author().map_or_else(String::new, |author| desk.called(author));
    let excerpt = move || match author() {
        Some(_) => view.with(|view| view.reply.clone()).map_or_else(String::new, |it| it.excerpt),
        None => message::REPLY_GONE.to_owned(),
    };
    view! {
        <button type="button" class="reply" on:click=press(move || desk.sought.set(Some(id)))>
            <Icon name="reply" />
            <b>{saying(who)}</b>
            " "
            {saying(excerpt)}
        </button>
    }
    .into_any()
}

/// What it says.
fn said(desk: Desk, view: RwSignal<MessageView>) -> AnyView {
    // What it depends on, so that other changes leave alone what somebody may be reading.
    let changed = Memo::new(move |_| {
        view.with(|view| {
            let edited = if view.edited { "e" } else { "" };
            match &view.words {
                Words::Said(markdown) => [edited, " ", markdown].concat(),
                other => excerpt(other),
            }
        })
    });
    let show = move || {
        // Read: a memo that is only tracked has not looked at anything yet.
        drop(changed.get());
        let (said, edited, author) =
            view.with_untracked(|view| (view.words.clone(), view.edited, view.author));
        let Words::Said(markdown) = &said else {
            return view! {
                <p class="words gone" data-words="">
                    {excerpt(&said)}
                </p>
            }
            .into_any();
        };
        let called = |wallet| desk.called(wallet);
        let deed = commands::deed(markdown);
        let words = ui::words(deed.unwrap_or(markdown), &called);
        let who = deed.map(|_| view! { <b>{called(author)}</b> }.into_any());
        let edited =
            edited.then(|| view! { <small class="quiet">{message::EDITED}</small> }.into_any());
        view! {
            <div class="words" class:deed=deed.is_some() data-words="">
                {who}
                {words}
                {edited}
            </div>
        }
        .into_any()
    };
    changing(show)
}

/// What was put to it, and how far it has come.
fn foot(desk: Desk, view: RwSignal<MessageView>) -> AnyView {
    let emoji =
        move || view.with(|view| view.reactions.iter().map(|(emoji, _)| emoji.clone()).collect());
    view! {
        <div class="message-foot" aria-live="off">
            <When on=move || view.with(|view| view.pinned)>
                <span class="chip">
                    <Icon name="pin" />
                    {message::PINNED}
                </span>
            </When>
            {each(emoji, Clone::clone, move |emoji| chip(desk, view, emoji))}
            <span class="mark">{changing(move || mark(desk, view.with(|view| view.sending)))}</span>
        </div>
    }
    .into_any()
}

/// How far a message of ours has come.
fn mark(desk: Desk, sending: Option<Sending>) -> AnyView {
    let said = words::state(sending);
    let icon = match sending {
        None => return ().into_any(),
        Some(Sending::Queued) => "clock",
        Some(Sending::Sent) => "check",
        Some(Sending::Delivered) => "delivered",
        Some(Sending::Failed) => {
            let retry = Callback::new(move |()| desk.ask(Action::Retry));
            return view! {
                <span class="failed">{said}</span>
                <Button label=text::TRY_AGAIN look="button-small" on_press=retry />
            }
            .into_any();
        }
    };
    view! {
        <span title=said>
            <Icon name=icon />
            <span class="visually-hidden">{said}</span>
        </span>
    }
    .into_any()
}

/// An emoji that was put to a message; puts ours to it, or takes it away.
fn chip(desk: Desk, view: RwSignal<MessageView>, emoji: String) -> AnyView {
    let this = emoji.clone();
    let whose = Callback::new(move |()| {
        view.with(|view| {
            let this = view.reactions.iter().find(|(other, _)| *other == this);
            this.map(|(_, whose)| whose.clone()).unwrap_or_default()
        })
    });
    let me = desk.me();
    let ours = move || me.is_some_and(|me| whose.run(()).contains(&me));
    let shown = emoji.clone();
    let toggle = press(move || {
        let set = !untrack(ours);
        desk.ask(react(desk, view, emoji.clone(), set));
    });
    view! {
        <button
            type="button"
            class="chip"
            title=move || {
                let names = whose.run(()).into_iter().map(|wallet| desk.called(wallet));
                names.collect::<Vec<_>>().join(", ")
            }
            aria-pressed=move || ours().to_string()
            on:click=toggle
        >
            {shown}
            " "
            {saying(move || whose.run(()).len().to_string())}
        </button>
    }
    .into_any()
}

/// To put an emoji to a message, or to take it away.
pub(super) fn react(desk: Desk, view: RwSignal<MessageView>, emoji: String, set: bool) -> Action {
    let target = view.with_untracked(|view| view.id);
    Action::React { room: desk.tag, target, emoji, set }
}

/// What can be done with the message that one points at.
fn tools(desk: Desk, view: RwSignal<MessageView>) -> AnyView {
    let (id, author) = view.with_untracked(|view| (view.id, view.author));
    let answer = Callback::new(move |()| {
        desk.draft.answer(id);
        desk.write_here();
    });
    let more = Callback::new(move |()| desk.menu.set(Some(id)));
    let own = desk.me() == Some(author);
    let edit = (own && menu::words_of(view).is_some()).then(|| {
        let edit = Callback::new(move |()| menu::edit(desk, view));
        view! { <IconButton icon="edit" label=message::EDIT on_press=edit /> }.into_any()
    });
    let quick = message::EMOJI.iter().take(if own { 0 } else { 3 }).map(|(emoji, name)| {
        let act = press(move || desk.ask(react(desk, view, (*emoji).to_owned(), true)));
        view! {
            <button type="button" class="icon-button" title=*name aria-label=*name on:click=act>
                {*emoji}
            </button>
        }
        .into_any()
    });
    view! {
        <div class="tools" role="toolbar" aria-label=message::ACTIONS aria-live="off">
            {quick.collect_view()}
            {edit}
            <IconButton icon="reply" label=message::REPLY on_press=answer />
            <IconButton icon="more" label=message::MORE on_press=more />
        </div>
    }
    .into_any()
}

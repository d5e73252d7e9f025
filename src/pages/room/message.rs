//! A message.

use super::drafts::About;
use super::{Desk, commands, menu};
use crate::model::Message;
use crate::text::rooms::{self as words, message, room};
use crate::text::{self, time};
use crate::ui::{self, Button, Icon, IconButton, Moment, Now, Portrait, When, each, press};
use chats_core::markdown;
use chats_core::rooms::{Action, MessageView, Sending, Words};
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
    let view = RwSignal::from(view);
    let place = RwSignal::from(place);
    let look = move |look: fn(&MessageView) -> bool| Memo::new(move |_| view.with(look));
    let (author, time) = view.with_untracked(|view| (view.author, view.time));
    let sending = Memo::new(move |_| view.with(|view| view.sending));
    let this = Some(id);
    let active = Memo::new(move |_| desk.active.get() == this || desk.pointed.get() == this);
    let first = Memo::new(move |_| place.with(|place| place.first));
    let before = Memo::new(move |_| place.with(|place| (place.day.is_some(), place.fresh)));
    let own = desk.me() == Some(author);
    let focused = move |_: ev::FocusEvent| desk.active.set(this);
    let entered = move |_: ev::PointerEvent| desk.pointed.set(this);
    view! {
        {move || before_it(before.get(), time)}
        <article
            class="message"
            class:first=first
            class:own=own
            class:mentions=look(|view| view.mentions_me)
            data-author=author.to_string()
            data-id=id.to_string()
            data-state=move || words::state_name(sending.get())
            tabindex="-1"
            // What one has written oneself need not be read out.
            aria-live=own.then_some("off")
            on:focusin=focused
            on:pointerenter=entered
        >
            {move || head(desk, view, first.get())}
            <Answered desk=desk view=view />
            <Said desk=desk view=view />
            <Foot desk=desk view=view sending=sending />
            {move || active.get().then(|| tools(desk, view))}
        </article>
    }
    .into_any()
}

/// A new day, or the mark of what is new.
fn before_it((day, fresh): (bool, bool), time: chats_core::time::Time) -> AnyView {
    let day = day.then(|| {
        let now: Now = expect_context();
        let day = Memo::new(move |_| time::day(time, now.get(clock::now())));
        view! {
            <h3 class="divide" title=time::whole_day(time)>
                {day}
            </h3>
        }
    });
    let fresh = fresh.then(|| view! { <p class="divide divide-new">{room::NEW}</p> });
    (day, fresh).into_any()
}

/// Whose it is and when it was said; within a group only when.
fn head(desk: Desk, view: RwSignal<MessageView>, first: bool) -> AnyView {
    let (author, time) = view.with_untracked(|view| (view.author, view.time));
    if !first {
        return view! { <Moment time=time /> }.into_any();
    }
    let name = Memo::new(move |_| view.with(|view| view.name.clone()));
    let own = desk.me() == Some(author);
    // A name is anybody's choice, so the address stands beside it.
    let called = move || match name.get() {
        Some(name) => name,
        None if own => text::shell::YOU.to_owned(),
        None => author.short(),
    };
    let address = move || (own || name.with(Option::is_some)).then(|| author.short());
    view! {
        <Portrait wallet=author />
        <p class="message-head" title=author.to_string()>
            <b>{called}</b>
            <span class="quiet">{address}</span>
            <Moment time=time />
        </p>
    }
    .into_any()
}

/// What it answers.
#[component]
fn Answered(
    /// What the page shares.
    desk: Desk,
    /// The message.
    view: RwSignal<MessageView>,
) -> impl IntoView {
    let reply = Memo::new(move |_| view.with(|view| view.reply.clone()));
    move || {
        reply.get().map(|reply| {
            let who = reply.author.map(|author| desk.called(author));
            let excerpt =
                if who.is_some() { reply.excerpt } else { message::REPLY_GONE.to_owned() };
            view! {
                <button
                    type="button"
                    class="reply"
                    on:click=press(move || desk.sought.set(Some(reply.id)))
                >
                    <Icon name="reply" />
                    <b>{who}</b>
                    " "
                    {excerpt}
                </button>
            }
        })
    }
}

/// What it says.
#[component]
fn Said(
    /// What the page shares.
    desk: Desk,
    /// The message.
    view: RwSignal<MessageView>,
) -> impl IntoView {
    let said = Memo::new(move |_| view.with(|view| (view.words.clone(), view.edited)));
    let author = view.with_untracked(|view| view.author);
    move || {
        let (said, edited) = said.get();
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
        let who = deed.map(|_| view! { <b>{called(author)}</b> });
        view! {
            <div class="words" class:deed=deed.is_some() data-words="">
                {who}
                {words}
                {edited.then(|| view! { <small class="quiet">{message::EDITED}</small> })}
            </div>
        }
        .into_any()
    }
}

/// What was put to it, and how far it has come.
#[component]
fn Foot(
    /// What the page shares.
    desk: Desk,
    /// The message.
    view: RwSignal<MessageView>,
    /// How far it has come.
    sending: Memo<Option<Sending>>,
) -> impl IntoView {
    let emoji =
        move || view.with(|view| view.reactions.iter().map(|(emoji, _)| emoji.clone()).collect());
    let pinned = Memo::new(move |_| view.with(|view| view.pinned));
    let retry = Callback::new(move |()| desk.ask(Action::Retry));
    let mark = move || {
        let icon = match sending.get()? {
            Sending::Queued => "clock",
            Sending::Sent => "check",
            Sending::Delivered => "delivered",
            Sending::Failed => {
                return Some(
                    view! {
                        <span class="failed">{words::state(Some(Sending::Failed))}</span>
                        <Button label=text::TRY_AGAIN look="button-small" on_press=retry />
                    }
                    .into_any(),
                );
            }
        };
        let said = words::state(sending.get());
        Some(
            view! {
                <span title=said>
                    <Icon name=icon />
                    <span class="visually-hidden">{said}</span>
                </span>
            }
            .into_any(),
        )
    };
    view! {
        <div class="message-foot" aria-live="off">
            <When on=pinned>
                <span class="chip">
                    <Icon name="pin" />
                    {message::PINNED}
                </span>
            </When>
            {each(emoji, Clone::clone, move |emoji| chip(desk, view, emoji))}
            <span class="mark">{move || mark()}</span>
        </div>
    }
}

/// An emoji that was put to a message; puts ours to it, or takes it away.
fn chip(desk: Desk, view: RwSignal<MessageView>, emoji: String) -> AnyView {
    let this = emoji.clone();
    let whose = Memo::new(move |_| {
        view.with(|view| {
            let this = view.reactions.iter().find(|(other, _)| *other == this);
            this.map(|(_, whose)| whose.clone()).unwrap_or_default()
        })
    });
    let me = desk.me();
    let ours = move || whose.with(|whose| me.is_some_and(|me| whose.contains(&me)));
    let title = move || {
        let names = whose.get().into_iter().map(|wallet| desk.called(wallet));
        names.collect::<Vec<_>>().join(", ")
    };
    let shown = emoji.clone();
    let toggle = press(move || {
        let set = !untrack(ours);
        desk.ask(react(desk, view, emoji.clone(), set));
    });
    view! {
        <button
            type="button"
            class="chip"
            title=title
            aria-pressed=move || ours().to_string()
            on:click=toggle
        >
            {shown}
            " "
            {move || whose.with(Vec::len)}
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
        desk.draft.about.set(Some(About::Reply(id)));
        desk.write_here();
    });
    let more = Callback::new(move |()| desk.menu.set(Some(id)));
    let own = desk.me() == Some(author);
    let edit = (own && menu::words_of(view).is_some()).then(|| {
        let edit = Callback::new(move |()| menu::edit(desk, view));
        view! { <IconButton icon="edit" label=message::EDIT on_press=edit /> }
    });
    let quick = message::EMOJI.iter().take(if own { 0 } else { 3 }).map(|(emoji, name)| {
        let act = press(move || desk.ask(react(desk, view, (*emoji).to_owned(), true)));
        view! {
            <button type="button" class="icon-button" title=*name aria-label=*name on:click=act>
                {*emoji}
            </button>
        }
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

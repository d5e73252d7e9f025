//! The messages, and where one is among them.
//!
//! The list is laid out from its end (`column-reverse`): it stays at the newest message, and older
//! ones that come in above move nothing.

use super::{Desk, message};
use crate::model::{Message, Shown};
use crate::pages::nav::unread_in;
use crate::text::rooms::room;
use crate::ui::{Icon, When, each, press, saying};
use chats_core::control::RoomKind;
use chats_core::id::Wallet;
use chats_core::op::OpId;
use chats_core::rooms::{Action, RoomState};
use chats_web::page;
use leptos::{ev, html, prelude::*};
use wasm_bindgen::JsCast;

/// Nearer than this to the newest message counts as being there, in pixels.
const AT_END: i32 = 60;
/// Nearer than this to the oldest, older ones are asked for.
const AT_START: i32 = 800;
/// The most times that older messages are asked for to find one.
const MAX_SEEK: u32 = 80;

/// All that is shown of the room.
#[component]
pub(super) fn Log(
    /// What the page shares.
    desk: Desk,
) -> impl IntoView {
    let node = NodeRef::<html::Div>::new();
    let rooms = desk.model.rooms;
    let at_end = RwSignal::new(true);
    let visible = RwSignal::new(page::is_visible());
    let handle = window_event_listener(ev::visibilitychange, move |_| {
        visible.set(page::is_visible());
    });
    on_cleanup(move || {
        handle.remove();
        rooms.watched.set(false);
        rooms.close();
    });
    let me = desk.me();
    let here = move |shown: &Shown| shown.room == Some(desk.tag);
    let loading = Memo::new(move |_| {
        !rooms.shown.with(here) || desk.view.with(|view| view.state == RoomState::Loading)
    });
    let starts =
        move || rooms.shown.with(|it| if here(it) { it.starts.clone() } else { Vec::new() });
    let part = move |start: OpId| {
        let rows = Memo::new(move |_| rooms.shown.with(|shown| shown.from(start).to_vec()));
        let row = move |row| message::row(desk, row);
        // Drawn once, so that its height is known: out of sight it is not drawn from then on.
        let drawn = RwSignal::new(false);
        request_animation_frame(move || {
            request_animation_frame(move || {
                // By then the room may have been left.
                let _ = drawn.try_set(true);
            });
        });
        view! {
            <div class="log-part" class:drawn=drawn>
                {each(move || rows.get(), |row: &Message| row.id, row)}
            </div>
        }
    };
    let ends =
        Memo::new(move |_| rooms.shown.with(|shown| here(shown).then(|| Ends::of(shown, me))));
    let (asked, height) = (StoredValue::new(None), StoredValue::new(0));
    let look = move || {
        // By the next frame the room may have been left.
        let Some(log) = node.try_get_untracked().flatten() else { return };
        let below = -log.scroll_top();
        height.set_value(log.scroll_height());
        let (now, was) = (below < AT_END, at_end.get_untracked());
        if now != was {
            at_end.set(now);
        }
        let above = log.scroll_height() - log.client_height() - below;
        let oldest = ends.get_untracked().filter(|ends| ends.more).map(|ends| ends.first);
        if above < AT_START && oldest.is_some() && asked.get_value() != oldest {
            asked.set_value(oldest);
            desk.ask(Action::Older);
        }
    };
    // Before it is drawn: one's own message is in sight, and others push nothing away.
    Effect::new(move |before: Option<Option<Ends>>| {
        let now = ends.get();
        let (old, reading) = (before.flatten(), !at_end.get_untracked());
        let appended =
            |new: Ends| old.is_some_and(|old| old.first == new.first && old.last < new.last);
        let appended = now.filter(|new| appended(*new));
        request_animation_frame(move || {
            if let (Some(log), Some(new)) = (node.try_get_untracked().flatten(), appended) {
                if new.own {
                    log.set_scroll_top(0);
                } else if reading {
                    let grown = log.scroll_height() - height.get_value();
                    log.set_scroll_top(log.scroll_top() - grown);
                }
            }
            look();
        });
        now
    });
    stay_with_what_is_read(desk, at_end.into(), visible.into(), ends);
    find_what_is_sought(desk, node, ends);
    begin_at_what_is_new(desk, node, loading);
    let jump = move || {
        if let Some(log) = node.get_untracked() {
            log.set_scroll_top(0);
            desk.write_here();
        }
    };
    let said = move || match desk.view.with(unread_in) {
        0 => room::JUMP.to_owned(),
        n => room::new_below(n),
    };
    let is = move |empty: bool, more: bool| {
        ends.with(|ends| ends.is_some_and(|it| it.last.is_none() == empty && it.more == more))
    };
    let more = move || loading.get() || is(true, true) || is(false, true);
    view! {
        <div class="log-frame">
            <div
                class="log"
                role="log"
                aria-label=room::MESSAGES
                aria-live=move || if loading.get() { "off" } else { "polite" }
                aria-relevant="additions"
                aria-busy=move || loading.get().to_string()
                tabindex="0"
                node_ref=node
                on:scroll=move |_| look()
                on:keydown=move |event| walk(desk, node, &event)
                on:pointerleave=move |_| desk.pointed.set(None)
                on:focusout=move |event| left(desk, node, &event)
            >
                <div class="log-inner">
                    <When on=more>
                        <Bones />
                    </When>
                    <When on=move || is(true, false) && !loading.get()>
                        <Empty desk=desk />
                    </When>
                    <When on=move || is(false, false)>
                        <p class="quiet log-start">{room::START}</p>
                    </When>
                    {each(starts, |start| *start, part)}
                </div>
            </div>
            <When on=move || !at_end.get()>
                <button type="button" class="button button-small jump" on:click=press(jump)>
                    <Icon name="down" />
                    {saying(said)}
                </button>
            </When>
        </div>
    }
}

/// Where the messages that are here begin and end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ends {
    first: Option<OpId>,
    last: Option<OpId>,
    /// Whether the last is one's own.
    own: bool,
    more: bool,
}

impl Ends {
    fn of(shown: &Shown, me: Option<Wallet>) -> Self {
        let author = |row: &Message| row.view.with_untracked(|view| view.author);
        let id = |row: Option<&Message>| row.map(|row| row.id);
        Self {
            first: id(shown.messages.first()),
            last: id(shown.messages.last()),
            own: me.is_some() && shown.messages.last().map(author) == me,
            more: shown.more,
        }
    }
}

/// Tells how far one has read: to the end, if the end is in sight.
fn stay_with_what_is_read(
    desk: Desk,
    at_end: Signal<bool>,
    visible: Signal<bool>,
    ends: Memo<Option<Ends>>,
) {
    let watched = desk.model.rooms.watched;
    Effect::new(move |told: Option<Option<OpId>>| {
        let watching = at_end.get() && visible.get();
        watched.set(watching);
        let told = told.flatten();
        let last = ends.get().and_then(|ends| ends.last);
        let unread = desk.view.with(|view| view.unread > 0);
        match last {
            Some(upto) if watching && unread && told != last => {
                desk.ask(Action::Read { room: desk.tag, upto });
                last
            }
            _ => told,
        }
    });
}

/// The element of a message.
fn element(node: NodeRef<html::Div>, id: OpId) -> Option<web_sys::HtmlElement> {
    let selector = ["[data-id=\"", &id.to_string(), "\"]"].concat();
    node.try_get_untracked()??.query_selector(&selector).ok()??.dyn_into().ok()
}

/// Goes to a message, and asks for older ones until it is there.
fn find_what_is_sought(desk: Desk, node: NodeRef<html::Div>, ends: Memo<Option<Ends>>) {
    Effect::new(move |tries: Option<u32>| {
        let Some(id) = desk.sought.get() else { return 0 };
        let tries = tries.unwrap_or(0) + 1;
        let more = ends.get().is_some_and(|ends| ends.more);
        let here = desk
            .model
            .rooms
            .shown
            .with_untracked(|shown| shown.messages.iter().any(|row| row.id == id));
        if !here && more && tries < MAX_SEEK {
            desk.ask(Action::Older);
            return tries;
        }
        desk.sought.set(None);
        // What came just now is in the page by then.
        request_animation_frame(move || {
            if let Some(element) = element(node, id) {
                element.scroll_into_view_with_bool(true);
                // Cannot fail for an element in the page.
                let _ = element.focus();
            }
        });
        0
    });
}

/// Starts at the first message that is new, if there is one further up.
fn begin_at_what_is_new(desk: Desk, node: NodeRef<html::Div>, loading: Memo<bool>) {
    Effect::new(move |began: Option<bool>| {
        if began == Some(true) || loading.get() {
            return began == Some(true);
        }
        if let Some(id) = desk.model.rooms.shown.with_untracked(|shown| shown.fresh) {
            request_animation_frame(move || {
                let before = element(node, id).and_then(|it| it.previous_element_sibling());
                if let Some(mark) = before {
                    mark.scroll_into_view_with_bool(true);
                }
            });
        }
        true
    });
}

/// Goes from message to message by key.
fn walk(desk: Desk, node: NodeRef<html::Div>, event: &ev::KeyboardEvent) {
    let key = event.key();
    let rows = desk
        .model
        .rooms
        .shown
        .with_untracked(|shown| shown.messages.iter().map(|row| row.id).collect::<Vec<_>>());
    let at = desk.active.get_untracked().and_then(|id| rows.binary_search(&id).ok());
    let to = match key.as_str() {
        "ArrowUp" => at.map_or(rows.len(), |at| at).checked_sub(1),
        "ArrowDown" => at.map(|at| at + 1),
        "Escape" => {
            desk.active.set(None);
            return desk.write_here();
        }
        _ => return,
    };
    if let Some(to) = to.and_then(|to| rows.get(to)).and_then(|id| element(node, *id)) {
        event.prevent_default();
        // Cannot fail for an element in the page.
        let _ = to.focus();
    }
}

/// The focus goes elsewhere; but it comes back from the menu.
fn left(desk: Desk, node: NodeRef<html::Div>, event: &ev::FocusEvent) {
    let to = event.related_target().and_then(|it| it.dyn_into::<web_sys::Node>().ok());
    // Browsers tell this too when the room is left with the focus in it.
    let Some(log) = node.try_get_untracked().flatten() else { return };
    if !log.contains(to.as_ref()) && desk.menu.get_untracked().is_none() {
        desk.active.set(None);
    }
}

/// Nothing was said here yet.
#[component]
fn Empty(
    /// What the page shares.
    desk: Desk,
) -> impl IntoView {
    let all = desk.view.with_untracked(|view| view.kind == Some(RoomKind::All));
    view! {
        <div class="empty">
            <Icon name="room" />
            <strong>{room::EMPTY}</strong>
            <p>{if all { room::EMPTY_HELP } else { room::EMPTY_DIRECT_HELP }}</p>
        </div>
    }
}

/// The shape of messages that are about to appear.
#[component]
fn Bones() -> impl IntoView {
    view! {
        <div class="log-bones">
            <span class="visually-hidden">{room::LOADING}</span>
            <span class="bone bone-short"></span>
            <span class="bone"></span>
            <span class="bone bone-title"></span>
        </div>
    }
}

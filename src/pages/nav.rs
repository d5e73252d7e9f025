//! Where one can go.

use super::room::room_title;
use super::room_form::RoomForm;
use super::{count_in, current_meeting, main_meeting, meeting_link, model, moderates, room_link};
use crate::model::{Model, Room};
use crate::route::{RoomAddress, Route};
use crate::text::rooms as words;
use crate::text::{self, meeting, shell};
use crate::ui::{Dialog, Icon, IconButton, Portrait, When, changing, each, saying};
use chats_core::control::RoomKind;
use chats_core::epoch::RoomTag;
use chats_core::id::Wallet;
use chats_core::rooms::RoomView;
use leptos::prelude::*;

/// Home, the meetings and the rooms: a column, a rail, or a bar at the bottom with the rooms on the
/// front page, as there is room.
#[component]
pub fn Rooms() -> impl IntoView {
    let model = model();
    let here =
        move |route: Route| Signal::derive(move || (model.route.get() == route).then_some("page"));
    let current = current_meeting(model);
    let unread = Memo::new(move |_| unread(model));
    let meetings = main_meeting().map(|name| {
        let count = count_in(model, name.clone());
        let (link, route) = (name.clone(), Route::Meeting(name.clone()));
        let title = text::meeting_title(&name);
        let inside = Memo::new(move |_| current.get().as_ref() == Some(&name));
        view! {
            <li>
                <a
                    href=move || meeting_link(model, &link)
                    aria-current=here(route)
                    data-joined=move || inside.get().to_string()
                >
                    <Icon name="meeting" />
                    <span class="nav-label">{title}</span>
                    {changing(move || count_of(count.get(), false, meeting::in_it))}
                </a>
            </li>
        }
    });
    view! {
        <nav class="rooms" aria-label=shell::ROOMS>
            <ul class="rooms-bar" role="list">
                <li>
                    <a href="#/" aria-current=here(Route::Home)>
                        <Icon name="home" />
                        <span class="nav-label wide">{shell::HOME}</span>
                        <span class="nav-label narrow">{words::ROOMS}</span>
                        <span class="narrow">{changing(move || count_of(unread.get(), false, words::unread))}</span>
                    </a>
                </li>
                {meetings}
                <li class="people-link">
                    <a href="#/people" aria-current=here(Route::People)>
                        <Icon name="people" />
                        <span class="nav-label">{words::PEOPLE}</span>
                    </a>
                </li>
            </ul>
            <RoomList />
        </nav>
    }
}

/// How many messages of others were not read, in all rooms.
pub fn unread(model: Model) -> usize {
    let unread = |room: &Room| room.view.with(unread_in);
    model.rooms.list.with(|list| list.iter().flatten().map(unread).sum())
}

/// How many messages of others were not read in a room.
pub fn unread_in(view: &RoomView) -> usize {
    usize::try_from(view.unread).unwrap_or(usize::MAX)
}

/// The rooms of all members, then those of two.
#[component]
fn RoomList() -> impl IntoView {
    let (model, moderates) = (model(), moderates(model()));
    let making = RwSignal::new(false);
    let make = Callback::new(move |()| making.set(true));
    // Something about a room changes with each message, but seldom which there are.
    let of = move |direct: bool| {
        Memo::new(move |_| {
            let is = |room: &&Room| {
                let kind = |view: &RoomView| matches!(view.kind, Some(RoomKind::Direct(..)));
                room.view.with(kind) == direct
            };
            model
                .rooms
                .list
                .with(|list| list.iter().flatten().filter(is).cloned().collect::<Vec<_>>())
        })
    };
    let (common, direct) = (of(false), of(true));
    let loading = move || model.rooms.list.with(Option::is_none);
    let empty = move || model.rooms.list.with(|it| it.as_ref().is_some_and(Vec::is_empty));
    let any_direct = move || direct.with(|rooms| !rooms.is_empty());
    let show = move |room: Room| link(model, room);
    let none = move || if moderates.get() { words::NONE_MODERATOR } else { words::NONE };
    view! {
        <div class="rooms-list">
            <div class="rooms-head">
                <h2>{words::ROOMS}</h2>
                <When on=moderates>
                    <IconButton icon="plus" label=words::NEW on_press=make />
                </When>
            </div>
            <When on=loading>
                <div class="rooms-bones" aria-busy="true">
                    <span class="visually-hidden">{words::LOADING}</span>
                    <span class="bone"></span>
                    <span class="bone"></span>
                </div>
            </When>
            <When on=empty>
                <p class="quiet rooms-none">{saying(none)}</p>
            </When>
            <ul role="list">{each(move || common.get(), |room: &Room| room.tag, show)}</ul>
            <When on=any_direct>
                <div class="rooms-head">
                    <h2>{words::DIRECT}</h2>
                </div>
                <ul role="list">{each(move || direct.get(), |room: &Room| room.tag, show)}</ul>
            </When>
            <Dialog
                id="new-room"
                title=words::NEW
                open=making
                on_cancel=Callback::new(move |()| making.set(false))
            >
                <When on=making>
                    <RoomForm open=making room=None />
                </When>
            </Dialog>
        </div>
    }
}

/// The way to a room.
fn link(model: Model, room: Room) -> AnyView {
    let tag = room.tag;
    let view = RwSignal::from(room.view);
    let me = move || model.account.with(|account| account.as_ref().map(|it| it.wallet));
    // Only what is drawn here, for the same reason.
    let face = Memo::new(move |_| view.with(|view| (other(view, me()), view.kind.is_some())));
    let icon = move || match face.get() {
        (Some(wallet), _) => view! { <Portrait wallet=wallet /> }.into_any(),
        (None, true) => view! { <Icon name="room" /> }.into_any(),
        (None, false) => view! { <Icon name="lock" /> }.into_any(),
    };
    let count = Memo::new(move |_| view.with(|view| (unread_in(view), view.mentioned)));
    let unread = Memo::new(move |_| view.with(|view| view.unread > 0));
    let title = Memo::new(move |_| view.with(|view| room_title(view, me())));
    let here =
        Memo::new(move |_| model.route.with(|route| view.with(|view| is_at(route, tag, view))));
    view! {
        <li>
            <a
                href=room_link(model, tag)
                data-address=move || face.get().0.map(|wallet| wallet.to_string())
                aria-current=move || here.get().then_some("page")
                class:unread=unread
            >
                {changing(icon)}
                <span class="nav-label">{saying(move || title.get())}</span>
                {changing(move || {
                    let (unread, mentioned) = count.get();
                    count_of(unread, mentioned, words::unread)
                })}
            </a>
        </li>
    }
    .into_any()
}

fn is_at(route: &Route, tag: RoomTag, view: &RoomView) -> bool {
    match route {
        Route::Room(address) => RoomAddress::is_of(address, tag, view.name.as_deref()),
        _ => false,
    }
}

/// The other one of a room of two.
fn other(view: &RoomView, me: Option<Wallet>) -> Option<Wallet> {
    match view.kind {
        Some(RoomKind::Direct(one, other)) => Some(if me == Some(one) { other } else { one }),
        _ => None,
    }
}

/// A number beside a place, if it is not zero.
fn count_of(count: usize, mentioned: bool, said: fn(usize) -> String) -> AnyView {
    if count == 0 {
        return ().into_any();
    }
    let said = said(count);
    view! {
        <span class="count" class:mentioned=mentioned>
            <span aria-hidden="true">{if mentioned { "@" } else { "" }} {count.to_string()}</span>
            <span class="visually-hidden">
                " " {said} {if mentioned { words::MENTIONED } else { "" }}
            </span>
        </span>
    }
    .into_any()
}

//! A room: its head, its messages, and what one writes.

mod commands;
mod composer;
mod drafts;
mod head;
mod log;
mod mentions;
mod menu;
mod message;
mod state;

pub use drafts::Drafts;

use super::{ask, model};
use crate::engine::Action;
use crate::model::{Model, Shown};
use crate::route::RoomAddress;
use crate::text::rooms::{self as words, room};
use crate::ui::{Banner, Panel, Skeleton, changing};
use chats_core::control::RoomKind;
use chats_core::epoch::RoomTag;
use chats_core::id::Wallet;
use chats_core::op::OpId;
use chats_core::rooms::{self, RoomState, RoomView};
use drafts::Draft;
use leptos::{html, prelude::*};

/// What the parts of a room's page share.
#[derive(Clone, Copy)]
struct Desk {
    model: Model,
    tag: RoomTag,
    view: Signal<RoomView>,
    ask: Callback<Action>,
    draft: Draft,
    drafts: Drafts,
    /// The message that the focus is in.
    active: RwSignal<Option<OpId>>,
    /// The message that one points at.
    pointed: RwSignal<Option<OpId>>,
    /// The message whose menu is open.
    menu: RwSignal<Option<OpId>>,
    /// The message that one wants to see.
    sought: RwSignal<Option<OpId>>,
    field: NodeRef<html::Textarea>,
}

impl Desk {
    fn ask(self, action: rooms::Action) {
        self.ask.run(Action::Rooms(action));
    }

    fn me(self) -> Option<Wallet> {
        self.model.account.with_untracked(|account| account.as_ref().map(|it| it.wallet))
    }

    /// What somebody is called here.
    fn called(self, wallet: Wallet) -> String {
        self.model.rooms.shown.with_untracked(|shown| called(shown, wallet))
    }

    fn write_here(self) {
        if let Some(field) = self.field.get_untracked() {
            // Cannot fail for an element in the page.
            let _ = field.focus();
        }
    }
}

/// What somebody wants to be called in the room that is shown, as far as that is known.
fn name_of(shown: &Shown, wallet: Wallet) -> Option<String> {
    let said = |view: &rooms::MessageView| (view.author == wallet).then(|| view.name.clone());
    let mut rows = shown.messages.iter().rev();
    rows.find_map(|row| row.view.with_untracked(said)).flatten()
}

fn called(shown: &Shown, wallet: Wallet) -> String {
    name_of(shown, wallet).unwrap_or_else(|| wallet.short())
}

/// What a room is called: its name, or whom one writes to.
pub fn room_title(view: &RoomView, me: Option<Wallet>) -> String {
    match (&view.name, view.kind) {
        (Some(name), _) if !name.is_empty() => name.clone(),
        (_, Some(RoomKind::Direct(one, other))) => {
            (if me == Some(one) { other } else { one }).short()
        }
        _ => words::LOCKED.to_owned(),
    }
}

/// The room at an address.
#[component]
pub fn Room(
    /// Its address.
    address: RoomAddress,
) -> impl IntoView {
    let (model, ask) = (model(), ask());
    let tag = Memo::new(move |_| {
        let here = |room: &&crate::model::Room| {
            room.view.with(|view| address.is_of(view.tag, view.name.as_deref()))
        };
        model.rooms.list.with(|list| list.iter().flatten().find(here).map(|room| room.tag))
    });
    let loading = Memo::new(move |_| model.rooms.list.with(Option::is_none));
    changing(move || match tag.get().and_then(|tag| untrack(|| model.rooms.find(tag))) {
        Some(view) => view! { <Open view=RwSignal::from(view).into() ask=ask /> }.into_any(),
        None if loading.get() => view! { <Skeleton label=words::LOADING /> }.into_any(),
        None => view! {
            <Panel icon="room" title=room::NOT_FOUND help=room::NOT_FOUND_HELP>
                <div class="actions">
                    <a class="button button-primary" href="#/">
                        {room::BACK}
                    </a>
                </div>
            </Panel>
        }
        .into_any(),
    })
}

/// A room that is there.
#[component]
fn Open(
    /// What there is to know of it.
    view: Signal<RoomView>,
    /// A way to ask the engine for something.
    ask: Callback<Action>,
) -> impl IntoView {
    let tag = view.with_untracked(|view| view.tag);
    let drafts: Drafts = expect_context();
    let desk = Desk {
        model: model(),
        tag,
        view,
        ask,
        draft: Draft::of(tag),
        drafts,
        active: RwSignal::new(None),
        pointed: RwSignal::new(None),
        menu: RwSignal::new(None),
        sought: RwSignal::new(None),
        field: NodeRef::new(),
    };
    desk.ask(rooms::Action::Open { room: tag });
    on_cleanup(move || desk.ask(rooms::Action::Close));
    if let Some(RoomKind::Direct(one, other)) = view.with_untracked(|view| view.kind)
        && let Some(markdown) = drafts.collect(one, other)
    {
        composer::say(desk, markdown, None);
    }
    let is = move |state| Memo::new(move |_| view.with(|view| view.state == state));
    let (locked, read_only) = (is(RoomState::WaitsForKey), is(RoomState::ReadOnly));
    view! {
        <section class="room" aria-labelledby="room-title">
            <head::Head desk=desk />
            <state::Forked desk=desk />
            <state::Early desk=desk />
            {changing(move || {
                if locked.get() {
                    view! { <state::Waits desk=desk /> }.into_any()
                } else {
                    view! { <log::Log desk=desk /> }.into_any()
                }
            })}
            {changing(move || match (locked.get(), read_only.get()) {
                (true, _) => ().into_any(),
                (_, true) => view! { <Banner icon="lock" text=room::READ_ONLY /> }.into_any(),
                _ => view! { <composer::Composer desk=desk /> }.into_any(),
            })}
            <menu::Menu desk=desk />
        </section>
    }
}

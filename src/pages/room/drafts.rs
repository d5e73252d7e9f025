//! What one has written and not sent yet, kept for each room as long as the page is open.

use super::Desk;
use super::mentions::{self, Chosen};
pub(super) use crate::model::About;
use crate::model::Text;
use chats_core::epoch::RoomTag;
use chats_core::id::Wallet;
use chats_core::small::SmallMap;
use leptos::prelude::*;

#[derive(Debug, Clone, Default)]
struct Kept {
    text: String,
    chosen: Chosen,
    about: Option<About>,
}

/// The drafts of all rooms. Provided as context.
#[derive(Debug, Clone, Copy)]
pub struct Drafts {
    rooms: StoredValue<SmallMap<RoomTag, Kept>>,
    /// What goes to somebody as soon as the room of direct messages with them is open.
    letter: StoredValue<Option<(Wallet, String)>>,
}

impl Drafts {
    /// None yet.
    pub fn new() -> Self {
        Self { rooms: StoredValue::new(SmallMap::new()), letter: StoredValue::new(None) }
    }

    /// Keeps a text for whenever the room with `wallet` is open.
    pub(super) fn post(self, wallet: Wallet, text: String) {
        self.letter.set_value(Some((wallet, text)));
    }

    /// Takes the text that was kept for the room of these two.
    pub(super) fn collect(self, one: Wallet, other: Wallet) -> Option<String> {
        let mut taken = None;
        self.letter.update_value(|letter| {
            taken = letter.take_if(|(to, _)| *to == one || *to == other);
        });
        taken.map(|(_, text)| text)
    }
}

/// The draft of the room that is open.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draft {
    pub(super) text: RwSignal<String>,
    /// Those who are named in it.
    pub(super) chosen: StoredValue<Chosen>,
    pub(super) about: RwSignal<Option<About>>,
}

impl Draft {
    /// The draft of a room as it was left; kept again when the room is left.
    pub(super) fn of(room: RoomTag) -> Self {
        let Drafts { rooms: all, .. } = expect_context();
        let Kept { text, chosen, about } =
            all.with_value(|all| all.get(&room).cloned()).unwrap_or_default();
        let draft = Self {
            text: RwSignal::new(text),
            chosen: StoredValue::new(chosen),
            about: RwSignal::new(about),
        };
        on_cleanup(move || {
            let kept = Kept {
                text: draft.text.get_untracked(),
                chosen: draft.chosen.get_value(),
                about: draft.about.get_untracked(),
            };
            all.update_value(|all| {
                if kept.text.is_empty() {
                    all.remove(&room);
                } else {
                    all.insert(room, kept);
                }
            });
        });
        draft
    }

    /// Takes back what was refused in the room, as soon as nothing else is in the field.
    pub(super) fn take_back(self, desk: Desk) {
        let returned = desk.model.rooms.returned;
        Effect::new(move |_| {
            let at = returned.with(|all| all.iter().position(|text| text.room == desk.tag));
            let free = self.text.with(String::is_empty) && self.about.with(Option::is_none);
            let Some(at) = at.filter(|_| free) else { return };
            let Text { markdown, about, .. } = returned.write().remove(at);
            let (text, chosen) = mentions::collapse(&markdown, &|wallet| desk.called(wallet));
            self.chosen.set_value(chosen);
            self.about.set(about);
            self.text.set(text);
        });
    }

    /// Begins anew.
    pub(super) fn clear(self) {
        self.text.set(String::new());
        self.chosen.set_value(Chosen::new());
        self.about.set(None);
    }
}

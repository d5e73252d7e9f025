//! What one has written and not sent yet, kept for each room as long as the page is open.

use super::Desk;
use super::mentions::{self, Chosen};
pub(super) use crate::model::About;
use crate::model::{Rooms, Text};
use chats_core::epoch::RoomTag;
use chats_core::id::Wallet;
use chats_core::op::OpId;
use chats_core::small::SmallMap;
use leptos::prelude::*;
use std::time::Duration;

/// How long what was sent stands in the field at most.
const SOON: Duration = Duration::from_millis(50);

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
    /// What of the text is sent already.
    sent: StoredValue<Option<String>>,
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
            sent: StoredValue::new(None),
        };
        on_cleanup(move || {
            draft.settle();
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

    /// The text is on its way. It stands in the field until it is a message, or a moment: drawing
    /// the emptied field at once would hold up what goes to the network.
    pub(super) fn sent(self) {
        self.sent.set_value(Some(self.text.get_untracked()));
        set_timeout(move || self.settle(), SOON);
    }

    /// Takes what is sent out of the field, and leaves there what was written since.
    pub(super) fn settle(self) {
        let Some(sent) = self.sent.try_update_value(Option::take).flatten() else { return };
        let rest = |text: &String| text.strip_prefix(&sent).unwrap_or(text).to_owned();
        let rest = self.text.with_untracked(rest);
        self.clear();
        self.text.set(rest);
    }

    /// What is written next answers a message.
    pub(super) fn answer(self, id: OpId) {
        self.settle();
        self.about.set(Some(About::Reply(id)));
    }

    /// What is written next says a message better, which said this.
    pub(super) fn improve(self, id: OpId, text: String, chosen: Chosen) {
        self.settle();
        self.text.set(text);
        self.chosen.set_value(chosen);
        self.about.set(Some(About::Edit(id)));
    }

    /// Empties the field once what was sent has become a message. Takes back what was refused in
    /// the room, as soon as nothing else is in the field.
    pub(super) fn follow(self, desk: Desk) {
        let Rooms { answered, returned, .. } = desk.model.rooms;
        Effect::new(move |_| {
            answered.track();
            self.settle();
        });
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

//! What pages show of rooms. What changes within a room or a message is a signal of its own, so
//! that a row in a list stays the row it is.

use chats_core::epoch::RoomTag;
use chats_core::id::Wallet;
use chats_core::op::OpId;
use chats_core::rooms::{DeviceView, Keeping, MessageView, RoomView};
use chats_core::time::Time;
use leptos::prelude::*;

/// How long one may be silent and go on in the same group of messages.
const PAUSE: u64 = 5 * 60 * 1000;

/// All of it.
#[derive(Debug, Clone, Copy)]
pub struct Rooms {
    /// The rooms, in the order of the core; `None` until it has said which.
    pub list: RwSignal<Option<Vec<Room>>>,
    /// The messages of the room that is shown.
    pub shown: RwSignal<Shown>,
    /// Those of them that are pinned.
    pub pinned: RwSignal<Vec<Message>>,
    /// Whether the newest message is in sight of somebody.
    pub watched: RwSignal<bool>,
    /// Who writes, and in which room.
    pub typing: RwSignal<Option<(RoomTag, Vec<Wallet>)>>,
    /// Devices of ours, and those of others that wait for us.
    pub devices: RwSignal<Vec<DeviceView>>,
    /// How what is kept here stands.
    pub keeping: RwSignal<Keeping>,
    /// Whether the browser promised not to delete it when space runs short.
    pub persisted: RwSignal<bool>,
    /// What is being done about a backup, or was; empty before that.
    pub backup: RwSignal<&'static str>,
    /// Whether a wallet is asked to sign a device out.
    pub revoking: RwSignal<bool>,
    /// How many texts have become messages or were refused.
    pub answered: RwSignal<u64>,
    /// Texts that were refused, the oldest first: each goes back to the field it came from.
    pub returned: RwSignal<Vec<Text>>,
}

/// What one writes in a room, before it is a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// Where.
    pub room: RoomTag,
    /// What.
    pub markdown: String,
    /// What it is about, if it does not stand by itself.
    pub about: Option<About>,
}

/// What a text is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// It answers a message.
    Reply(OpId),
    /// It says a message better.
    Edit(OpId),
}

impl Rooms {
    /// Before anything is known.
    pub fn new() -> Self {
        Self {
            list: RwSignal::new(None),
            shown: RwSignal::default(),
            pinned: RwSignal::default(),
            watched: RwSignal::new(false),
            typing: RwSignal::new(None),
            devices: RwSignal::default(),
            keeping: RwSignal::new(Keeping::Good),
            persisted: RwSignal::new(false),
            backup: RwSignal::new(""),
            revoking: RwSignal::new(false),
            answered: RwSignal::new(0),
            returned: RwSignal::default(),
        }
    }

    /// Forgets everything, as whoever is signed in does.
    pub fn clear(self) {
        self.list.set(None);
        self.close();
        self.typing.set(None);
        self.devices.set(Vec::new());
        self.keeping.set(Keeping::Good);
        self.backup.set("");
        self.returned.set(Vec::new());
    }

    /// Shows no room any more.
    pub fn close(self) {
        self.shown.set(Shown::default());
        self.pinned.set(Vec::new());
    }

    /// What is known of a room, to be read in a reactive place.
    pub fn find(self, tag: RoomTag) -> Option<ArcRwSignal<RoomView>> {
        self.list.with(|rooms| {
            rooms.iter().flatten().find(|room| room.tag == tag).map(|room| room.view.clone())
        })
    }
}

/// A room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// Which.
    pub tag: RoomTag,
    /// What there is to know of it.
    pub view: ArcRwSignal<RoomView>,
}

/// The messages of a room.
#[derive(Debug, Clone, Default)]
pub struct Shown {
    /// Which room; `None` while there is none.
    pub room: Option<RoomTag>,
    /// Those that are here, by id.
    pub messages: Vec<Message>,
    /// Whether there are older ones.
    pub more: bool,
    /// The first of those that are new to whoever reads.
    pub fresh: Option<OpId>,
    /// How many were unread when the room was opened, as long as the first of them is not here.
    pub unread: u64,
    /// Where parts of them begin, the oldest first. A page that shows them by these leaves all in
    /// place when older ones come, and draws those parts alone that are in sight.
    pub starts: Vec<OpId>,
}

impl Shown {
    /// The messages from one of the [`Self::starts`] up to the next.
    pub fn from(&self, start: OpId) -> &[Message] {
        let at = |id: OpId| self.messages.partition_point(|row| row.id < id);
        let mut later = self.starts.iter().skip_while(|it| **it <= start);
        let first = self.starts.first() == Some(&start);
        let begin = if first { 0 } else { at(start) };
        let end = later.next().map_or(self.messages.len(), |next| at(*next));
        self.messages.get(begin..end).unwrap_or_default()
    }
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Which.
    pub id: OpId,
    /// What there is to know of it.
    pub view: ArcRwSignal<MessageView>,
    /// How it stands among the others.
    pub place: ArcRwSignal<Place>,
}

/// How a message stands among those around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    /// The local day, if it is the first of one.
    pub day: Option<i64>,
    /// Whether it begins a group of one author.
    pub first: bool,
    /// Whether what is new begins with it.
    pub fresh: bool,
}

impl Place {
    /// The place of a message after another.
    pub fn after(before: Option<Writing>, this: Writing, fresh: bool) -> Self {
        let day = before.is_none_or(|before| before.day != this.day).then_some(this.day);
        let goes_on = before.is_some_and(|before| {
            before.author == this.author && this.time.0 <= before.time.0.saturating_add(PAUSE)
        });
        Self { day, first: day.is_some() || fresh || !goes_on, fresh }
    }
}

/// Who wrote something, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Writing {
    /// Who.
    pub author: Wallet,
    /// When.
    pub time: Time,
    /// The local day of that.
    pub day: i64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test;

    const ANN: Wallet = Wallet([1; 20]);
    const BEN: Wallet = Wallet([2; 20]);

    #[allow(clippy::cast_possible_wrap)]
    fn place(before: Option<(Wallet, Time)>, this: (Wallet, Time), fresh: bool) -> Place {
        let writing = |(author, time): (Wallet, Time)| {
            let day = (time.secs() / 86_400) as i64;
            Writing { author, time, day }
        };
        Place::after(before.map(writing), writing(this), fresh)
    }

    #[wasm_bindgen_test]
    fn what_one_says_in_a_row_stands_together() {
        let noon = Time::from_secs(43_200);
        let before = Some((ANN, noon));
        assert_eq!(place(before, (ANN, Time(noon.0 + PAUSE)), false), Place::default());
        assert!(place(before, (ANN, Time(noon.0 + PAUSE + 1)), false).first);
        assert!(place(before, (BEN, noon), false).first);
        assert!(place(before, (ANN, noon), true).first);
    }

    #[wasm_bindgen_test]
    fn a_day_begins_with_its_first_message() {
        let (late, early) = (Time::from_secs(86_399), Time::from_secs(86_400));
        assert_eq!(place(None, (ANN, late), false).day, Some(0));
        assert_eq!(place(Some((ANN, late)), (ANN, early), false).day, Some(1));
        assert!(place(Some((ANN, late)), (ANN, early), false).first);
        assert_eq!(place(Some((ANN, early)), (ANN, early), false).day, None);
    }
}

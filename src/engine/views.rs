//! What the core has to show of rooms, put into the model: rows that stay while what is in them
//! changes.

use super::Engine;
use crate::model::{Message, Model, Place, Problem, Room, Shown, Writing};
use crate::route::{RoomAddress, Route};
use crate::text;
use chats_core::epoch::RoomTag;
use chats_core::id::Wallet;
use chats_core::op::OpId;
use chats_core::rooms::{MessageView, RoomView, View};
use chats_web::page;
use leptos::prelude::*;
use std::ops::Range;

/// The most messages in a part: about what a screen holds.
const MAX_PART: usize = 32;

/// Shows it.
pub(super) fn apply(model: Model, view: View) {
    let rooms = model.rooms;
    match view {
        View::Rooms(list) => show_rooms(rooms.list, list),
        View::Messages { room, messages, more } => {
            let unread = untrack(|| rooms.find(room).map_or(0, |view| view.get().unread));
            let own = own(model);
            rooms.shown.update(|shown| show_all(shown, room, messages, more, unread, own));
            show_pinned(model);
        }
        View::Message { room, message } => {
            if rooms.shown.with_untracked(|shown| shown.room != Some(room)) {
                return;
            }
            let row = find(rooms.shown, message.id);
            match row {
                Some(row) => change(&row.view, *message),
                None => {
                    let (seen, own) = (rooms.watched.get_untracked(), own(model));
                    rooms.shown.update(|shown| show_one(shown, *message, seen, own));
                }
            }
            show_pinned(model);
        }
        View::Vanished { room, id } => {
            if find(rooms.shown, id).is_some() {
                rooms.shown.update(|shown| {
                    if shown.room == Some(room) {
                        shown.messages.retain(|row| row.id != id);
                        arrange(shown, 0..usize::MAX);
                    }
                });
                show_pinned(model);
            }
        }
        View::Typing { room, wallets } => rooms.typing.set(Some((room, wallets))),
        View::Devices(devices) => rooms.devices.set(devices),
        // For the diagnostics alone.
        View::Counts(_) => {}
        View::Keeping(keeping) => rooms.keeping.set(keeping),
    }
}

impl Engine {
    /// Tells what came of what somebody here wanted of the rooms.
    pub(super) fn rooms_done(&mut self, room: Option<RoomTag>, refused: Option<String>) {
        if let Some(why) = refused {
            let title = text::rooms::REFUSED.to_owned();
            let help = text::sentence(&why);
            self.notices.raise("rooms", Problem { title, help, retry: false });
        }
        if let Some(room) = room {
            let community = self.model.community.with_untracked(|community| community.id);
            page::set_hash(&Route::Room(RoomAddress::Tag(room)).fragment(community));
        }
    }
}

/// Pages that show what is pinned need not look at every message.
fn show_pinned(model: Model) {
    let is = |row: &&Message| row.view.with_untracked(|view| view.pinned);
    let pinned: Vec<Message> = model
        .rooms
        .shown
        .with_untracked(|shown| shown.messages.iter().filter(is).cloned().collect());
    let ids = |rows: &[Message]| rows.iter().map(|row| row.id).collect::<Vec<_>>();
    if model.rooms.pinned.with_untracked(|shown| ids(shown) != ids(&pinned)) {
        model.rooms.pinned.set(pinned);
    }
}

fn show_rooms(shown: RwSignal<Option<Vec<Room>>>, views: Vec<RoomView>) {
    let old = shown.get_untracked().unwrap_or_default();
    let row = |view: RoomView| match old.iter().find(|room| room.tag == view.tag) {
        Some(room) => {
            change(&room.view, view);
            room.clone()
        }
        None => Room { tag: view.tag, view: ArcRwSignal::new(view) },
    };
    let new: Vec<_> = views.into_iter().map(row).collect();
    let same = shown.with_untracked(|shown| {
        let tags = |rooms: &[Room]| rooms.iter().map(|room| room.tag).collect::<Vec<_>>();
        shown.as_ref().is_some_and(|shown| tags(shown) == tags(&new))
    });
    if !same {
        shown.set(Some(new));
    }
}

/// Puts these in place of all that was shown.
fn show_all(
    shown: &mut Shown,
    room: RoomTag,
    views: Vec<MessageView>,
    more: bool,
    unread: u64,
    own: Option<Wallet>,
) {
    if shown.room != Some(room) {
        *shown = Shown { room: Some(room), unread, ..Shown::default() };
    }
    let old = std::mem::take(&mut shown.messages);
    let (oldest, newest) = (old.first().map(|row| row.id), old.last().map(|row| row.id));
    let row = |view: MessageView| {
        let known = old.binary_search_by(|row| row.id.cmp(&view.id)).ok();
        match known.and_then(|at| old.get(at)) {
            Some(row) => {
                change(&row.view, view);
                row.clone()
            }
            None => new_row(view),
        }
    };
    shown.messages = views.into_iter().map(row).collect();
    shown.messages.sort_by_key(|row| row.id);
    part_older(shown, oldest);
    part_newer(shown, newest);
    shown.more = more;
    find_fresh(shown, own);
    arrange(shown, 0..usize::MAX);
}

/// Puts one more among them; `seen` says whether somebody looks at the end of them.
fn show_one(shown: &mut Shown, view: MessageView, seen: bool, own: Option<Wallet>) {
    let (id, own) = (view.id, own == Some(view.author));
    let Err(at) = shown.messages.binary_search_by(|row| row.id.cmp(&id)) else { return };
    let last = at == shown.messages.len();
    shown.messages.insert(at, new_row(view));
    if last {
        part_newer(
            shown,
            at.checked_sub(1).and_then(|at| shown.messages.get(at)).map(|row| row.id),
        );
    }
    let fresh = shown.fresh;
    if own {
        (shown.fresh, shown.unread) = (None, 0);
    } else if shown.unread > 0 {
        shown.unread += 1;
    } else if last && !seen && shown.fresh.is_none() {
        shown.fresh = Some(id);
    }
    let moved = fresh.filter(|_| shown.fresh.is_none());
    let moved = moved.and_then(|id| shown.messages.iter().position(|row| row.id == id));
    moved.into_iter().for_each(|at| arrange(shown, at..at + 1));
    // It, and the one that stands after it now.
    arrange(shown, at..at + 2);
}

/// Has parts begin among what is older than all that was there before.
fn part_older(shown: &mut Shown, oldest: Option<OpId>) {
    let older = oldest.map_or(0, |oldest| shown.messages.partition_point(|row| row.id < oldest));
    let parts = shown.messages.get(..older).unwrap_or_default().chunks(MAX_PART);
    let starts: Vec<_> = parts.filter_map(|part| part.first()).map(|row| row.id).collect();
    shown.starts.splice(0..0, starts);
}

/// Has parts begin among what is newer than all that was there before, wherever one is full.
fn part_newer(shown: &mut Shown, newest: Option<OpId>) {
    let new = newest.map_or(0, |newest| shown.messages.partition_point(|row| row.id <= newest));
    for (at, row) in shown.messages.iter().enumerate().skip(new) {
        let begins = shown.starts.last().map(|it| shown.messages.partition_point(|m| m.id < *it));
        if begins.is_none_or(|begins| at >= begins + MAX_PART) {
            shown.starts.push(row.id);
        }
    }
}

/// Finds the first message that was not read when the room was opened, if it is here by now.
fn find_fresh(shown: &mut Shown, own: Option<Wallet>) {
    if shown.unread == 0 {
        return;
    }
    let mut missing = shown.unread;
    let others = |row: &&Message| row.view.with_untracked(|view| own != Some(view.author));
    for row in shown.messages.iter().rev().filter(others) {
        shown.fresh = Some(row.id);
        missing -= 1;
        if missing == 0 {
            break;
        }
    }
    if missing == 0 || !shown.more {
        shown.unread = 0;
    } else {
        shown.fresh = None;
    }
}

/// Says of these messages how each stands among the others.
fn arrange(shown: &mut Shown, places: Range<usize>) {
    let writing = |row: &Message| {
        let (author, time) = row.view.with_untracked(|view| (view.author, view.time));
        Writing { author, time, day: text::time::day_of(time) }
    };
    let before = places.start.checked_sub(1).and_then(|at| shown.messages.get(at));
    let mut before = before.map(writing);
    for row in shown.messages.iter().skip(places.start).take(places.len()) {
        let this = writing(row);
        change(&row.place, Place::after(before, this, shown.fresh == Some(row.id)));
        before = Some(this);
    }
}

fn own(model: Model) -> Option<Wallet> {
    model.account.with_untracked(|account| account.as_ref().map(|account| account.wallet))
}

fn new_row(view: MessageView) -> Message {
    let place = ArcRwSignal::new(Place::default());
    Message { id: view.id, view: ArcRwSignal::new(view), place }
}

fn find(shown: RwSignal<Shown>, id: OpId) -> Option<Message> {
    shown.with_untracked(|shown| {
        let at = shown.messages.binary_search_by(|row| row.id.cmp(&id)).ok()?;
        shown.messages.get(at).cloned()
    })
}

fn change<T: PartialEq + Send + Sync + 'static>(signal: &ArcRwSignal<T>, value: T) {
    if signal.with_untracked(|old| *old != value) {
        signal.set(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chats_core::hlc::Hlc;
    use chats_core::id::DeviceKey;
    use chats_core::rooms::Words;
    use chats_core::time::Time;
    use wasm_bindgen_test::wasm_bindgen_test;

    const ME: Wallet = Wallet([1; 20]);
    const ANN: Wallet = Wallet([2; 20]);
    const ROOM: RoomTag = RoomTag([3; 16]);

    fn said(author: Wallet, second: u64) -> MessageView {
        MessageView {
            id: OpId::of(Hlc(second << 16), b""),
            author,
            name: None,
            device: DeviceKey([4; 32]),
            time: Time::from_secs(second),
            words: Words::Said(second.to_string()),
            edited: false,
            reply: None,
            mentions_me: false,
            reactions: Vec::new(),
            pinned: false,
            sending: None,
        }
    }

    fn opened(messages: &[MessageView], more: bool, unread: u64) -> Shown {
        let mut shown = Shown::default();
        show_all(&mut shown, ROOM, messages.to_vec(), more, unread, Some(ME));
        shown
    }

    #[wasm_bindgen_test]
    fn a_row_stays_while_its_message_changes() {
        let mut shown = opened(&[said(ANN, 1), said(ANN, 2)], false, 0);
        let row = shown.messages[1].view.clone();
        let changed = MessageView { edited: true, ..said(ANN, 2) };
        show_all(&mut shown, ROOM, vec![changed, said(ANN, 3)], false, 0, Some(ME));
        assert!(row.get_untracked().edited);
        assert_eq!(shown.messages.len(), 2);
    }

    #[wasm_bindgen_test]
    fn older_messages_begin_before_those_that_were_there() {
        let all = [said(ANN, 1), said(ANN, 2), said(ANN, 3), said(ANN, 4)];
        let mut shown = opened(&all[2..], true, 0);
        show_all(&mut shown, ROOM, all.to_vec(), false, 0, Some(ME));
        show_one(&mut shown, said(ANN, 5), true, Some(ME));
        let parts: Vec<_> = shown.starts.iter().map(|it| shown.from(*it).len()).collect();
        assert_eq!(shown.starts, [all[0].id, all[2].id]);
        assert_eq!(parts, [2, 3]);
        show_one(&mut shown, said(ANN, 0), true, Some(ME));
        assert_eq!(shown.from(all[0].id).len(), 3);
    }

    #[wasm_bindgen_test]
    fn parts_are_full_before_another_begins_and_leave_rows_where_they_are() {
        let all: Vec<_> = (0..200).map(|second| said(ANN, second)).collect();
        let sizes =
            |shown: &Shown| shown.starts.iter().map(|it| shown.from(*it).len()).collect::<Vec<_>>();
        let mut shown = opened(&all[100..140], true, 0);
        assert_eq!(sizes(&shown), [MAX_PART, 8]);
        let starts = shown.starts.clone();
        for view in &all[140..165] {
            show_one(&mut shown, view.clone(), true, Some(ME));
        }
        assert_eq!(sizes(&shown), [MAX_PART, MAX_PART, 1]);
        show_all(&mut shown, ROOM, all[60..].to_vec(), true, 0, Some(ME));
        assert_eq!(sizes(&shown), [MAX_PART, 8, MAX_PART, MAX_PART, MAX_PART, 4]);
        assert_eq!(shown.starts[2..4], starts);
    }

    #[wasm_bindgen_test]
    fn what_comes_late_stands_where_it_belongs() {
        let mut shown = opened(&[said(ANN, 1), said(ANN, 3)], false, 0);
        show_one(&mut shown, said(ME, 2), true, Some(ME));
        let seconds: Vec<_> =
            shown.messages.iter().map(|row| row.view.get_untracked().time.secs()).collect();
        assert_eq!(seconds, [1, 2, 3]);
        let begins: Vec<_> =
            shown.messages.iter().map(|row| row.place.get_untracked().first).collect();
        assert_eq!(begins, [true, true, true]);
    }

    #[wasm_bindgen_test]
    fn the_mark_stands_before_the_first_unread_message_of_others() {
        let messages = [said(ANN, 1), said(ANN, 2), said(ME, 3), said(ANN, 4)];
        assert_eq!(opened(&messages, true, 2).fresh, Some(messages[1].id));
        assert_eq!(opened(&messages, true, 0).fresh, None);
        // There are none older than these.
        assert_eq!(opened(&messages, false, 9).fresh, Some(messages[0].id));
    }

    #[wasm_bindgen_test]
    fn the_mark_waits_for_an_unread_message_that_is_not_here_yet() {
        let messages = [said(ANN, 1), said(ANN, 2), said(ANN, 3)];
        let mut shown = opened(&messages[2..], true, 2);
        assert_eq!(shown.fresh, None);
        show_one(&mut shown, said(ANN, 4), true, Some(ME));
        let all = [messages.as_slice(), &[said(ANN, 4)]].concat();
        show_all(&mut shown, ROOM, all, true, 7, Some(ME));
        assert_eq!(shown.fresh, Some(messages[1].id));
    }

    #[wasm_bindgen_test]
    fn what_comes_while_nobody_looks_is_marked_until_one_writes() {
        let mut shown = opened(&[said(ANN, 1)], false, 0);
        show_one(&mut shown, said(ANN, 2), true, Some(ME));
        assert_eq!(shown.fresh, None);
        show_one(&mut shown, said(ANN, 3), false, Some(ME));
        show_one(&mut shown, said(ANN, 4), false, Some(ME));
        assert_eq!(shown.fresh, Some(said(ANN, 3).id));
        assert!(shown.messages[2].place.get_untracked().fresh);
        show_one(&mut shown, said(ME, 5), true, Some(ME));
        assert_eq!(shown.fresh, None);
        assert!(!shown.messages[2].place.get_untracked().fresh);
    }
}

//! What is promised, and looked after.

use super::Broken;
use super::town::Town;
use chats_core::epoch::{Policy, RoomTag};
use chats_core::id::{DeviceKey, Wallet};
use chats_core::op::OpId;
use chats_core::rooms::{Action, MessageView, RoomGossip, RoomState, RoomView, View, Words};
use chats_core::store::{Change, Request, SetId};
use chats_core::wire;
use std::collections::{BTreeMap, BTreeSet};

/// How long it takes at most to show a room, and more of it, in milliseconds.
const SHOWN: u64 = 3000;
/// How often more of a room is asked for.
const PAGES: usize = 70;

/// Something that was asked for.
#[derive(Debug, Clone)]
pub(super) enum Deed {
    Found { number: usize, policy: Policy },
    Direct,
    Write { room: RoomTag, words: String },
    Edit { target: OpId },
    Delete { target: OpId },
    React { key: (OpId, Wallet, String), set: bool },
    Other,
}

/// A message that was shown to somebody.
#[derive(Debug)]
struct Seen {
    room: RoomTag,
    author: Wallet,
    device: DeviceKey,
    /// To which devices, and when first.
    by: BTreeMap<usize, u64>,
}

/// All that was acknowledged.
#[derive(Debug, Default)]
pub(super) struct Promises {
    /// Counts what was said.
    pub(super) words: u64,
    pub(super) direct: BTreeSet<(Wallet, Wallet)>,
    /// Messages that somebody edits or takes away, and what they are to say.
    pub(super) touched: BTreeMap<OpId, BTreeSet<String>>,
    /// How often somebody put an emoji to a message, or took it away.
    pub(super) reactions: BTreeMap<(OpId, Wallet, String), u32>,
    /// Devices that were revoked, and when.
    pub(super) revoked: BTreeMap<DeviceKey, u64>,
    said: Vec<(usize, RoomTag, String)>,
    edited: BTreeMap<OpId, Vec<usize>>,
    deleted: BTreeMap<OpId, usize>,
    reacted: BTreeMap<(OpId, Wallet, String), (usize, bool)>,
    seen: BTreeMap<OpId, Seen>,
    kept: BTreeMap<OpId, BTreeMap<usize, u64>>,
    /// Which message said something first.
    first: BTreeMap<String, OpId>,
}

/// The items that a commit brings, apart from those of the control log.
pub(super) fn items_of(request: &Request) -> Vec<OpId> {
    let Request::Commit(batch) = request else { return Vec::new() };
    let items = batch.changes.iter().filter(|(set, _)| *set != SetId::CONTROL);
    let appended = items.filter_map(|(_, change)| match change {
        Change::Append { id, bytes, .. } if !bytes.is_empty() => Some(*id),
        _ => None,
    });
    appended.collect()
}

/// What kind of gossip it is.
pub(super) fn describe(message: &[u8]) -> String {
    match wire::decode::<RoomGossip>("gossip", message) {
        Ok(RoomGossip::Item(bytes)) => {
            let item = chats_core::control::ControlItem::decode(&bytes);
            item.map_or_else(|error| error.to_string(), |item| item.name().to_owned())
        }
        Ok(RoomGossip::Op(_)) => "an op".to_owned(),
        Ok(other) => format!("{other:?}"),
        Err(error) => error.to_string(),
    }
}

impl Town {
    pub(super) fn on_done(
        &mut self,
        device: usize,
        number: u64,
        room: Option<RoomTag>,
        refused: Option<String>,
    ) {
        let Some(deed) = self.devices[device].deeds.remove(&number) else {
            return self.fail(format!("{device} is answered to what it did not ask"));
        };
        if refused.is_some() {
            self.report.refused += 1;
            if let Deed::Found { number, policy } = deed
                && !self.quiet
            {
                let at = self.within(5000, 9000);
                let again = super::faults::Fault::Found { number, policy };
                self.happen_at(at, super::town::Happening::Fault(again));
            }
            return;
        }
        self.report.done += 1;
        let promises = &mut self.promises;
        match deed {
            Deed::Write { room, words } => promises.said.push((device, room, words)),
            Deed::Edit { target } => promises.edited.entry(target).or_default().push(device),
            Deed::Delete { target } => {
                promises.deleted.insert(target, device);
            }
            Deed::React { key, set } => {
                promises.reacted.insert(key, (device, set));
            }
            Deed::Found { .. } | Deed::Direct if room.is_none() => {
                self.fail(format!("{device} made a room and is not told which"));
            }
            Deed::Found { .. } | Deed::Direct | Deed::Other => {}
        }
    }

    /// Messages are shown on a device.
    pub(super) fn note_seen(&mut self, device: usize, view: &View) {
        let (room, messages) = match view {
            View::Messages { room, messages, .. } => (*room, messages.iter().collect()),
            View::Message { room, message } => (*room, vec![&**message]),
            _ => return,
        };
        for message in messages {
            let now = self.now;
            let seen = self.promises.seen.entry(message.id).or_insert_with(|| Seen {
                room,
                author: message.author,
                device: message.device,
                by: BTreeMap::new(),
            });
            seen.by.entry(device).or_insert(now);
            if let (Some(words), false) = (words(message), message.edited) {
                self.promises.first.entry(words.to_owned()).or_insert(message.id);
            }
        }
    }

    /// A device has these on disk.
    pub(super) fn note_kept(&mut self, device: usize, ids: Vec<OpId>) {
        for id in ids {
            self.promises.kept.entry(id).or_default().entry(device).or_insert(self.now);
        }
    }

    /// Whether a device's wallet had the same rank all the time since it came, and stands by it.
    fn is_steady(&self, device: usize) -> bool {
        let page = &self.devices[device];
        self.chain.steady(page.address) && !self.promises.revoked.contains_key(&page.key)
    }

    /// The devices that may read all of a room now.
    fn readers(&self, tag: RoomTag) -> Vec<usize> {
        let seats = self.chain.now();
        let from_join = self.devices.iter().filter_map(|page| page.room(tag));
        let from_join = from_join.into_iter().any(|room| room.policy == Policy::FromJoin);
        let came = self.config.members - self.newcomers()..self.config.members;
        let may = |device: &usize| {
            let page = &self.devices[*device];
            seats.admits(page.address, seats.newest())
                && !self.promises.revoked.contains_key(&page.key)
                && self.secrets.kind(tag).is_some_and(|kind| kind.includes(page.address))
                && !(from_join && (came.contains(device) || !self.chain.steady(page.address)))
        };
        (0..self.devices.len()).filter(may).collect()
    }

    /// Has all who may read a room show all of it.
    pub(super) fn show_all(&mut self, tag: RoomTag) -> Result<(), Broken> {
        let readers = self.readers(tag);
        for device in readers.iter().copied() {
            self.act(device, Action::Open { room: tag }, Deed::Other);
        }
        self.run_until(self.now + SHOWN)?;
        for _ in 0..PAGES {
            let more = |device: &usize| self.devices[*device].screen.more;
            let more: Vec<_> = readers.iter().copied().filter(more).collect();
            if more.is_empty() {
                break;
            }
            for device in more {
                self.act(device, Action::Older, Deed::Other);
            }
            self.run_until(self.now + SHOWN)?;
        }
        Ok(())
    }

    /// What is wrong with a room that all show.
    pub(super) fn look(&mut self, tag: RoomTag) -> Vec<String> {
        let readers = self.readers(tag);
        let Some(first) = readers.iter().copied().find(|it| self.is_steady(*it)) else {
            return Vec::new();
        };
        // Whoever had its keys lost the right to give them away before anybody else came by them.
        if !readers.iter().any(|device| self.secrets.held(tag, *device)) {
            return readers.into_iter().filter_map(|device| self.opens(tag, device)).collect();
        }
        let mut wrong = Vec::new();
        for device in readers.iter().copied() {
            wrong.extend(self.differs(tag, first, device));
        }
        if wrong.is_empty() {
            wrong.extend(self.lost(tag, first));
            self.report.messages += self.devices[first].screen.messages.len();
        }
        wrong
    }

    /// What is wrong if a device opens a room to which it never had a key.
    fn opens(&self, tag: RoomTag, device: usize) -> Option<String> {
        let state = self.devices[device].room(tag)?.state;
        let locked = state == RoomState::WaitsForKey;
        (!locked).then(|| format!("room {tag:?}: {device} never had a key, and it is {state:?}"))
    }

    fn differs(&self, tag: RoomTag, one: usize, other: usize) -> Option<String> {
        let (first, page) = (&self.devices[one], &self.devices[other]);
        let counts = &page.screen.counts;
        let about = format!("room {tag:?}: {other} ({counts:?})");
        let Some(room) = page.room(tag) else { return Some(format!("{about} does not list it")) };
        let wanted = first.room(tag)?;
        if room.state != RoomState::Open {
            return Some(format!("{about} is {:?}", room.state));
        }
        if !room.forked.is_empty() {
            return Some(format!("{about} shows a fork: {:?}", room.forked));
        }
        let looks =
            |room: &RoomView| (room.kind, room.name.clone(), room.topic.clone(), room.policy);
        if looks(room) != looks(wanted) {
            return Some(format!("{about} shows {room:?}, {one} shows {wanted:?}"));
        }
        let (mine, theirs) = (&page.screen.messages, &first.screen.messages);
        if let Some(lacks) = theirs.keys().find(|id| !mine.contains_key(id)) {
            let kept = self.promises.kept.get(lacks).and_then(|kept| kept.get(&other));
            let what = format!("{about} lacks {lacks}, which it kept {kept:?} and {one} shows");
            return Some(format!("{what}: {}", self.of(*lacks)));
        }
        if let Some(more) = mine.keys().find(|id| !theirs.contains_key(id)) {
            return Some(format!("{about} shows {more}, and {one} does not: {}", self.of(*more)));
        }
        let pairs = mine.values().zip(theirs.values());
        let mut pairs = pairs.map(|(mine, theirs)| (look_of(mine), look_of(theirs)));
        let (mine, theirs) = pairs.find(|(mine, theirs)| mine != theirs)?;
        Some(format!("{about} shows {mine:?}, {one} shows {theirs:?}"))
    }

    /// Whose a message is.
    fn of(&self, id: OpId) -> String {
        let Some(seen) = self.promises.seen.get(&id) else { return "nobody saw it".to_owned() };
        let by = self.by_key[&seen.device];
        let (steady, lost) = (self.is_steady(by), self.chain.first_lost(seen.author));
        format!("of {by}, steady {steady}, lost the seat {lost:?}, seen {:?}", seen.by)
    }

    /// What was acknowledged in a room and is not there, as a device shows it.
    fn lost(&self, tag: RoomTag, shows: usize) -> Vec<String> {
        let promises = &self.promises;
        let messages = &self.devices[shows].screen.messages;
        let said: BTreeSet<_> = messages.values().filter_map(words).collect();
        let touched = |text: &str| {
            let id = promises.first.get(text).filter(|id| promises.touched.contains_key(*id));
            id.is_some_and(|id| messages.contains_key(id))
        };
        let mut wrong = Vec::new();
        for (device, room, text) in promises.said.iter().filter(|(_, room, _)| *room == tag) {
            let there = said.contains(text.as_str()) || touched(text);
            if self.is_steady(*device) && !there {
                let text: String = text.chars().take(30).collect();
                wrong.push(format!("{device} said {text:?} in {room:?}, and it is lost"));
            }
        }
        for (id, seen) in promises.seen.iter().filter(|(_, seen)| seen.room == tag) {
            if !messages.contains_key(id) && self.was_safe(*id, seen) {
                let counts = &self.devices[shows].screen.counts;
                wrong.push(format!("room {tag:?}: {id} is lost: {}; {counts:?}", self.of(*id)));
            }
        }
        for (id, message) in messages {
            let deleted = promises.deleted.get(id).is_some_and(|device| self.is_steady(*device));
            if deleted && message.words != Words::Deleted {
                wrong.push(format!("room {tag:?}: {id} was taken away, and is there"));
            }
            let mut edits = promises.edited.get(id).into_iter().flatten();
            let edited = edits.any(|device| self.is_steady(*device));
            let stands = |it: &str| promises.touched.get(id).is_some_and(|all| all.contains(it));
            if edited && words(message).is_some_and(|words| !stands(words)) {
                wrong.push(format!("room {tag:?}: {id} is not shown as it was edited"));
            }
        }
        for ((id, wallet, emoji), (device, set)) in &promises.reacted {
            let once = promises.reactions.get(&(*id, *wallet, emoji.clone())) == Some(&1);
            let message = messages.get(id).filter(|it| it.words != Words::Deleted);
            let Some(message) = message.filter(|_| once && self.is_steady(*device)) else {
                continue;
            };
            let its =
                |(it, wallets): &(String, Vec<Wallet>)| it == emoji && wallets.contains(wallet);
            if message.reactions.iter().any(its) != *set {
                wrong.push(format!(
                    "room {tag:?}: {emoji} of {device} to {id} is not as it was set"
                ));
            }
        }
        wrong
    }

    /// Whether a message was shown on a device that never lost its right, and on its disk, before
    /// its author lost theirs.
    fn was_safe(&self, id: OpId, seen: &Seen) -> bool {
        let lost = self.chain.first_lost(seen.author);
        let revoked = self.promises.revoked.get(&seen.device).copied();
        let end = lost.into_iter().chain(revoked).min().unwrap_or(u64::MAX);
        let kept = self.promises.kept.get(&id);
        let safe = |(device, shown): (&usize, &u64)| {
            let kept = kept.and_then(|kept| kept.get(device)).is_some_and(|at| *at < end);
            *shown < end && kept && self.is_steady(*device)
        };
        seen.by.iter().any(safe)
    }
}

fn words(message: &MessageView) -> Option<&str> {
    match &message.words {
        Words::Said(said) => Some(said),
        _ => None,
    }
}

/// What of a message all must show alike.
fn look_of(message: &MessageView) -> impl PartialEq + std::fmt::Debug {
    let MessageView { id, author, name, device, time, words, edited, reply, .. } = message.clone();
    (
        id,
        author,
        name,
        device,
        time,
        words,
        edited,
        reply,
        message.reactions.clone(),
        message.pinned,
    )
}

//! What people are shown: the difference between what was shown last and what there is.

use super::disk::Read;
use super::room::{self, Loading};
use super::views::{
    Counts, DeviceView, Keeping, MessageView, Reply, RoomState, RoomView, Sending, Standing, View,
    Words,
};
use super::{Outgoing, Rooms};
use crate::access::Role;
use crate::control::{Cause, RoomKind};
use crate::epoch::{Policy, RoomTag};
use crate::id::{DeviceKey, Wallet};
use crate::op::OpId;
use crate::small::{SmallMap, SmallSet};
use crate::store::{Item, MAX_LOAD, Request, State, StoreError};
use crate::time::{Duration, Time};
use std::collections::BTreeSet;

/// How many messages are shown at first, and how many more at a time.
const PAGE: usize = 30;
/// The most messages that are shown; older ones are found by searching.
const MAX_SHOWN: usize = 10_000;
/// If more than this change at once, all are shown anew.
const MAX_CHANGES: usize = 64;
/// How often counts are told.
const COUNTS_PACE: Duration = Duration::from_secs(1);
/// The most characters of what is answered that are shown.
const EXCERPT: usize = 120;

/// What is shown, and what of it is to be shown anew.
#[derive(Debug, Default)]
pub(super) struct Screen {
    open: Option<Open>,
    rooms: bool,
    told_rooms: Option<Vec<RoomView>>,
    typing: SmallSet<RoomTag>,
    pub(super) devices: bool,
    told_devices: Vec<DeviceView>,
    /// A room became known.
    pub(super) new_room: bool,
    refused: SmallMap<&'static str, u64>,
    told_counts: Counts,
    counts_at: Time,
    keeping: Option<Keeping>,
    told_keeping: Option<Keeping>,
}

/// The room that is shown.
#[derive(Debug)]
struct Open {
    room: RoomTag,
    /// How many messages are wanted.
    count: usize,
    /// The oldest that is shown.
    oldest: Option<OpId>,
    more: bool,
    /// All is to be shown anew.
    anew: bool,
    changed: BTreeSet<OpId>,
    /// Words that are being read.
    reading: BTreeSet<OpId>,
}

/// How a message looks.
enum Look {
    Gone,
    /// These words must be read first.
    Needs(Vec<OpId>),
    Ready(Box<MessageView>),
}

impl Screen {
    /// What the list says of a room changed, and nothing within it.
    pub(super) const fn relist(&mut self) {
        self.rooms = true;
    }

    /// Something about a room changed.
    pub(super) fn touch(&mut self, room: RoomTag) {
        self.rooms = true;
        if let Some(open) = self.open.as_mut().filter(|open| open.room == room && open.waits()) {
            open.anew = true;
        }
    }

    /// These messages of a room look different.
    pub(super) fn changed(&mut self, room: RoomTag, ids: Vec<OpId>) {
        self.rooms = true;
        if let Some(open) = self.open.as_mut().filter(|open| open.room == room) {
            open.changed.extend(ids);
        }
    }

    /// The oldest message of a room that is shown.
    pub(super) fn oldest(&self, room: RoomTag) -> Option<OpId> {
        self.open.as_ref().filter(|open| open.room == room)?.oldest
    }

    pub(super) fn typing(&mut self, room: RoomTag) {
        self.typing.insert(room);
    }

    pub(super) fn older(&mut self) {
        if let Some(open) = self.open.as_mut().filter(|open| open.more) {
            open.count = (open.count + PAGE).min(MAX_SHOWN);
            open.anew = true;
        }
    }

    /// Something was refused.
    pub(super) fn count(&mut self, why: &'static str) {
        *self.refused.entry(why).or_default() += 1;
    }

    pub(super) fn failing(&mut self, error: &StoreError) {
        self.keeping = Some(Keeping::Failing(error.to_string()));
    }

    pub(super) fn damaged(&mut self) {
        self.keeping = Some(Keeping::Damaged);
    }

    pub(super) fn keeping_well(&mut self) {
        if let Some(Keeping::Failing(_)) = self.keeping {
            self.keeping = Some(Keeping::Good);
        }
    }

    pub(super) fn wake_at(&self) -> Option<Time> {
        (self.counts_at > Time::default()).then_some(self.counts_at)
    }
}

impl Open {
    /// Whether it shows less than is wanted although there may be more.
    const fn waits(&self) -> bool {
        self.oldest.is_none() || !self.more
    }
}

impl Rooms {
    pub(super) fn open(&mut self, room: Option<RoomTag>) {
        self.screen.open = room.map(|room| Open {
            room,
            count: PAGE,
            oldest: None,
            more: false,
            anew: true,
            changed: BTreeSet::new(),
            reading: BTreeSet::new(),
        });
    }

    pub(super) fn show(&mut self, now: Time) {
        if std::mem::take(&mut self.screen.new_room) {
            self.screen.rooms = true;
            self.sync(crate::sync::Input::Renewed, now);
        }
        // A message first, for which somebody may be waiting. A room that is opened comes after the
        // list, which says how much of it is new.
        if self.screen.open.as_ref().is_some_and(|open| !open.anew) {
            self.show_messages();
        }
        if std::mem::take(&mut self.screen.rooms) {
            let rooms = self.room_views(now);
            if self.screen.told_rooms.as_ref() != Some(&rooms) {
                self.screen.told_rooms = Some(rooms.clone());
                self.tell(View::Rooms(rooms));
            }
        }
        self.show_messages();
        self.show_typing(now);
        if std::mem::take(&mut self.screen.devices) {
            let devices = self.device_views(now);
            if devices != self.screen.told_devices {
                self.screen.told_devices.clone_from(&devices);
                self.tell(View::Devices(devices));
            }
        }
        if self.screen.keeping != self.screen.told_keeping
            && let Some(keeping) = self.screen.keeping.clone()
        {
            self.screen.told_keeping = Some(keeping.clone());
            self.tell(View::Keeping(keeping));
        }
        self.show_counts(now);
    }

    fn tell(&mut self, view: View) {
        self.say(Outgoing::Show(Box::new(view)));
    }

    fn room_views(&self, now: Time) -> Vec<RoomView> {
        let own = self.wallet();
        let ours = self.rooms.iter().filter(|(_, room)| room.is_of(own));
        let mut views: Vec<_> = ours.map(|(tag, room)| self.room_view(*tag, room, now)).collect();
        let direct = |view: &RoomView| matches!(view.kind, Some(RoomKind::Direct(..)));
        let first = |view: &RoomView| {
            let room = self.rooms.get(&view.tag);
            room.and_then(|room| room.keyring.records().map(|(id, ..)| id).min())
        };
        views.sort_by_cached_key(|view| match direct(view) {
            false => (false, u64::MAX, first(view), view.tag),
            true => (true, u64::MAX - view.last.map_or(0, |last| last.0), None, view.tag),
        });
        views
    }

    fn room_view(&self, tag: RoomTag, room: &room::Room, now: Time) -> RoomView {
        let (unread, mentioned) = room.unread(self.wallet());
        let writes = room.keyring.may_make(self.log.view(self.time.shown(now)));
        let state = if room.keyring.room().is_none() {
            RoomState::WaitsForKey
        } else if room.loading != Loading::Done {
            RoomState::Loading
        } else if writes {
            RoomState::Open
        } else {
            RoomState::ReadOnly
        };
        let forked = room.history.forked();
        RoomView {
            tag,
            kind: room.keyring.kind(),
            name: room.timeline.name().map(str::to_owned),
            topic: room.timeline.topic().map(str::to_owned),
            unread: u64::try_from(unread).unwrap_or(u64::MAX),
            mentioned,
            last: room.last(),
            policy: room.keyring.policy(),
            moderated: self.may_moderate(tag),
            state,
            forked: forked.map(|device| (device, self.log.devices.wallet(device))).collect(),
            early: u64::try_from(room.early.len()).unwrap_or(u64::MAX),
        }
    }

    fn show_messages(&mut self) {
        let Some(mut open) = self.screen.open.take() else { return };
        if let Some(room) = self.rooms.get(&open.room) {
            let all = open.anew || open.changed.len() > MAX_CHANGES;
            let views =
                if all { self.all_anew(&mut open, room) } else { self.some(&mut open, room) };
            let missing = std::mem::take(&mut open.reading).into_iter().collect();
            views.into_iter().for_each(|view| self.tell(view));
            self.read_words(&open, missing);
        }
        self.screen.open = Some(open);
    }

    /// Asks for words, unless they are being read already.
    fn read_words(&mut self, open: &Open, missing: Vec<OpId>) {
        let Some(room) = self.rooms.get_mut(&open.room) else { return };
        let new: Vec<_> = missing.into_iter().filter(|id| room.reading.insert(*id)).collect();
        for ids in new.chunks(MAX_LOAD) {
            let request = Request::Load { set: open.room.into(), ids: ids.to_vec() };
            self.disk.read(Read::Words(open.room), request, &mut self.out);
        }
    }

    /// Words were read that were not in memory.
    pub(super) fn words_read(&mut self, tag: RoomTag, items: &[Item]) {
        let Some(room) = self.rooms.get_mut(&tag) else { return };
        items.iter().for_each(|item| room.recall(&item.bytes));
        let asked = std::mem::take(&mut room.reading).into_iter();
        let lost: Vec<_> = asked.filter(|id| room.words(*id).is_none()).collect();
        let any = !lost.is_empty();
        room.lost_words.extend(lost);
        if any {
            self.ask_damage();
        }
    }

    fn all_anew(&self, open: &mut Open, room: &room::Room) -> Vec<View> {
        let (ids, more) = room.newest(open.count);
        let (mut messages, mut needs) = (Vec::new(), Vec::new());
        for id in &ids {
            match self.look(room, *id) {
                Look::Gone => {}
                Look::Needs(words) => needs.extend(words),
                Look::Ready(message) => messages.push(*message),
            }
        }
        // Words that must be read first are shown a moment later, and then all at once.
        open.anew = !needs.is_empty();
        open.reading.extend(needs);
        if open.anew {
            return Vec::new();
        }
        open.changed.clear();
        (open.oldest, open.more) = (ids.first().copied(), more && open.count < MAX_SHOWN);
        vec![View::Messages { room: open.room, messages, more: open.more }]
    }

    fn some(&self, open: &mut Open, room: &room::Room) -> Vec<View> {
        let mut views = Vec::new();
        for id in std::mem::take(&mut open.changed) {
            if open.more && open.oldest.is_some_and(|oldest| id < oldest) {
                continue;
            }
            match self.look(room, id) {
                Look::Gone => views.push(View::Vanished { room: open.room, id }),
                Look::Needs(words) => {
                    open.reading.extend(words);
                    open.changed.insert(id);
                }
                Look::Ready(message) => {
                    open.oldest = Some(open.oldest.map_or(id, |oldest| oldest.min(id)));
                    views.push(View::Message { room: open.room, message });
                }
            }
        }
        views
    }

    fn look(&self, room: &room::Room, id: OpId) -> Look {
        let Some(message) = room.timeline.message(id) else { return Look::Gone };
        let Some(fact) = room.history.fact(id) else { return Look::Gone };
        let own_words = room.words(id);
        let mut needs = Vec::new();
        let mut need = |id: OpId| {
            let lacking = room.words(id).is_none() && !room.lost_words.contains(&id);
            if lacking && room.ids.has(&id) {
                needs.push(id);
            }
        };
        message.words.into_iter().for_each(&mut need);
        need(id);
        let reply = own_words.and_then(|said| said.reply);
        let answered = reply.and_then(|reply| room.timeline.message(reply));
        let answered_words = answered.as_ref().and_then(|message| message.words);
        answered_words.into_iter().for_each(&mut need);
        if !needs.is_empty() {
            return Look::Needs(needs);
        }
        let words = match message.words {
            Some(words) => {
                room.words(words).map_or(Words::Missing, |said| Words::Said(said.markdown.clone()))
            }
            None if room.timeline.is_unknown(id) => Words::Unknown,
            None => Words::Deleted,
        };
        let reply = reply.map(|id| Reply {
            id,
            author: answered.as_ref().map(|message| message.author),
            excerpt: answered_words
                .and_then(|words| room.words(words))
                .map(|said| said.markdown.chars().take(EXCERPT).collect())
                .unwrap_or_default(),
        });
        Look::Ready(Box::new(MessageView {
            id,
            author: message.author,
            name: room.timeline.name_of(message.author).map(str::to_owned),
            device: fact.device,
            time: id.hlc().time(),
            edited: message.words.is_some_and(|words| words != id),
            words,
            reply,
            mentions_me: message.words.is_some_and(|words| room.mentions_me(words)),
            reactions: message.reactions,
            pinned: message.pinned,
            sending: self.sending(room, id, fact.device),
        }))
    }

    fn sending(&self, room: &room::Room, id: OpId, device: DeviceKey) -> Option<Sending> {
        if device != self.device() {
            return None;
        }
        Some(match room.undelivered.get(&id) {
            _ if room.unkept.contains(&id) => Sending::Failed,
            Some(State::Queued) => Sending::Queued,
            Some(State::Sent) => Sending::Sent,
            Some(State::Delivered | State::Received) | None => Sending::Delivered,
        })
    }

    fn show_typing(&mut self, now: Time) {
        let over = |room: &room::Room| room.typing.values().any(|until| *until <= now);
        let over: Vec<_> =
            self.rooms.iter().filter(|(_, room)| over(room)).map(|(tag, _)| *tag).collect();
        self.screen.typing.extend(over);
        for tag in std::mem::take(&mut self.screen.typing).iter() {
            let own = self.wallet();
            let Some(room) = self.rooms.get_mut(tag) else { continue };
            room.typing.retain(|_, until| *until > now);
            let wallets = room.typing.keys().copied().filter(|wallet| *wallet != own).collect();
            self.tell(View::Typing { room: *tag, wallets });
        }
    }

    /// The devices of our wallet, then those of others that wait for us as a moderator.
    fn device_views(&self, now: Time) -> Vec<DeviceView> {
        let (own, shown) = (self.wallet(), self.time.shown(now));
        let moderator = matches!(self.role(), Role::Moderator | Role::Owner);
        let mut waiting = SmallSet::new();
        for room in self.rooms.values() {
            let asking = room.keyring.asking(self.log.view(shown));
            let devices = asking.map(|asking| asking.recipient.device);
            waiting.extend(devices.filter(|device| {
                !self.log.is_settled(*device, now) && !self.approved.contains(device)
            }));
        }
        waiting.extend(self.waits_itself(now).then(|| self.device()));
        let all = self.log.devices.all();
        let shown_ones =
            all.filter(|(device, wallet)| *wallet == own || moderator && waiting.contains(device));
        let mut views: Vec<_> = shown_ones
            .map(|(device, wallet)| self.device_view(device, wallet, &waiting, shown))
            .collect();
        views.sort_by_key(|view| (view.wallet != own, view.since, view.device));
        views
    }

    /// Whether this device lacks keys that others give to an older one only.
    fn waits_itself(&self, now: Time) -> bool {
        let lacks = |room: &room::Room| {
            let keys = &room.keyring;
            let history = keys.policy() == Policy::OpenHistory && keys.missing().next().is_some();
            room.is_of(self.wallet()) && (keys.room().is_none() || history)
        };
        !self.log.is_settled(self.device(), now) && self.rooms.values().any(lacks)
    }

    fn device_view(
        &self,
        device: DeviceKey,
        wallet: Wallet,
        waiting: &SmallSet<DeviceKey>,
        shown: Time,
    ) -> DeviceView {
        let devices = &self.log.devices;
        let standing = match devices.gone(device, shown) {
            Some(Cause::Expired(_)) => Standing::Expired,
            Some(_) => Standing::Revoked,
            None if waiting.contains(&device) => Standing::WaitsForApproval,
            None => Standing::Good,
        };
        DeviceView {
            device,
            wallet,
            since: Time::from_secs(devices.vouched_since(device)),
            until: Time::from_secs(devices.vouched_until(device)),
            own: device == self.device(),
            standing,
        }
    }

    fn show_counts(&mut self, now: Time) {
        if self.screen.counts_at > now {
            return;
        }
        let sum = |of: fn(&room::Room) -> usize| self.rooms.values().map(of).sum::<usize>() as u64;
        let counts = Counts {
            ops: sum(|room| room.history.len()),
            control: self.log.ids.len() as u64,
            sealed: sum(|room| room.sealed.len()),
            version: self.log.seats.newest(),
            refused: self.screen.refused.iter().map(|(why, n)| ((*why).to_owned(), *n)).collect(),
        };
        self.screen.counts_at = Time::default();
        if counts != self.screen.told_counts {
            self.screen.told_counts.clone_from(&counts);
            self.screen.counts_at = now + COUNTS_PACE;
            self.tell(View::Counts(counts));
        }
    }
}

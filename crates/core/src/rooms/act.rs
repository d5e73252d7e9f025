//! What people do: from what they want to ops of their own.

use super::disk::Then;
use super::restore::{name, named};
use super::room::{Loading, Pending};
use super::{Action, Outgoing, Room, Rooms};
use crate::access::Role;
use crate::content::{Content, Edit, Profile, Reaction, RoomState, Text, Tombstone};
use crate::control::{Charter, ControlItem, RoomKind};
use crate::epoch::{Policy, RoomTag};
use crate::id::{DeviceKey, Wallet};
use crate::keyring::{self, Keyring};
use crate::op::{Draft, Envelope, OpId, Parents};
use crate::store::{Batch, Change, RowKind, State};
use crate::time::{Duration, Time};
use zeroize::Zeroizing;

/// What waits for a key in one room.
const MAX_DRAFTS: usize = 64;
/// How long it waits before it is refused.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
/// How much longer each waits than the one before it until it makes an epoch.
const EPOCH_STEP: Duration = Duration::from_millis(250);

const NO_ROOM: &str =
    "This room is not known here. Wait a moment, or go back to the list of rooms.";
const NO_KEY: &str = "No key of this room is here yet. Another member has to send it: it comes as \
                      soon as one is online.";
const READ_ONLY: &str = "You can read this room, and not write: your wallet has no seat in it, or \
                         your sign-in has run out.";
const BUSY: &str = "Too much waits to be sent in this room. Wait a moment.";
const TOO_FAST: &str = "You have written as much as is shown of one person: 30 messages a minute. \
                        Wait a moment.";
const NOT_ALLOWED: &str = "Only moderators can do this.";

impl Rooms {
    pub(super) fn refuse(&mut self, number: u64, why: &str) {
        let refused = Some(why.to_owned());
        self.say(Outgoing::Done { number, room: None, refused });
    }

    pub(super) fn done(&mut self, number: u64) {
        self.say(Outgoing::Done { number, room: None, refused: None });
    }

    pub(super) fn act(&mut self, number: u64, action: Action, now: Time) {
        let content = match action {
            Action::CreateRoom { name, policy } => return self.create(number, name, policy, now),
            Action::Direct { wallet } => return self.direct(number, wallet, now),
            Action::Open { room } => {
                self.open(Some(room));
                return self.done(number);
            }
            Action::Close => {
                self.open(None);
                return self.done(number);
            }
            Action::Older => {
                self.screen.older();
                return self.done(number);
            }
            Action::Typing { room } => {
                self.say_typing(room, now);
                return self.done(number);
            }
            Action::Read { room, upto } => return self.mark_read(number, room, upto),
            Action::Approve { device } => return self.approve(number, device, now),
            Action::Revoke { revoke } => return self.revoke(number, revoke, now),
            Action::Retry => {
                self.disk.retry();
                self.rooms.values_mut().for_each(Room::ask_at_once);
                self.sync(crate::sync::Input::Renewed, now);
                return self.done(number);
            }
            Action::Export { passphrase } => return self.export(number, &passphrase),
            Action::Import { passphrase, file } => {
                return self.import(number, &passphrase, &file, now);
            }
            Action::Write { room, markdown, reply, mentions } => {
                (room, Content::Text(Text { markdown, reply, mentions }))
            }
            Action::Edit { room, target, markdown, mentions } => {
                (room, Content::Edit(Edit { target, markdown, mentions }))
            }
            Action::React { room, target, emoji, set } => {
                (room, Content::Reaction(Reaction { target, emoji, set }))
            }
            Action::Delete { room, target } if !self.may_take_away(room, target) => {
                return self.refuse(number, NOT_ALLOWED);
            }
            Action::Delete { room, target } => (room, Content::Tombstone(Tombstone { target })),
            Action::SetRoom { room, name, topic, pin, tighten } => {
                if !self.may_moderate(room) {
                    return self.refuse(number, NOT_ALLOWED);
                }
                let policy = tighten.then_some(Policy::FromJoin);
                (room, Content::State(RoomState { name, topic, pin, policy }))
            }
            Action::SetName { room, name } => (room, Content::Profile(Profile { name })),
        };
        let (tag, content) = content;
        self.draft(Some(number), tag, content, now);
    }

    /// Has something written as soon as there is a key to write it under.
    pub(super) fn draft(&mut self, number: Option<u64>, tag: RoomTag, content: Content, now: Time) {
        let own = self.wallet();
        let view = self.log.view(self.time.shown(now));
        let why = match (content.encode(), self.rooms.get_mut(&tag)) {
            (Err(error), _) => error.to_string(),
            (_, None) => NO_ROOM.to_owned(),
            (_, Some(room)) if room.keyring.room().is_none() => NO_KEY.to_owned(),
            (_, Some(room)) if !room.keyring.may_make(view) => READ_ONLY.to_owned(),
            (_, Some(room)) if room.drafts.len() >= MAX_DRAFTS => BUSY.to_owned(),
            (_, Some(room)) if !room.may_go_on(own, view.now) => TOO_FAST.to_owned(),
            (Ok(_), Some(room)) => {
                room.drafts.push_back(Pending { number, content, since: now });
                return;
            }
        };
        if let Some(number) = number {
            self.refuse(number, &why);
        }
    }

    /// Our role at the newest version that is known.
    pub(super) fn role(&self) -> Role {
        let seats = &self.log.seats;
        seats.role(self.wallet(), seats.newest()).unwrap_or(Role::None)
    }

    /// Whether we may change a room.
    pub(super) fn may_moderate(&self, tag: RoomTag) -> bool {
        let direct = self.rooms.get(&tag).is_some_and(super::Room::is_direct);
        direct || matches!(self.role(), Role::Moderator | Role::Owner)
    }

    /// Whether others would take it if we took a message away.
    fn may_take_away(&self, tag: RoomTag, target: OpId) -> bool {
        let message = self.rooms.get(&tag).and_then(|room| room.timeline.message(target));
        let own = message.is_none_or(|message| message.author == self.wallet());
        own || matches!(self.role(), Role::Moderator | Role::Owner)
    }

    fn create(&mut self, number: u64, name: String, policy: Policy, now: Time) {
        let state = RoomState { name: Some(name), ..RoomState::default() };
        let content = Content::State(state);
        if let Err(error) = content.encode() {
            return self.refuse(number, &error.to_string());
        }
        let charter = Charter { kind: RoomKind::All, policy };
        match self.found(charter, now) {
            Some(tag) => {
                self.draft(None, tag, content, now);
                self.acted(number, tag);
            }
            None => self.refuse(number, "Only moderators can make rooms."),
        }
    }

    fn direct(&mut self, number: u64, wallet: Wallet, now: Time) {
        let kind = RoomKind::direct(self.wallet(), wallet);
        if wallet == self.wallet() || !self.log.seats.admits(wallet, self.log.seats.newest()) {
            return self.refuse(number, "Direct messages go to other members of this community.");
        }
        // Both may have made one at once: all take the same then.
        let known = self.rooms.iter().find(|(_, room)| room.keyring.kind() == Some(kind));
        if let Some((tag, _)) = known {
            let room = Some(*tag);
            return self.say(Outgoing::Done { number, room, refused: None });
        }
        match self.found(Charter { kind, policy: Policy::OpenHistory }, now) {
            Some(tag) => self.acted(number, tag),
            None => self.refuse(number, READ_ONLY),
        }
    }

    /// Says that an action was carried out when all that was kept for it is on disk.
    fn acted(&mut self, number: u64, tag: RoomTag) {
        let then = Then::Acted { number, room: Some(tag) };
        self.disk.commit(Batch::default(), vec![then], true);
    }

    /// Makes a room.
    pub(super) fn found(&mut self, charter: Charter, now: Time) -> Option<RoomTag> {
        let Self { me, log, random, .. } = self;
        let view = log.view(self.time.shown(now));
        let mut draw = |into: &mut [u8]| random.fill(into);
        let made = Keyring::found(me.community, charter, &me.secret, view, &mut draw);
        let (keyring, epoch) = made.ok()?;
        let tag = keyring.tag();
        self.rooms.insert(tag, super::Room::new(keyring, Loading::Done));
        self.screen.new_room = true;
        self.keep_epoch(tag, epoch, now);
        Some(tag)
    }

    /// Keeps an epoch that was made here, with its secret, and passes it on.
    fn keep_epoch(&mut self, tag: RoomTag, new: keyring::NewEpoch, now: Time) {
        let secret = Zeroizing::new(new.secret.bytes().to_vec());
        let mut batch = Batch::default();
        batch.put(RowKind::Key, &named(name::EPOCH, &[&tag.0, &new.epoch.0]), secret);
        let mut then = Vec::new();
        for item in new.items {
            then.push(self.own_item(&item, &mut batch, now));
        }
        if let Some(room) = self.rooms.get_mut(&tag) {
            room.keyring.restore(new.epoch, new.secret);
            room.keyring.settle(self.log.view(self.time.shown(now)));
            room.unjudged = true;
        }
        self.disk.commit(batch, then, true);
        self.judge_ops(tag, &[], now);
    }

    /// Takes an item that was made here, and has it kept.
    pub(super) fn own_item(&mut self, item: &ControlItem, batch: &mut Batch, now: Time) -> Then {
        let (id, bytes, received) = (item.id(), item.encode(), self.time.shown(now));
        self.log.take(id, item, received);
        self.log.undelivered.insert(id, State::Queued);
        self.take_item(id, item);
        let set = crate::store::SetId::CONTROL;
        let state = State::Queued;
        batch.change(set, Change::Append { id, bytes: bytes.clone(), state, received });
        Then::Own { set, id, bytes }
    }

    /// The same for one by itself.
    pub(super) fn say_item(&mut self, item: &ControlItem, now: Time) {
        let mut batch = Batch::default();
        let then = self.own_item(item, &mut batch, now);
        self.disk.commit(batch, vec![then], true);
    }

    /// Writes what waits, where there is a key; makes one where one is due.
    pub(super) fn send_drafts(&mut self, now: Time) {
        let waiting = self.rooms.iter().filter(|(_, room)| !room.drafts.is_empty());
        let tags: Vec<_> = waiting.map(|(tag, _)| *tag).collect();
        for tag in tags {
            while self.send_draft(tag, now) {}
        }
    }

    /// Writes the first of what waits in a room. Returns whether it did.
    fn send_draft(&mut self, tag: RoomTag, now: Time) -> bool {
        let shown = self.time.shown(now);
        let present: Vec<_> = self.linked.iter().copied().collect();
        let own = self.device();
        let view = self.log.view(shown);
        let Some(room) = self.rooms.get_mut(&tag) else { return false };
        let Some(first) = room.drafts.front() else { return false };
        // The right to write may be lost while a key is waited for.
        let may = room.keyring.kind().is_none() || room.keyring.may_make(view);
        if !may || now.since(first.since) >= PATIENCE {
            let number = first.number;
            room.drafts.pop_front();
            if let Some(number) = number {
                self.refuse(number, if may { NO_KEY } else { READ_ONLY });
            }
            return true;
        }
        // Else what we wrote before would not be what we name as such, and look like a fork.
        if room.loading != Loading::Done
            || !room.own_sealed.is_empty()
            || room.keyring.kind().is_none()
        {
            return false;
        }
        let sending = room.keyring.sending().map(|record| record.epoch);
        let under = sending.and_then(|epoch| room.under.get(&epoch)).copied().unwrap_or_default();
        if room.leaks() || room.keyring.due(view, under).is_some() {
            let salt = self.log.seats.rolling(self.log.seats.newest()).unwrap_or_default();
            let wait = keyring::delay(own, &present, &salt, EPOCH_STEP);
            let at = *room.epoch_at.get_or_insert(now + wait);
            if at > now || !self.make_epoch(tag, now) {
                return false;
            }
        }
        let Some(room) = self.rooms.get_mut(&tag) else { return false };
        room.epoch_at = None;
        let Some(epoch) = room.keyring.sending().map(|record| record.epoch) else { return false };
        let Some(Pending { number, content, .. }) = room.drafts.pop_front() else { return false };
        self.write(tag, epoch, number, content, now);
        true
    }

    fn make_epoch(&mut self, tag: RoomTag, now: Time) -> bool {
        let Self { me, log, random, rooms, .. } = self;
        let view = log.view(self.time.shown(now));
        let Some(room) = rooms.get_mut(&tag) else { return false };
        room.epoch_at = None;
        let mut last = |device: DeviceKey| room.last_of(device);
        let mut draw = |into: &mut [u8]| random.fill(into);
        match room.keyring.make(&me.secret, view, &mut last, &mut draw) {
            Ok(epoch) => {
                self.keep_epoch(tag, epoch, now);
                true
            }
            Err(_) => false,
        }
    }

    /// Seals an op of our own and has it kept; it goes out after that.
    fn write(
        &mut self,
        tag: RoomTag,
        epoch: crate::epoch::EpochId,
        number: Option<u64>,
        content: Content,
        now: Time,
    ) {
        let (shown, me, own) = (self.time.shown(now), self.wallet(), self.device());
        let random = self.random.bytes();
        let Some(room) = self.rooms.get_mut(&tag) else { return };
        let Some(keys) = room.keys(epoch).cloned() else { return };
        let (Some(id), Ok(bytes)) = (room.keyring.room().cloned(), content.encode()) else {
            return;
        };
        let (sequence, previous) = room.history.next_of(own);
        let mut parents = room.history.heads();
        parents.retain(|parent| Some(*parent) != previous);
        let draft = Draft {
            community: &self.me.community,
            room: &id,
            keys: &keys,
            device: &self.me.secret,
            hlc: room.clock.tick(shown),
            sequence,
            previous,
            parents: Parents::newest(parents),
            content_type: content.content_type(),
            content: &bytes,
        };
        let sealed = match draft.seal(&random) {
            Ok(sealed) => sealed,
            Err(error) => {
                if let Some(number) = number {
                    self.refuse(number, &error.to_string());
                }
                return;
            }
        };
        let opened = Envelope::decode(&sealed.bytes).and_then(|op| op.open_header(&keys));
        let Ok(header) = opened else { return };
        room.add(sealed.id, epoch, &header, Some(content), me);
        room.undelivered.insert(sealed.id, State::Queued);
        room.unkept.insert(sealed.id);
        let (set, id) = (crate::store::SetId::from(tag), sealed.id);
        let mut batch = Batch::default();
        let bytes = sealed.bytes.clone();
        batch.change(set, Change::Append { id, bytes, state: State::Queued, received: shown });
        let mut then = vec![Then::Own { set, id, bytes: sealed.bytes }];
        then.extend(number.map(|number| Then::Acted { number, room: None }));
        self.disk.commit(batch, then, true);
        self.judge_quietly(tag, id, now);
    }

    /// Judges an op of our own, to be shown when it is on disk.
    fn judge_quietly(&mut self, tag: RoomTag, id: OpId, now: Time) {
        let view = self.log.view(self.time.shown(now));
        let Some(room) = self.rooms.get_mut(&tag) else { return };
        let mut changed = room.judge(&[id], view);
        // What it changes of others is shown at once.
        changed.retain(|other| *other != id);
        self.screen.changed(tag, changed);
    }

    fn mark_read(&mut self, number: u64, tag: RoomTag, upto: OpId) {
        let Some(room) = self.rooms.get_mut(&tag) else { return self.refuse(number, NO_ROOM) };
        if room.read.is_none_or(|read| read < upto) {
            room.read = Some(upto);
            let mut batch = Batch::default();
            let value = Zeroizing::new(upto.0.to_vec());
            batch.put(RowKind::Meta, &named(name::READ, &[&tag.0]), value);
            self.disk.commit(batch, Vec::new(), false);
            self.screen.relist();
        }
        self.done(number);
    }

    fn approve(&mut self, number: u64, device: DeviceKey, now: Time) {
        let of = self.log.devices.wallet(device);
        let own = of == Some(self.wallet()) && self.log.is_settled(self.device(), now);
        let moderator = matches!(self.role(), Role::Moderator | Role::Owner);
        if !own && !moderator {
            return self.refuse(
                number,
                "Only an older device of the same wallet, or a moderator, can approve a device.",
            );
        }
        self.approved.insert(device);
        self.rooms.values_mut().for_each(|room| room.unprepared = true);
        let mut batch = Batch::default();
        let value = Zeroizing::new(vec![1]);
        batch.put(RowKind::Meta, &named(name::APPROVED, &[&device.0]), value);
        self.disk.commit(batch, vec![Then::Acted { number, room: None }], true);
        self.screen.devices = true;
    }

    fn revoke(&mut self, number: u64, revoke: crate::control::Revoke, now: Time) {
        let item = ControlItem::Revoke(revoke);
        if item.check(self.me.community, self.time.shown(now)).is_err() {
            return self.refuse(number, "The wallet's signature does not fit. Try again.");
        }
        let mut batch = Batch::default();
        let then = self.own_item(&item, &mut batch, now);
        self.disk.commit(batch, vec![then, Then::Acted { number, room: None }], true);
    }
}

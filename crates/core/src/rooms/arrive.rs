//! What comes from others, by sync: control items and ops are judged, shown and kept.

use super::disk::{Outcome, Read, Then};
use super::log::{Admission, TOO_MANY};
use super::room::{self, Taken};
use super::{Outgoing, Rooms};
use crate::control::ControlItem;
use crate::epoch::RoomTag;
use crate::id::DeviceKey;
use crate::op::OpId;
use crate::store::{Batch, Change, Item, Reply, Request, SetId, State, StoreError};
use crate::sync::wire::{MAX_ITEMS, SyncMessage};
use crate::sync::{Output as Synced, Ticket};
use crate::time::Time;
use crate::wire;

impl Rooms {
    /// Does what the sessions want.
    pub(super) fn drain_sessions(&mut self, now: Time) {
        while let Some(output) = self.sessions.poll() {
            match output {
                Synced::Send { to, frame } => {
                    self.say(Outgoing::Send { to, frame: frame.into() });
                }
                Synced::Load { ticket, set, ids } => {
                    let request = Request::Load { set, ids: ids.clone() };
                    self.disk.read(Read::Sync(ticket, ids), request, &mut self.out);
                }
                Synced::Received { ticket, set, items, .. } if set == SetId::CONTROL => {
                    self.control_received(ticket, items, now);
                }
                Synced::Received { ticket, set, items, .. } => {
                    self.ops_received(ticket, set, items, now);
                }
                Synced::Delivered { set, ids, .. } => self.delivered(set, &ids),
                Synced::Completed { set, .. } => {
                    if set == SetId::CONTROL {
                        self.control_synced = Some(now);
                    }
                }
                Synced::Ended { .. } => {}
            }
        }
    }

    /// The store read what a session asked for.
    pub(super) fn sync_read(
        &mut self,
        ticket: Ticket,
        ids: &[OpId],
        result: Result<Reply, StoreError>,
        now: Time,
    ) {
        let read = match result {
            Ok(Reply::Items(items)) => items,
            _ => Vec::new(),
        };
        let bytes = |id: &OpId| {
            let item = read.iter().find(|item| item.entry.id == *id);
            item.map(|item| item.bytes.clone()).unwrap_or_default()
        };
        let items: Vec<_> = ids.iter().map(bytes).collect();
        if items.iter().any(Vec::is_empty) {
            self.ask_damage();
        }
        self.sync(crate::sync::Input::Loaded { ticket, items }, now);
    }

    fn control_received(&mut self, ticket: Ticket, items: Vec<(OpId, Vec<u8>)>, now: Time) {
        let shown = self.time.shown(now);
        let (mut batch, mut ids, mut invalid) = (Batch::default(), Vec::new(), 0);
        let mut read: Vec<_> = items
            .into_iter()
            .filter_map(|(id, bytes)| Some((id, ControlItem::decode(&bytes).ok()?, bytes)))
            .collect();
        // Whose a device is must be known before what it says can be judged.
        read.sort_by_key(|(id, item, _)| (!matches!(item, ControlItem::Certificate(_)), *id));
        for (id, item, bytes) in read {
            match self.log.admit(id, &item, shown) {
                Admission::New => {
                    self.take_item(id, &item);
                    keep(&mut batch, SetId::CONTROL, id, bytes, shown);
                    ids.push(id);
                }
                Admission::Known => ids.push(id),
                Admission::Waits => {}
                Admission::TooMany => {
                    self.log.ids.refuse(id);
                    self.screen.count(TOO_MANY);
                }
                Admission::Refused(why) => {
                    invalid += usize::from(!item.is_over(shown));
                    self.log.ids.refuse(id);
                    self.screen.count(why);
                }
            }
        }
        let then = Then::Synced { ticket, set: SetId::CONTROL, ids, invalid };
        self.disk.commit(batch, vec![then], false);
    }

    fn ops_received(
        &mut self,
        ticket: Ticket,
        set: SetId,
        mut items: Vec<(OpId, Vec<u8>)>,
        now: Time,
    ) {
        // One signature vouches for all that came before it, so the newest come first.
        items.sort_by(|(one, _), (other, _)| other.cmp(one));
        let tag = room::tag_of(set);
        let (mut batch, mut ids, mut invalid) = (Batch::default(), Vec::new(), 0);
        let mut opened = Vec::new();
        for (id, bytes) in items {
            match self.take_op(tag, &bytes, now) {
                // Known, but lost on the disk here: else it was not asked for.
                Ok(taken) => {
                    if taken == Taken::Opened {
                        opened.push(id);
                    }
                    keep(&mut batch, set, id, bytes, self.time.shown(now));
                    ids.push(id);
                }
                Err(()) => {
                    invalid += 1;
                    let Some(room) = self.rooms.get_mut(&tag) else { continue };
                    room.ids.refuse(id);
                    // It is refused for now only, so that is not kept.
                    if !room.far.contains(&id) {
                        keep(&mut batch, set, id, Vec::new(), self.time.shown(now));
                    }
                }
            }
        }
        self.judge_ops(tag, &opened, now);
        self.disk.commit(batch, vec![Then::Synced { ticket, set, ids, invalid }], false);
    }

    /// Takes an op of a room, or counts why not.
    pub(super) fn take_op(&mut self, tag: RoomTag, bytes: &[u8], now: Time) -> Result<Taken, ()> {
        let (community, me, shown) = (self.me.community, self.wallet(), self.time.shown(now));
        let Some(room) = self.rooms.get_mut(&tag) else { return Err(()) };
        match room.take(community, me, bytes, shown) {
            Ok((_, taken)) => {
                if let Taken::Early(_) = taken {
                    self.screen.touch(tag);
                }
                Ok(taken)
            }
            Err(refused) => {
                self.screen.count(refused.0);
                Err(())
            }
        }
    }

    /// Judges ops that were just opened, and shows what they change.
    pub(super) fn judge_ops(&mut self, tag: RoomTag, ids: &[OpId], now: Time) {
        let view = self.log.view(self.time.shown(now));
        let Some(room) = self.rooms.get_mut(&tag) else { return };
        let changed = room.judge(ids, view);
        room.trim_words(self.screen.oldest(tag));
        for refusal in std::mem::take(&mut room.refusals) {
            self.screen.count(room::reason(refusal));
        }
        for _ in 0..std::mem::take(&mut room.excess) {
            self.screen.count("an op of somebody who wrote too much at once");
        }
        self.screen.changed(tag, changed);
    }

    /// Takes an item from a member, as if it came by sync; for what the node or people bring.
    pub(super) fn offer(&mut self, item: ControlItem, now: Time) {
        let (id, shown) = (item.id(), self.time.shown(now));
        if self.log.admit(id, &item, shown) == Admission::New {
            self.take_item(id, &item);
            let mut batch = Batch::default();
            keep(&mut batch, SetId::CONTROL, id, item.encode(), shown);
            self.disk.commit(batch, Vec::new(), false);
        }
    }

    /// Has rooms take note of an item that is in the log now.
    pub(super) fn take_item(&mut self, id: OpId, item: &ControlItem) {
        let tag = match item {
            ControlItem::Page(_) => self.log.room_of(id),
            other => other.room(),
        };
        match tag {
            Some(tag) => {
                let new = !self.rooms.contains_key(&tag);
                let own = self.device();
                if let Some(room) = self.room(tag) {
                    let changed = room.keyring.insert(id, item);
                    // Who asks for keys and who gives them to others changes nothing else.
                    match item {
                        ControlItem::Request(_) => room.unprepared |= changed,
                        ControlItem::Grant(grant) if grant.to != own => room.unprepared |= changed,
                        // That there is no key for us on it is news too.
                        ControlItem::Page(_) => room.unsettled = true,
                        _ => room.unsettled |= changed,
                    }
                    self.screen.new_room |= new;
                }
            }
            // Whose a device is may have changed.
            None if matches!(item, ControlItem::Certificate(_) | ControlItem::Revoke(_)) => {
                self.everything_unsettled();
            }
            // It may be what keys are sealed to that were asked for.
            None if matches!(item, ControlItem::Prekey(_)) => {
                self.rooms.values_mut().for_each(|room| room.unprepared = true);
                self.seeking.anew();
            }
            None => {}
        }
        self.log.changed = true;
    }

    pub(super) fn everything_unsettled(&mut self) {
        self.screen.devices = true;
        for room in self.rooms.values_mut() {
            (room.unsettled, room.unjudged) = (true, true);
        }
    }

    /// Judges what waited anew, since more is known now.
    pub(super) fn settle_log(&mut self, now: Time) {
        while std::mem::take(&mut self.log.changed) {
            for (_, item) in self.log.take_pending() {
                self.offer(item, now);
            }
        }
    }

    /// Works out anew what the keys of rooms come to, and opens what can be opened then.
    pub(super) fn settle_rooms(&mut self, now: Time) {
        let shown = self.time.shown(now);
        let unsettled = self.rooms.iter().filter(|(_, room)| room.unsettled);
        let tags: Vec<_> = unsettled.map(|(tag, _)| *tag).collect();
        for tag in tags {
            let Some(room) = self.rooms.get_mut(&tag) else { continue };
            room.unsettled = false;
            let before: Vec<_> = room.keyring.secrets().map(|(epoch, _)| epoch).collect();
            let basis = room.keyring.basis();
            let write_keys = room.keyring.all_write_keys();
            room.keyring.settle(self.log.view(shown));
            room.unopened = true;
            if room.is_direct() {
                self.seeking.anew();
            }
            room.unjudged |= room.keyring.basis() != basis;
            let strange = room.keyring.strange();
            if std::mem::replace(&mut room.strange, strange) < strange {
                self.changes.doubt();
            }
            self.screen.touch(tag);
            self.screen.devices = true;
            self.note_leak(tag);
            self.keep_secrets(tag, &before);
            self.reconsider(tag, &before, &write_keys, now);
            self.read_pages(tag);
            self.note_missing(tag, now);
            // While it is still known what counted before.
            self.vouch_for_heads(tag, now);
            if self.rooms.get(&tag).is_some_and(|room| room.unjudged) {
                self.judge_ops(tag, &[], now);
            }
        }
        let waits =
            |room: &mut room::Room| std::mem::take(&mut room.unopened) && !room.sealed.is_empty();
        let waiting = self.rooms.iter_mut().map(|(tag, room)| (*tag, waits(room)));
        let tags: Vec<_> = waiting.filter_map(|(tag, waits)| waits.then_some(tag)).collect();
        for tag in tags {
            let ready = self.rooms.get_mut(&tag).map(room::Room::openable).unwrap_or_default();
            self.read_again_of(tag, ready);
        }
        let due = |room: &&room::Room| room.early_at().is_some_and(|at| at <= shown);
        let tags: Vec<_> =
            self.rooms.iter().filter(|(_, room)| due(room)).map(|(tag, _)| *tag).collect();
        for tag in tags {
            let Some(room) = self.rooms.get_mut(&tag) else { continue };
            let ready = room.due(shown);
            self.read_again_of(tag, ready);
        }
    }

    fn read_again_of(&mut self, tag: RoomTag, ids: Vec<OpId>) {
        if let Some(room) = self.rooms.get_mut(&tag) {
            room.sealed.retain(|id, _| !ids.contains(id));
        }
        for ids in ids.rchunks(crate::store::MAX_LOAD) {
            let request = Request::Load { set: tag.into(), ids: ids.to_vec() };
            self.disk.read(Read::Again(tag), request, &mut self.out);
        }
    }

    /// Ops that there is a key for now, or whose time has come, were read.
    pub(super) fn opened_again(&mut self, tag: RoomTag, mut items: Vec<Item>, now: Time) {
        items.sort_by_key(|item| std::cmp::Reverse(item.entry.id));
        let mut opened = Vec::new();
        for item in items.iter().filter(|item| item.entry.size > 0) {
            match self.take_op(tag, &item.bytes, now) {
                Ok(Taken::Opened) => opened.push(item.entry.id),
                Ok(_) => {}
                Err(()) => {
                    let change = Change::Shrink { id: item.entry.id, bytes: Vec::new() };
                    let mut batch = Batch::default();
                    batch.change(tag, change);
                    self.disk.commit(batch, Vec::new(), false);
                    if let Some(room) = self.rooms.get_mut(&tag) {
                        room.ids.refuse(item.entry.id);
                    }
                }
            }
        }
        self.judge_ops(tag, &opened, now);
    }

    /// A commit came to its end, or is tried again later.
    pub(super) fn kept(&mut self, outcome: Outcome, now: Time) {
        match outcome {
            Outcome::Done(then) => {
                self.screen.keeping_well();
                let mut stored = Vec::new();
                for then in then {
                    self.is_kept(then, &mut stored, now);
                }
                self.tell_stored(stored);
            }
            Outcome::Failed(then, error) => {
                self.not_kept(&error, now);
                for then in then {
                    self.is_not_kept(then, now);
                }
            }
        }
    }

    fn is_not_kept(&mut self, then: Then, now: Time) {
        match then {
            // It is not for the other side to wait until there is space here.
            Then::Synced { ticket, invalid, .. } => {
                let input = crate::sync::Input::Committed { ticket, ids: Vec::new(), invalid };
                self.sync(input, now);
            }
            Then::Own { set, id, .. } => {
                if let Some(room) = self.rooms.get_mut(&room::tag_of(set)) {
                    room.unkept.insert(id);
                    self.screen.changed(room::tag_of(set), vec![id]);
                }
            }
            Then::Acted { .. } | Then::Live { .. } => {}
        }
    }

    fn is_kept(&mut self, then: Then, stored: &mut Vec<(DeviceKey, SetId, OpId)>, now: Time) {
        match then {
            Then::Own { set, id, bytes } => self.own_kept(set, id, bytes),
            Then::Acted { number, room } => {
                self.say(Outgoing::Done { number, room, refused: None });
            }
            Then::Synced { ticket, set, ids, invalid } => {
                for id in &ids {
                    self.have(set, *id);
                }
                self.sync(crate::sync::Input::Committed { ticket, ids, invalid }, now);
            }
            Then::Live { set, id, tell } => {
                self.have(set, id);
                stored.extend(tell.map(|device| (device, set, id)));
            }
        }
    }

    pub(super) fn have(&mut self, set: SetId, id: OpId) {
        if set == SetId::CONTROL {
            self.log.ids.insert(id);
        } else if let Some(room) = self.rooms.get_mut(&room::tag_of(set)) {
            room.ids.insert(id);
            room.unopened |= room.sealed.contains_key(&id);
        }
    }

    /// Tells authors who are linked that what they wrote is on disk here.
    fn tell_stored(&mut self, mut stored: Vec<(DeviceKey, SetId, OpId)>) {
        stored.retain(|(device, ..)| self.linked.contains(device));
        stored.sort_unstable();
        for same in stored.chunk_by(|one, other| (one.0, one.1) == (other.0, other.1)) {
            for same in same.chunks(MAX_ITEMS) {
                let Some((to, set, _)) = same.first() else { continue };
                let ids = same.iter().map(|(_, _, id)| *id).collect();
                let frame = wire::encode(&SyncMessage::Stored { set: set.0, ids });
                self.say(Outgoing::Send { to: *to, frame: frame.into() });
            }
        }
    }

    /// Another device has these on disk.
    fn delivered(&mut self, set: SetId, ids: &[OpId]) {
        let mut batch = Batch::default();
        let undelivered = if set == SetId::CONTROL {
            &mut self.log.undelivered
        } else if let Some(room) = self.rooms.get_mut(&room::tag_of(set)) {
            &mut room.undelivered
        } else {
            return;
        };
        let news: Vec<_> = ids.iter().filter(|id| undelivered.remove(id).is_some()).collect();
        let forget = set != SetId::CONTROL;
        for id in &news {
            batch.change(set, Change::State { id: **id, state: State::Delivered });
        }
        if !news.is_empty() {
            let news: Vec<_> = news.into_iter().copied().collect();
            if let Some(room) = self.rooms.get_mut(&room::tag_of(set)).filter(|_| forget) {
                room.unsent.retain(|id, _| !news.contains(id));
                room.held.retain(|id| !news.contains(id));
            }
            self.screen.changed(room::tag_of(set), news);
            self.seeking.anew();
            self.disk.commit(batch, Vec::new(), false);
        }
        if set == SetId::CONTROL {
            self.release();
        }
    }
}

/// Has an item that came from others kept.
pub(super) fn keep(batch: &mut Batch, set: SetId, id: OpId, bytes: Vec<u8>, received: Time) {
    batch.change(set, Change::Append { id, bytes, state: State::Received, received });
}

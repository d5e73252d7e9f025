//! What is said at the moment: gossip of ops and control items, and who writes.

use super::disk::Then;
use super::gossip::{MAX_WHOLE, RoomGossip, SealedTyping, TYPING_LASTS};
use super::log::{Admission, TOO_MANY};
use super::room::{self, Taken};
use super::{Outgoing, Rooms, arrive};
use crate::control::ControlItem;
use crate::epoch::RoomTag;
use crate::gossip::GossipVerdict;
use crate::id::DeviceKey;
use crate::op::{Envelope, OpId};
use crate::store::{Batch, Change, SetId, State};
use crate::time::{Duration, Time};
use crate::wire;

/// How often others are told that somebody writes.
const TYPING_PACE: Duration = Duration::from_secs(3);
/// Ops of our own whose bytes are kept in memory until they are delivered, in each room.
const MAX_UNSENT: usize = 256;

impl Rooms {
    /// Takes a message of gossip, and says what becomes of it.
    pub(super) fn gossip(&mut self, source: DeviceKey, message: &[u8], now: Time) -> GossipVerdict {
        let Ok(message) = wire::decode::<RoomGossip>("gossip of rooms", message) else {
            return GossipVerdict::Reject;
        };
        if !self.sessions.live(source, now) {
            return GossipVerdict::Ignore;
        }
        match message {
            RoomGossip::Op(bytes) => self.op_said(source, bytes.into(), now),
            RoomGossip::Item(bytes) => self.item_said(source, bytes.into(), now),
            RoomGossip::Have { set, id } => self.have_said(source, SetId(set), id, now),
            RoomGossip::Typing(typing) => self.typing_said(&typing, now),
        }
    }

    fn op_said(&mut self, source: DeviceKey, bytes: Vec<u8>, now: Time) -> GossipVerdict {
        let Ok(envelope) = Envelope::decode(&bytes) else { return GossipVerdict::Reject };
        let (id, tag) = (envelope.id(), envelope.signed().room);
        let own = self.wallet();
        let Some(room) = self.rooms.get(&tag).filter(|room| room.is_of(own)) else {
            return GossipVerdict::Ignore;
        };
        if room.ids.knows(&id) || !self.disk.has_room() {
            return GossipVerdict::Ignore;
        }
        let set = SetId::from(tag);
        match self.take_op(tag, &bytes, now) {
            Ok(Taken::Known) => GossipVerdict::Ignore,
            Ok(taken) => {
                let mut batch = Batch::default();
                arrive::keep(&mut batch, set, id, bytes, self.time.shown(now));
                let opened = taken == Taken::Opened;
                // As long as it is sealed nobody can know whose it is: whoever sent it may wait to
                // hear that it is kept.
                let author = self.rooms.get(&tag).and_then(|room| room.history.fact(id));
                let tell = author.is_none_or(|fact| fact.device == source).then_some(source);
                self.disk.commit(batch, vec![Then::Live { set, id, tell }], false);
                if opened {
                    self.stop_typing(tag, id);
                    self.judge_ops(tag, &[id], now);
                }
                // Others may have the key that is missing here.
                if opened { GossipVerdict::Accept } else { GossipVerdict::Ignore }
            }
            Err(()) => GossipVerdict::Reject,
        }
    }

    fn item_said(&mut self, source: DeviceKey, bytes: Vec<u8>, now: Time) -> GossipVerdict {
        let Ok(item) = ControlItem::decode(&bytes) else { return GossipVerdict::Reject };
        let (id, shown) = (item.id(), self.time.shown(now));
        match self.log.admit(id, &item, shown) {
            Admission::New => {
                self.take_item(id, &item);
                let mut batch = Batch::default();
                arrive::keep(&mut batch, SetId::CONTROL, id, bytes, shown);
                let tell = item.device().filter(|author| *author == source);
                let then = Then::Live { set: SetId::CONTROL, id, tell };
                self.disk.commit(batch, vec![then], false);
                GossipVerdict::Accept
            }
            Admission::Known | Admission::Waits => GossipVerdict::Ignore,
            Admission::TooMany => {
                self.screen.count(TOO_MANY);
                GossipVerdict::Ignore
            }
            Admission::Refused(why) => {
                self.screen.count(why);
                if item.is_over(shown) { GossipVerdict::Ignore } else { GossipVerdict::Reject }
            }
        }
    }

    fn typing_said(&mut self, typing: &SealedTyping, now: Time) -> GossipVerdict {
        let (community, shown) = (self.me.community, self.time.shown(now));
        let Some(room) = self.rooms.get_mut(&typing.room) else { return GossipVerdict::Ignore };
        let Some(keys) = room.keys(typing.epoch) else { return GossipVerdict::Ignore };
        let Some(heard) = typing.open(community, keys) else { return GossipVerdict::Reject };
        let age = shown.since(heard.time).max(heard.time.since(shown));
        let wallet = self.log.devices.wallet_at(heard.device, shown);
        let seated = |wallet: &_| self.log.seats.admits(*wallet, self.log.seats.newest());
        let Some(wallet) = wallet.filter(|wallet| seated(wallet) && room.is_of(*wallet)) else {
            return GossipVerdict::Ignore;
        };
        if age > crate::hlc::MAX_AHEAD {
            return GossipVerdict::Ignore;
        }
        room.typing.insert(wallet, now + TYPING_LASTS);
        self.screen.typing(typing.room);
        GossipVerdict::Accept
    }

    /// Whoever wrote this writes no more.
    fn stop_typing(&mut self, tag: RoomTag, id: OpId) {
        let Some(room) = self.rooms.get_mut(&tag) else { return };
        let author = room.history.fact(id).and_then(|fact| self.log.devices.wallet(fact.device));
        if author.is_some_and(|author| room.typing.remove(&author).is_some()) {
            self.screen.typing(tag);
        }
    }

    /// Tells the others in a room that we write.
    pub(super) fn say_typing(&mut self, tag: RoomTag, now: Time) {
        let (community, shown) = (self.me.community, self.time.shown(now));
        let nonce = self.random.bytes();
        let Some(room) = self.rooms.get_mut(&tag) else { return };
        if room.said_typing.is_some_and(|at| now.since(at) < TYPING_PACE) {
            return;
        }
        let Some(epoch) = room.keyring.sending().map(|record| record.epoch) else { return };
        room.said_typing = Some(now);
        let Some(keys) = room.keys(epoch) else { return };
        let typing = SealedTyping::seal(community, tag, &self.me.secret, keys, nonce, shown);
        self.publish(&RoomGossip::Typing(typing));
    }

    fn publish(&mut self, message: &RoomGossip) {
        let message = wire::encode(message).into();
        self.say(Outgoing::Publish { message });
    }

    /// Something of our own is on disk: it goes out, if it may.
    pub(super) fn own_kept(&mut self, set: SetId, id: OpId, bytes: Vec<u8>) {
        self.have(set, id);
        if set == SetId::CONTROL {
            self.log.undelivered.insert(id, State::Queued);
            return self.publish_own(set, id, bytes);
        }
        let tag = room::tag_of(set);
        let waits = self.waits_for_record(tag, id);
        let Some(room) = self.rooms.get_mut(&tag) else { return };
        if room.is_direct() {
            self.seeking.anew();
        }
        room.unkept.remove(&id);
        room.undelivered.insert(id, State::Queued);
        self.screen.changed(tag, vec![id]);
        if waits {
            room.held.insert(id);
        }
        room.unsent.insert(id, bytes.clone());
        if room.unsent.len() > MAX_UNSENT {
            room.unsent.pop_first();
        }
        if !waits {
            self.publish_own(set, id, bytes);
        }
    }

    /// Whether an op is under an epoch that we made and nobody else is known to have the record
    /// of: then nobody could read it, should we be gone.
    fn waits_for_record(&self, tag: RoomTag, id: OpId) -> bool {
        let Some(room) = self.rooms.get(&tag) else { return false };
        let Some(fact) = room.history.fact(id) else { return false };
        let mut records = room.keyring.records().rev();
        let record = records.find(|(_, record, _)| record.epoch == fact.epoch);
        record.is_some_and(|(id, ..)| self.log.undelivered.contains_key(&id))
    }

    /// Lets out what waited for its epoch's record to be delivered.
    pub(super) fn release(&mut self) {
        let waiting = self.rooms.iter().filter(|(_, room)| !room.held.is_empty());
        let tags: Vec<_> = waiting.map(|(tag, _)| *tag).collect();
        for tag in tags {
            let Some(room) = self.rooms.get_mut(&tag) else { continue };
            for id in room.held.clone() {
                if self.waits_for_record(tag, id) {
                    continue;
                }
                let Some(room) = self.rooms.get_mut(&tag) else { continue };
                room.held.remove(&id);
                if let Some(bytes) = room.unsent.get(&id).cloned() {
                    self.publish_own(tag.into(), id, bytes);
                }
            }
        }
    }

    /// Publishes what is on disk here and was handed to nobody.
    fn publish_own(&mut self, set: SetId, id: OpId, bytes: Vec<u8>) {
        if self.linked.is_empty() {
            return;
        }
        let whole = bytes.len() <= MAX_WHOLE;
        let message = match set {
            _ if !whole => RoomGossip::Have { set: set.0, id },
            SetId::CONTROL => RoomGossip::Item(bytes.into()),
            _ => RoomGossip::Op(bytes.into()),
        };
        self.publish(&message);
        let undelivered = if set == SetId::CONTROL {
            Some(&mut self.log.undelivered)
        } else {
            self.rooms.get_mut(&room::tag_of(set)).map(|room| &mut room.undelivered)
        };
        let state = undelivered.and_then(|all| all.get_mut(&id));
        if let Some(state) = state.filter(|state| **state == State::Queued) {
            *state = State::Sent;
            let mut batch = Batch::default();
            batch.change(set, Change::State { id, state: State::Sent });
            self.disk.commit(batch, Vec::new(), false);
            self.screen.changed(room::tag_of(set), vec![id]);
        }
    }
}

//! When what was kept is gone or damaged under us.
//!
//! What is in memory is kept anew; what is not comes back from other members by sync, since the
//! ids of what is lost are forgotten.

use super::disk::{Read, Then};
use super::restore::{name, named};
use super::{Room, Rooms, room};
use crate::control::ControlItem;
use crate::store::{Batch, Change, Damage, Request, RowKind, SetId, State, StoreError};
use crate::sync::IdSet;
use crate::time::Time;
use zeroize::Zeroizing;

impl Rooms {
    /// Something was not kept or could not be read.
    pub(super) fn not_kept(&mut self, error: &StoreError, now: Time) {
        if matches!(error, StoreError::Gone) {
            self.keep_all_anew(now);
            self.screen.damaged();
        } else {
            self.screen.failing(error);
        }
    }

    /// The store is empty: keeps all that is in memory, and has the rest fetched again.
    fn keep_all_anew(&mut self, now: Time) {
        let received = self.time.shown(now);
        let mut batch = Batch::default();
        let mut then = Vec::new();
        self.log.ids = IdSet::default();
        for (tag, room) in &mut self.rooms {
            room.ids = IdSet::default();
            for (epoch, secret) in room.keyring.secrets() {
                let value = Zeroizing::new(secret.bytes().to_vec());
                batch.put(RowKind::Key, &named(name::EPOCH, &[&tag.0, &epoch.0]), value);
            }
            for (id, record, _) in room.keyring.records() {
                let bytes = ControlItem::Record(Box::new(record.clone())).encode();
                let state = self.log.undelivered.get(&id).copied().unwrap_or(State::Received);
                batch.change(SetId::CONTROL, Change::Append { id, bytes, state, received });
                self.log.ids.insert(id);
            }
            for (id, bytes) in &room.unsent {
                let (set, id, bytes) = (SetId::from(*tag), *id, bytes.clone());
                let state = State::Queued;
                batch.change(set, Change::Append { id, bytes: bytes.clone(), state, received });
                then.push(Then::Own { set, id, bytes });
            }
            if let Some(read) = room.read {
                let value = Zeroizing::new(read.0.to_vec());
                batch.put(RowKind::Meta, &named(name::READ, &[&tag.0]), value);
            }
        }
        self.disk.commit(batch, then, true);
        self.keep_changes(0);
        // The secrets of the prekeys are gone with the rows: others are made.
        self.log.prekey_times.clear();
        self.log.prekeys.clear();
        self.introduce_self(now);
        self.sync(crate::sync::Input::Renewed, now);
    }

    /// Asks what was found damaged.
    pub(super) fn ask_damage(&mut self) {
        self.disk.read(Read::Damage, Request::Damage, &mut self.out);
    }

    /// Has what was found damaged fetched again.
    pub(super) fn damage_found(&mut self, damage: Vec<Damage>, now: Time) {
        if damage.is_empty() {
            return;
        }
        for damage in damage {
            match damage {
                Damage::Items { set, ids } if set == SetId::CONTROL => {
                    ids.iter().for_each(|id| self.log.ids.forget(id));
                }
                Damage::Items { set, ids } => {
                    if let Some(room) = self.rooms.get_mut(&room::tag_of(set)) {
                        ids.iter().for_each(|id| room.ids.forget(id));
                        room.lost_words.clear();
                    }
                }
                // Their ids were never read.
                Damage::Segment { .. } => {}
                Damage::Row { .. } => {
                    self.rooms.values_mut().for_each(Room::ask_at_once);
                }
            }
        }
        self.screen.damaged();
        self.sync(crate::sync::Input::Renewed, now);
    }
}

//! What need not be kept, or need not be kept any more, and what is judged again.

use super::disk::Read;
use super::room::Loading;
use super::{Room, Rooms};
use crate::control::{EpochRecord, HANDOUT_LIFE};
use crate::epoch::{EpochId, RoomTag, WriteKey};
use crate::hlc::Arrival;
use crate::op::{Envelope, OpId};
use crate::small::SmallMap;
use crate::store::{Batch, Change, Item, MAX_LOAD, Request};
use crate::time::{Duration, Time};

/// How often it is looked at each room.
const EVERY: Duration = Duration::from_secs(3600);
/// How long ago something must have taken the place of an op for this one to lose its body.
const SUPERSEDED: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long an op is kept without a key to it: as long as keys that were sealed to us are.
const SEALED: Duration = HANDOUT_LIFE;
/// The most bodies that are dropped at once.
const MAX_AT_ONCE: usize = 1024;

impl Room {
    /// Ops that there has been no key to for too long. Our own are kept: what we write next follows
    /// them.
    fn sealed_for_good(&self, now: Time) -> Vec<OpId> {
        let over = |id: &OpId, since: Time| {
            now.since(since) > SEALED && self.ids.has(id) && !self.own_sealed.contains(id)
        };
        let sealed = self.sealed.iter().filter(|(id, (_, since))| over(id, *since));
        sealed.map(|(id, _)| *id).collect()
    }

    /// Has what was refused as too far ahead be fetched again if it is so no longer.
    fn fetch_far(&mut self, now: Time) {
        let Self { far, ids, .. } = self;
        far.retain(|id| {
            let still = matches!(id.hlc().arrival(now), Arrival::Refused);
            if !still {
                ids.forget(id);
            }
            still
        });
    }
}

impl Rooms {
    /// Looks for what need not be kept, room by room.
    pub(super) fn sweep(&mut self, now: Time) {
        let shown = self.time.shown(now);
        let due = |room: &Room| room.loading == Loading::Done && now.since(room.swept) >= EVERY;
        let due: Vec<_> =
            self.rooms.iter().filter(|(_, room)| due(room)).map(|(tag, _)| *tag).collect();
        for tag in due {
            let Some(room) = self.rooms.get_mut(&tag) else { continue };
            room.swept = now;
            room.fetch_far(shown);
            let mut batch = Batch::default();
            for id in room.sealed_for_good(shown) {
                room.sealed.remove(&id);
                room.ids.refuse(id);
                batch.change(tag, Change::Shrink { id, bytes: Vec::new() });
            }
            let until = u64::try_from(SUPERSEDED.as_millis()).unwrap_or(u64::MAX);
            let mut spent = room.spent(Time(shown.0.saturating_sub(until)));
            spent.truncate(MAX_AT_ONCE);
            for ids in spent.chunks(MAX_LOAD) {
                let request = Request::Load { set: tag.into(), ids: ids.to_vec() };
                self.disk.read(Read::Spent(tag), request, &mut self.out);
            }
            if !batch.is_empty() {
                self.disk.commit(batch, Vec::new(), false);
            }
        }
    }

    /// Ops were read whose bodies are of no use any more.
    pub(super) fn spent_read(&mut self, tag: RoomTag, items: &[Item]) {
        let Some(room) = self.rooms.get_mut(&tag) else { return };
        let mut batch = Batch::default();
        for Item { entry, bytes } in items.iter().filter(|item| item.entry.size > 0) {
            let Ok(envelope) = Envelope::decode(bytes) else { continue };
            room.lose_body(entry.id);
            let bytes = envelope.encode_without_body();
            batch.change(tag, Change::Shrink { id: entry.id, bytes });
        }
        if !batch.is_empty() {
            self.disk.commit(batch, Vec::new(), false);
        }
    }

    /// Has what was refused be fetched and judged anew, if more is known of the keys of a room: an
    /// epoch is told by other write keys than before, or there is a key to one that is so old that
    /// its ops may have been given up. `before` are the epochs with a key before.
    pub(super) fn reconsider(
        &mut self,
        tag: RoomTag,
        before: &[EpochId],
        write_keys: &SmallMap<EpochId, Vec<WriteKey>>,
        now: Time,
    ) {
        let shown = self.time.shown(now);
        let Some(room) = self.rooms.get_mut(&tag) else { return };
        // What was refused earlier was so by what is known when all is read.
        if room.loading != Loading::Done {
            return;
        }
        let new = room.keyring.all_write_keys();
        let told = write_keys.iter().any(|(epoch, keys)| new.get(epoch) != Some(keys));
        let opened = room.keyring.secrets().map(|(epoch, _)| epoch);
        let opened: Vec<_> = opened.filter(|epoch| !before.contains(epoch)).collect();
        let is_old = |record: &EpochRecord| shown.since(record.time) > SEALED;
        let late = |(_, it, _): (_, &EpochRecord, _)| opened.contains(&it.epoch) && is_old(it);
        if !told && !room.keyring.records().any(late) {
            return;
        }
        let refused = room.ids.forget_refused();
        if refused.is_empty() {
            return;
        }
        let mut batch = Batch::default();
        refused.into_iter().for_each(|id| batch.change(tag, Change::Drop { id }));
        self.disk.commit(batch, Vec::new(), false);
        self.sync(crate::sync::Input::Renewed, now);
    }
}

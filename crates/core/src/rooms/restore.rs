//! Reading what was kept, at the start.
//!
//! First the rows and the control log, whole, and the ids of all sets: then sync may begin. What
//! rooms hold is read after that, newest first, while everything else goes on.

use super::disk::Read;
use super::room::Loading;
use super::{Rooms, room};
use crate::control::ControlItem;
use crate::epoch::{EpochId, EpochSecret, RoomTag};
use crate::history::Position;
use crate::id::DeviceKey;
use crate::op::OpId;
use crate::seats::{Change, Head};
use crate::store::{
    Batch, Entry, Item, MAX_LOAD, MAX_PAGE, Reply, Request, Row, RowKind, SetId, State, StoreError,
};
use crate::time::{Duration, Time};
use crate::wire;
use crate::wrap::PrekeySecret;
use zeroize::Zeroizing;

/// Changes of the list of seats in one row: about 32 bytes each.
const CHANGES: usize = 1500;
/// How long until reading begins anew when it failed.
const AGAIN: Duration = Duration::from_secs(2);

/// How the names of rows begin.
pub(super) mod name {
    pub(in crate::rooms) const CHANGES: u8 = b'c';
    pub(in crate::rooms) const HEAD: u8 = b'h';
    pub(in crate::rooms) const READ: u8 = b'r';
    pub(in crate::rooms) const LEAKED: u8 = b'l';
    pub(in crate::rooms) const APPROVED: u8 = b'a';
    pub(in crate::rooms) const EPOCH: u8 = b'e';
    pub(in crate::rooms) const PREKEY: u8 = b'p';
}

/// What was read so far and cannot be used before all is there.
#[derive(Debug, Default)]
pub(super) struct Reading {
    changes: Vec<Change>,
    head: Option<Head>,
    control: Vec<(OpId, ControlItem, Time)>,
    /// Before which item of the control log reading goes on.
    before: Option<OpId>,
    sets: Vec<SetId>,
    /// When to begin anew, since it failed.
    again: Option<Time>,
}

impl Reading {
    pub(super) const fn wake_at(&self) -> Option<Time> {
        self.again
    }
}

impl Rooms {
    pub(super) fn begin_reading(&mut self) {
        self.read_rows(RowKind::Meta, None);
    }

    fn read_rows(&mut self, kind: RowKind, after: Option<Vec<u8>>) {
        let request = Request::Rows { kind, after, limit: MAX_PAGE };
        self.disk.read(Read::Rows(kind), request, &mut self.out);
    }

    fn read_control(&mut self) {
        let before = self.reading.as_ref().and_then(|reading| reading.before);
        let request = Request::Newest { set: SetId::CONTROL, before, limit: MAX_LOAD };
        self.disk.read(Read::Control, request, &mut self.out);
    }

    fn read_entries(&mut self, set: SetId, after: Option<OpId>) {
        let request = Request::Entries { set, after, limit: MAX_PAGE };
        self.disk.read(Read::Entries(set), request, &mut self.out);
    }

    /// The store answered.
    pub(super) fn stored(
        &mut self,
        ticket: crate::sync::Ticket,
        result: Result<Reply, StoreError>,
        now: Time,
    ) {
        let Some(why) = self.disk.was_read(ticket) else {
            let result = result.map(drop);
            if let Some(outcome) = self.disk.committed(ticket, result, now) {
                self.kept(outcome, now);
            }
            return;
        };
        match (why, result) {
            (Read::Rows(kind), Ok(Reply::Rows(rows))) => self.rows_read(kind, rows),
            (Read::Control, Ok(Reply::Items(items))) => self.control_read(items),
            (Read::Sets, Ok(Reply::Sets(sets))) => self.sets_read(sets, now),
            (Read::Entries(set), Ok(Reply::Entries(entries))) => {
                self.entries_read(set, &entries, now);
            }
            (Read::Room(tag), Ok(Reply::Items(items))) => self.room_read(tag, &items, now),
            (Read::Pages, Ok(Reply::Items(items))) => self.pages_read(items),
            (Read::Again(tag), Ok(Reply::Items(items))) => self.opened_again(tag, items, now),
            (Read::Words(tag), Ok(Reply::Items(items))) => self.words_read(tag, &items),
            (Read::Spent(tag), Ok(Reply::Items(items))) => self.spent_read(tag, &items),
            (Read::Export, result) => self.export_read(result),
            (Read::Damage, Ok(Reply::Damage(damage))) => self.damage_found(damage, now),
            (Read::Sync(ticket, ids), result) => self.sync_read(ticket, &ids, result, now),
            (why, Err(error)) => self.not_read(why, error, now),
            _ => {}
        }
    }

    fn rows_read(&mut self, kind: RowKind, rows: Vec<Row>) {
        let last = rows.last().map(|row| row.name.clone());
        for row in rows {
            self.row_read(kind, &row.name, row.value);
        }
        match (last, kind) {
            (Some(last), _) => self.read_rows(kind, Some(last)),
            (None, RowKind::Meta) => self.read_rows(RowKind::Key, None),
            (None, _) => self.read_control(),
        }
    }

    fn row_read(&mut self, kind: RowKind, row: &[u8], value: Zeroizing<Vec<u8>>) {
        let Some((first, rest)) = row.split_first() else { return };
        match (kind, *first) {
            (RowKind::Meta, name::CHANGES) => {
                let changes: Vec<Change> = wire::decode("changes", &value).unwrap_or_default();
                if let Some(reading) = &mut self.reading {
                    reading.changes.extend(changes);
                }
            }
            (RowKind::Meta, name::HEAD) => {
                if let Some(reading) = &mut self.reading {
                    reading.head = wire::decode("head", &value).ok();
                }
            }
            (RowKind::Meta, name::READ) => {
                let tag = rest.try_into().map(RoomTag);
                let read = value.as_slice().try_into().map(OpId);
                if let (Ok(tag), Ok(read)) = (tag, read)
                    && let Some(room) = self.room(tag)
                {
                    room.read = Some(read);
                }
            }
            (RowKind::Meta, name::LEAKED) => {
                let leaked = wire::decode("position", &value);
                if let (Ok(tag), Ok((version, generation))) = (rest.try_into(), leaked)
                    && let Some(room) = self.room(RoomTag(tag))
                {
                    room.leaked = Some(Position { version, generation });
                }
            }
            (RowKind::Meta, name::APPROVED) => {
                self.approved.extend(rest.try_into().ok().map(DeviceKey));
            }
            (RowKind::Key, name::EPOCH) => {
                if let Some((tag, epoch)) = rest.split_first_chunk()
                    && let Ok(epoch) = epoch.try_into()
                    && let Ok(secret) = value.as_slice().try_into()
                    && let Some(room) = self.room(RoomTag(*tag))
                {
                    room.keyring.restore(EpochId(epoch), EpochSecret::new(secret));
                }
            }
            (RowKind::Key, name::PREKEY) => {
                if let Ok(time) = rest.try_into()
                    && let Ok(secret) = <[u8; 32]>::try_from(value.as_slice())
                {
                    let secret = PrekeySecret::new(Zeroizing::new(secret));
                    self.log.add_prekey(Time(u64::from_be_bytes(time)), secret);
                }
            }
            _ => {}
        }
    }

    fn control_read(&mut self, items: Vec<Item>) {
        let Some(reading) = &mut self.reading else { return };
        let Some(last) = items.last() else {
            return self.disk.read(Read::Sets, Request::Sets, &mut self.out);
        };
        reading.before = Some(last.entry.id);
        for item in items {
            let entry = item.entry;
            if entry.size == 0 {
                self.log.ids.refuse(entry.id);
            } else if let Ok(control) = ControlItem::decode(&item.bytes) {
                reading.control.push((entry.id, control, entry.received));
                if matches!(entry.state, State::Queued | State::Sent) {
                    self.log.undelivered.insert(entry.id, entry.state);
                }
            }
        }
        self.read_control();
    }

    fn sets_read(&mut self, mut sets: Vec<SetId>, now: Time) {
        sets.retain(|set| *set != SetId::CONTROL);
        if let Some(reading) = &mut self.reading {
            reading.sets = sets;
        }
        self.next_set(now);
    }

    fn next_set(&mut self, now: Time) {
        match self.reading.as_mut().and_then(|reading| reading.sets.pop()) {
            Some(set) => self.read_entries(set, None),
            None => self.begin(now),
        }
    }

    fn entries_read(&mut self, set: SetId, entries: &[Entry], now: Time) {
        let Some(last) = entries.last() else { return self.next_set(now) };
        if let Some(room) = self.room(room::tag_of(set)) {
            for entry in entries {
                if entry.size == 0 {
                    room.ids.refuse(entry.id);
                } else {
                    room.ids.insert(entry.id);
                }
                if matches!(entry.state, State::Queued | State::Sent) {
                    room.undelivered.insert(entry.id, entry.state);
                }
            }
        }
        self.read_entries(set, Some(last.id));
    }

    /// All is read that must be before anything else happens.
    fn begin(&mut self, now: Time) {
        let Some(reading) = self.reading.take() else { return };
        let Reading { changes, head, mut control, .. } = reading;
        if let Some(head) = head
            && self.log.seats.replace(0, &changes, head).is_ok()
        {
            self.changes.hear(head.version);
        }
        // Certificates first, and then in the order of time.
        control
            .sort_by_key(|(id, item, _)| (item.device().is_some() && !is_certificate(item), *id));
        for (id, item, received) in control {
            self.log.take(id, &item, received);
            self.take_item(id, &item);
        }
        // From now on it is known which there are, even if there is none.
        self.screen.relist();
        self.introduce_self(now);
        let tags: Vec<_> = self.rooms.keys().copied().collect();
        for tag in tags {
            self.read_room(tag);
        }
        self.ask_changes(self.log.seats.newest());
        self.ask_damage();
    }

    /// Reads the next page of a room, unless all is read.
    fn read_room(&mut self, tag: RoomTag) {
        let Some(room) = self.rooms.get(&tag) else { return };
        let Loading::Before(before) = room.loading else { return };
        let request = Request::Newest { set: tag.into(), before, limit: MAX_LOAD };
        self.disk.read(Read::Room(tag), request, &mut self.out);
    }

    fn room_read(&mut self, tag: RoomTag, items: &[Item], now: Time) {
        let (community, me, shown) = (self.me.community, self.wallet(), self.time.shown(now));
        let Some(room) = self.rooms.get_mut(&tag) else { return };
        let Some(last) = items.last() else {
            room.loading = Loading::Done;
            self.screen.touch(tag);
            return;
        };
        room.loading = Loading::Before(Some(last.entry.id));
        if room.unsettled {
            room.keyring.settle(self.log.view(shown));
        }
        let mut opened = Vec::new();
        for item in items.iter().filter(|item| item.entry.size > 0) {
            let (id, own) = (item.entry.id, item.entry.state != State::Received);
            // The clock here may have been set back since it came, or since it was written here.
            let came = if own { id.hlc().time() } else { item.entry.received };
            // What is kept was judged when it came; what does not open now is kept on.
            match room.take(community, me, &item.bytes, shown.max(came)) {
                Ok((id, room::Taken::Opened)) => opened.push(id),
                Ok((id, room::Taken::Sealed)) => {
                    if own {
                        room.own_sealed.insert(id);
                    }
                    if let Some((_, since)) = room.sealed.get_mut(&id) {
                        *since = item.entry.received;
                    }
                }
                _ => {}
            }
        }
        let changed = room.judge(&opened, self.log.view(shown));
        let from = self.screen.oldest(tag);
        room.trim_words(from);
        self.screen.changed(tag, changed);
        self.read_room(tag);
    }

    /// Something could not be read.
    fn not_read(&mut self, why: Read, error: StoreError, now: Time) {
        self.not_kept(&error, now);
        match why {
            // Without these nothing works: again, after a while. Whoever drives this may also
            // begin anew with another store.
            Read::Rows(_) | Read::Control | Read::Sets | Read::Entries(_) => {
                let again = Some(now + AGAIN);
                self.reading = Some(Reading { again, ..Reading::default() });
            }
            Read::Room(tag) => {
                if let Some(room) = self.rooms.get_mut(&tag) {
                    room.loading = Loading::Done;
                }
            }
            _ => {}
        }
    }

    /// Begins to read anew if that failed and is due.
    pub(super) fn read_again(&mut self, now: Time) {
        let due = self.reading.as_mut().and_then(|reading| reading.again.take_if(|at| *at <= now));
        if due.is_some() {
            self.begin_reading();
        }
    }

    /// Keeps the list of seats from `from` on.
    pub(super) fn keep_changes(&mut self, from: u64) {
        let mut batch = Batch::default();
        let size = CHANGES as u64;
        let first = from / size;
        let all = self.log.seats.after(first * size);
        for (chunk, number) in all.chunks(CHANGES).zip(first..) {
            let value = Zeroizing::new(wire::encode(&chunk));
            batch.put(RowKind::Meta, &named(name::CHANGES, &[&number.to_be_bytes()]), value);
        }
        let version = self.log.seats.newest();
        let rolling = self.log.seats.rolling(version).unwrap_or_default();
        let head = Zeroizing::new(wire::encode(&Head { version, rolling }));
        batch.put(RowKind::Meta, &[name::HEAD], head);
        self.disk.commit(batch, Vec::new(), true);
    }
}

/// The name of a row.
pub(super) fn named(first: u8, rest: &[&[u8]]) -> Vec<u8> {
    [&[first], rest.concat().as_slice()].concat()
}

fn is_certificate(item: &ControlItem) -> bool {
    matches!(item, ControlItem::Certificate(_))
}

//! Who holds which keys: nobody those of epochs that were made in the knowledge that they have no
//! seat any more.

use super::device::Device;
use super::town::Town;
use chats_core::control::{ControlItem, Cut, EpochRecord, RoomKind};
use chats_core::epoch::{EpochId, RoomTag};
use chats_core::id::{DeviceKey, Wallet};
use chats_core::op::{Envelope, OpId};
use chats_core::seats::Head;
use chats_core::store::{Change, Request, RowChange, RowKind, SetId, State};
use chats_core::wire;
use std::collections::{BTreeMap, BTreeSet};

/// How long after a device read of a removal what it writes may still be from before, in
/// milliseconds: what it had begun to keep.
const UNDER_WAY: u64 = 3000;
/// How the names of rows of secrets begin, and that of the row of the chain's digest.
const EPOCH: u8 = b'e';
const HEAD: u8 = b'h';

/// An epoch, as its maker knew the world.
#[derive(Debug)]
struct Made {
    room: RoomTag,
    /// Of which of the chain's lists, and at which version.
    state: usize,
    version: u64,
    /// Devices that its maker knew to be revoked.
    revoked: BTreeSet<DeviceKey>,
    maker: DeviceKey,
    cuts: Vec<Cut>,
}

/// All epochs that were made.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    made: BTreeMap<EpochId, Made>,
    kinds: BTreeMap<RoomTag, RoomKind>,
    /// Who ever had a key of a room.
    holders: BTreeSet<(RoomTag, usize)>,
}

impl Secrets {
    pub(super) fn len(&self) -> usize {
        self.made.len()
    }

    pub(super) fn kind(&self, room: RoomTag) -> Option<RoomKind> {
        self.kinds.get(&room).copied()
    }

    /// Whether a device ever had a key of a room.
    pub(super) fn held(&self, room: RoomTag, device: usize) -> bool {
        self.holders.contains(&(room, device))
    }

    /// How many devices were cut off at different ops of a room by different epochs.
    pub(super) fn different_cuts(&self) -> usize {
        let mut heads = BTreeMap::<(RoomTag, DeviceKey), BTreeSet<&[OpId]>>::new();
        for made in self.made.values() {
            for cut in &made.cuts {
                heads.entry((made.room, cut.device)).or_default().insert(cut.heads.as_slice());
            }
        }
        heads.values().filter(|heads| heads.len() > 1).count()
    }
}

/// Which list of changes a commit keeps.
pub(super) fn head_of(request: &Request) -> Option<Head> {
    let Request::Commit(batch) = request else { return None };
    let is_it = |row: &&RowChange| row.kind == RowKind::Meta && row.name == [HEAD];
    let row = batch.rows.iter().rev().find(is_it)?;
    wire::decode("head", row.value.as_ref()?).ok()
}

/// The control items that a commit keeps.
pub(super) fn items_in(request: &Request) -> Vec<ControlItem> {
    let Request::Commit(batch) = request else { return Vec::new() };
    let items = batch.changes.iter().filter_map(|(set, change)| match change {
        Change::Append { bytes, .. } if *set == SetId::CONTROL => ControlItem::decode(bytes).ok(),
        _ => None,
    });
    items.collect()
}

impl Town {
    /// A device has this list of changes on disk.
    pub(super) fn note_list(&mut self, device: usize, head: Option<Head>) {
        let Some(head) = head else { return };
        match self.chain.find(head.version, head.rolling) {
            Some(state) => self.devices[device].knows = Some((state, head.version, self.now)),
            None => self.fail(format!("{device} keeps a list that never was")),
        }
    }

    /// A device is about to write this: epochs, ops and secrets among it are looked at.
    pub(super) fn secrets_written(&mut self, device: usize, request: &Request) {
        let Request::Commit(batch) = request else { return };
        // With a list that it learns of just now it may rightly write what it could not before.
        let news = head_of(request).is_some();
        for (set, change) in &batch.changes {
            let Change::Append { id, bytes, state, .. } = change else { continue };
            if *set == SetId::CONTROL {
                self.item_written(device, bytes);
            } else if *state == State::Queued && !news {
                self.op_written(device, RoomTag(set.0), *id, bytes);
            }
        }
        for row in batch.rows.iter().filter(|row| row.kind == RowKind::Key) {
            let Some((&EPOCH, rest)) = row.name.split_first() else { continue };
            if let Some((_, epoch)) = rest.split_first_chunk::<16>()
                && let Ok(epoch) = epoch.try_into()
            {
                self.secret_written(device, EpochId(epoch));
            }
        }
    }

    fn item_written(&mut self, device: usize, bytes: &[u8]) {
        let item = ControlItem::decode(bytes);
        if let Ok(item) = &item
            && item.device() == Some(self.devices[device].key)
        {
            *self.report.items.entry(item.name()).or_default() += 1;
            self.tell_of(device, item);
        }
        match item {
            Ok(ControlItem::Record(record)) if record.author == self.devices[device].key => {
                self.epoch_made(device, *record);
            }
            Ok(item) => self.devices[device].heard.take(&item),
            Err(_) => {}
        }
    }

    /// Prints what a device has to say, if that is wanted.
    fn tell_of(&self, device: usize, item: &ControlItem) {
        if !self.config.verbose {
            return;
        }
        let of = |key: &DeviceKey| self.by_key.get(key).copied();
        let more = match item {
            ControlItem::Record(it) => {
                let cuts = it.cuts.iter();
                let cuts = cuts.map(|cut| (of(&cut.device), cut.cause, cut.heads.as_slice()));
                format!("{:?} {:?} {:?}", it.epoch, it.position(), cuts.collect::<Vec<_>>())
            }
            ControlItem::Grant(it) => format!("to {:?}", of(&it.to)),
            ControlItem::Request(it) => format!("for {:?}", it.wanted),
            ControlItem::CutHead(it) => format!("of {:?}: {}", of(&it.cut), it.head),
            _ => String::new(),
        };
        let (now, name, room) = (self.now, item.name(), item.room());
        eprintln!("{now:>8} {device:>2} makes a {name} in {room:?} {more}");
    }

    fn epoch_made(&mut self, device: usize, record: EpochRecord) {
        let Some(state) = self.chain.find(record.version, record.rolling) else {
            return self.fail(format!("{device} makes an epoch of a list that never was"));
        };
        if let Some(charter) = record.charter {
            self.secrets.kinds.insert(record.room_tag, charter.kind);
        }
        let made = Made {
            room: record.room_tag,
            state,
            version: record.version,
            revoked: self.devices[device].heard.revoked(),
            maker: record.author,
            cuts: record.cuts,
        };
        // A commit that failed is tried again.
        self.secrets.made.entry(record.epoch).or_insert(made);
    }

    /// A device keeps the secret of an epoch: it may.
    fn secret_written(&mut self, device: usize, epoch: EpochId) {
        let page = &self.devices[device];
        let Some(made) = self.secrets.made.get(&epoch) else { return };
        self.secrets.holders.insert((made.room, device));
        let seated = self.chain.state(made.state).admits(page.address, made.version)
            || self.chain.seated_since(made.state + 1, page.address);
        let ours = self.secrets.kind(made.room).is_none_or(|it| it.includes(page.address));
        let what = if !seated {
            "has the key of an epoch that was made after its seat was lost"
        } else if !ours {
            "has the key of a room of others"
        } else if made.revoked.contains(&page.key) && made.maker != page.key {
            "has the key of an epoch that was made after it was revoked"
        } else {
            return;
        };
        let maker = self.by_key[&made.maker];
        let room = made.room;
        self.fail(format!("{device} {what}: {epoch:?} in {room:?}, by {maker}"));
    }

    /// How often an epoch was made that a device must never be able to open: one that could open
    /// those before. (Where it has such a key, that was noticed as it kept it.)
    pub(super) fn withheld(&self) -> usize {
        let lost = |made: &Made, device: &Device| {
            let seats = self.chain.state(made.state);
            let before = (0..made.version).any(|version| seats.admits(device.address, version));
            let gone = before && !seats.admits(device.address, made.version);
            self.secrets.kinds.get(&made.room).is_some_and(|kind| kind.includes(device.address))
                && (gone || made.revoked.contains(&device.key))
                && !self.chain.seated_since(made.state + 1, device.address)
        };
        let made = self.secrets.made.values();
        made.map(|made| self.devices.iter().filter(|device| lost(made, device)).count()).sum()
    }

    /// A device writes an op: under keys that none has who has no seat as far as it knows.
    fn op_written(&mut self, device: usize, room: RoomTag, id: OpId, bytes: &[u8]) {
        let Ok(envelope) = Envelope::decode(bytes) else {
            return self.fail(format!("{device} writes what is no op"));
        };
        let now = self.chain.now();
        self.report.blind += u64::from(!now.admits(self.devices[device].address, now.newest()));
        let Some((knows, version, since)) = self.devices[device].knows else { return };
        let epoch = self.secrets.made.get(&envelope.signed().epoch);
        let (Some(made), Some(kind)) = (epoch, self.secrets.kind(room)) else {
            return self.fail(format!("{device} writes under keys that nobody made"));
        };
        if since + UNDER_WAY > self.now {
            return;
        }
        let (then, now) = (self.chain.state(made.state), self.chain.state(knows));
        let lost = |wallet: &Wallet| {
            kind.includes(*wallet)
                && then.admits(*wallet, made.version)
                && !now.admits(*wallet, version)
        };
        let mut wallets = self.devices.iter().map(|it| it.address);
        if let Some(wallet) = wallets.find(lost) {
            let who = self.devices.iter().position(|it| it.address == wallet);
            let what =
                format!("{device} writes {id} under keys that {who:?} has, who lost the seat");
            self.fail(what);
        }
    }
}

//! Backups: all that a device keeps of a community, in one sealed file.
//!
//! The device's own secret is not in it: who takes a backup in is another device, with what the
//! first one could read. The format is in docs/protocol.md, section 9.

use super::disk::{Read, Then};
use super::restore::{name, named};
use super::room::{self, Taken};
use super::seam::Passphrase;
use super::{Outgoing, Rooms, arrive};
use crate::control::ControlItem;
use crate::epoch::{EpochId, EpochSecret, RoomTag};
use crate::id::Community;
use crate::op::OpId;
use crate::seal::{Nonce, SealKey};
use crate::store::{Batch, MAX_LOAD, Reply, Request, RowKind, SetId, StoreError};
use crate::time::Time;
use crate::wire;
use argon2::{Algorithm, Argon2, Params, Version};
use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};
use zeroize::Zeroizing;

/// How a file begins.
const MAGIC: &[u8] = b"community-chats backup\0";
/// The largest file that is taken.
const MAX_FILE: usize = 128 * 1024 * 1024;
/// The longest part, in bytes as sealed: a page of the largest items, and what is around them.
const MAX_PART: usize = 9 * 1024 * 1024;
/// Argon2id (RFC 9106): KiB of memory and passes that are written, and the most that are read.
const COST: (u32, u32) = (64 * 1024, 3);
const MAX_COST: (u32, u32) = (256 * 1024, 16);
/// The shortest passphrase, in characters.
const SHORTEST: usize = 8;

const NOT_OPEN: &str =
    "The backup does not open: this is not its passphrase, or the file is damaged.";
const NO_BACKUP: &str = "This file is no backup of Community Chats, or of a newer version.";

/// What stands in front, in clear.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct Header {
    #[n(0)]
    version: u8,
    #[n(1)]
    community: Community,
    #[n(2)]
    memory: u32,
    #[n(3)]
    passes: u32,
    #[cbor(n(4), with = "minicbor::bytes")]
    salt: [u8; 16],
    #[cbor(n(5), with = "minicbor::bytes")]
    nonce: [u8; 16],
}

/// Something that is kept.
#[derive(Debug, Encode, Decode)]
#[cbor(flat)]
enum Entry {
    /// The secret of an epoch.
    #[n(0)]
    Secret(#[n(0)] RoomTag, #[n(1)] EpochId, #[n(2)] EpochSecret),
    /// A control item.
    #[n(1)]
    Item(#[n(0)] ByteVec),
    /// An op.
    #[n(2)]
    Op(#[n(0)] RoomTag, #[n(1)] ByteVec),
}

/// What seals the parts of one file, or opens them.
struct Sealer {
    key: SealKey,
    header: Vec<u8>,
    nonce: [u8; 16],
    parts: u64,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer(..)")
    }
}

/// A backup that is being written.
#[derive(Debug)]
pub(super) struct Export {
    number: u64,
    sealer: Sealer,
    /// The sets that are still to be read; the last of them is being read.
    sets: Vec<SetId>,
    before: Option<OpId>,
}

impl Sealer {
    /// `None` if the key cannot be derived.
    fn new(header: &Header, passphrase: &Passphrase) -> Option<Self> {
        let params = Params::new(header.memory, header.passes, 1, Some(32)).ok()?;
        let mut key = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.bytes(), &header.salt, &mut *key)
            .ok()?;
        let (key, nonce) = (SealKey::new(key), header.nonce);
        Some(Self { key, header: wire::encode(header), nonce, parts: 0 })
    }

    /// Nonce and additional data of the next part.
    fn next(&mut self, last: bool) -> (Nonce, Vec<u8>) {
        let mut nonce = [0; 24];
        let bytes = self.nonce.into_iter().chain(self.parts.to_be_bytes());
        nonce.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        self.parts += 1;
        (nonce, [self.header.as_slice(), &[u8::from(last)]].concat())
    }

    fn seal(&mut self, entries: &[Entry], last: bool) -> Vec<u8> {
        let (nonce, context) = self.next(last);
        let mut part = wire::encode(&entries);
        self.key.seal(&nonce, &context, &mut part);
        let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
        [length.to_be_bytes().as_slice(), &part].concat()
    }

    fn open(&mut self, part: &[u8], last: bool) -> Option<Vec<Entry>> {
        let (nonce, context) = self.next(last);
        let plain = Zeroizing::new(self.key.open(&nonce, &context, part)?);
        minicbor::decode(&plain).ok()
    }
}

impl Rooms {
    pub(super) fn export(&mut self, number: u64, passphrase: &Passphrase) {
        if passphrase.bytes().len() < SHORTEST {
            return self.refuse(number, "Take a passphrase of at least 8 characters.");
        }
        if self.exporting.is_some() {
            return self.refuse(number, "A backup is being written already.");
        }
        let header = Header {
            version: 1,
            community: self.me.community,
            memory: COST.0,
            passes: COST.1,
            salt: self.random.bytes(),
            nonce: self.random.bytes(),
        };
        let Some(mut sealer) = Sealer::new(&header, passphrase) else {
            return self.refuse(number, "There is not enough memory to seal a backup.");
        };
        let written = wire::encode(&header);
        let length = u16::try_from(written.len()).unwrap_or(u16::MAX).to_be_bytes();
        let secrets = self.rooms.iter().flat_map(|(tag, room)| {
            room.keyring.secrets().map(|(epoch, it)| Entry::Secret(*tag, epoch, it.clone()))
        });
        let first = sealer.seal(&secrets.collect::<Vec<_>>(), false);
        let part = [MAGIC, &length, &written, &first].concat().into();
        self.say(Outgoing::Backup { number, part });
        let mut sets: Vec<_> = self.rooms.keys().map(|tag| SetId::from(*tag)).collect();
        sets.push(SetId::CONTROL);
        self.exporting = Some(Export { number, sealer, sets, before: None });
        self.read_export();
    }

    fn read_export(&mut self) {
        let Some(export) = &mut self.exporting else { return };
        match export.sets.last() {
            Some(set) => {
                let (set, before) = (*set, export.before);
                let request = Request::Newest { set, before, limit: MAX_LOAD };
                self.disk.read(Read::Export, request, &mut self.out);
            }
            None => {
                let number = export.number;
                let part = export.sealer.seal(&[], true).into();
                self.exporting = None;
                self.say(Outgoing::Backup { number, part });
                self.done(number);
            }
        }
    }

    /// A page of what goes into the backup was read.
    pub(super) fn export_read(&mut self, result: Result<Reply, StoreError>) {
        let Some(export) = &mut self.exporting else { return };
        let (number, set) = (export.number, export.sets.last().copied());
        let (Ok(Reply::Items(items)), Some(set)) = (result, set) else {
            self.exporting = None;
            return self.refuse(number, "What is kept here could not be read. Try again.");
        };
        match items.last() {
            Some(last) => export.before = Some(last.entry.id),
            None => {
                export.sets.pop();
                export.before = None;
            }
        }
        let whole = items.into_iter().filter(|item| item.entry.size > 0);
        let entries = whole.map(|item| match set {
            SetId::CONTROL => Entry::Item(item.bytes.into()),
            set => Entry::Op(room::tag_of(set), item.bytes.into()),
        });
        let entries: Vec<_> = entries.collect();
        if !entries.is_empty() {
            let part = export.sealer.seal(&entries, false).into();
            self.say(Outgoing::Backup { number, part });
        }
        self.read_export();
    }

    pub(super) fn import(&mut self, number: u64, passphrase: &Passphrase, file: &[u8], now: Time) {
        match read(file, passphrase, self.me.community) {
            Ok(entries) => self.take_backup(number, entries, now),
            Err(why) => self.refuse(number, why),
        }
    }

    fn take_backup(&mut self, number: u64, entries: Vec<Entry>, now: Time) {
        let shown = self.time.shown(now);
        let (mut items, mut ops) = (Vec::new(), Vec::new());
        let mut batch = Batch::default();
        for entry in entries {
            match entry {
                Entry::Secret(tag, epoch, secret) => {
                    let value = Zeroizing::new(secret.bytes().to_vec());
                    batch.put(RowKind::Key, &named(name::EPOCH, &[&tag.0, &epoch.0]), value);
                    if let Some(room) = self.room(tag) {
                        room.keyring.restore(epoch, secret);
                        room.unsettled = true;
                    }
                }
                Entry::Item(bytes) => {
                    items.extend(ControlItem::decode(&bytes).ok().map(|item| (item.id(), item)));
                }
                Entry::Op(tag, bytes) => {
                    let id = room::op_id(tag, &bytes);
                    ops.extend(id.map(|id| (tag, id, bytes)));
                }
            }
        }
        self.disk.commit(batch, Vec::new(), true);
        items.sort_by_key(|(id, item)| (!matches!(item, ControlItem::Certificate(_)), *id));
        for (_, item) in items {
            self.offer(item, now);
        }
        self.settle_log(now);
        self.settle_rooms(now);
        // One signature vouches for all that came before it, so the newest come first.
        ops.sort_by_key(|(tag, id, _)| (*tag, std::cmp::Reverse(*id)));
        for same in ops.chunk_by(|one, other| one.0 == other.0) {
            let (mut opened, mut batch) = (Vec::new(), Batch::default());
            for (tag, id, bytes) in same {
                let known = self.rooms.get(tag).is_none_or(|room| room.ids.knows(id));
                let taken = if known { Err(()) } else { self.take_op(*tag, bytes, now) };
                if let Ok(taken) = taken {
                    opened.extend((taken == Taken::Opened).then_some(*id));
                    arrive::keep(&mut batch, (*tag).into(), *id, bytes.to_vec(), shown);
                    self.have((*tag).into(), *id);
                }
            }
            if let Some((tag, ..)) = same.first() {
                self.judge_ops(*tag, &opened, now);
                self.screen.touch(*tag);
            }
            self.disk.commit(batch, Vec::new(), true);
        }
        self.screen.new_room = true;
        self.disk.commit(Batch::default(), vec![Then::Acted { number, room: None }], true);
    }
}

/// All that is in a file.
fn read(
    file: &[u8],
    passphrase: &Passphrase,
    community: Community,
) -> Result<Vec<Entry>, &'static str> {
    if file.len() > MAX_FILE {
        return Err("This backup is larger than 128 MB, which is more than can be taken in here.");
    }
    let rest = file.strip_prefix(MAGIC).ok_or(NO_BACKUP)?;
    let (length, rest) = rest.split_first_chunk().ok_or(NO_BACKUP)?;
    let length = usize::from(u16::from_be_bytes(*length));
    let (header, mut rest) = rest.split_at_checked(length).ok_or(NO_BACKUP)?;
    let header: Header = wire::decode("backup", header).map_err(|_| NO_BACKUP)?;
    if header.version != 1 || header.memory > MAX_COST.0 || header.passes > MAX_COST.1 {
        return Err(NO_BACKUP);
    }
    if header.community != community {
        return Err("This backup is of another community.");
    }
    let mut sealer = Sealer::new(&header, passphrase).ok_or(NO_BACKUP)?;
    let mut entries = Vec::new();
    loop {
        let (length, behind) = rest.split_first_chunk().ok_or(NOT_OPEN)?;
        let length = u32::from_be_bytes(*length) as usize;
        let fits = Some(length).filter(|length| *length <= MAX_PART);
        let (part, behind) = fits.and_then(|at| behind.split_at_checked(at)).ok_or(NOT_OPEN)?;
        let last = behind.is_empty();
        entries.extend(sealer.open(part, last).ok_or(NOT_OPEN)?);
        if last {
            return Ok(entries);
        }
        rest = behind;
    }
}

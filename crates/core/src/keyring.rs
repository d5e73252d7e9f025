//! The keys of one room: which epochs there are, which of them hold, and what is to be done.
//!
//! A [`Keyring`] takes what arrives in any order, and [`Keyring::settle`] works out anew what it
//! comes to: which records are valid, under which epoch to send, whose ops are cut off, whether a
//! new epoch is due. All of that is a function of the items, of the [`Seats`] and of the
//! [`Devices`], so all who know the same decide the same.

mod cuts;
mod due;
mod handout;
mod make;
mod validity;

pub use cuts::RoomJudge;
pub use due::{Due, MAX_AGE, MAX_OPS, delay};
pub use handout::Asking;
pub use make::{MakeError, NewEpoch};
pub use validity::{Invalid, State, Waiting};

use crate::control::{Cause, ControlItem, EpochRecord, RoomKind, Wrap};
use crate::devices::Devices;
use crate::epoch::{EpochId, EpochKeys, EpochSecret, Policy, RoomId, RoomTag, WriteKey};
use crate::history::{Cut, Position};
use crate::id::{Community, DeviceKey, Wallet};
use crate::op::{MAX_PARENTS, OpId};
use crate::seats::Seats;
use crate::small::{SmallMap, SmallSet};
use crate::time::Time;
use crate::wrap::{self, PrekeySecret};
use cuts::Covered;
use handout::Handouts;

/// What is known besides the items of a room, at one moment.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// Who had which seat.
    pub seats: &'a Seats,
    /// Whose each device is.
    pub devices: &'a Devices,
    /// The prekeys of this device, the newest first.
    pub prekeys: &'a [PrekeySecret],
    /// The time.
    pub now: Time,
}

/// The keys of one room, as one device knows them.
#[derive(Debug)]
pub struct Keyring {
    community: Community,
    tag: RoomTag,
    own: DeviceKey,
    /// In the order of their positions, so that parents come before their children.
    records: SmallMap<(Position, OpId), Held>,
    places: SmallMap<OpId, Position>,
    secrets: SmallMap<EpochId, EpochSecret>,
    /// Secrets whose record is not known yet.
    unplaced: Vec<(EpochId, EpochSecret)>,
    /// What was sealed to this device, by page.
    wraps: SmallMap<OpId, (EpochId, Wrap)>,
    /// Ops of a device, by whom they are vouched for, and when.
    cut_heads: SmallMap<(DeviceKey, DeviceKey, OpId), Time>,
    handouts: Handouts,
    tightened: bool,
    settled: Settled,
}

/// A record, and what came of it.
#[derive(Debug)]
struct Held {
    record: Box<EpochRecord>,
    state: State,
    /// Whether the secret that is held is the one of this record; `None` if none is held.
    fits: Option<bool>,
    /// Whether what was sealed to this device was tried.
    tried: bool,
    /// Whether it was another secret.
    bad: bool,
}

/// What [`Keyring::settle`] worked out.
#[derive(Debug, Default)]
struct Settled {
    room: Option<RoomId>,
    kind: Option<RoomKind>,
    policy: Option<Policy>,
    positions: SmallMap<EpochId, Position>,
    sending: Option<(Position, OpId)>,
    cuts: SmallMap<DeviceKey, Cut>,
    covered: SmallMap<DeviceKey, Covered>,
    doubted: SmallSet<DeviceKey>,
    uncovered: Vec<(DeviceKey, Cause)>,
}

/// See [`Keyring::basis`].
pub(crate) type Basis = (Option<RoomKind>, SmallMap<EpochId, Position>, SmallMap<DeviceKey, Cut>);

impl Keyring {
    /// The most records of a room that are held; more are not taken.
    pub const MAX_RECORDS: usize = 4096;
    /// The most wraps that wait for their records.
    const MAX_WAITING: usize = 512;
    /// The most ops that are vouched for after a cut; of one device by one other 8, the newest.
    const MAX_CUT_HEADS: usize = 8192;

    /// The empty keyring of the device `own` for a room.
    #[must_use]
    pub fn new(community: Community, tag: RoomTag, own: DeviceKey) -> Self {
        Self {
            community,
            tag,
            own,
            records: SmallMap::new(),
            places: SmallMap::new(),
            secrets: SmallMap::new(),
            unplaced: Vec::new(),
            wraps: SmallMap::new(),
            cut_heads: SmallMap::new(),
            handouts: Handouts::default(),
            tightened: false,
            settled: Settled::default(),
        }
    }

    /// Which room.
    #[must_use]
    pub const fn tag(&self) -> RoomTag {
        self.tag
    }

    /// Takes an item of this room that was [checked](ControlItem::check), or a page, and passes
    /// over all else. Returns whether [`Self::settle`] may come to something new.
    pub fn insert(&mut self, id: OpId, item: &ControlItem) -> bool {
        let ours = item.room() == Some(self.tag);
        match item {
            ControlItem::Record(record) if ours => self.insert_record(id, record),
            ControlItem::Page(page) => {
                page.wrap(self.own).is_some_and(|wrap| self.insert_wrap(id, page.epoch, *wrap))
            }
            ControlItem::Request(request) if ours => self.handouts.request(id, request),
            ControlItem::Grant(grant) if ours => self.handouts.grant(grant, self.own),
            ControlItem::CutHead(it) if ours => {
                self.insert_cut_head((it.cut, it.holder, it.head), it.time)
            }
            _ => false,
        }
    }

    /// Takes a secret that was kept from an earlier run. It is checked as any other.
    pub fn restore(&mut self, epoch: EpochId, secret: EpochSecret) {
        let is_it = |it: &(EpochId, EpochSecret)| it.0 == epoch && it.1.bytes() == secret.bytes();
        if self.secrets.contains_key(&epoch) || self.unplaced.iter().any(is_it) {
            return;
        }
        if self.unplaced.len() >= Self::MAX_RECORDS {
            self.unplaced.remove(0);
        }
        self.unplaced.push((epoch, secret));
    }

    /// Hears that a moderator made newcomers read what was written since they came, and no more.
    /// There is no way back.
    pub const fn tighten(&mut self) {
        self.tightened = true;
    }

    /// Works out what all that was taken comes to.
    pub fn settle(&mut self, view: View<'_>) {
        self.open(view);
        self.judge(view);
        self.settle_cuts(view);
        let Settled { positions, .. } = &mut self.settled;
        positions.clear();
        for ((position, _), held) in self.records.iter().filter(|(_, it)| it.state.counts()) {
            positions.insert(held.record.epoch, *position);
        }
        self.settled.sending = self.choose(view);
    }

    /// All that judging ops rests on.
    pub(crate) fn basis(&self) -> Basis {
        (self.settled.kind, self.settled.positions.clone(), self.settled.cuts.clone())
    }

    /// Which room, once any of its secrets is held.
    #[must_use]
    pub const fn room(&self) -> Option<&RoomId> {
        self.settled.room.as_ref()
    }

    /// Whose room, once any of its secrets and its first record are held.
    #[must_use]
    pub const fn kind(&self) -> Option<RoomKind> {
        self.settled.kind
    }

    /// Whether a wallet may be in the room, as far as can be told: without a secret of the room, by
    /// what the records say that began it.
    #[must_use]
    pub fn may_include(&self, wallet: Wallet) -> bool {
        if let Some(kind) = self.kind() {
            return kind.includes(wallet);
        }
        let mut claims = self.claims().peekable();
        claims.peek().is_none() || claims.any(|kind| kind.includes(wallet))
    }

    /// Whose room it is, as the records say that began it: of several, one that is known to be
    /// right, or all.
    pub fn claims(&self) -> impl Iterator<Item = RoomKind> {
        let said = self.records.values().filter_map(|held| held.record.charter);
        let said = said.map(|charter| charter.kind).filter(|_| self.kind().is_none());
        said.chain(self.kind())
    }

    /// What newcomers may read: the strictest that was ever said.
    #[must_use]
    pub fn policy(&self) -> Policy {
        let said = self.settled.policy.unwrap_or(Policy::OpenHistory);
        if self.tightened { Policy::FromJoin } else { said }
    }

    /// All records held, with what came of them, from the lowest position to the highest.
    pub fn records(&self) -> impl DoubleEndedIterator<Item = (OpId, &EpochRecord, State)> {
        self.records.iter().map(|((_, id), held)| (*id, &*held.record, held.state))
    }

    /// The secrets held, to be kept.
    pub fn secrets(&self) -> impl Iterator<Item = (EpochId, &EpochSecret)> {
        self.secrets.iter().map(|(epoch, secret)| (*epoch, secret))
    }

    /// The keys of an epoch, if its secret is held. Of a record that cannot be checked yet too.
    #[must_use]
    pub fn keys(&self, epoch: EpochId) -> Option<EpochKeys> {
        self.secrets.get(&epoch).map(|secret| EpochKeys::derive(secret, &epoch))
    }

    /// The write keys by which ops of an epoch may be told from others without its secret: of all
    /// records of that id that are not known to be wrong.
    pub fn write_keys(&self, epoch: EpochId) -> impl Iterator<Item = WriteKey> {
        self.records
            .values()
            .filter(move |it| it.record.epoch == epoch && !matches!(it.state, State::Invalid(_)))
            .map(|it| it.record.write_key)
    }

    /// By which keys ops of each epoch are told from others here.
    pub(crate) fn all_write_keys(&self) -> SmallMap<EpochId, Vec<WriteKey>> {
        let epochs = self.records.values().map(|held| held.record.epoch);
        epochs.map(|epoch| (epoch, self.write_keys(epoch).collect())).collect()
    }

    /// Where an epoch that holds stands.
    #[must_use]
    pub fn position(&self, epoch: EpochId) -> Option<Position> {
        self.settled.positions.get(&epoch).copied()
    }

    /// The record of the epoch to send under: of the valid ones that can be opened and whose
    /// author's wallet still stands by its device, that with the highest position, and of equals
    /// the one with the smallest epoch id.
    #[must_use]
    pub fn sending(&self) -> Option<&EpochRecord> {
        self.settled.sending.as_ref().and_then(|at| self.records.get(at)).map(|held| &*held.record)
    }

    /// Epochs whose secrets are missing here, the newest first.
    pub fn missing(&self) -> impl Iterator<Item = EpochId> {
        let lacking = |it: &&Held| it.fits.is_none() && !matches!(it.state, State::Invalid(_));
        self.records.values().rev().filter(lacking).map(|it| it.record.epoch)
    }

    /// Epochs whose secrets are missing, and on which page each may be found. Pages are to be
    /// inserted, again too if they came before their record.
    pub fn wanted(&self) -> impl Iterator<Item = (EpochId, OpId)> {
        let lacking = |it: &&Held| it.fits.is_none() && !it.tried;
        let page = |it: &Held| it.record.page_of(self.own).map(|page| (it.record.epoch, page));
        self.records.values().rev().filter(lacking).filter_map(page)
    }

    /// Epochs of which this device was given another secret than the one that the id was made of:
    /// it is for it to say so with a [`BadWrap`](crate::control::BadWrap).
    pub fn bad(&self) -> impl Iterator<Item = EpochId> {
        let bad = self.records.values().filter(|it| it.bad).map(|it| it.record.epoch);
        bad.filter(|epoch| !self.secrets.contains_key(epoch))
    }

    fn insert_record(&mut self, id: OpId, record: &EpochRecord) -> bool {
        let known = self.places.contains_key(&id);
        if known || self.places.len() >= Self::MAX_RECORDS {
            return false;
        }
        self.places.insert(id, record.position());
        let state = State::Waiting(Waiting::Unsettled);
        let held =
            Held { record: Box::new(record.clone()), state, fits: None, tried: false, bad: false };
        self.records.insert((record.position(), id), held);
        true
    }

    fn insert_wrap(&mut self, page: OpId, epoch: EpochId, wrap: Wrap) -> bool {
        if self.wraps.len() >= Self::MAX_WAITING {
            let named: SmallSet<_> = self.wanted().map(|(_, page)| page).collect();
            self.wraps.retain(|page, _| named.contains(page));
        }
        let room = self.wraps.len() < Self::MAX_WAITING && !self.secrets.contains_key(&epoch);
        room && self.wraps.insert(page, (epoch, wrap)).is_none()
    }

    fn insert_cut_head(&mut self, key: (DeviceKey, DeviceKey, OpId), time: Time) -> bool {
        let known = self.cut_heads.get(&key).is_some_and(|known| *known <= time);
        if known || self.cut_heads.len() >= Self::MAX_CUT_HEADS {
            return false;
        }
        self.cut_heads.insert(key, time);
        let (cut, holder, _) = key;
        let same = |other: &(DeviceKey, DeviceKey, OpId)| (other.0, other.1) == (cut, holder);
        let of_pair: Vec<_> = self.cut_heads.keys().filter(|it| same(it)).copied().collect();
        let over = of_pair.len().saturating_sub(MAX_PARENTS);
        for key in of_pair.iter().take(over) {
            self.cut_heads.remove(key);
        }
        true
    }

    /// Finds the secrets of records among what was given.
    fn open(&mut self, view: View<'_>) {
        for (epoch, secret) in self.handouts.open(view.prekeys) {
            self.restore(epoch, secret);
        }
        for held in self.records.values_mut().filter(|held| held.fits.is_none()) {
            let record = &held.record;
            let given = self.unplaced.iter().filter(|(epoch, _)| *epoch == record.epoch);
            let mut given = given.map(|(_, secret)| secret).filter(|secret| record.is_of(secret));
            if let Some(secret) = given.next() {
                self.secrets.insert(record.epoch, secret.clone());
            }
            let wrap = record.page_of(self.own).and_then(|page| self.wraps.get(&page));
            if let Some((epoch, wrap)) = wrap.filter(|(epoch, _)| *epoch == record.epoch)
                && !self.secrets.contains_key(epoch)
                && !std::mem::replace(&mut held.tried, true)
            {
                let place = (self.community, self.tag, *epoch);
                match wrap::open_wrap(place, wrap, view.prekeys) {
                    Some(secret) if record.is_of(&secret) => {
                        self.secrets.insert(*epoch, secret);
                    }
                    opened => held.bad = opened.is_some(),
                }
            }
            if let Some(secret) = self.secrets.get(&record.epoch) {
                let room = opened_room(record, secret, self.tag);
                held.fits = Some(room.is_some());
                self.settled.room = room.or(self.settled.room.take());
            }
        }
        // What fits no record yet may fit one that is still to come.
        let Self { secrets, unplaced, wraps, .. } = self;
        unplaced.retain(|(epoch, _)| !secrets.contains_key(epoch));
        wraps.retain(|_, (epoch, _)| !secrets.contains_key(epoch));
    }
}

/// The room's id out of a record, if `secret` is the one that the record was made with.
fn opened_room(record: &EpochRecord, secret: &EpochSecret, tag: RoomTag) -> Option<RoomId> {
    let keys = record.is_of(secret).then(|| EpochKeys::derive(secret, &record.epoch))?;
    keys.open_room(&record.room, tag).filter(|_| keys.write_key() == record.write_key)
}

#[cfg(test)]
mod tests;

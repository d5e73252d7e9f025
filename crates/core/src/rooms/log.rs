//! The control log: what a community keeps besides its ops, and what follows from it.

use crate::control::ControlItem;
use crate::devices::Devices;
use crate::epoch::RoomTag;
use crate::id::{Community, DeviceKey, Wallet};
use crate::keyring::View;
use crate::op::OpId;
use crate::seats::Seats;
use crate::small::SmallMap;
use crate::store::State;
use crate::sync::IdSet;
use crate::time::{Duration, Time};
use crate::wrap::PrekeySecret;
use std::collections::{BTreeMap, VecDeque};

/// Items that wait until it is known whether a member made them.
const MAX_PENDING: usize = 1024;
/// Items with which one device may have keys handed out in one day: it asks for each of its rooms
/// a dozen times at most, and others may ask it for as many.
const MAX_A_DAY: u32 = 256;
const DAY: u64 = 24 * 3600 * 1000;
/// Why more are not taken.
pub(super) const TOO_MANY: &str = "more control items than a device may make in a day";

/// How a new device of a wallet is looked at with caution.
const CAUTION: Duration = Duration::from_secs(24 * 3600);

/// See the module.
#[derive(Debug)]
pub(super) struct Log {
    community: Community,
    pub(super) seats: Seats,
    pub(super) devices: Devices,
    /// Of this device, the newest first.
    pub(super) prekeys: Vec<PrekeySecret>,
    /// Since when each of them is there.
    pub(super) prekey_times: Vec<Time>,
    pub(super) ids: IdSet,
    /// When each device was first heard of here.
    seen: SmallMap<DeviceKey, Time>,
    /// Of which room each page is.
    pages: BTreeMap<OpId, RoomTag>,
    pending: VecDeque<(OpId, ControlItem)>,
    days: BTreeMap<(DeviceKey, u64), u32>,
    /// Items made here that no other device is known to have.
    pub(super) undelivered: BTreeMap<OpId, State>,
    /// More is known than when what waits was last judged.
    pub(super) changed: bool,
}

/// What becomes of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// It is taken.
    New,
    /// It is here already.
    Known,
    /// Not now: who made it is not known, or its time has not come.
    Waits,
    /// Not any more: its device made too many. What decides which ops count is not counted, as all
    /// must have the same of it.
    TooMany,
    /// Not ever, and why.
    Refused(&'static str),
}

impl Log {
    pub(super) fn new(community: Community) -> Self {
        Self {
            community,
            seats: Seats::default(),
            devices: Devices::default(),
            prekeys: Vec::new(),
            prekey_times: Vec::new(),
            ids: IdSet::default(),
            seen: SmallMap::new(),
            pages: BTreeMap::new(),
            pending: VecDeque::new(),
            days: BTreeMap::new(),
            undelivered: BTreeMap::new(),
            changed: false,
        }
    }

    pub(super) fn view(&self, now: Time) -> View<'_> {
        View { seats: &self.seats, devices: &self.devices, prekeys: &self.prekeys, now }
    }

    /// Keeps a prekey of this device.
    pub(super) fn add_prekey(&mut self, time: Time, secret: PrekeySecret) {
        let at = self.prekey_times.partition_point(|known| *known > time);
        self.prekey_times.insert(at, time);
        self.prekeys.insert(at, secret);
    }

    /// Judges an item that came from others, and takes it if it may be.
    pub(super) fn admit(&mut self, id: OpId, item: &ControlItem, now: Time) -> Admission {
        if self.ids.knows(&id) {
            return Admission::Known;
        }
        if item.is_over(now) {
            return Admission::Refused("too old to be of use");
        }
        match item.check(self.community, now) {
            Ok(()) => {}
            Err(crate::control::ControlError::Early(_)) => return Admission::Waits,
            Err(_) => return Admission::Refused("not a valid control item"),
        }
        let by = match self.author(id, item) {
            Some(author) => author,
            None => return self.wait(id, item),
        };
        if !self.seats.ever(by) {
            // The list of changes may be behind; it is read anew when a member says so.
            return self.wait(id, item);
        }
        if let Some(device) = item.device().filter(|_| hands_out(item)) {
            let day = self.days.entry((device, item.time().0 / DAY)).or_default();
            if *day >= MAX_A_DAY {
                return Admission::TooMany;
            }
            *day += 1;
        }
        self.take(id, item, now);
        Admission::New
    }

    /// Takes an item that is known to be good: made here, or kept from before. `received` is when
    /// it came here.
    pub(super) fn take(&mut self, id: OpId, item: &ControlItem, received: Time) {
        self.devices.insert(item);
        match item {
            ControlItem::Certificate(certificate) => {
                let device = certificate.statement.device;
                let seen = self.seen.entry(device).or_insert(received);
                *seen = received.min(*seen);
            }
            ControlItem::Record(record) => {
                let pages = record.pages.iter().map(|page| (page.page, record.room_tag));
                self.pages.extend(pages);
            }
            _ => {}
        }
        self.ids.insert(id);
    }

    /// Of which room a page is, if that is known.
    pub(super) fn room_of(&self, page: OpId) -> Option<RoomTag> {
        self.pages.get(&page).copied()
    }

    /// Items that wait, to be judged anew.
    pub(super) fn take_pending(&mut self) -> Vec<(OpId, ControlItem)> {
        std::mem::take(&mut self.pending).into()
    }

    /// Whether a device may be given what was written before it came without anybody's word: the
    /// first of its wallet may, and those that were here for a day.
    pub(super) fn is_settled(&self, device: DeviceKey, now: Time) -> bool {
        let Some(wallet) = self.devices.wallet(device) else { return false };
        let others = self.devices.all().filter(|(_, owner)| *owner == wallet);
        let first = others.min_by_key(|(other, _)| (self.devices.vouched_since(*other), *other));
        let aged = self.seen.get(&device).is_some_and(|seen| now.since(*seen) >= CAUTION);
        aged || first.is_some_and(|(first, _)| first == device)
    }

    /// Whose word an item is.
    fn author(&self, id: OpId, item: &ControlItem) -> Option<Wallet> {
        match item {
            ControlItem::Certificate(certificate) => Some(certificate.statement.wallet),
            ControlItem::Revoke(revoke) => Some(revoke.wallet),
            // Its record's author answers for it.
            ControlItem::Page(page) => {
                let known = self.pages.contains_key(&id);
                let any = page.wraps.first().filter(|_| known);
                any.and_then(|wrap| self.devices.wallet(wrap.device))
            }
            other => self.devices.wallet(other.device()?),
        }
    }

    fn wait(&mut self, id: OpId, item: &ControlItem) -> Admission {
        if self.pending.iter().any(|(waiting, _)| *waiting == id) {
            return Admission::Waits;
        }
        if self.pending.len() >= MAX_PENDING {
            self.pending.pop_front();
        }
        self.pending.push_back((id, item.clone()));
        Admission::Waits
    }
}

/// Whether an item is of use to hand out keys alone.
const fn hands_out(item: &ControlItem) -> bool {
    use ControlItem::{BadWrap, Grant, Prekey, Request};
    matches!(item, Prekey(_) | Request(_) | Grant(_) | BadWrap(_))
}

//! Who gets which keys: own prekeys, asking for keys and giving them.

use super::disk::Read;
use super::restore::{name, named};
use super::{Outgoing, Room, Rooms};
use crate::access::Role;
use crate::content::{Content, RoomState};
use crate::control::{
    BadWrap, Charter, ControlItem, CutHead, HANDOUT_LIFE, KeyRequest, Prekey, RoomKind,
};
use crate::epoch::{EpochId, Policy, RoomTag};
use crate::id::{DeviceKey, DeviceSignature, Wallet};
use crate::keyring::{self, Asking};
use crate::op::OpId;
use crate::small::SmallSet;
use crate::store::{Batch, Item, MAX_LOAD, Request, RowKind, SetId};
use crate::time::{Duration, Time};
use crate::wrap::PrekeySecret;
use zeroize::Zeroizing;

/// How old a prekey may be until the next is made.
const PREKEY_AGE: Duration = Duration::from_secs(3 * 24 * 3600);
/// How long it is waited for a control log to be the same as somebody's before keys are asked for.
const SETTLING: Duration = Duration::from_secs(3);
/// How long it is waited for a page on which a key may be sealed to us, and for any other key.
const COMING: [Duration; 2] = [Duration::from_secs(20), Duration::from_secs(1)];
/// How long at least between two times that keys of a room are asked for.
const ASK_GAP: Duration = Duration::from_secs(20);
/// How long until a key is asked for again, at first; it doubles.
const ASK_AGAIN: Duration = Duration::from_secs(60);
/// How much longer each waits than the one before it until it gives keys.
const GRANT_STEP: Duration = Duration::from_millis(500);
/// How much longer those wait who are not linked with who asks, as they do not see who else is; and
/// those who cannot give all that is asked for.
const GRANT_LATER: Duration = Duration::from_secs(4);
/// How often it is looked for requests that could not be answered when they came.
const LOOK_AGAIN: Duration = Duration::from_secs(600);
/// How fresh the chain's word on a wallet must be when it is given keys.
const FRESH: Duration = Duration::from_secs(60);
/// The most wallets whose last word from the chain is remembered.
const MAX_CHECKED: usize = 1024;
/// What the first room of a community is called.
const FIRST_ROOM: &str = "general";
/// The most handouts that are prepared at once.
const MAX_HANDOUTS: usize = 256;

const UNSIGNED: DeviceSignature = DeviceSignature([0; 64]);

/// A key that is missing here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lacking {
    since: Time,
    /// When it is asked for next.
    due: Time,
    /// How often it was asked for.
    asked: u32,
}

/// Keys are about to be given to a device.
#[derive(Debug, Clone, Copy)]
pub(super) struct Handout {
    request: OpId,
    wallet: Wallet,
    at: Time,
    /// The chain was asked about the wallet.
    asked: Option<Time>,
}

impl Room {
    /// Has all keys that are missing be asked for now.
    pub(super) fn ask_at_once(&mut self) {
        self.asked = None;
        self.lacking.values_mut().for_each(|lacking| lacking.due = lacking.since);
    }
}

impl Rooms {
    /// Has the log hold our certificate, and a prekey that is young enough.
    pub(super) fn introduce_self(&mut self, now: Time) {
        let certificate = ControlItem::Certificate(self.me.certificate.clone());
        if !self.log.ids.knows(&certificate.id()) {
            self.say_item(&certificate, now);
        }
        self.renew_prekey(now);
        self.screen.devices = true;
    }

    fn renew_prekey(&mut self, now: Time) {
        let shown = self.time.shown(now);
        if self.log.prekey_times.first().is_some_and(|made| shown.since(*made) < PREKEY_AGE) {
            return;
        }
        let secret = PrekeySecret::new(Zeroizing::new(self.random.bytes()));
        let (device, key) = (self.device(), secret.public());
        let prekey = Prekey { device, key, time: shown, signature: UNSIGNED }.sign(&self.me.secret);
        let mut batch = Batch::default();
        let kept = Zeroizing::new(secret.bytes().to_vec());
        batch.put(RowKind::Key, &prekey_row(shown), kept);
        let then = self.own_item(&ControlItem::Prekey(prekey), &mut batch, now);
        self.log.add_prekey(shown, secret);
        self.disk.commit(batch, vec![then], true);
    }

    /// Erases prekeys that nothing is sealed to any more, once all that was is here.
    fn erase_prekeys(&mut self, now: Time) {
        let shown = self.time.shown(now);
        let over = |made: &Time| shown.since(*made) > HANDOUT_LIFE + PREKEY_AGE;
        let keep = self.log.prekey_times.iter().take_while(|made| !over(made)).count();
        if keep == self.log.prekey_times.len() || self.control_synced.is_none() {
            return;
        }
        let mut batch = Batch::default();
        for made in self.log.prekey_times.drain(keep..) {
            batch.remove(RowKind::Key, &prekey_row(made));
        }
        self.log.prekeys.truncate(keep);
        self.disk.commit(batch, Vec::new(), true);
    }

    /// Keeps the secrets that came to a keyring.
    pub(super) fn keep_secrets(&mut self, tag: RoomTag, before: &[EpochId]) {
        let Some(room) = self.rooms.get(&tag) else { return };
        let mut batch = Batch::default();
        for (epoch, secret) in room.keyring.secrets().filter(|(epoch, _)| !before.contains(epoch)) {
            let value = Zeroizing::new(secret.bytes().to_vec());
            batch.put(RowKind::Key, &named(name::EPOCH, &[&tag.0, &epoch.0]), value);
        }
        if !batch.is_empty() {
            self.disk.commit(batch, Vec::new(), true);
        }
    }

    /// Reads the pages that may hold keys that are missing, if they are here.
    pub(super) fn read_pages(&mut self, tag: RoomTag) {
        let Some(room) = self.rooms.get_mut(&tag) else { return };
        let here = |page: &OpId| self.log.ids.has(page) && !room.pages.contains(page);
        let pages: Vec<_> =
            room.keyring.wanted().map(|(_, page)| page).filter(here).take(MAX_LOAD).collect();
        if !pages.is_empty() {
            room.pages.extend(&pages);
            let request = Request::Load { set: SetId::CONTROL, ids: pages };
            self.disk.read(Read::Pages, request, &mut self.out);
        }
    }

    pub(super) fn pages_read(&mut self, items: Vec<Item>) {
        for item in items {
            if let Ok(page) = ControlItem::decode(&item.bytes) {
                self.take_item(item.entry.id, &page);
            }
        }
    }

    /// Vouches for ops of a device that was cut off, if they came before that was known here.
    pub(super) fn vouch_for_heads(&mut self, tag: RoomTag, now: Time) {
        let (shown, holder) = (self.time.shown(now), self.device());
        let Some(room) = self.rooms.get_mut(&tag) else { return };
        if !room.keyring.may_make(self.log.view(shown)) {
            return;
        }
        let view = self.log.view(shown);
        let writers = room.history.writers().filter(|device| *device != holder);
        let heads = writers.flat_map(|device| {
            room.lost_to_cut(device, view).into_iter().map(move |head| (device, head))
        });
        let heads: Vec<_> = heads.collect();
        let mut said = Vec::new();
        for (cut, head) in heads {
            if room.vouched.insert(head) {
                let (community, room_tag) = (self.me.community, tag);
                let item = CutHead {
                    community,
                    room_tag,
                    cut,
                    head,
                    holder,
                    time: shown,
                    signature: UNSIGNED,
                };
                said.push(ControlItem::CutHead(item.sign(&self.me.secret)));
            }
        }
        for item in said {
            self.say_item(&item, now);
        }
    }

    /// The chain spoke of a wallet.
    pub(super) fn access(&mut self, wallet: Wallet, admitted: bool, cutoff: u64, now: Time) {
        if self.log.devices.cutoff(wallet, Time::from_secs(cutoff)) {
            self.everything_unsettled();
        }
        if !admitted {
            self.checked.remove(&wallet);
        } else {
            if self.checked.len() >= MAX_CHECKED {
                self.checked.retain(|_, at| now.since(*at) < FRESH);
            }
            if self.checked.len() < MAX_CHECKED {
                self.checked.insert(wallet, now);
            }
        }
    }

    /// Gives a community without any room its first, if we are the moderator to do so: the one with
    /// the smallest device key of those who are here, once nobody here knows of a room.
    fn found_first(&mut self, now: Time) {
        let moderates = |wallet: Wallet| {
            let role = self.log.seats.role(wallet, self.log.seats.newest());
            matches!(role, Some(Role::Moderator | Role::Owner))
        };
        let own = self.device();
        let before = |device: &DeviceKey| {
            *device < own && self.log.devices.wallet(*device).is_some_and(moderates)
        };
        let none = self.rooms.values().all(Room::is_direct);
        if self.control_synced.is_none()
            || !none
            || !moderates(self.wallet())
            || self.linked.iter().any(before)
        {
            return;
        }
        let charter = Charter { kind: RoomKind::All, policy: Policy::OpenHistory };
        if let Some(tag) = self.found(charter, now) {
            let name = Some(FIRST_ROOM.to_owned());
            let state = RoomState { name, ..RoomState::default() };
            self.draft(None, tag, Content::State(state), now);
        }
    }

    /// Asks for keys that are missing and gives those that others miss.
    pub(super) fn settle_keys(&mut self, now: Time) {
        self.renew_prekey(now);
        self.erase_prekeys(now);
        self.found_first(now);
        if now.since(self.prepared) >= LOOK_AGAIN {
            self.prepared = now;
            self.rooms.values_mut().for_each(|room| room.unprepared = true);
        }
        let tags: Vec<_> = self.rooms.keys().copied().collect();
        for tag in tags {
            self.report_bad(tag, now);
            self.ask_keys(tag, now);
            self.prepare(tag, now);
        }
        self.hand_out(now);
    }

    /// Says of which epochs this device was given another key than the right one.
    fn report_bad(&mut self, tag: RoomTag, now: Time) {
        let (community, device, time) = (self.me.community, self.device(), self.time.shown(now));
        let Some(room) = self.rooms.get_mut(&tag) else { return };
        let new: Vec<_> = room.keyring.bad().filter(|epoch| !room.bad.contains(epoch)).collect();
        room.bad.extend(&new);
        for epoch in new {
            let bad =
                BadWrap { community, room_tag: tag, epoch, device, time, signature: UNSIGNED };
            self.say_item(&ControlItem::BadWrap(bad.sign(&self.me.secret)), now);
        }
    }

    /// Takes note of which keys are missing in a room whose keyring was settled.
    pub(super) fn note_missing(&mut self, tag: RoomTag, now: Time) {
        let Some(room) = self.rooms.get_mut(&tag) else { return };
        room.unprepared = true;
        let away = |(_, page): &(EpochId, OpId)| !self.log.ids.has(page);
        let sealed: SmallSet<_> =
            room.keyring.wanted().filter(away).map(|(epoch, _)| epoch).collect();
        let [coming, other] = COMING;
        let before = std::mem::take(&mut room.lacking);
        // Somebody gave some of what was asked for: another may have the rest.
        let missing: SmallSet<_> = room.keyring.missing().collect();
        let gave = |(epoch, it): (&EpochId, &Lacking)| it.asked > 0 && !missing.contains(epoch);
        let gave = before.iter().any(gave);
        for epoch in missing.iter().copied() {
            let wait = if sealed.contains(&epoch) { coming } else { other };
            let first = Lacking { since: now, due: now + wait, asked: 0 };
            let mut lacking = before.get(&epoch).copied().unwrap_or(first);
            if lacking.asked == 0 {
                // Its page came, and there is nothing of use to us on it.
                lacking.due = lacking.since + wait;
            } else if gave {
                (lacking.due, lacking.asked) = (lacking.due.min(now), 1);
            }
            room.lacking.insert(epoch, lacking);
        }
        let fetch = sealed.iter().any(|epoch| !before.contains_key(epoch));
        if fetch {
            self.sync(crate::sync::Input::Renewed, now);
        }
    }

    /// When keys of a room are asked for next, if any are missing and it can be asked for them.
    fn ask_at(&self, room: &Room) -> Option<Time> {
        let due = room.lacking.values().map(|lacking| lacking.due).min()?;
        let own = self.wallet();
        let seated = self.log.seats.admits(own, self.log.seats.newest());
        // Somebody must be there, and what is sealed to us may be on its way.
        let settled = match self.control_synced {
            Some(_) => Time::default(),
            None => self.company_since? + SETTLING,
        };
        let able = !self.linked.is_empty() && seated && room.is_of(own);
        let again = room.asked.map_or(Time::default(), |at| at + ASK_GAP);
        able.then(|| due.max(settled).max(again))
    }

    fn ask_keys(&mut self, tag: RoomTag, now: Time) {
        let (device, shown) = (self.device(), self.time.shown(now));
        let at = self.rooms.get(&tag).and_then(|room| self.ask_at(room));
        let Some(room) = self.rooms.get_mut(&tag).filter(|_| at.is_some_and(|at| at <= now)) else {
            return;
        };
        // The others only look at what was asked for last, so it is all that is missing.
        let mut wanted: Vec<_> = room.keyring.missing().take(KeyRequest::MAX_WANTED + 1).collect();
        if wanted.len() > KeyRequest::MAX_WANTED {
            wanted.clear();
        }
        room.asked = Some(now);
        for lacking in room.lacking.values_mut().filter(|lacking| lacking.due <= now) {
            lacking.due = now + ASK_AGAIN * (1 << lacking.asked.min(8));
            lacking.asked += 1;
        }
        let request = KeyRequest {
            community: self.me.community,
            room_tag: tag,
            device,
            wanted,
            time: shown,
            signature: UNSIGNED,
        };
        self.say_item(&ControlItem::Request(request.sign(&self.me.secret)), now);
    }

    /// Notes who is to be given keys of a room, and when.
    fn prepare(&mut self, tag: RoomTag, now: Time) {
        let shown = self.time.shown(now);
        let Some(room) = self.rooms.get_mut(&tag) else { return };
        if !std::mem::take(&mut room.unprepared) || !room.keyring.may_make(self.log.view(shown)) {
            return;
        }
        let asking: Vec<Asking> = room.keyring.asking(self.log.view(shown)).collect();
        for Asking { request, recipient, all } in asking {
            let device = recipient.device;
            let known = self.handouts.get(&(tag, device)).is_some_and(|it| it.request == request);
            let may = self.approved.contains(&device) || self.log.is_settled(device, now);
            if !may {
                self.screen.devices = true;
                continue;
            }
            if known || self.handouts.len() >= MAX_HANDOUTS {
                continue;
            }
            let present: Vec<_> = self.linked.iter().copied().collect();
            let later = |behind| if behind { GRANT_LATER } else { Duration::ZERO };
            let later = later(!present.contains(&device)) + later(!all);
            let wait = later + keyring::delay(self.device(), &present, &request.0, GRANT_STEP);
            let handout =
                Handout { request, wallet: recipient.wallet, at: now + wait, asked: None };
            self.handouts.insert((tag, device), handout);
        }
    }

    /// Gives the keys that are due, to wallets that the chain lets in just now. None while a record
    /// tells of another list of changes: in that one the wallet may have no seat, and the keys of
    /// epochs that were made by it are among those that are held.
    fn hand_out(&mut self, now: Time) {
        if self.changes.is_doubted() {
            return;
        }
        let due: Vec<_> = self.handouts.iter().filter(|(_, it)| it.at <= now).collect();
        let due: Vec<_> = due.into_iter().map(|(place, it)| (*place, *it)).collect();
        for ((tag, device), handout) in due {
            let shown = self.time.shown(now);
            let view = self.log.view(shown);
            let Some(room) = self.rooms.get(&tag) else { continue };
            let still = room.keyring.asking(view).any(|it| it.request == handout.request);
            if !still {
                self.handouts.remove(&(tag, device));
                continue;
            }
            let checked = self.checked.get(&handout.wallet);
            if checked.is_none_or(|at| now.since(*at) > FRESH) {
                let asked = handout.asked.is_some_and(|at| now.since(at) < FRESH / 4);
                if !asked {
                    let handout = Handout { asked: Some(now), ..handout };
                    self.handouts.insert((tag, device), handout);
                    self.say(Outgoing::CheckAccess { wallet: handout.wallet });
                }
                continue;
            }
            let Self { me, log, random, rooms, .. } = self;
            let Some(room) = rooms.get(&tag) else { continue };
            let mut draw = |into: &mut [u8]| random.fill(into);
            let grant = room.keyring.grant(device, &me.secret, log.view(shown), &mut draw);
            self.handouts.remove(&(tag, device));
            if let Some(grant) = grant {
                self.say_item(&ControlItem::Grant(grant), now);
            }
        }
    }

    /// When keys are to be asked for or given, at the latest.
    pub(super) fn keys_wake_at(&self) -> Option<Time> {
        let handouts = self.handouts.values().map(|it| match it.asked {
            Some(asked) => (asked + FRESH / 4).max(it.at),
            None => it.at,
        });
        let handouts = handouts.filter(|_| !self.changes.is_doubted());
        let missing = self.rooms.values().filter_map(|room| self.ask_at(room));
        let prekey = self.log.prekey_times.first().map(|made| self.time.when(*made + PREKEY_AGE));
        let again = self.prepared + LOOK_AGAIN;
        handouts.chain(missing).chain(prekey).chain([again]).min()
    }
}

fn prekey_row(made: Time) -> Vec<u8> {
    named(name::PREKEY, &[&made.0.to_be_bytes()])
}

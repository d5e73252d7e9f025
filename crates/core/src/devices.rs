//! Whose each device is and was, and what keys are sealed to it with.
//!
//! What is known here is a function of the certificates, revocations and prekeys that were taken
//! and of the cutoffs on the chain, in whatever order they came.

mod person;

use crate::certificate::{CLOCK_SKEW, DeviceCertificate};
use crate::control::{Cause, ControlItem, HANDOUT_LIFE, Prekey, PrekeyPublic, Revoke};
use crate::id::{DeviceKey, Wallet};
use crate::op::OpId;
use crate::small::SmallMap;
use crate::time::Time;
use person::{Person, Vouched};

/// The book of all devices of a community, those of the past too.
///
/// A device is its first wallet's: of the certificates of several wallets for one device, only
/// those of the wallet with the earliest count. Who takes another wallet takes another device.
#[derive(Debug, Clone, Default)]
pub struct Devices {
    people: SmallMap<Wallet, Person>,
    /// Whose each device is, and by which certificate.
    owners: SmallMap<DeviceKey, ((u64, OpId), Wallet)>,
    prekeys: SmallMap<DeviceKey, (Time, PrekeyPublic)>,
}

/// A device that keys are sealed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipient {
    /// Which.
    pub device: DeviceKey,
    /// Whose.
    pub wallet: Wallet,
    /// What to seal with.
    pub prekey: PrekeyPublic,
}

impl Devices {
    /// The most devices of one wallet that are known, those of the past included; more are not
    /// taken.
    pub const MAX_OF_WALLET: usize = 512;
    /// The most devices of one wallet that get keys: those whose certificates are the newest.
    pub const MAX_CURRENT: usize = 8;
    /// The most devices that get keys.
    pub const MAX_RECIPIENTS: usize = 2000;
    /// The most prekeys that are kept.
    const MAX_PREKEYS: usize = 8192;

    /// Takes a certificate, a revocation or a prekey that was [checked](ControlItem::check), and
    /// passes over all else. Give it items of wallets alone that have or had a seat. Returns
    /// whether it is news.
    pub fn insert(&mut self, item: &ControlItem) -> bool {
        match item {
            ControlItem::Certificate(certificate) => self.certificate(item.id(), certificate),
            ControlItem::Revoke(revoke) => self.revoke(item.id(), revoke),
            ControlItem::Prekey(prekey) => self.prekey(prekey),
            _ => false,
        }
    }

    /// Hears of a wallet's cutoff on the chain: certificates issued at or before that moment are
    /// void. It only moves forward. Returns whether it did.
    pub fn cutoff(&mut self, wallet: Wallet, cutoff: Time) -> bool {
        let moved = self.people.get(&wallet).map_or(0, |person| person.cutoff) < cutoff.secs();
        if moved {
            self.people.entry(wallet).or_default().cutoff = cutoff.secs();
        }
        moved
    }

    /// Whose device this is.
    #[must_use]
    pub fn wallet(&self, device: DeviceKey) -> Option<Wallet> {
        self.owners.get(&device).map(|(_, wallet)| *wallet)
    }

    /// Whose device it was at a time, if a certificate covers that: from five minutes before its
    /// issue until its end, whatever became of it later.
    #[must_use]
    pub fn wallet_at(&self, device: DeviceKey, at: Time) -> Option<Wallet> {
        let wallet = self.wallet(device)?;
        let certificates = self.certificates(device)?;
        let covers = |it: &Vouched| it.issued <= (at + CLOCK_SKEW).secs() && at.secs() < it.expires;
        certificates.iter().any(covers).then_some(wallet)
    }

    /// When the first certificate of a device was issued, in unix seconds; 0 if there is none.
    #[must_use]
    pub fn vouched_since(&self, device: DeviceKey) -> u64 {
        self.certificates(device).and_then(<[_]>::first).map_or(0, |it| it.issued)
    }

    /// Until when the certificates of a device last, in unix seconds, not regarding that they may
    /// have been taken back. 0 if there are none.
    #[must_use]
    pub fn vouched_until(&self, device: DeviceKey) -> u64 {
        let ends = self.certificates(device).unwrap_or_default().iter().map(|it| it.expires);
        ends.max().unwrap_or(0)
    }

    /// Why its wallet's word for a device does not stand at `now`; `None` if it stands, or if the
    /// device is not known.
    #[must_use]
    pub fn gone(&self, device: DeviceKey, now: Time) -> Option<Cause> {
        let person = self.people.get(&self.wallet(device)?)?;
        let known = person.devices.get(&device)?;
        if let Some(revoke) = known.revoked {
            return Some(Cause::Revoked(revoke));
        }
        match known.after(person.cutoff).map(|it| it.expires).max() {
            None => Some(Cause::Cutoff(person.cutoff)),
            Some(end) => (end <= now.secs()).then_some(Cause::Expired(end)),
        }
    }

    /// Whether its wallet's word for a device stands at `now`.
    #[must_use]
    pub fn stands(&self, device: DeviceKey, now: Time) -> bool {
        self.wallet(device).is_some() && self.gone(device, now).is_none()
    }

    /// Whether what was said to end a device, at the time `said`, is so. Of a seat it is for the
    /// [`Seats`](crate::seats::Seats) to tell.
    #[must_use]
    pub fn replays(&self, device: DeviceKey, cause: Cause, said: Time) -> bool {
        let Some(person) = self.wallet(device).and_then(|wallet| self.people.get(&wallet)) else {
            return false;
        };
        let Some(known) = person.devices.get(&device) else { return false };
        match cause {
            Cause::Seat(_) => false,
            Cause::Revoked(_) => known.revoked.is_some(),
            Cause::Cutoff(cutoff) => {
                (1..=person.cutoff).contains(&cutoff) && known.after(person.cutoff).next().is_none()
            }
            Cause::Expired(end) => {
                end <= (said + CLOCK_SKEW).secs()
                    && known.after(person.cutoff).all(|it| it.expires <= end)
            }
        }
    }

    /// Whether a certificate of a device is known that was issued after a moment, in unix seconds.
    #[must_use]
    pub fn is_vouched_after(&self, device: DeviceKey, moment: u64) -> bool {
        self.certificates(device).is_some_and(|all| all.iter().any(|it| it.issued > moment))
    }

    /// All devices that a certificate is known of, with their wallets, ascending.
    pub fn all(&self) -> impl Iterator<Item = (DeviceKey, Wallet)> {
        self.owners.iter().map(|(device, (_, wallet))| (*device, *wallet))
    }

    /// The device's newest prekey, if it may be used at `now`.
    #[must_use]
    pub fn newest_prekey(&self, device: DeviceKey, now: Time) -> Option<PrekeyPublic> {
        let (time, prekey) = self.prekeys.get(&device)?;
        (now.since(*time) <= HANDOUT_LIFE).then_some(*prekey)
    }

    /// The current devices of a wallet: those that it vouches for at `now` and that have a prekey,
    /// the newest first by certificate, the smaller first of equals, at most
    /// [`Self::MAX_CURRENT`].
    #[must_use]
    pub fn current(&self, wallet: Wallet, now: Time) -> Vec<Recipient> {
        let devices = self.people.get(&wallet).into_iter().flat_map(|person| &person.devices);
        let mut current = SmallMap::new();
        for (device, known) in devices {
            let owned = self.wallet(*device) == Some(wallet) && self.gone(*device, now).is_none();
            let prekey = self.newest_prekey(*device, now).filter(|_| owned);
            if let Some((prekey, newest)) = prekey.zip(known.certificates.last()) {
                let recipient = Recipient { device: *device, wallet, prekey };
                current.insert((u64::MAX - newest.issued, *device), recipient);
            }
        }
        current.into_values().take(Self::MAX_CURRENT).collect()
    }

    /// The current devices of all wallets that `admits` answers to with true, ascending, at most
    /// [`Self::MAX_RECIPIENTS`].
    #[must_use]
    pub fn recipients(&self, now: Time, admits: impl Fn(Wallet) -> bool) -> Vec<Recipient> {
        let mut all = SmallMap::new();
        for wallet in self.people.keys().filter(|wallet| admits(**wallet)) {
            all.extend(self.current(*wallet, now).into_iter().map(|it| (it.device, it)));
        }
        all.into_values().take(Self::MAX_RECIPIENTS).collect()
    }

    /// Forgets what can no longer be used at `now`.
    pub fn prune(&mut self, now: Time) {
        self.prekeys.retain(|_, (time, _)| now.since(*time) <= HANDOUT_LIFE);
    }

    fn certificates(&self, device: DeviceKey) -> Option<&[Vouched]> {
        let person = self.people.get(&self.wallet(device)?)?;
        Some(&person.devices.get(&device)?.certificates)
    }

    fn certificate(&mut self, id: OpId, certificate: &DeviceCertificate) -> bool {
        let statement = &certificate.statement;
        let vouched = Vouched { issued: statement.issued, id, expires: statement.expires };
        let person = self.people.entry(statement.wallet).or_default();
        let Some(device) = person.device(statement.device) else { return false };
        let new = device.vouch(vouched);
        let by = ((vouched.issued, id), statement.wallet);
        let owner = self.owners.entry(statement.device).or_insert(by);
        *owner = by.min(*owner);
        new
    }

    fn revoke(&mut self, id: OpId, revoke: &Revoke) -> bool {
        let person = self.people.entry(revoke.wallet).or_default();
        let Some(device) = person.device(revoke.device) else { return false };
        // Of several revocations, which say the same, the first is named.
        let new = device.revoked.is_none_or(|known| id < known);
        if new {
            device.revoked = Some(id);
        }
        new
    }

    fn prekey(&mut self, prekey: &Prekey) -> bool {
        let Self { owners, prekeys, .. } = self;
        if prekeys.len() >= Self::MAX_PREKEYS && !prekeys.contains_key(&prekey.device) {
            prekeys.retain(|device, _| owners.contains_key(device));
            if prekeys.len() >= Self::MAX_PREKEYS {
                return false;
            }
        }
        let new = (prekey.time, prekey.key);
        let known = prekeys.get(&prekey.device).is_some_and(|known| new <= *known);
        if !known {
            prekeys.insert(prekey.device, new);
        }
        !known
    }
}

#[cfg(test)]
mod tests;

//! Asking for keys, and giving them.

use super::{Keyring, View};
use crate::control::{Grant, HANDOUT_LIFE, KeyRequest};
use crate::devices::Recipient;
use crate::epoch::{EpochId, EpochSecret, Policy};
use crate::id::{DeviceKey, DeviceSecret};
use crate::op::OpId;
use crate::small::SmallMap;
use crate::time::Time;
use crate::wrap::{self, GrantTo, PrekeySecret, Random};

/// A device asks for keys that may be given to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asking {
    /// Its request.
    pub request: OpId,
    /// Who asks.
    pub recipient: Recipient,
    /// This device can give all the keys that it asked for by name.
    pub all: bool,
}

/// What was asked for and what was given.
#[derive(Debug, Default)]
pub(super) struct Handouts {
    /// The newest request of each device.
    requests: SmallMap<DeviceKey, Asked>,
    /// To each device, by others: the newest grant of each, and the one before.
    grants: SmallMap<DeviceKey, SmallMap<DeviceKey, [Time; 2]>>,
    /// Grants to this device that were not opened yet.
    own: Vec<Grant>,
}

#[derive(Debug)]
struct Asked {
    id: OpId,
    wanted: Vec<EpochId>,
    time: Time,
    /// When it asked before that.
    before: Time,
}

impl Handouts {
    /// The most devices whose requests are kept, and as many to whom grants were made.
    const MAX: usize = 1024;
    /// The most devices whose grants to one other are kept, the newest.
    const MAX_GRANTERS: usize = 8;

    pub(super) fn request(&mut self, id: OpId, request: &KeyRequest) -> bool {
        let known = self.requests.get(&request.device);
        let (newest, before) = known.map_or_else(Default::default, |it| (it.time, it.before));
        if known.is_some_and(|known| id <= known.id) {
            // Late, but it may have been the one before.
            let late = request.time.max(before);
            let moved = late > before && request.time < newest;
            let device = self.requests.get_mut(&request.device).filter(|_| moved);
            device.into_iter().for_each(|it| it.before = late);
            return moved;
        }
        if known.is_none() && self.requests.len() >= Self::MAX {
            let oldest = self.requests.iter().min_by_key(|(_, it)| it.id).map(|(it, _)| *it);
            if let Some(oldest) = oldest {
                self.requests.remove(&oldest);
            }
        }
        let (wanted, time) = (request.wanted.clone(), request.time);
        self.requests.insert(request.device, Asked { id, wanted, time, before: newest });
        true
    }

    pub(super) fn grant(&mut self, grant: &Grant, own: DeviceKey) -> bool {
        if grant.to == own {
            if self.own.len() >= Self::MAX {
                self.own.remove(0);
            }
            self.own.push(grant.clone());
            return true;
        }
        if self.grants.len() >= Self::MAX && !self.grants.contains_key(&grant.to) {
            let last = |all: &SmallMap<_, [Time; 2]>| all.values().map(|[newest, _]| *newest).max();
            let oldest = self.grants.iter().min_by_key(|(_, all)| last(all)).map(|(it, _)| *it);
            if let Some(oldest) = oldest {
                self.grants.remove(&oldest);
            }
        }
        let all = self.grants.entry(grant.to).or_default();
        if all.len() >= Self::MAX_GRANTERS && !all.contains_key(&grant.from) {
            let oldest = all.iter().min_by_key(|(_, it)| **it).map(|(it, _)| *it);
            if let Some(oldest) = oldest {
                all.remove(&oldest);
            }
        }
        let [newest, before] = all.entry(grant.from).or_default();
        if grant.time > *newest {
            *before = std::mem::replace(newest, grant.time);
        } else if grant.time > *before && grant.time < *newest {
            *before = grant.time;
        }
        true
    }

    /// The secrets in the grants to this device.
    pub(super) fn open(&mut self, prekeys: &[PrekeySecret]) -> Vec<(EpochId, EpochSecret)> {
        let own = std::mem::take(&mut self.own);
        own.iter().filter_map(|grant| wrap::open_grant(grant, prekeys)).flatten().collect()
    }

    /// Whether a request was answered: by `own`, or by somebody who had not answered the one before
    /// it too, since what that one gave was then not what was asked for.
    fn is_answered(&self, device: DeviceKey, asked: &Asked, own: DeviceKey) -> bool {
        self.grants.get(&device).into_iter().flatten().any(|(from, [newest, before])| {
            let in_vain = *before >= asked.before && asked.before > Time::default();
            *newest >= asked.time && (*from == own || !in_vain)
        })
    }
}

impl Keyring {
    /// Who asks for keys that this device can give, and was not answered. The chain is to be asked
    /// about each wallet before it gets any.
    pub fn asking<'a>(&'a self, view: View<'a>) -> impl Iterator<Item = Asking> + 'a {
        let requests = &self.handouts.requests;
        requests.iter().filter_map(move |(device, asked)| {
            let over = view.now.since(asked.time) > HANDOUT_LIFE;
            if *device == self.own || over || self.handouts.is_answered(*device, asked, self.own) {
                return None;
            }
            let recipient = self.recipient(*device, view)?;
            let given = self.allowed(recipient, asked, view).count();
            let all = given >= asked.wanted.len();
            (given > 0).then_some(Asking { request: asked.id, recipient, all })
        })
    }

    /// The keys that `device` asked for and may have, sealed to it; `None` if there are none.
    #[must_use]
    pub fn grant(
        &self,
        device: DeviceKey,
        me: &DeviceSecret,
        view: View<'_>,
        random: &mut Random<'_>,
    ) -> Option<Grant> {
        let asked = self.handouts.requests.get(&device)?;
        let recipient = self.recipient(device, view)?;
        let keys = self.allowed(recipient, asked, view);
        let keys: Vec<_> = keys.take(Grant::MAX_KEYS).collect();
        let (community, room_tag, prekey) = (self.community, self.tag, recipient.prekey);
        let to = GrantTo { community, room_tag, device, prekey };
        // That of what it answers: so all can tell which of the questions of a device it was,
        // whatever the two clocks say.
        let (any, time) = (!keys.is_empty(), asked.time);
        any.then(|| wrap::seal_grant(to, &keys, me, time, random)).flatten()
    }

    /// The device as one that may have keys of this room.
    fn recipient(&self, device: DeviceKey, view: View<'_>) -> Option<Recipient> {
        let wallet = view.devices.wallet(device)?;
        let seated = view.seats.admits(wallet, view.seats.newest());
        let ours = self.kind().is_some_and(|kind| kind.includes(wallet)) && seated;
        let current = view.devices.current(wallet, view.now);
        let may = ours && !self.doubts(device);
        current.into_iter().find(|it| may && it.device == device)
    }

    /// The keys asked for that the recipient may have, the newest first.
    fn allowed<'a>(
        &'a self,
        to: Recipient,
        asked: &'a Asked,
        view: View<'a>,
    ) -> impl Iterator<Item = (EpochId, EpochSecret)> + 'a {
        let may = move |version| match self.policy() {
            Policy::OpenHistory => true,
            Policy::FromJoin => view.seats.admits(to.wallet, version),
        };
        let valid = self.records.values().rev().filter(|it| it.state.counts());
        valid.filter_map(move |held| {
            let record = &held.record;
            let wanted = asked.wanted.is_empty() || asked.wanted.contains(&record.epoch);
            let secret = self.secrets.get(&record.epoch).filter(|_| held.fits == Some(true));
            let secret = secret.filter(|_| wanted && may(record.version));
            secret.map(|secret| (record.epoch, secret.clone()))
        })
    }
}

//! What is promised, and looked after.

use crate::world::{Happening, World, meeting};
use chats_core::access::Role;
use chats_core::node::ParticipantState;
use std::collections::{BTreeMap, BTreeSet};

/// Inputs and outputs of one device within a second: twelve calls set up at once need many.
const MAX_PER_SECOND: u64 = 1500;
/// Media connections of one device: one to each other speaker.
const MAX_MEDIA: usize = 11;
/// How late a change of roles may be noticed while the chain is in trouble, from its end.
const TROUBLE: u64 = 130_000;

/// How busy each device is.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    busy: BTreeMap<usize, (u64, u64)>,
}

impl Checks {
    pub(crate) fn count(&mut self, device: usize, now: u64) {
        let (second, count) = self.busy.entry(device).or_default();
        if *second == now / 1000 {
            *count += 1;
        } else {
            (*second, *count) = (now / 1000, 1);
        }
    }
}

/// A promise about one thing that happened.
#[derive(Debug)]
pub(crate) enum Check {
    /// These saw a device, and it left or was killed in that life.
    Gone { device: usize, life: u32, by: Vec<(usize, u32)>, linked: bool },
    /// A device lost its seat.
    Expelled { device: usize },
}

impl World {
    /// All that must hold at every moment.
    pub(crate) fn check_bounds(&mut self) {
        let spin = self.checks.busy.iter().find(|(_, (_, count))| *count > MAX_PER_SECOND);
        if let Some((device, (_, count))) = spin {
            self.fail(format!("{device} had {count} inputs and outputs within a second"));
        }
        for device in 0..self.devices.len() {
            let open = self.open_media(device);
            if open > MAX_MEDIA {
                self.fail(format!("{device} has {open} media connections"));
            }
            if open > 0 && !self.devices[device].joined {
                self.fail(format!("{device} has media connections outside of a meeting"));
            }
        }
    }

    /// Whether a device's clock was set within the last `window` milliseconds.
    fn lost_time(&self, device: usize, window: u64) -> bool {
        self.devices[device].clock_set.is_some_and(|at| at + window >= self.now)
    }

    fn watchers(&self, device: usize, linked: bool) -> Vec<(usize, u32)> {
        let sees = |(number, page): &(usize, &crate::world::Device)| {
            page.participants.contains_key(&device) && (!linked || self.connected(device, *number))
        };
        self.devices.iter().enumerate().filter(sees).map(|(n, page)| (n, page.life)).collect()
    }

    pub(crate) fn watch_leave(&mut self, device: usize) {
        let by = self.watchers(device, true);
        let life = self.devices[device].life;
        let check = Check::Gone { device, life, by, linked: true };
        self.queue.push(self.now + 3000, Happening::Check(check));
    }

    pub(crate) fn watch_kill(&mut self, device: usize) {
        let by = self.watchers(device, false);
        let life = self.devices[device].life + 1;
        let check = Check::Gone { device, life, by, linked: false };
        self.queue.push(self.now + 15_000, Happening::Check(check));
    }

    pub(crate) fn on_check(&mut self, check: Check) {
        match check {
            Check::Gone { device, life, by, linked } => {
                // Back again, or closed as well: nothing can be said.
                if self.devices[device].life != life || self.devices[device].joined {
                    return;
                }
                for (other, other_life) in by {
                    let page = &self.devices[other];
                    let same = page.life == other_life && !self.lost_time(other, 15_000);
                    let heard = !linked || self.connected(device, other);
                    let shown = page.participants.contains_key(&device);
                    let online = !linked && page.online.contains(&device);
                    if same && heard && (shown || online) {
                        let how = if linked { "left" } else { "was killed" };
                        self.fail(format!("{other} still shows {device}, who {how}"));
                    }
                }
            }
            Check::Expelled { device } => self.check_expelled(device),
        }
    }

    fn check_expelled(&mut self, device: usize) {
        if self.chain.role(self.devices[device].address, self.now) != Role::None {
            return;
        }
        let since = self.now.saturating_sub(TROUBLE);
        let late = |(_, to): &(u64, u64)| *to > since && *to < self.now + TROUBLE;
        let ends = self.chain.troubles.iter().filter(|trouble| late(trouble));
        if let Some(end) = ends.map(|(_, to)| *to).max() {
            let again = end + TROUBLE;
            if again > self.now {
                self.queue.push(again, Happening::Check(Check::Expelled { device }));
                return;
            }
        }
        for (number, page) in self.devices.iter().enumerate() {
            let shown = page.participants.contains_key(&device)
                || page.online.contains(&device)
                || self.hears(number, device);
            let excused = page.hostile || self.lost_time(number, 90_000);
            if number != device && shown && !excused {
                return self.fail(format!("{number} still shows {device}, who lost the seat"));
            }
        }
        if self.devices[device].joined && !self.lost_time(device, 90_000) {
            self.fail(format!("{device} is still in the meeting without a seat"));
        }
    }

    /// All that must hold once every fault is over.
    pub(crate) fn check_end(&mut self) {
        let seated = |page: &crate::world::Device| {
            page.node.is_some() && self.chain.role(page.address, self.now).admits()
        };
        let inside: BTreeSet<_> = (0..self.devices.len())
            .filter(|number| seated(&self.devices[*number]) && self.devices[*number].joined)
            .collect();
        let wallets: BTreeSet<_> = inside.iter().map(|n| self.devices[*n].address).collect();
        let wanting: BTreeSet<_> = self
            .devices
            .iter()
            .filter(|page| seated(page) && page.wants)
            .map(|page| page.address)
            .collect();
        if wallets.len() != inside.len() {
            return self.fail(format!("a wallet is in the meeting twice: {inside:?}"));
        }
        if inside.len() != wanting.len().min(12) {
            return self.fail(format!("{} want to be in, {inside:?} are", wanting.len()));
        }
        for (number, page) in self.devices.iter().enumerate() {
            if page.hostile {
                let mut seen = page.participants.keys().chain(&page.online);
                if seen.any(|other| !self.devices[*other].hostile) {
                    return self.fail(format!("the stranger {number} sees somebody"));
                }
                continue;
            }
            if !seated(page) {
                continue;
            }
            let shown: BTreeSet<_> = page.participants.keys().copied().collect();
            let others: BTreeSet<_> = inside.iter().copied().filter(|n| *n != number).collect();
            if shown != others {
                return self.fail(format!("{number} shows {shown:?}, there are {others:?}"));
            }
            for (other, participant) in &page.participants {
                let state = participant.state;
                let wanted = if inside.contains(&number) {
                    ParticipantState::Connected
                } else {
                    ParticipantState::Elsewhere
                };
                if state != wanted || participant.meeting != meeting() {
                    return self.fail(format!("{number} shows {other} as {state:?}"));
                }
                if participant.muted != self.devices[*other].muted {
                    return self.fail(format!("{number} shows {other}'s microphone wrongly"));
                }
                if participant.hand.is_some() != self.devices[*other].hand {
                    return self.fail(format!("{number} shows {other}'s hand wrongly"));
                }
            }
            if !inside.contains(&number) {
                continue;
            }
            if let Some(other) = others.iter().find(|other| !self.linked(number, **other)) {
                return self.fail(format!("{number} has no link to {other}"));
            }
            let key = |device: &usize| self.devices[*device].key;
            let all: BTreeSet<_> = inside.iter().map(key).collect();
            let table = page.node.as_ref().map(|node| node.hearing()).unwrap_or_default();
            if table.len() != all.len() {
                return self.fail(format!("{number} knows of {} who hears whom", table.len()));
            }
            for (device, hears) in table {
                let mut hears: BTreeSet<_> = hears.into_iter().collect();
                hears.insert(device);
                if hears != all {
                    let device = self.by_key[&device];
                    return self.fail(format!("{number} believes that {device} hears not all"));
                }
            }
        }
    }
}

//! With whom else to be linked.
//!
//! What is said in rooms of all members comes to everybody over any link. Direct messages go to the
//! devices of two wallets alone, and so does what these keep of them: they must be linked.

use super::{MAX_SOUGHT, Outgoing, Rooms};
use crate::control::RoomKind;
use crate::id::DeviceKey;
use crate::small::SmallSet;
use crate::time::Time;
use std::cmp::Reverse;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Seeking {
    /// Who is sought may be somebody else now.
    settled: bool,
    /// What was said last.
    told: Option<Vec<DeviceKey>>,
}

impl Seeking {
    /// Has it worked out again who is sought.
    pub(super) const fn anew(&mut self) {
        self.settled = false;
    }
}

impl Rooms {
    /// Says whom we are to be linked with: the current devices of those to whom we talk alone and
    /// our own. First come those for whom something waits, then those of whom was heard last.
    pub(super) fn seek(&mut self, now: Time) {
        if std::mem::replace(&mut self.seeking.settled, true) {
            return;
        }
        let (own, shown) = (self.wallet(), self.time.shown(now));
        let seats = &self.log.seats;
        let mut partners = Vec::new();
        for room in self.rooms.values().filter(|room| room.is_direct() && room.is_of(own)) {
            for kind in room.keyring.claims() {
                let RoomKind::Direct(one, other) = kind else { continue };
                let partner = if one == own { other } else { one };
                if kind.includes(own) && seats.admits(partner, seats.newest()) {
                    partners.push((room.undelivered.is_empty(), Reverse(room.last()), partner));
                }
            }
        }
        partners.sort_unstable();
        let any = (!partners.is_empty()).then_some(own);
        let wallets = partners.into_iter().map(|(.., wallet)| wallet).chain(any);
        let devices = wallets.flat_map(|wallet| self.log.devices.current(wallet, shown));
        let me = self.device();
        let free = |it: &DeviceKey| *it != me && !self.linked.contains(it);
        let mut sought = SmallSet::new();
        for device in devices.map(|it| it.device).filter(free) {
            if sought.len() < MAX_SOUGHT {
                sought.insert(device);
            }
        }
        let sought: Vec<_> = sought.iter().copied().collect();
        if self.seeking.told.as_ref() != Some(&sought) {
            self.seeking.told = Some(sought.clone());
            self.say(Outgoing::Seek { devices: sought });
        }
    }
}

//! Whose ops are cut off, and whose must be.

use super::{Held, Keyring, Position, State, View};
use crate::access::Role;
use crate::certificate::CLOCK_SKEW;
use crate::control::{self, Cause, EpochRecord};
use crate::devices::Devices;
use crate::epoch::EpochId;
use crate::history::{Cut, Judge};
use crate::id::{DeviceKey, Wallet};
use crate::op::OpId;
use crate::seats::Seats;
use crate::small::{SmallMap, SmallSet};
use crate::time::{Duration, Time};

/// Above all positions.
const END: Position = Position { version: u64::MAX, generation: u16::MAX };

impl View<'_> {
    /// Why a device must not get keys and must not write, at the newest version known.
    pub(super) fn cause(&self, device: DeviceKey, wallet: Wallet) -> Option<Cause> {
        let gone = self.devices.gone(device, self.now);
        if let Some(Cause::Revoked(_)) = gone {
            return gone;
        }
        self.seats.lost(wallet, self.seats.newest()).map(Cause::Seat).or(gone)
    }

    /// Whether what a record says to be the end of a device is so.
    fn replays(&self, cut: &control::Cut, record: &EpochRecord) -> bool {
        match cut.cause {
            Cause::Seat(version) => self
                .devices
                .wallet(cut.device)
                .is_some_and(|wallet| self.seats.lost(wallet, record.version) == Some(version)),
            _ => self.devices.replays(cut.device, cut.cause, record.time),
        }
    }

    /// Whether a cut that does not replay may be of something that is only not known here yet.
    fn is_news(&self, cut: &control::Cut) -> bool {
        match cut.cause {
            Cause::Revoked(_) => true,
            Cause::Cutoff(cutoff) => !self.devices.is_vouched_after(cut.device, cutoff),
            Cause::Seat(_) | Cause::Expired(_) => false,
        }
    }
}

/// What the records say of one device.
#[derive(Debug, Default)]
pub(super) struct Covered {
    /// Where its cuts stand, ascending as the records do.
    positions: Vec<Position>,
    /// The records that cut it off for what it is, not for its wallet's seat.
    firm: Vec<OpId>,
}

impl Keyring {
    /// For how long a device gets no keys because a record says of it what is not known here yet.
    const DOUBT: Duration = Duration::from_secs(7 * 24 * 3600);

    /// Works out the cuts that hold and the devices that none covers yet.
    pub(super) fn settle_cuts(&mut self, view: View<'_>) {
        let mut cuts: SmallMap<DeviceKey, Cut> = SmallMap::new();
        let mut covered: SmallMap<DeviceKey, Covered> = SmallMap::new();
        for ((position, id), held) in self.valid() {
            for cut in held.record.cuts.iter().filter(|cut| view.replays(cut, &held.record)) {
                let known = covered.entry(cut.device).or_default();
                known.positions.push(*position);
                if !matches!(cut.cause, Cause::Seat(_)) {
                    known.firm.push(*id);
                }
                let known = cuts
                    .entry(cut.device)
                    .or_insert_with(|| Cut { position: *position, heads: Vec::new() });
                let for_good = matches!(cut.cause, Cause::Revoked(_));
                known.position = known.position.max(if for_good { END } else { *position });
                known.heads.extend(cut.heads.as_slice());
            }
        }
        for ((device, holder, head), time) in &self.cut_heads {
            let wallet = view.devices.wallet_at(*holder, *time);
            let seated = |at: &Position| wallet.is_some_and(|it| view.seats.admits(it, at.version));
            let counts = covered.get(device).is_some_and(|it| it.positions.iter().any(seated));
            if let Some(cut) = cuts.get_mut(device).filter(|_| counts) {
                cut.heads.push(*head);
            }
        }
        for cut in cuts.values_mut() {
            cut.heads.sort_unstable();
            cut.heads.dedup();
        }
        (self.settled.cuts, self.settled.doubted) = (cuts, self.doubted(view));
        self.settled.covered = covered;
        self.settled.uncovered = self.uncovered(view);
    }

    /// Devices of which a record that is not known to be wrong says what is not known here, and may
    /// still come.
    fn doubted(&self, view: View<'_>) -> SmallSet<DeviceKey> {
        let held = self.records.values().map(|held| (&held.record, held.state));
        let may_hold = held.filter(|(_, state)| !matches!(state, State::Invalid(_)));
        let recent = may_hold.filter(|(record, _)| view.now.since(record.time) < Self::DOUBT);
        let cuts = recent.flat_map(|(record, _)| record.cuts.iter().map(move |cut| (record, cut)));
        let news = cuts.filter(|(record, cut)| !view.replays(cut, record) && view.is_news(cut));
        news.map(|(_, cut)| cut.device).collect()
    }

    /// Devices that must not write, and could under a record that holds: one at which the wallet
    /// had a seat, made before the device's certificates ended (nobody gives it keys after that),
    /// that is neither below a cut of the device nor made by somebody who knew of one.
    fn uncovered(&self, view: View<'_>) -> Vec<(DeviceKey, Cause)> {
        let could_write = |device: DeviceKey, wallet: Wallet| {
            let until = view.devices.vouched_until(device);
            let from = self.settled.covered.get(&device).and_then(|it| it.positions.last());
            self.holding().rev().take_while(|((at, _), _)| from.is_none_or(|from| at >= from)).any(
                |((_, id), Held { record, .. })| {
                    before_end(record.time, until)
                        && view.seats.admits(wallet, record.version)
                        && !self.knows(&[*id], device)
                },
            )
        };
        let gone = self.gone(view).filter(|(device, wallet, _)| could_write(*device, *wallet));
        gone.map(|(device, _, cause)| (device, cause)).collect()
    }

    /// The devices that a record with these parents, made now, cuts off.
    pub(super) fn cuts_to_make(
        &self,
        view: View<'_>,
        parents: &[OpId],
    ) -> SmallMap<DeviceKey, Cause> {
        let newest = view.seats.newest();
        // Else it would be one that the device might have been given the key of.
        let unsaid = self.gone(view).filter(|(device, wallet, _)| {
            view.seats.admits(*wallet, newest)
                && before_end(view.now, view.devices.vouched_until(*device))
                && !self.knows(parents, *device)
        });
        let unsaid = unsaid.map(|(device, _, cause)| (device, cause));
        self.settled.uncovered.iter().copied().chain(unsaid).collect()
    }

    /// Whether one of these records or of those before them cuts a device off for what it is.
    fn knows(&self, records: &[OpId], device: DeviceKey) -> bool {
        let Some(Covered { positions, firm }) = self.settled.covered.get(&device) else {
            return false;
        };
        let (mut open, mut seen) = (records.to_vec(), SmallSet::new());
        while let Some(id) = open.pop() {
            if firm.contains(&id) {
                return true;
            }
            let place = self.places.get(&id).filter(|place| Some(*place) >= positions.first());
            let held = place.filter(|_| seen.insert(id));
            let held = held.and_then(|place| self.records.get(&(*place, id)));
            open.extend(held.into_iter().flat_map(|held| held.record.parents.as_slice()));
        }
        false
    }

    /// Whether keys are not sealed to a device for now.
    pub(super) fn doubts(&self, device: DeviceKey) -> bool {
        self.settled.doubted.contains(&device)
    }

    /// All devices of the room's wallets that are gone, and why.
    fn gone<'a>(&'a self, view: View<'a>) -> impl Iterator<Item = (DeviceKey, Wallet, Cause)> + 'a {
        let ours = move |wallet| self.settled.kind.is_some_and(|kind| kind.includes(wallet));
        let all = view.devices.all().filter(move |(_, wallet)| ours(*wallet));
        all.filter_map(move |(device, wallet)| Some((device, wallet, view.cause(device, wallet)?)))
    }

    /// The records that hold, from the lowest position.
    fn valid(&self) -> impl DoubleEndedIterator<Item = (&(Position, OpId), &Held)> {
        self.records.iter().filter(|(_, held)| held.state == State::Valid)
    }

    /// The same, and those that held before the chain took blocks back.
    pub(super) fn holding(&self) -> impl DoubleEndedIterator<Item = (&(Position, OpId), &Held)> {
        self.records.iter().filter(|(_, held)| held.state.counts())
    }

    /// What is known of a device whose earlier ops were cut off.
    #[must_use]
    pub fn cut(&self, device: DeviceKey) -> Option<&Cut> {
        self.settled.cuts.get(&device)
    }

    /// What judges the ops of the room.
    #[must_use]
    pub const fn judge_of<'a>(&'a self, seats: &'a Seats, devices: &'a Devices) -> RoomJudge<'a> {
        RoomJudge { keyring: self, seats, devices }
    }
}

/// Whether a device might have been given keys at `time`: until its certificates end, by any
/// clock that counts.
fn before_end(time: Time, vouched_until: u64) -> bool {
    const GRACE: Duration = CLOCK_SKEW;
    time < Time::from_secs(vouched_until) + GRACE
}

/// A keyring with all that is needed to judge ops.
#[derive(Debug, Clone, Copy)]
pub struct RoomJudge<'a> {
    keyring: &'a Keyring,
    seats: &'a Seats,
    devices: &'a Devices,
}

impl Judge for RoomJudge<'_> {
    fn position(&self, epoch: EpochId) -> Option<Position> {
        self.keyring.position(epoch)
    }

    fn cut(&self, device: DeviceKey) -> Option<Cut> {
        self.keyring.cut(device).cloned()
    }

    fn wallet(&self, device: DeviceKey, at: Time) -> Option<Wallet> {
        self.devices.wallet_at(device, at)
    }

    fn role(&self, wallet: Wallet, version: u64) -> Role {
        let ours = self.keyring.kind().is_some_and(|kind| kind.includes(wallet));
        let role = self.seats.role(wallet, version).filter(|_| ours);
        role.unwrap_or(Role::None)
    }
}

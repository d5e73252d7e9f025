//! Whether a new epoch is due, and for whom first.

use super::{Keyring, View};
use crate::epoch::Policy;
use crate::id::DeviceKey;
use crate::time::Duration;

/// How long an epoch is sent under.
pub const MAX_AGE: Duration = Duration::from_secs(7 * 24 * 3600);
/// How many ops are sent under an epoch.
pub const MAX_OPS: u64 = 1000;

/// Why a new epoch is due for whoever wants to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Somebody in the room lost a seat or rank since the one that is sent under.
    Seats,
    /// A device was revoked, cut off or not renewed, and holds keys; or there is no epoch left
    /// whose author's wallet stands by its device.
    Devices,
    /// What was sealed to this device as its key was another.
    BadWrap,
    /// The one that is sent under is [`MAX_AGE`] old.
    Age,
    /// There are [`MAX_OPS`] ops under it.
    Ops,
    /// Somebody came who may not read what was written before.
    Arrival,
    /// This device's wallet got its seat or its rank after the one that is sent under: what it
    /// writes is judged by what it had then.
    Rise,
}

impl Keyring {
    /// Whether a new epoch must be made before this device sends, there being `ops` ops under the
    /// present one. `None` also if this device may make none, or holds no key of the room to begin
    /// with.
    #[must_use]
    pub fn due(&self, view: View<'_>, ops: u64) -> Option<Due> {
        self.openable().next().filter(|_| self.may_make(view))?;
        let kind = self.kind()?;
        let Some(sending) = self.sending() else { return Some(Due::Devices) };
        let version = sending.version;
        let ours = |(_, wallet)| kind.includes(wallet);
        let bad = || {
            let higher = self.holding().filter(|((at, _), _)| *at > sending.position());
            let bad: Vec<_> = self.bad().collect();
            higher.into_iter().any(|(_, held)| bad.contains(&held.record.epoch))
        };
        let newcomers =
            || self.policy() == Policy::FromJoin && view.seats.arrivals(version).any(ours);
        let own = view.devices.wallet(self.own);
        let role = |version| own.and_then(|own| view.seats.role(own, version));
        let reasons: [(Due, &dyn Fn() -> bool); 7] = [
            (Due::Seats, &|| view.seats.losses(version).any(ours)),
            (Due::Devices, &|| !self.settled.uncovered.is_empty()),
            (Due::BadWrap, &bad),
            (Due::Age, &|| view.now.since(sending.time) >= MAX_AGE),
            (Due::Ops, &|| ops >= MAX_OPS),
            (Due::Arrival, &newcomers),
            (Due::Rise, &|| role(version) != role(view.seats.newest())),
        ];
        reasons.into_iter().find(|(_, holds)| holds()).map(|(due, _)| due)
    }

    /// Whether others will take an epoch of this device, and what it writes.
    #[must_use]
    pub fn may_make(&self, view: View<'_>) -> bool {
        let wallet = view.devices.wallet_at(self.own, view.now);
        let seated = |wallet| {
            view.seats.admits(wallet, view.seats.newest())
                && self.kind().is_some_and(|kind| kind.includes(wallet))
        };
        view.devices.stands(self.own, view.now) && wallet.is_some_and(seated)
    }
}

/// How long `own` waits before it does what others who are present might do just as well, `step`
/// longer for each that comes before it, up to 8. The order is that of BLAKE3 of the device and
/// `salt`: another one for each occasion.
#[must_use]
pub fn delay(own: DeviceKey, present: &[DeviceKey], salt: &[u8; 32], step: Duration) -> Duration {
    let place = |device: &DeviceKey| {
        *blake3::Hasher::new().update(&device.0).update(salt).finalize().as_bytes()
    };
    let mine = place(&own);
    let before = present.iter().filter(|device| place(device) < mine).take(8).count();
    step * u32::try_from(before).unwrap_or(8)
}

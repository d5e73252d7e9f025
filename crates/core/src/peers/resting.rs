//! Members between two circuits.
//!
//! Relays and members carry a circuit for half a minute: enough to say hello, and to make a direct
//! link or a call. Where no link can be made, two members are connected now and then only. That a
//! circuit ended says nothing of the device at its other end. So a member rests between two of
//! them: it is still who it said it was, and still online, for as long as there is somebody who
//! tells of it, and not for ever.

use super::finding::Spread;
use super::{Peer, Peers};
use crate::access::AccessBook;
use crate::certificate::DeviceCertificate;
use crate::hello::Hello;
use crate::id::DeviceKey;
use crate::time::{Duration, Time};

/// How long one may rest: for so long a relay's word alone has it online.
const MOST: Duration = Duration::from_secs(180);
/// How long one rests to whom there is nothing to say.
const IDLE: Duration = Duration::from_secs(90);
/// How much longer the one of the two waits who does not go first.
const COURTESY: Duration = Duration::from_secs(5);
/// Dials to those who rest: so many at once, and one more each [`RING_PACE`]. A relay carries 16
/// circuits of a device, and it is for whoever comes anew as well.
pub(super) const RINGS: u32 = 16;
/// See [`RINGS`].
pub(super) const RING_PACE: Duration = Duration::from_secs(5);

/// How soon somebody who rests shall hear of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// At once.
    News,
    /// With all that is said before it counts as old: presence is said every 20 s, and holds for 75.
    Upkeep,
}

impl Urgency {
    /// How long one may have rested by then.
    const fn patience(self) -> Duration {
        match self {
            Self::News => Duration::ZERO,
            Self::Upkeep => Duration::from_secs(25),
        }
    }
}

/// A member whose connection ended without a word.
#[derive(Debug)]
pub(super) struct Rest {
    /// What it said of itself.
    pub(super) theirs: Box<Hello>,
    /// A circuit ended, and not a direct link.
    pub(super) circuit: bool,
    since: Time,
}

impl Rest {
    /// A circuit that lasted so long ended because its time was up.
    pub(super) const SERVED: Duration = Duration::from_secs(25);

    pub(super) const fn new(theirs: Box<Hello>, circuit: bool, since: Time) -> Self {
        Self { theirs, circuit, since }
    }

    /// When to dial one to whom there is nothing to say.
    pub(super) fn idle_until(since: Time, spread: Spread) -> Time {
        since + IDLE + spread.after(COURTESY) + spread.of(COURTESY)
    }

    /// When it is over, whatever anybody says.
    pub(super) fn until(&self) -> Time {
        self.since + MOST
    }

    /// Whether it is still a member's.
    fn counts(&self, shown: Time, now: Time, access: &AccessBook) -> bool {
        let certificate = &self.theirs.certificate;
        let verdict = access.verdict(certificate.statement.wallet, now);
        let void = verdict.is_some_and(|verdict| {
            let standing = verdict.standing;
            !standing.role.admits() || certificate.check_cutoff(standing.device_cutoff).is_err()
        });
        now < self.until() && !void && !certificate.expired(shown)
    }
}

impl Peer {
    /// Whether it rests, and if so, whether somebody tells of it.
    fn rest_is_told_of(&self) -> Option<bool> {
        let rest = self.rest.as_ref()?;
        Some(self.listed || self.heard_of.is_some_and(|heard| heard.at > rest.since))
    }
}

impl Peers {
    /// Whether a device's circuit ended, and a relay says that it is there all the same.
    pub(crate) fn rests(&self, device: DeviceKey) -> bool {
        let peer = self.peers.get(&device).filter(|peer| peer.listed);
        peer.and_then(|peer| peer.rest.as_ref()).is_some_and(|rest| rest.circuit)
    }

    /// Those who rest, and whether anybody but us tells of them.
    pub(super) fn resting(&self) -> impl Iterator<Item = (DeviceKey, bool)> {
        self.peers.iter().filter_map(|(device, peer)| Some((*device, peer.rest_is_told_of()?)))
    }

    /// The certificate of a device that passed, be it connected or at rest.
    pub(crate) fn known_certificate(&self, device: DeviceKey) -> Option<&DeviceCertificate> {
        let rest = self.peers.get(&device).and_then(|peer| peer.rest.as_ref());
        self.certificate(device).or_else(|| rest.map(|rest| &rest.theirs.certificate))
    }

    /// There is something to say to a device. If it rests, it is dialled for that.
    pub(crate) fn ring(&mut self, device: DeviceKey, urgency: Urgency, now: Time) {
        let spread = self.spread(device);
        let Some(peer) = self.peers.get_mut(&device) else {
            return;
        };
        // Who could not be reached is tried again at its own pace.
        let idle = peer.session.is_none() && peer.dialling.is_none() && peer.failures == 0;
        let Some(rest) = peer.rest.as_ref().filter(|_| idle) else {
            return;
        };
        let manners = match urgency {
            Urgency::News => spread.after_loss(true),
            Urgency::Upkeep => spread.after(COURTESY),
        };
        let at = now.max(rest.since + urgency.patience() + manners);
        peer.dial_at = Some(peer.dial_at.map_or(at, |before| before.min(at)));
    }

    /// The same, to all who rest.
    pub(crate) fn ring_all(&mut self, urgency: Urgency, now: Time) {
        let resting: Vec<_> = self.resting().map(|(device, _)| device).collect();
        resting.into_iter().for_each(|device| self.ring(device, urgency, now));
    }

    /// Ends the rest of those of whom nobody tells, who are no members any more, or who rested
    /// long enough.
    pub(super) fn end_rests(&mut self, now: Time, access: &mut AccessBook) {
        let shown = self.time.shown(now);
        for peer in self.peers.values_mut() {
            let reach = peer.within_reach();
            peer.rest.take_if(|rest| !reach || !rest.counts(shown, now, access));
            if let Some(rest) = &peer.rest {
                access.refresh(rest.theirs.certificate.statement.wallet, now);
            }
        }
    }

    /// When a rest ends.
    pub(super) fn rest_wake(&self) -> Option<Time> {
        self.peers.values().filter_map(|peer| Some(peer.rest.as_ref()?.until())).min()
    }
}

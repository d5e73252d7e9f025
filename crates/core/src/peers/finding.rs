//! Who is there, who is to be dialled, and when.

use super::{Heard, Peer, Peers, Rest, STABLE, Source};
use crate::access::AccessBook;
use crate::id::DeviceKey;
use crate::node::{Outbox, Output};
use crate::presence::{EXPIRY, Presence};
use crate::small::SmallSet;
use crate::time::{Duration, Time};

/// The most devices dialled at once.
const MAX_DIALS: usize = 4;
/// How long a dial may take until its place is given to another.
const DIAL_TIME: Duration = Duration::from_secs(30);
/// The longest wait between two dials, before jitter.
const MAX_WAIT: Duration = Duration::from_secs(60);
/// The same, for who is in our meeting.
const MAX_WAIT_IN_MEETING: Duration = Duration::from_secs(15);
/// The most devices that are not connected and known from the gossip that one member delivered.
const MAX_HEARD_FROM_ONE: usize = 16;
/// The most devices that are not connected and known from gossip.
const MAX_HEARD: usize = 64;
/// How long one with whom it did not work is not tried again because members tell of it.
const SHUN_TIME: Duration = Duration::from_secs(60);

impl Peer {
    /// Counts a failure, and tries again later if that is for us to do.
    pub(super) fn failed(&mut self, now: Time, spread: Spread) {
        self.failures = self.failures.saturating_add(1);
        self.retry(now, spread, Duration::ZERO);
    }

    fn retry(&mut self, now: Time, spread: Spread, patience: Duration) {
        let most = if self.companion.is_some() { MAX_WAIT_IN_MEETING } else { MAX_WAIT };
        let wait = backoff(self.failures).min(most);
        self.dial_at = self.within_reach().then(|| now + patience + wait + spread.of(wait / 4));
    }
}

impl Peers {
    /// These were at the meeting point before us: it is for us to dial them.
    pub(crate) fn present(&mut self, source: u32, devices: Vec<DeviceKey>, now: Time) {
        for device in devices {
            if let Some(peer) = self.entry(device) {
                peer.listed = true;
                peer.wanted = true;
                peer.failures = 0;
                peer.dial_at = Some(now);
                peer.learnt(Source::Relay(source));
            }
        }
    }

    /// This one came after us: it dials. One that is wanted is dialled all the same if it does not.
    pub(crate) fn arrived(&mut self, source: u32, device: DeviceKey, now: Time) {
        if let Some(peer) = self.entry(device) {
            peer.listed = true;
            peer.failures = 0;
            peer.learnt(Source::Relay(source));
            if peer.within_reach() {
                peer.dial_at = Some(now + Duration::from_secs(5));
            }
        }
    }

    /// No relay lists it any more.
    pub(crate) fn left(&mut self, device: DeviceKey) {
        if let Some(peer) = self.peers.get_mut(&device) {
            peer.listed = false;
            peer.sources.retain(|source| !matches!(source, Source::Relay(_)));
            if !peer.within_reach() {
                peer.dial_at = None;
            }
        }
    }

    /// The gossip that `by` delivered tells of a device that is not connected: it is for us to
    /// reach it, though no relay may list it. The two hear of each other at once; one of them
    /// tries first.
    pub(crate) fn heard_of(
        &mut self,
        device: DeviceKey,
        by: DeviceKey,
        said: &Presence,
        now: Time,
    ) {
        let spread = self.spread(device);
        let before = self.peers.get(&device).and_then(|peer| peer.heard_of);
        let replayed =
            |before: Heard| said.time < before.said || (said.time == before.said && !said.leaving);
        if before.is_some_and(replayed) {
            return;
        }
        if said.leaving {
            return self.heard_leave(device);
        }
        let heard = self.peers.values().filter(|peer| peer.session.is_none());
        let heard = heard.filter_map(|peer| peer.heard_of);
        let (mut all, mut from_one) = (0, 0);
        for heard in heard {
            all += 1;
            from_one += usize::from(heard.by == by);
        }
        if before.is_none() && (all >= MAX_HEARD || from_one >= MAX_HEARD_FROM_ONE) {
            return;
        }
        let Some(peer) = self.entry(device) else {
            return;
        };
        if peer.session.is_some() || peer.shunned.is_some_and(|until| until > now) {
            return;
        }
        let by = before.map_or(by, |before| before.by);
        peer.heard_of = Some(Heard { at: now, by, said: said.time });
        peer.learnt(Source::Member(by));
        if peer.dial_at.is_none() && peer.dialling.is_none() {
            let patience = Duration::from_millis(if spread.first { 0 } else { 2500 });
            peer.retry(now, spread, patience + spread.of(Duration::from_millis(250)));
        }
    }

    /// A device that is not connected says that it left.
    fn heard_leave(&mut self, device: DeviceKey) {
        if let Some(peer) = self.peers.get_mut(&device) {
            (peer.heard_of, peer.companion) = (None, None);
            if !peer.within_reach() {
                peer.dial_at = None;
            }
        }
    }

    /// A device is in our meeting at `now`; or not, if it is over.
    pub(crate) fn keep_company(&mut self, device: DeviceKey, now: Option<Time>) {
        if let Some(peer) = self.peers.get_mut(&device) {
            peer.companion = now;
        }
    }

    /// We are in no meeting.
    pub(crate) fn no_company(&mut self) {
        self.peers.values_mut().for_each(|peer| peer.companion = None);
    }

    /// The last connection to it is gone. If it was a direct link, something happened to it, and it
    /// is dialled at once; if it was a circuit that served its time, nothing did.
    pub(crate) fn disconnected(&mut self, device: DeviceKey, now: Time) {
        let spread = self.spread(device);
        let Some(peer) = self.peers.get_mut(&device) else {
            return;
        };
        let Some(session) = peer.session.take() else {
            return;
        };
        let circuit = !peer.link.ended(now, spread);
        peer.parted = session.ready().then_some(now);
        let (ready, lasted) = (session.ready(), now.since(session.since));
        let stable = ready && lasted >= STABLE;
        peer.failures = if stable { 0 } else { peer.failures.saturating_add(1) };
        if ready {
            peer.rest = session.theirs.map(|theirs| Rest::new(theirs, circuit, now));
        }
        if ready && circuit && lasted >= Rest::SERVED {
            peer.dial_at = peer.within_reach().then(|| Rest::idle_until(now, spread));
        } else {
            // Both lost it at once; one of the two tries first, so that they do not cross.
            peer.retry(now, spread, spread.after_loss(peer.companion.is_some()));
        }
        if peer.forgettable() {
            self.peers.remove(&device);
        }
    }

    pub(crate) fn dial_failed(&mut self, device: DeviceKey, now: Time) {
        let spread = self.spread(device);
        if let Some(peer) = self.peers.get_mut(&device)
            && peer.dialling.take().is_some()
            && peer.session.is_none()
        {
            peer.failed(now, spread);
        }
    }

    /// It will not be let pass, or does not let us: what members tell of it counts for nothing for
    /// a while.
    pub(super) fn shun(peer: &mut Peer, now: Time) {
        peer.heard_of = None;
        peer.shunned = Some(now + SHUN_TIME);
    }

    /// There is another network: whoever could not be reached may be reached now.
    pub(crate) fn network_changed(&mut self, now: Time) {
        for peer in self.peers.values_mut() {
            peer.link.network_changed();
            if peer.within_reach() && peer.session.is_none() && peer.dialling.is_none() {
                peer.failures = 0;
                peer.dial_at = Some(now);
            }
        }
    }

    /// Gives up on those who take too long to be reached or to pass, and forgets what is over.
    pub(crate) fn tick(&mut self, now: Time, access: &mut AccessBook, out: &mut Outbox) {
        let own = self.own.secret.device();
        for (device, peer) in &mut self.peers {
            peer.heard_of.take_if(|heard| now.since(heard.at) >= EXPIRY);
            peer.companion.take_if(|at| now.since(*at) >= EXPIRY);
            peer.shunned.take_if(|until| *until <= now);
            if !peer.within_reach() {
                peer.dial_at = None;
            }
            if peer.dialling.take_if(|since| now.since(*since) >= DIAL_TIME).is_some() {
                peer.failed(now, Spread::new(own, *device));
            }
        }
        self.end_rests(now, access);
        self.peers.retain(|_, peer| !peer.forgettable());
        self.look_at_hellos(now, access, out);
    }

    /// Dials whom it is time to dial.
    pub(crate) fn dial_due(&mut self, now: Time, out: &mut Outbox) {
        let due = |peer: &Peer| peer.dial_at.filter(|at| *at <= now);
        let due: SmallSet<_> =
            self.peers.iter().filter_map(|(device, peer)| Some((due(peer)?, *device))).collect();
        let mut dialling = self.dialling();
        for (_, device) in due {
            let Some(peer) = self.peers.get_mut(&device).filter(|_| dialling < MAX_DIALS) else {
                break;
            };
            peer.dial_at = None;
            if peer.session.is_none() && peer.dialling.is_none() {
                if peer.rest.is_some() && !self.rings.spend((), now) {
                    peer.dial_at = Some(self.rings.free_at(()));
                    continue;
                }
                peer.dialling = Some(now);
                dialling += 1;
                out.push(Output::Dial(device));
            }
        }
    }

    /// When a dial is due, or takes too long.
    pub(super) fn dial_wake(&self) -> Option<Time> {
        let free = self.dialling() < MAX_DIALS;
        let dial = |peer: &Peer| peer.dial_at.filter(|_| free);
        let slow = |peer: &Peer| peer.dialling.map(|since| since + DIAL_TIME);
        self.peers.values().flat_map(|peer| [dial(peer), slow(peer)]).flatten().min()
    }

    fn dialling(&self) -> usize {
        self.peers.values().filter(|peer| peer.dialling.is_some()).count()
    }

    pub(super) fn spread(&self, device: DeviceKey) -> Spread {
        Spread::new(self.own.secret.device(), device)
    }
}

/// What keeps two devices, and the many that know one, from doing the same at the same moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spread {
    /// Of the two, we go first.
    pub(super) first: bool,
    share: u32,
}

impl Spread {
    pub(super) fn new(own: DeviceKey, device: DeviceKey) -> Self {
        let bytes = own.0.iter().zip(device.0.iter());
        let share = bytes.fold(0_u32, |share, (own, theirs)| {
            share.wrapping_mul(31).wrapping_add(u32::from(*own) * 7 + u32::from(*theirs))
        });
        Self { first: device > own, share: share % 1000 }
    }

    /// How long to wait to begin with what both are to do, if the other is given this much time.
    pub(super) const fn after(self, courtesy: Duration) -> Duration {
        if self.first { Duration::ZERO } else { courtesy }
    }

    /// How long to wait after both lost each other, in the same meeting or not.
    pub(super) const fn after_loss(self, companion: bool) -> Duration {
        Duration::from_millis(match (companion, self.first) {
            (true, true) => 100,
            (true, false) => 1500,
            (false, true) => 1000,
            (false, false) => 4000,
        })
    }

    /// A part of `span` that differs from pair to pair, and between the two of a pair.
    pub(super) fn of(self, span: Duration) -> Duration {
        span * self.share / 1000
    }
}

fn backoff(failures: u32) -> Duration {
    let seconds = if failures == 0 { 0 } else { 1 << failures.min(6) };
    Duration::from_secs(seconds)
}

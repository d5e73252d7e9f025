//! Direct links: with whom, how many, and when one is tried again.
//!
//! Whoever is in our meeting gets one, and whom rooms seek. Besides, every node keeps some, so that
//! gossip reaches all and a member that loses its relays is still found. No single source of
//! addresses may fill them, whoever made them: those who come by themselves are one source, too.
//!
//! Of two devices, the one with the smaller key makes the link, and the other one if none comes.

use super::finding::Spread;
use super::{Peer, Peers, STABLE, Source};
use crate::id::DeviceKey;
use crate::node::{LinkFailure, Outbox, Output};
use crate::rooms::MAX_SOUGHT;
use crate::small::{SmallMap, SmallSet};
use crate::time::{Duration, Time};

/// How many links there are to devices that are neither in our meeting nor sought.
const MAX_LINKS: usize = 16;
/// How many more there are to devices that rooms seek.
const MAX_SOUGHT_BESIDES: usize = 8;
/// How many of those to devices of which one source told us.
const MAX_FROM_ONE: usize = 8;
/// How many are being made at once.
const MAX_LINKING: usize = 4;
/// How long one may be in the making until its place is given to another.
const LINK_TIME: Duration = Duration::from_secs(30);
/// How long the side with the greater key waits for the other to make the link.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long after an attack the next attempt is made.
const SHUT: Duration = Duration::from_secs(60);

/// How it stands with the direct link to a device.
#[derive(Debug, Default)]
pub(super) struct Link {
    state: State,
    /// To whose share the link belongs.
    charged: Option<Source>,
    failures: u32,
    retry_at: Time,
    /// Nothing is tried before this, whatever happens.
    shut_until: Time,
    /// What we publish reaches it.
    reached: bool,
    /// It made a link when there was no room. It is told when there is.
    turned_away: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    None,
    /// We are making one.
    Linking(Time),
    /// It made one, which we take.
    Taking(Time),
    Up(Time),
}

impl Link {
    /// There is no connection any more.
    pub(super) const fn gone(&mut self) {
        (self.state, self.charged) = (State::None, None);
        (self.reached, self.turned_away) = (false, false);
    }

    /// The connection that it stood on, or was made over, ended. Whether everything ran on the link.
    pub(super) fn ended(&mut self, now: Time, spread: Spread) -> bool {
        let state = self.state;
        if state != State::None {
            match state {
                State::Up(since) if now.since(since) >= STABLE => self.failures = 0,
                _ => self.failed(now, spread),
            }
        }
        self.gone();
        matches!(state, State::Up(_))
    }

    pub(super) const fn network_changed(&mut self) {
        (self.failures, self.retry_at) = (0, Time(0));
    }

    fn failed(&mut self, now: Time, spread: Spread) {
        (self.state, self.charged) = (State::None, None);
        let wait = Duration::from_secs(2 << self.failures.min(5)).min(Duration::from_secs(60));
        self.failures = self.failures.saturating_add(1);
        self.retry_at = now + wait + spread.of(wait / 4);
    }
}

impl Peer {
    /// When to make a link, as far as this device is concerned.
    fn link_at(&self, spread: Spread) -> Option<Time> {
        let session = self.session.as_ref().filter(|session| session.ready())?;
        let patience = if spread.first { Duration::ZERO } else { PATIENCE };
        let idle = self.link.state == State::None;
        let due = session.ready_at? + patience;
        idle.then(|| due.max(self.link.retry_at).max(self.link.shut_until))
    }

    fn reason(&self, device: DeviceKey, sought: &SmallSet<DeviceKey>) -> Reason {
        match self.companion {
            Some(_) => Reason::Company,
            None if sought.contains(&device) => Reason::Sought,
            None => Reason::Besides,
        }
    }
}

/// Why a link is made; the most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reason {
    /// The device is in our meeting.
    Company,
    /// Rooms seek it.
    Sought,
    /// It is one of the members.
    Besides,
}

/// How many links there are.
#[derive(Default)]
struct Tally {
    /// In the making by us.
    linking: usize,
    /// To those whom rooms seek, and who are not in our meeting.
    sought: usize,
    /// To all others who are not in our meeting, made by whomever.
    besides: usize,
    charged: SmallMap<Source, usize>,
}

impl Tally {
    fn of(peers: &SmallMap<DeviceKey, Peer>, sought: &SmallSet<DeviceKey>) -> Self {
        let mut tally = Self::default();
        for (device, peer) in peers {
            tally.count(peer, peer.reason(*device, sought));
        }
        tally
    }

    fn count(&mut self, peer: &Peer, reason: Reason) {
        self.linking += usize::from(matches!(peer.link.state, State::Linking(_)));
        match reason {
            _ if peer.link.state == State::None => {}
            Reason::Company => {}
            Reason::Sought => self.sought += 1,
            Reason::Besides => {
                self.besides += 1;
                if let Some(source) = peer.link.charged {
                    *self.charged.entry(source).or_default() += 1;
                }
            }
        }
    }

    /// Of whose share a link to `peer` would be, if it may have one.
    fn share(&self, peer: &Peer, reason: Reason) -> Option<Source> {
        let own = [Source::Itself];
        let sources = if peer.sources.is_empty() { &own } else { &*peer.sources };
        let free = |source: &Source| self.charged.get(source).is_none_or(|n| *n < MAX_FROM_ONE);
        let room = sources.iter().copied().find(free).filter(|_| self.besides < MAX_LINKS);
        let may = match reason {
            Reason::Company => true,
            Reason::Sought => self.sought < MAX_SOUGHT_BESIDES,
            Reason::Besides => false,
        };
        room.or_else(|| sources.first().copied().filter(|_| may))
    }
}

impl Peers {
    /// Whether everything to and from a device runs on a direct link.
    pub(crate) fn is_linked(&self, device: DeviceKey) -> bool {
        self.peers.get(&device).is_some_and(|peer| matches!(peer.link.state, State::Up(_)))
    }

    /// Whether what we publish reaches a device.
    pub(crate) fn is_reached(&self, device: DeviceKey) -> bool {
        self.peers.get(&device).is_some_and(|peer| peer.link.reached)
    }

    /// Rooms want links to these devices.
    pub(crate) fn seek(&mut self, devices: Vec<DeviceKey>) {
        self.sought = devices.into_iter().take(MAX_SOUGHT).collect();
    }

    /// A device made a link to us. It stands once we take it.
    pub(crate) fn link_offered(&mut self, device: DeviceKey, now: Time, out: &mut Outbox) {
        let tally = Tally::of(&self.peers, &self.sought);
        let reason = self.peers.get(&device).map(|peer| peer.reason(device, &self.sought));
        let peer = self.peers.get_mut(&device).zip(reason);
        let Some((peer, reason)) =
            peer.filter(|(peer, _)| peer.session.as_ref().is_some_and(|it| it.passed))
        else {
            return;
        };
        let mut take = true;
        if peer.link.state == State::None {
            let share = tally.share(peer, reason);
            take = share.is_some();
            if take {
                (peer.link.state, peer.link.charged) = (State::Taking(now), share);
            }
        }
        peer.link.turned_away = !take;
        out.push(Output::TakeLinks { device, take });
    }

    /// The direct link to a device stands.
    pub(crate) fn linked(&mut self, device: DeviceKey, now: Time) {
        if let Some(peer) = self.peers.get_mut(&device).filter(|peer| peer.session.is_some()) {
            peer.link.state = State::Up(now);
            // One that took so long that it had been given up.
            peer.link.charged = peer.link.charged.or_else(|| peer.sources.first().copied());
        }
    }

    /// No link came of it.
    pub(crate) fn link_failed(&mut self, device: DeviceKey, failure: LinkFailure, now: Time) {
        let spread = self.spread(device);
        let Some(peer) = self.peers.get_mut(&device) else {
            return;
        };
        if matches!(peer.link.state, State::Linking(_) | State::Taking(_)) {
            peer.link.failed(now, spread);
        }
        if failure == LinkFailure::Attack {
            peer.link.shut_until = now + SHUT + spread.of(SHUT / 4);
        }
    }

    /// What we publish from now on reaches a device. Returns whether it may be spoken to.
    pub(crate) fn gossip_reaches(&mut self, device: DeviceKey) -> bool {
        let peer = self.peers.get_mut(&device).filter(|peer| peer.session.is_some());
        peer.is_some_and(|peer| {
            peer.link.reached = true;
            peer.session.as_ref().is_some_and(super::Connection::ready)
        })
    }

    /// Makes the links that are due, and has others make theirs when there is room again.
    pub(crate) fn tick_links(&mut self, now: Time, out: &mut Outbox) {
        let own = self.own.secret.device();
        let mut waiting = SmallSet::new();
        self.links_at = None;
        for (device, peer) in &mut self.peers {
            let spread = Spread::new(own, *device);
            if let State::Linking(since) | State::Taking(since) = peer.link.state {
                if now.since(since) >= LINK_TIME {
                    peer.link.failed(now, spread);
                } else {
                    wake(&mut self.links_at, since + LINK_TIME);
                }
            }
            if let Some(at) = peer.link_at(spread) {
                waiting.insert((peer.reason(*device, &self.sought), at, *device));
            }
        }
        let mut tally = Tally::of(&self.peers, &self.sought);
        for (reason, at, device) in waiting {
            let Some(peer) = self.peers.get_mut(&device) else {
                continue;
            };
            let Some(share) = tally.share(peer, reason) else {
                continue;
            };
            if std::mem::take(&mut peer.link.turned_away) {
                out.push(Output::TakeLinks { device, take: true });
            }
            if at > now {
                wake(&mut self.links_at, at);
            } else if tally.linking < MAX_LINKING {
                (peer.link.state, peer.link.charged) = (State::Linking(now), Some(share));
                tally.count(peer, reason);
                out.push(Output::Link(device));
            }
        }
    }
}

fn wake(wake: &mut Option<Time>, at: Time) {
    *wake = Some(wake.map_or(at, |wake| wake.min(at)));
}

//! Direct links: with whom, how many, and when one is tried again.
//!
//! Whoever is in our meeting gets one, and whom rooms seek. Besides, every node keeps some, so that gossip reaches all
//! and a member that loses its relays is still found; no single source of addresses may fill them.

use super::finding::Spread;
use super::{Peer, Peers, STABLE, Source};
use crate::id::DeviceKey;
use crate::node::{LinkFailure, Outbox, Output};
use crate::rooms::MAX_SOUGHT;
use crate::small::{SmallMap, SmallSet};
use crate::time::{Duration, Time};

/// How many links are made while nobody in our meeting lacks one.
const MAX_LINKS: usize = 16;
/// How many more are made to devices that rooms seek.
const MAX_SOUGHT_BESIDES: usize = 8;
/// How many of those to devices of which one source told us.
const MAX_FROM_ONE: usize = 8;
/// How many are being made at once.
const MAX_LINKING: usize = 4;
/// How long one may be in the making until its place is given to another.
const LINK_TIME: Duration = Duration::from_secs(30);
/// How long the side that was dialled waits for the other to make the link.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long after an attack the next attempt is made.
const SHUT: Duration = Duration::from_secs(60);

/// How it stands with the direct link to a device.
#[derive(Debug, Default)]
pub(super) struct Link {
    state: State,
    /// Where it was learnt of that we made this link; none for those of our meeting.
    charged: Option<Source>,
    /// Since when there is none, within a connection.
    lost: Time,
    failures: u32,
    retry_at: Time,
    /// Nothing is tried before this, whatever happens.
    shut_until: Time,
    /// What we publish reaches it.
    reached: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    None,
    Linking(Time),
    Up(Time),
}

impl Link {
    /// There is no connection any more.
    pub(super) const fn gone(&mut self) {
        (self.state, self.charged, self.lost, self.reached) = (State::None, None, Time(0), false);
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
    fn link_at(&self) -> Option<Time> {
        let session = self.session.as_ref().filter(|session| session.ready())?;
        let patience = if session.ours { Duration::ZERO } else { PATIENCE };
        let idle = self.link.state == State::None;
        let due = session.ready_at?.max(self.link.lost) + patience;
        idle.then(|| due.max(self.link.retry_at).max(self.link.shut_until))
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
    linking: usize,
    standing: usize,
    charged: SmallMap<Source, usize>,
}

impl Tally {
    fn count(&mut self, link: &Link) {
        self.standing += usize::from(link.state != State::None);
        self.linking += usize::from(matches!(link.state, State::Linking(_)));
        if let Some(source) = link.charged {
            *self.charged.entry(source).or_default() += 1;
        }
    }

    /// Of whose share a link to this device would be, if there is room.
    fn room(&self, sources: &[Source]) -> Option<Source> {
        let free = |source: &Source| self.charged.get(source).is_none_or(|n| *n < MAX_FROM_ONE);
        let sources = if sources.is_empty() { &[Source::Itself] } else { sources };
        sources.iter().copied().find(free).filter(|_| self.standing < MAX_LINKS)
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

    /// The direct link to a device stands.
    pub(crate) fn linked(&mut self, device: DeviceKey, now: Time) {
        if let Some(peer) = self.peers.get_mut(&device).filter(|peer| peer.session.is_some()) {
            peer.link.state = State::Up(now);
        }
    }

    /// It is gone, a circuit carries on.
    pub(crate) fn unlinked(&mut self, device: DeviceKey, now: Time) {
        let spread = self.spread(device);
        let Some(peer) = self.peers.get_mut(&device) else {
            return;
        };
        let State::Up(since) = peer.link.state else {
            return;
        };
        peer.link.gone();
        peer.link.lost = now;
        if now.since(since) >= STABLE {
            peer.link.failures = 0;
        } else {
            peer.link.failed(now, spread);
        }
    }

    /// No link came of it.
    pub(crate) fn link_failed(&mut self, device: DeviceKey, failure: LinkFailure, now: Time) {
        let spread = self.spread(device);
        let Some(peer) = self.peers.get_mut(&device) else {
            return;
        };
        if matches!(peer.link.state, State::Linking(_)) {
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

    /// Makes the links that are due.
    pub(crate) fn tick_links(&mut self, now: Time, out: &mut Outbox) {
        let own = self.own.secret.device();
        let mut tally = Tally::default();
        let mut waiting = SmallSet::new();
        self.links_at = None;
        for (device, peer) in &mut self.peers {
            if let State::Linking(since) = peer.link.state {
                if now.since(since) >= LINK_TIME {
                    peer.link.failed(now, Spread::new(own, *device));
                } else {
                    wake(&mut self.links_at, since + LINK_TIME);
                }
            }
            tally.count(&peer.link);
            if let Some(at) = peer.link_at() {
                let reason = match peer.companion {
                    Some(_) => Reason::Company,
                    None if self.sought.contains(device) => Reason::Sought,
                    None => Reason::Besides,
                };
                waiting.insert((reason, at, *device));
            }
        }
        for (reason, at, device) in waiting {
            let Some(peer) = self.peers.get_mut(&device) else {
                continue;
            };
            let share = tally.room(&peer.sources);
            let may = match reason {
                Reason::Company => true,
                Reason::Sought => tally.standing < MAX_LINKS + MAX_SOUGHT_BESIDES,
                Reason::Besides => share.is_some(),
            };
            if !may {
                continue;
            }
            if at > now {
                wake(&mut self.links_at, at);
            } else if tally.linking < MAX_LINKING {
                peer.link.state = State::Linking(now);
                peer.link.charged = share.filter(|_| reason != Reason::Company);
                tally.count(&peer.link);
                out.push(Output::Link(device));
            }
        }
    }
}

fn wake(wake: &mut Option<Time>, at: Time) {
    *wake = Some(wake.map_or(at, |wake| wake.min(at)));
}

//! What others say that there is, and is not here: it is too large for gossip, and fetched by sync.
//!
//! Who passes such word on need not have the thing yet, but is about to fetch it too. So it is asked
//! again a moment later, and after that any other who is linked.

use super::{Rooms, room};
use crate::gossip::GossipVerdict;
use crate::id::DeviceKey;
use crate::op::OpId;
use crate::store::SetId;
use crate::sync::Input as Sync;
use crate::time::{Duration, Time};

/// The most of what is said that is remembered; the rest comes when sets are compared anyway.
const MAX: usize = 64;
/// How often somebody is asked for it.
const TRIES: u32 = 6;
/// How often of these it is the one who said so.
const OF_SOURCE: u32 = 2;
/// How long until the next one is asked, at first; it doubles.
const AGAIN: Duration = Duration::from_secs(3);

/// There is something, and it is not here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said {
    /// Who says so.
    source: DeviceKey,
    tries: u32,
    /// When the next one is asked.
    at: Time,
}

impl Rooms {
    /// Somebody says that there is something.
    pub(super) fn have_said(
        &mut self,
        source: DeviceKey,
        set: SetId,
        id: OpId,
        now: Time,
    ) -> GossipVerdict {
        if self.knows(set, id) != Some(false) {
            return GossipVerdict::Ignore;
        }
        if self.said.len() < MAX && !self.said.contains_key(&(set, id)) {
            self.said.insert((set, id), Said { source, tries: 0, at: now });
        }
        GossipVerdict::Accept
    }

    /// Asks for what was said and is not here yet.
    pub(super) fn fetch_said(&mut self, now: Time) {
        let due: Vec<_> = self.said.iter().filter(|(_, said)| said.at <= now).collect();
        let due: Vec<_> = due.into_iter().map(|(what, said)| (*what, *said)).collect();
        for ((set, id), said) in due {
            let whom = self.whom_to_ask(said).filter(|_| said.tries < TRIES);
            match whom.filter(|_| self.knows(set, id) == Some(false)) {
                Some(whom) => {
                    let (at, tries) = (now + AGAIN * (1 << said.tries), said.tries + 1);
                    self.said.insert((set, id), Said { at, tries, ..said });
                    self.sync(Sync::Has(whom), now);
                }
                None => _ = self.said.remove(&(set, id)),
            }
        }
    }

    pub(super) fn said_wake_at(&self) -> Option<Time> {
        self.said.values().map(|said| said.at).min()
    }

    fn whom_to_ask(&mut self, said: Said) -> Option<DeviceKey> {
        if said.tries < OF_SOURCE && self.linked.contains(&said.source) {
            return Some(said.source);
        }
        let chosen = self.random.below(self.linked.len().max(1) as u64);
        self.linked.iter().nth(usize::try_from(chosen).unwrap_or_default()).copied()
    }

    /// Whether something is here or was refused; `None` if it is of a room that is not ours.
    fn knows(&self, set: SetId, id: OpId) -> Option<bool> {
        if set == SetId::CONTROL {
            return Some(self.log.ids.knows(&id));
        }
        let own = self.wallet();
        let room = self.rooms.get(&room::tag_of(set)).filter(|room| room.is_of(own));
        room.map(|room| room.ids.knows(&id))
    }
}

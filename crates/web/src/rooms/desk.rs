//! What the page has for its worker: what waits, what is under way, what a new one must be told.

use super::MAX_UNTAKEN;
use chats_core::certificate::DeviceCertificate;
use chats_core::epoch::RoomTag;
use chats_core::gossip::{GossipId, GossipVerdict};
use chats_core::id::DeviceKey;
use chats_core::rooms::{Action, Incoming, Outgoing};
use chats_core::small::{SmallMap, SmallSet};
use std::collections::VecDeque;

/// The most that others sent and that waits for the worker; what comes then is dropped, as if it
/// had been lost on the way.
const MAX_WAITING: usize = 512;

/// The most bytes of frames that wait for it.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// The most that waits for it in all. A worker that is so far behind is started anew.
const MAX_ALL: usize = 4096;

/// The most frames of gossip that wait for a verdict.
const MAX_JUDGING: usize = 1024;

/// The most things that people want and that are not done yet.
const MAX_ACTING: usize = 64;

/// The number of what this desk wants itself; people's begin with 1.
const OWN: u64 = 0;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Desk {
    /// As many as the network keeps links.
    linked: SmallMap<DeviceKey, Box<DeviceCertificate>>,
    version: Option<u64>,
    shown: Option<RoomTag>,
    waiting: VecDeque<Incoming>,
    /// Of the frames that wait.
    bytes: usize,
    /// Said to the worker and not counted by it yet.
    untaken: usize,
    /// The version that changes were asked for after.
    asked: Option<u64>,
    judging: SmallSet<(GossipId, DeviceKey)>,
    acting: SmallSet<u64>,
    /// Why nobody takes anything, for people.
    shut: Option<String>,
}

impl Desk {
    /// A desk at which nobody takes anything yet.
    pub(super) fn shut(reason: &str) -> Self {
        Self { shut: Some(reason.to_owned()), ..Self::default() }
    }

    /// Keeps what is for the worker, or answers in its place.
    pub(super) fn put(&mut self, incoming: Incoming) -> Option<Outgoing> {
        match &incoming {
            Incoming::Passed { device, certificate } => {
                self.linked.insert(*device, certificate.clone());
            }
            Incoming::Gone { device } => {
                self.linked.remove(device);
            }
            Incoming::Version { version } => self.version = Some(*version),
            Incoming::Frame { frame, .. } => {
                if self.is_busy() || self.bytes + frame.len() > MAX_BYTES {
                    return None;
                }
                self.bytes += frame.len();
            }
            Incoming::Gossip { source, id, .. } => {
                if self.is_busy() || self.judging.iter().len() >= MAX_JUDGING {
                    return Some(ignored((*id, *source)));
                }
                self.judging.insert((*id, *source));
            }
            Incoming::Access { .. } => {}
            Incoming::Changes { from, .. } => {
                // What an earlier worker asked for is not what this one did.
                self.asked.take_if(|asked| asked == from)?;
            }
            Incoming::NoChanges => {
                self.asked.take()?;
            }
            Incoming::Act { number, action } => {
                let shown = match action {
                    Action::Open { room } => Some(Some(*room)),
                    Action::Close => Some(None),
                    _ => None,
                };
                self.shown = shown.unwrap_or(self.shown);
                if let Some(reason) = &self.shut {
                    // What is to be shown is remembered and shown once it can be.
                    let refused = shown.is_none().then(|| reason.clone());
                    return Some(Outgoing::Done { number: *number, room: None, refused });
                }
                if self.acting.iter().len() >= MAX_ACTING {
                    let reason = "Too much is asked for at once. Wait a moment and try again.";
                    return Some(refused(*number, reason.to_owned()));
                }
                self.acting.insert(*number);
            }
        }
        if self.shut.is_none() {
            self.waiting.push_back(incoming);
        }
        None
    }

    /// The next thing for the worker, unless it has enough on its hands.
    pub(super) fn next(&mut self) -> Option<Incoming> {
        if self.untaken >= MAX_UNTAKEN {
            return None;
        }
        let incoming = self.waiting.pop_front()?;
        if let Incoming::Frame { frame, .. } = &incoming {
            self.bytes -= frame.len();
        }
        self.untaken += 1;
        Some(incoming)
    }

    /// The worker has taken so many.
    pub(super) fn taken(&mut self, handled: u32) {
        self.untaken = self.untaken.saturating_sub(handled as usize);
    }

    /// The worker wants this done. Returns whether it is for anybody but this desk.
    pub(super) fn note(&mut self, outgoing: &Outgoing) -> bool {
        match outgoing {
            Outgoing::ReadChanges { from } => self.asked = Some(*from),
            Outgoing::Judge { id, source, .. } => _ = self.judging.remove(&(*id, *source)),
            Outgoing::Done { number, .. } => {
                self.acting.remove(number);
                return *number != OWN;
            }
            _ => {}
        }
        true
    }

    /// Nobody takes anything from now on, for this reason. Gives the answers to what is under way:
    /// whether any of it was done, nobody knows.
    pub(super) fn close(&mut self, reason: String) -> Vec<Outgoing> {
        let judging = std::mem::take(&mut self.judging).into_iter();
        let mut answers: Vec<_> = judging.map(ignored).collect();
        let acting = std::mem::take(&mut self.acting).into_iter();
        let unknown = "It is not known whether this was done. Look before you try again.";
        answers.extend(acting.map(|number| refused(number, unknown.to_owned())));
        *self = Self {
            linked: std::mem::take(&mut self.linked),
            version: self.version,
            shown: self.shown,
            shut: Some(reason),
            ..Self::default()
        };
        answers
    }

    /// Somebody takes things again, and is told first how things are.
    pub(super) fn open(&mut self) {
        self.shut = None;
        let version = self.version.map(|version| Incoming::Version { version });
        let linked = self.linked.iter().map(|(device, certificate)| Incoming::Passed {
            device: *device,
            certificate: certificate.clone(),
        });
        let shown =
            self.shown.map(|room| Incoming::Act { number: OWN, action: Action::Open { room } });
        self.waiting = version.into_iter().chain(linked).chain(shown).collect();
    }

    /// Why nobody takes anything, if nobody does.
    pub(super) fn reason(&self) -> Option<&str> {
        self.shut.as_deref()
    }

    /// Whether more waits than may.
    pub(super) fn is_overrun(&self) -> bool {
        self.waiting.len() > MAX_ALL
    }

    fn is_busy(&self) -> bool {
        self.shut.is_some() || self.waiting.len() >= MAX_WAITING
    }
}

const fn refused(number: u64, reason: String) -> Outgoing {
    Outgoing::Done { number, room: None, refused: Some(reason) }
}

const fn ignored((id, source): (GossipId, DeviceKey)) -> Outgoing {
    Outgoing::Judge { id, source, verdict: GossipVerdict::Ignore }
}

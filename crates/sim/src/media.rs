//! Media connections that behave as browsers' do (W3C WebRTC 1.0), without audio.
//!
//! A description names the connection it is of, its generation of credentials and, for answers,
//! the offer it answers. What a browser would refuse (an answer without an offer, a candidate
//! without a description, a description of another connection) breaks the run.

use crate::world::{Happening, World};
use chats_core::media::{
    Candidate, Description, DescriptionKind, Link, LinkState, MediaCommand, MediaEvent,
};
use chats_core::node::Input;
use rand::Rng;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Names a connection: whose, in which life of the page, with which number.
pub(crate) type Id = (usize, u32, u32);

/// A set of credentials of a connection.
type Credentials = (Id, u32);

/// All media connections that are open, and between whom none can stand.
#[derive(Debug, Default)]
pub(crate) struct Media {
    conns: BTreeMap<Id, PeerConnection>,
    /// Pairs (smaller first) that cannot reach each other, and until when.
    pub(crate) cuts: BTreeMap<(usize, usize), u64>,
    pub(crate) connected: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Signaling {
    Stable,
    HaveLocalOffer,
    HaveRemoteOffer,
}

#[derive(Debug)]
struct PeerConnection {
    signaling: Signaling,
    needed: bool,
    restart: bool,
    generation: u32,
    /// The generation of the exchange that is complete, ours and theirs.
    agreed: Option<(u32, Credentials)>,
    local_offer: Option<u32>,
    remote: Option<(DescriptionKind, Credentials)>,
    candidates: BTreeSet<Credentials>,
    state: LinkState,
    /// Credentials with which it failed.
    failed: Option<u32>,
    queue: VecDeque<MediaCommand>,
    busy: bool,
    /// Counts what was scheduled for its state, so that what is outdated does nothing.
    turn: u64,
}

/// What happens to a media connection.
#[derive(Debug)]
pub(crate) enum Rtc {
    /// It carries out its next command.
    Run(Id),
    /// It finds out whether an offer is needed.
    Negotiate(Id),
    /// It found a candidate.
    Found(Id, u32),
    /// It notices that nothing comes, if nothing came in between.
    Hush(Id, u64),
    /// Its state changes, if nothing came in between.
    Turn(Id, u64, LinkState),
}

fn write((device, life, link): Id, generation: u32, answers: u32) -> String {
    format!("{device} {life} {link} {generation} {answers}")
}

fn read(sdp: &str) -> Option<(Credentials, u32)> {
    let numbers: Option<Vec<u32>> = sdp.split(' ').map(|part| part.parse().ok()).collect();
    match numbers?.as_slice() {
        [device, life, link, generation, answers] => {
            Some((((*device as usize, *life, *link), *generation), *answers))
        }
        _ => None,
    }
}

impl World {
    fn rtc(&mut self, wait: std::ops::Range<u64>, rtc: Rtc) {
        let wait = self.rng.random_range(wait);
        self.queue.push(self.now + wait, Happening::Rtc(rtc));
    }

    fn media_event(&mut self, id: Id, event: MediaEvent) {
        self.input(id.0, Input::Media(event));
    }

    pub(crate) fn media_command(&mut self, device: usize, command: MediaCommand) {
        let life = self.devices[device].life;
        let link = match &command {
            MediaCommand::Open { link }
            | MediaCommand::Describe { link }
            | MediaCommand::Apply { link, .. }
            | MediaCommand::AddCandidate { link, .. }
            | MediaCommand::RestartIce { link }
            | MediaCommand::Close { link } => *link,
            MediaCommand::Mute(_) => return,
        };
        let id = (device, life, link.0);
        match command {
            MediaCommand::Open { .. } => {
                let new = PeerConnection {
                    signaling: Signaling::Stable,
                    needed: true,
                    restart: false,
                    generation: 0,
                    agreed: None,
                    local_offer: None,
                    remote: None,
                    candidates: BTreeSet::new(),
                    state: LinkState::Connecting,
                    failed: None,
                    queue: VecDeque::new(),
                    busy: false,
                    turn: 0,
                };
                if self.media.conns.insert(id, new).is_some() {
                    self.fail(format!("{device} opens the link {} twice", link.0));
                }
                self.rtc(1..20, Rtc::Negotiate(id));
            }
            MediaCommand::Close { .. } => {
                if self.media.conns.remove(&id).is_none() {
                    self.fail(format!("{device} closes the link {}, which is not open", link.0));
                }
                self.connectivity();
            }
            command => {
                let Some(conn) = self.media.conns.get_mut(&id) else {
                    return self.fail(format!("{device} uses the closed link: {command:?}"));
                };
                conn.queue.push_back(command);
                self.run_next(id);
            }
        }
    }

    fn run_next(&mut self, id: Id) {
        let Some(conn) = self.media.conns.get_mut(&id) else { return };
        if !conn.busy && !conn.queue.is_empty() {
            conn.busy = true;
            self.rtc(2..30, Rtc::Run(id));
        }
    }

    pub(crate) fn on_rtc(&mut self, rtc: Rtc) {
        match rtc {
            Rtc::Run(id) => {
                let Some(conn) = self.media.conns.get_mut(&id) else { return };
                conn.busy = false;
                if let Some(command) = conn.queue.pop_front() {
                    self.execute(id, command);
                }
                self.run_next(id);
                self.connectivity();
            }
            Rtc::Negotiate(id) => {
                let Some(conn) = self.media.conns.get_mut(&id) else { return };
                let idle = conn.queue.is_empty() && !conn.busy;
                if conn.needed && conn.signaling == Signaling::Stable {
                    if idle {
                        let link = Link(id.2);
                        self.media_event(id, MediaEvent::NegotiationNeeded { link });
                    } else {
                        self.rtc(5..20, Rtc::Negotiate(id));
                    }
                }
            }
            Rtc::Found(id, generation) => {
                let Some(conn) = self.media.conns.get(&id) else { return };
                if conn.generation == generation {
                    let line = write(id, generation, 0);
                    let candidate = Candidate { line, mid: None, line_index: Some(0) };
                    let link = Link(id.2);
                    self.media_event(id, MediaEvent::LocalCandidate { link, candidate });
                }
            }
            Rtc::Hush(id, turn) => {
                if self.media.conns.get(&id).is_some_and(|conn| conn.turn == turn) {
                    self.media_event(id, MediaEvent::Silent { link: Link(id.2) });
                }
            }
            Rtc::Turn(id, turn, state) => self.turn(id, turn, state),
        }
    }

    fn execute(&mut self, id: Id, command: MediaCommand) {
        let link = Link(id.2);
        let Some(conn) = self.media.conns.get_mut(&id) else { return };
        match command {
            MediaCommand::RestartIce { .. } => {
                (conn.restart, conn.needed) = (true, true);
                self.rtc(1..20, Rtc::Negotiate(id));
            }
            MediaCommand::Describe { .. } => {
                let fresh = conn.generation == 0 || std::mem::take(&mut conn.restart);
                let theirs = conn.remote;
                let (kind, answers) = match (conn.signaling, theirs) {
                    (Signaling::HaveRemoteOffer, Some((_, (_, generation)))) => {
                        (DescriptionKind::Answer, generation)
                    }
                    _ => (DescriptionKind::Offer, 0),
                };
                // New credentials of theirs ask for new ones of ours.
                let restarted = kind == DescriptionKind::Answer
                    && conn.agreed.is_some_and(|(_, agreed)| theirs.map(|t| t.1) != Some(agreed));
                if fresh || restarted {
                    conn.generation += 1;
                }
                let generation = conn.generation;
                if kind == DescriptionKind::Answer {
                    conn.signaling = Signaling::Stable;
                    conn.needed = false;
                    conn.agreed = theirs.map(|(_, theirs)| (generation, theirs));
                } else {
                    conn.signaling = Signaling::HaveLocalOffer;
                    conn.local_offer = Some(generation);
                }
                let description = Description { kind, sdp: write(id, generation, answers) };
                for _ in 0..2 {
                    self.rtc(5..200, Rtc::Found(id, generation));
                }
                self.media_event(id, MediaEvent::LocalDescription { link, description });
            }
            MediaCommand::Apply { description, .. } => self.apply(id, &description),
            MediaCommand::AddCandidate { candidate, .. } => {
                if conn.remote.is_none() {
                    return self.fail("a candidate before any description".to_owned());
                }
                if let Some((credentials, _)) = read(&candidate.line) {
                    conn.candidates.insert(credentials);
                }
            }
            MediaCommand::Open { .. } | MediaCommand::Close { .. } | MediaCommand::Mute(_) => {}
        }
    }

    fn apply(&mut self, id: Id, description: &Description) {
        let link = Link(id.2);
        let Some((theirs, answers)) = read(&description.sdp) else {
            let reason = "not SDP".to_owned();
            return self.media_event(id, MediaEvent::Broken { link, reason });
        };
        if self.never_admitted(theirs.0.0) && !self.devices[id.0].hostile {
            return self.fail(format!("{} takes SDP of a stranger", id.0));
        }
        let Some(conn) = self.media.conns.get_mut(&id) else { return };
        if conn.remote.is_some_and(|(_, (before, _))| before != theirs.0) {
            return self.fail(format!("{id:?} is given a description of {:?}", theirs.0));
        }
        match description.kind {
            DescriptionKind::Offer => {
                if conn.signaling == Signaling::HaveLocalOffer {
                    // Browsers allow it, and Chromium does not always get over it.
                    return self.fail(format!("{id:?} takes back an offer"));
                }
                conn.signaling = Signaling::HaveRemoteOffer;
            }
            DescriptionKind::Answer => {
                if conn.signaling != Signaling::HaveLocalOffer {
                    return self.fail(format!("{id:?} is given an answer without an offer"));
                }
                if conn.local_offer != Some(answers) {
                    return self.fail(format!("{id:?} is given an answer to another offer"));
                }
                conn.signaling = Signaling::Stable;
                conn.needed = conn.restart;
                conn.agreed = Some((answers, theirs));
            }
        }
        conn.remote = Some((description.kind, theirs));
        let kind = description.kind;
        self.rtc(1..20, Rtc::Negotiate(id));
        self.media_event(id, MediaEvent::Applied { link, kind });
    }

    /// Whether audio could flow between this connection and the one it agreed with.
    fn able(&self, id: Id) -> bool {
        let half = |id: Id| {
            let conn = self.media.conns.get(&id)?;
            let (generation, theirs) = conn.agreed?;
            let fresh = conn.failed != Some(generation);
            (fresh && conn.candidates.contains(&theirs)).then_some(((id, generation), theirs))
        };
        let Some((mine, theirs)) = half(id) else {
            return false;
        };
        half(theirs.0) == Some((theirs, mine)) && self.reachable(id.0, theirs.0.0)
    }

    pub(crate) fn reachable(&self, a: usize, b: usize) -> bool {
        let cut = self.media.cuts.get(&(a.min(b), a.max(b)));
        let on = |device: usize| {
            let page = &self.devices[device];
            page.node.is_some() && self.now >= page.offline_until
        };
        cut.is_none_or(|until| self.now >= *until) && on(a) && on(b)
    }

    /// Notices which connections can stand now, and which no longer.
    pub(crate) fn connectivity(&mut self) {
        let ids: Vec<_> = self.media.conns.keys().copied().collect();
        for id in ids {
            let able = self.able(id);
            let Some(conn) = self.media.conns.get_mut(&id) else { continue };
            let (wait, next) = match (conn.state, able) {
                (LinkState::Connected, false) => (2000..5000, LinkState::Disconnected),
                (LinkState::Disconnected, false) => (4000..15_000, LinkState::Failed),
                (LinkState::Connecting, false) if conn.agreed.is_some() => {
                    (15_000..30_000, LinkState::Failed)
                }
                (LinkState::Connected, true)
                | (LinkState::Failed, false)
                | (LinkState::Connecting, false) => {
                    // Whatever was scheduled before is off.
                    conn.turn = conn.turn.next_multiple_of(8);
                    continue;
                }
                (_, true) => (20..300, LinkState::Connected),
            };
            let scheduled = conn.turn % 8 == next as u64 + 1;
            if !scheduled {
                // The lowest digit says what is scheduled, the rest counts.
                conn.turn = (conn.turn / 8 + 1) * 8 + next as u64 + 1;
                let turn = conn.turn;
                if next == LinkState::Disconnected {
                    self.rtc(1000..1300, Rtc::Hush(id, turn));
                }
                self.rtc(wait, Rtc::Turn(id, turn, next));
            }
        }
    }

    fn turn(&mut self, id: Id, turn: u64, state: LinkState) {
        let able = self.able(id);
        let Some(conn) = self.media.conns.get_mut(&id) else { return };
        if conn.turn != turn || able != (state == LinkState::Connected) {
            return;
        }
        conn.turn = (conn.turn / 8 + 1) * 8;
        conn.state = state;
        match state {
            LinkState::Failed => conn.failed = conn.agreed.map(|(generation, _)| generation),
            LinkState::Connected => self.media.connected += 1,
            LinkState::Connecting | LinkState::Disconnected => {}
        }
        self.media_event(id, MediaEvent::State { link: Link(id.2), state });
        self.connectivity();
    }

    /// A page is gone with all it had.
    pub(crate) fn drop_media_of(&mut self, device: usize) {
        self.media.conns.retain(|id, _| id.0 != device);
        self.connectivity();
    }

    /// Some connection turns out to be of no use.
    pub(crate) fn break_some_media(&mut self) {
        let ids: Vec<_> = self.media.conns.keys().copied().collect();
        if !ids.is_empty() {
            let id = ids[self.rng.random_range(0..ids.len())];
            let reason = "by the simulation".to_owned();
            self.media_event(id, MediaEvent::Broken { link: Link(id.2), reason });
        }
    }

    pub(crate) fn open_media(&self, device: usize) -> usize {
        self.media.conns.keys().filter(|id| id.0 == device).count()
    }

    /// Whether a page has a media connection to a device.
    pub(crate) fn hears(&self, device: usize, other: usize) -> bool {
        let mine = self.media.conns.iter().filter(|(id, _)| id.0 == device);
        mine.filter_map(|(_, conn)| conn.remote).any(|(_, (theirs, _))| theirs.0 == other)
    }
}

//! Links between devices: frames in their order, late, until the link is cut at any frame; and
//! gossip that floods over them.

use super::town::Town;
use chats_core::gossip;
use chats_core::rooms::Incoming;
use chats_core::sync::{End, SyncMessage};
use rand::Rng;
use std::collections::BTreeMap;

/// With how many others a device wants to be linked, and the most that it takes.
const WANTED: usize = 8;
const MOST: usize = 12;
/// How many more are made to those that rooms seek.
const SOUGHT: usize = 8;
/// How long it takes at most until an end notices that its link is gone, in milliseconds.
const NOTICE: u64 = 8000;

/// A link, of the past too.
#[derive(Debug)]
pub(super) struct Conn {
    ends: [usize; 2],
    alive: bool,
    /// When the last frame arrives at an end.
    last: [u64; 2],
}

/// What happens in the network.
#[derive(Debug)]
pub(super) enum Net {
    /// An end of a link stands.
    Up { conn: usize, end: usize },
    /// An end notices that it is gone.
    Down { conn: usize, end: usize },
    /// A frame of sync arrives.
    Frame { conn: usize, end: usize, frame: Vec<u8> },
    /// Gossip arrives.
    Gossip { conn: usize, end: usize, message: Vec<u8> },
}

impl Town {
    /// One way between two devices, in milliseconds.
    fn latency(&mut self, a: usize, b: usize) -> u64 {
        let base = 5 + (a.min(b) as u64 * 31 + a.max(b) as u64 * 17) % 120;
        base + self.rng.random_range(0..50)
    }

    /// Whether a link between two devices may stand: each is there, in the same part, and lets the
    /// other through.
    fn reaches(&self, a: usize, b: usize) -> bool {
        let (one, other) = (&self.devices[a], &self.devices[b]);
        one.is_open() && other.is_open() && one.side == other.side
    }

    fn links_of(&self, device: usize) -> usize {
        self.conns.iter().filter(|conn| conn.alive && conn.ends.contains(&device)).count()
    }

    /// Makes links until there are enough, and some more to those that its rooms seek.
    pub(super) fn find_others(&mut self, device: usize) {
        let seeks = self.devices[device].seeks.iter();
        let seeks: Vec<_> = seeks.filter_map(|key| self.by_key.get(key).copied()).collect();
        for other in seeks {
            let most = MOST + SOUGHT;
            if self.links_of(device) < most && self.may_link(device, other, most) {
                self.link(device, other);
            }
        }
        while self.links_of(device) < WANTED {
            let all = 0..self.devices.len();
            let free: Vec<_> = all.filter(|it| self.may_link(device, *it, MOST)).collect();
            if free.is_empty() {
                return;
            }
            let other = free[self.rng.random_range(0..free.len())];
            self.link(device, other);
        }
    }

    /// Whether a link to a device that has fewer than so many may be made, and there is none.
    fn may_link(&self, device: usize, other: usize, most: usize) -> bool {
        let both = |conn: &Conn| conn.ends.contains(&device) && conn.ends.contains(&other);
        other != device
            && self.reaches(device, other)
            && self.lets_through(device, other)
            && self.lets_through(other, device)
            && self.links_of(other) < most
            && !self.conns.iter().any(|conn| conn.alive && both(conn))
    }

    fn link(&mut self, device: usize, other: usize) {
        let ups = [self.latency(device, other), self.latency(device, other)];
        // Checking who the other is takes its time at either end.
        let ups = ups.map(|up| self.now + up + self.rng.random_range(50..1200));
        let conn = self.conns.len();
        self.conns.push(Conn { ends: [device, other], alive: true, last: ups });
        for (end, up) in ups.into_iter().enumerate() {
            self.net(up, Net::Up { conn, end });
        }
    }

    /// Cuts a link: what is under way is lost, and either end notices later.
    fn cut(&mut self, conn: usize) {
        if !std::mem::replace(&mut self.conns[conn].alive, false) {
            return;
        }
        self.report.faults.cuts += 1;
        for end in 0..2 {
            let at = self.within(50, NOTICE).max(self.conns[conn].last[end] + 1);
            self.net(at, Net::Down { conn, end });
        }
    }

    pub(super) fn cut_all_of(&mut self, device: usize) {
        self.cut_where(|ends| ends.contains(&device));
    }

    /// Cuts all links between such ends.
    pub(super) fn cut_where(&mut self, which: impl Fn([usize; 2]) -> bool) {
        for conn in 0..self.conns.len() {
            if self.conns[conn].alive && which(self.conns[conn].ends) {
                self.cut(conn);
            }
        }
    }

    /// Cuts some link.
    pub(super) fn cut_some(&mut self) {
        let alive: Vec<_> = (0..self.conns.len()).filter(|it| self.conns[*it].alive).collect();
        if !alive.is_empty() {
            let conn = alive[self.rng.random_range(0..alive.len())];
            self.cut(conn);
        }
    }

    pub(super) fn send(&mut self, from: usize, to: usize, frame: Vec<u8>) {
        if frame.len() > chats_core::channel::Channel::Sync.max_frame() {
            return self.fail(format!("{from} sends {} bytes at once", frame.len()));
        }
        if let Ok(SyncMessage::End {
            reason: reason @ (End::Malformed | End::Spent | End::TooMuch),
        }) = SyncMessage::read(&frame)
        {
            return self.fail(format!("{from} ends a session with the honest {to}: {reason:?}"));
        }
        let Some(conn) = self.devices[from].sessions.get(&to).copied() else {
            return self.fail(format!("{from} speaks to {to}, with whom it has no link"));
        };
        self.report.sync.0 += 1;
        self.report.sync.1 += frame.len() as u64;
        let (at, end) = self.arrives(conn, from, to);
        self.net(at, Net::Frame { conn, end, frame });
    }

    /// When what is sent now arrives, behind what was sent before.
    fn arrives(&mut self, conn: usize, from: usize, to: usize) -> (u64, usize) {
        let at = self.now + self.latency(from, to);
        let end = usize::from(self.conns[conn].ends[1] == to);
        let last = &mut self.conns[conn].last[end];
        *last = at.max(*last);
        (*last, end)
    }

    pub(super) fn publish(&mut self, from: usize, message: &[u8]) {
        if message.len() + 64 > gossip::MAX_FRAME + 64 {
            self.fail(format!("{from} publishes {} bytes", message.len()));
        }
        self.devices[from].gossip.insert(gossip::id(message));
        self.spread(from, None, message);
    }

    /// Hands a message to all who are linked, but not back to where it came from.
    pub(super) fn spread(&mut self, from: usize, source: Option<usize>, message: &[u8]) {
        let sessions: BTreeMap<_, _> = self.devices[from].sessions.clone();
        for (to, conn) in sessions.into_iter().filter(|(to, _)| Some(*to) != source) {
            let at = self.now + self.latency(from, to);
            let end = usize::from(self.conns[conn].ends[1] == to);
            self.net(at, Net::Gossip { conn, end, message: message.to_vec() });
        }
    }

    pub(super) fn on_net(&mut self, net: Net) {
        match net {
            Net::Up { conn, end } => self.on_up(conn, end),
            Net::Down { conn, end } => self.on_down(conn, end),
            Net::Frame { conn, end, frame } => {
                if let Some((me, other)) = self.stands(conn, end) {
                    let from = self.devices[other].key;
                    self.tell(me, Incoming::Frame { from, frame: frame.into() });
                }
            }
            Net::Gossip { conn, end, message } => {
                if let Some((me, other)) = self.stands(conn, end) {
                    self.gossip(me, other, &message);
                }
            }
        }
    }

    /// The two ends, if what comes over the link is heard at this one.
    fn stands(&self, conn: usize, end: usize) -> Option<(usize, usize)> {
        let (me, other) = self.ends(conn, end);
        let heard = self.devices[me].sessions.get(&other) == Some(&conn);
        (self.conns[conn].alive && heard).then_some((me, other))
    }

    fn ends(&self, conn: usize, end: usize) -> (usize, usize) {
        let ends = self.conns[conn].ends;
        (ends[end], ends[1 - end])
    }

    fn on_up(&mut self, conn: usize, end: usize) {
        let (me, other) = self.ends(conn, end);
        if !self.conns[conn].alive || !self.devices[me].is_open() {
            return;
        }
        let Some(certificate) = self.devices[other].certificate.clone() else { return };
        let device = self.devices[other].key;
        if self.devices[me].sessions.insert(other, conn).is_some() {
            self.tell(me, Incoming::Gone { device });
        }
        self.tell(me, Incoming::Passed { device, certificate: Box::new(certificate) });
        let version = self.devices[other].told_version;
        self.hear_version(me, version);
    }

    fn on_down(&mut self, conn: usize, end: usize) {
        let (me, other) = self.ends(conn, end);
        if self.devices[me].sessions.get(&other) == Some(&conn) {
            self.devices[me].sessions.remove(&other);
            let device = self.devices[other].key;
            self.tell(me, Incoming::Gone { device });
        }
    }
}

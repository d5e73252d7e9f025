//! A relay at which devices find each other, and connections between them.
//!
//! What `chats-net` does is done here too: several connections count as one session, a device
//! that comes anew ends the session before, frames keep their order within a channel and not
//! across channels, and only hello is taken from a device that was not let pass.

use crate::world::{Happening, World};
use chats_core::channel::Channel;
use chats_core::node::Input;
use rand::Rng;
use std::collections::{BTreeMap, BTreeSet};

/// The relay, and every connection that there ever was.
#[derive(Debug, Default)]
pub(crate) struct Network {
    pub(crate) relay_down_until: u64,
    entered: BTreeSet<usize>,
    conns: Vec<Conn>,
    /// How many of 100 dials fail.
    pub(crate) bad_dials: u32,
}

/// A connection between two pages.
#[derive(Debug)]
struct Conn {
    ends: [usize; 2],
    /// Broken, whether or not its ends noticed.
    dead: bool,
    /// Ended by one end.
    closed: bool,
    /// When the last frame, or the connection itself, arrives at an end, by channel.
    last: [BTreeMap<Channel, u64>; 2],
}

/// What a device's network layer knows of another device.
#[derive(Debug)]
pub(crate) struct Session {
    conn: usize,
    pub(crate) passed: bool,
}

/// What happens in the network.
#[derive(Debug)]
pub(crate) enum Net {
    /// A page comes to the relay.
    Enter { device: usize, life: u32 },
    /// A dial has its outcome.
    Dialled { from: usize, life: u32, to: usize },
    /// An end of a connection stands.
    Up { conn: usize, end: usize, life: u32 },
    /// An end of a connection notices that it is over.
    Down { conn: usize, end: usize },
    /// A frame arrives.
    Frame { conn: usize, end: usize, channel: Channel, frame: Vec<u8> },
    /// The relay tells of others.
    Told { device: usize, life: u32, input: Input },
}

impl World {
    fn net(&mut self, wait: u64, net: Net) {
        self.queue.push(self.now + wait, Happening::Net(net));
    }

    /// One way between two devices, in milliseconds.
    fn latency(&mut self, a: usize, b: usize) -> u64 {
        let base = 5 + (a.min(b) as u64 * 31 + a.max(b) as u64 * 17) % 120;
        base + self.rng.random_range(0..50)
    }

    fn can_reach_relay(&self, device: usize) -> bool {
        let page = &self.devices[device];
        page.node.is_some()
            && self.now >= self.network.relay_down_until
            && self.now >= page.offline_until
    }

    pub(crate) fn enter_relay(&mut self, device: usize, wait: u64) {
        let life = self.devices[device].life;
        self.net(wait, Net::Enter { device, life });
    }

    fn told(&mut self, device: usize, input: Input) {
        let wait = self.rng.random_range(5..80);
        let page = &mut self.devices[device];
        page.told_at = (self.now + wait).max(page.told_at);
        let (life, at) = (page.life, page.told_at);
        self.queue.push(at, Happening::Net(Net::Told { device, life, input }));
    }

    /// A device is off the relay; the others hear of it after `wait`.
    pub(crate) fn off_relay(&mut self, device: usize) {
        if self.network.entered.remove(&device) {
            let key = self.devices[device].key;
            for other in self.network.entered.clone() {
                self.told(other, Input::Left(key));
            }
        }
    }

    /// The device itself lost the relay: nobody is listed for it any more.
    pub(crate) fn lost_relay(&mut self, device: usize) {
        self.off_relay(device);
        for listed in std::mem::take(&mut self.devices[device].listing) {
            let key = self.devices[listed].key;
            self.told(device, Input::Left(key));
        }
    }

    pub(crate) fn relay_outage(&mut self, length: u64) {
        self.network.relay_down_until = self.now + length;
        for device in 0..self.devices.len() {
            self.lost_relay(device);
            let wait = length + self.rng.random_range(100..5000);
            self.enter_relay(device, wait);
        }
        for conn in 0..self.network.conns.len() {
            self.cut_connection(conn, 1000);
        }
    }

    pub(crate) fn go_offline(&mut self, device: usize, length: u64) {
        self.devices[device].offline_until = self.now + length;
        self.lost_relay(device);
        self.cut_all_of(device, 8000);
        let wait = length + self.rng.random_range(100..3000);
        self.enter_relay(device, wait);
    }

    /// Breaks every connection of a device; its ends notice within `notice`.
    pub(crate) fn cut_all_of(&mut self, device: usize, notice: u64) {
        for conn in 0..self.network.conns.len() {
            if self.network.conns[conn].ends.contains(&device) {
                self.cut_connection(conn, notice);
            }
        }
    }

    /// Breaks some connection.
    pub(crate) fn cut_some_connection(&mut self) {
        let live = |conn: &Conn| !conn.dead && !conn.closed;
        let conns = self.network.conns.iter().enumerate();
        let live: Vec<_> = conns.filter(|(_, conn)| live(conn)).map(|(id, _)| id).collect();
        if !live.is_empty() {
            let conn = live[self.rng.random_range(0..live.len())];
            self.cut_connection(conn, 8000);
        }
    }

    fn cut_connection(&mut self, id: usize, notice: u64) {
        let conn = &mut self.network.conns[id];
        if conn.dead || conn.closed {
            return;
        }
        conn.dead = true;
        let up = conn.last.each_ref().map(|last| last.values().copied().min().unwrap_or(0));
        for (end, up) in up.into_iter().enumerate() {
            let at = (self.now + self.rng.random_range(50..notice)).max(up + 1);
            self.queue.push(at, Happening::Net(Net::Down { conn: id, end }));
        }
    }

    pub(crate) fn dial(&mut self, from: usize, to: usize) {
        let wait = 2 * self.latency(from, to);
        let life = self.devices[from].life;
        self.net(wait, Net::Dialled { from, life, to });
    }

    pub(crate) fn send(&mut self, from: usize, to: usize, channel: Channel, frame: Vec<u8>) {
        let Some(session) = self.devices[from].sessions.get(&to) else {
            return;
        };
        if channel == Channel::Meeting && !session.passed {
            return self.fail(format!("{from} speaks to {to}, which it did not let pass"));
        }
        let honest = !self.devices[from].hostile;
        if channel == Channel::Meeting && honest && self.never_admitted(to) {
            return self.fail(format!("{from} speaks to the stranger {to}"));
        }
        let conn = session.conn;
        let at = self.now + self.latency(from, to);
        let conn_of = &mut self.network.conns[conn];
        let end = usize::from(conn_of.ends[1] == to);
        let last = conn_of.last[end].entry(channel).or_default();
        *last = at.max(*last);
        let at = *last;
        self.queue.push(at, Happening::Net(Net::Frame { conn, end, channel, frame }));
    }

    /// A page ends its session with another: what it sent arrives, what comes does not.
    pub(crate) fn disconnect(&mut self, from: usize, to: usize) {
        let Some(session) = self.devices[from].sessions.remove(&to) else {
            return;
        };
        let key = self.devices[to].key;
        self.later_input(from, 0, Input::Disconnected(key));
        let conn = &mut self.network.conns[session.conn];
        if conn.dead || conn.closed {
            return;
        }
        conn.closed = true;
        let end = usize::from(conn.ends[1] == to);
        let last = conn.last[end].values().copied().max().unwrap_or(0);
        let at = last.max(self.now + self.latency(from, to));
        self.queue.push(at, Happening::Net(Net::Down { conn: session.conn, end }));
    }

    /// Whether a connection carries what two devices say to each other.
    pub(crate) fn linked(&self, a: usize, b: usize) -> bool {
        let live = |from: usize, to: usize| {
            self.devices[from].sessions.get(&to).is_some_and(|session| {
                let conn = &self.network.conns[session.conn];
                session.passed && !conn.dead && !conn.closed
            })
        };
        live(a, b) && live(b, a)
    }

    pub(crate) fn on_net(&mut self, net: Net) {
        match net {
            Net::Enter { device, life } => self.on_enter(device, life),
            Net::Told { device, life, input } => {
                let known: BTreeMap<_, _> =
                    self.devices.iter().enumerate().map(|(n, d)| (d.key, n)).collect();
                let page = &mut self.devices[device];
                if page.life == life {
                    match &input {
                        Input::Present { devices: keys, .. } => {
                            page.listing.extend(keys.iter().filter_map(|key| known.get(key)));
                        }
                        Input::Arrived { device: key, .. } => page.listing.extend(known.get(key)),
                        Input::Left(key) => {
                            known.get(key).map(|n| page.listing.remove(n));
                        }
                        _ => {}
                    }
                    self.input(device, input);
                }
            }
            Net::Dialled { from, life, to } => self.on_dialled(from, life, to),
            Net::Up { conn, end, life } => self.on_up(conn, end, life),
            Net::Down { conn, end } => {
                let (me, other) = self.ends(conn, end);
                if self.devices[me].sessions.get(&other).is_some_and(|s| s.conn == conn) {
                    self.devices[me].sessions.remove(&other);
                    let key = self.devices[other].key;
                    self.input(me, Input::Disconnected(key));
                }
            }
            Net::Frame { conn, end, channel, frame } => {
                let (me, other) = self.ends(conn, end);
                let session = self.devices[me].sessions.get(&other);
                let open = session.is_some_and(|session| {
                    session.conn == conn && (session.passed || channel.open_to_strangers())
                });
                if open && !self.network.conns[conn].dead {
                    let from = self.devices[other].key;
                    self.input(me, Input::Received { from, channel, frame });
                }
            }
        }
    }

    fn ends(&self, conn: usize, end: usize) -> (usize, usize) {
        let ends = self.network.conns[conn].ends;
        (ends[end], ends[1 - end])
    }

    fn on_enter(&mut self, device: usize, life: u32) {
        if self.devices[device].life != life || self.network.entered.contains(&device) {
            return;
        }
        if !self.can_reach_relay(device) {
            if self.devices[device].node.is_some() {
                self.enter_relay(device, 2000);
            }
            return;
        }
        let others = self.network.entered.clone();
        let keys = others.iter().map(|other| self.devices[*other].key).collect();
        self.network.entered.insert(device);
        self.told(device, Input::Present { source: 0, devices: keys });
        let key = self.devices[device].key;
        for other in others {
            self.told(other, Input::Arrived { source: 0, device: key });
        }
    }

    fn on_dialled(&mut self, from: usize, life: u32, to: usize) {
        if self.devices[from].life != life {
            return;
        }
        let live = |conn: &Conn| !conn.dead && !conn.closed;
        let between = |conn: &Conn| conn.ends.contains(&from) && conn.ends.contains(&to);
        if self.network.conns.iter().any(|conn| live(conn) && between(conn)) {
            return;
        }
        let entered = self.network.entered.contains(&from) && self.network.entered.contains(&to);
        let reach = self.can_reach_relay(from) && self.can_reach_relay(to);
        if !entered || !reach || self.rng.random_range(0..100) < self.network.bad_dials {
            let key = self.devices[to].key;
            let wait = self.rng.random_range(0..5000);
            return self.later_input(from, wait, Input::DialFailed(key));
        }
        let id = self.network.conns.len();
        let ups = [self.latency(from, to), self.latency(from, to)];
        let last = ups
            .map(|up| Channel::ALL.into_iter().map(|channel| (channel, self.now + up)).collect());
        self.network.conns.push(Conn { ends: [from, to], dead: false, closed: false, last });
        for (end, up) in ups.into_iter().enumerate() {
            let life = self.devices[[from, to][end]].life;
            self.net(up, Net::Up { conn: id, end, life });
        }
    }

    fn on_up(&mut self, conn: usize, end: usize, life: u32) {
        let (me, other) = self.ends(conn, end);
        if self.devices[me].life != life {
            return;
        }
        let key = self.devices[other].key;
        let before = self.devices[me].sessions.insert(other, Session { conn, passed: false });
        if before.is_some() {
            self.input(me, Input::Disconnected(key));
        }
        // What the node does about the end of the one before concerns that one alone.
        if self.devices[me].sessions.contains_key(&other) {
            self.input(me, Input::Connected(key));
        }
    }
}

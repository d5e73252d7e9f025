//! Connections between devices: circuits through a relay or a common member, and direct links.
//!
//! What `chats-net` does is done here too: several connections count as one session, a device
//! that comes anew ends the session before, frames keep their order within a channel and not
//! across channels, and only hello is taken from a device that was not let pass.

mod gossip;
mod links;
mod relays;

use crate::world::{Happening, World};
use chats_core::channel::Channel;
use chats_core::node::Input;
use rand::Rng;
use std::collections::{BTreeMap, BTreeSet};

pub(crate) use gossip::Gossip;
pub(crate) use relays::{RELAYS, Relay};

/// How long circuits last, in milliseconds.
const CIRCUIT_TIME: u64 = 30_000;

/// The relays, and every connection that there ever was.
#[derive(Debug, Default)]
pub(crate) struct Network {
    pub(crate) relays: [Relay; RELAYS],
    conns: Vec<Conn>,
    links: u32,
    /// How many of 100 dials and links fail.
    pub(crate) bad_dials: u32,
    /// Pairs (smaller first) that find no way to each other.
    pub(crate) apart: BTreeSet<(usize, usize)>,
    /// Pairs (smaller first) between whom no direct link can be made.
    pub(crate) unlinkable: BTreeSet<(usize, usize)>,
}

/// What carries a circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Via {
    Relay(usize),
    Member,
}

/// A connection between two pages.
#[derive(Debug)]
struct Conn {
    ends: [usize; 2],
    circuit: Option<Via>,
    /// The number of the direct link that stands.
    link: Option<u32>,
    /// The end that made a link, which the other has not taken yet.
    offered: Option<usize>,
    /// Ended by one end.
    closed: bool,
    /// When the last frame, or the connection itself, arrives at an end, by channel.
    last: [BTreeMap<Channel, u64>; 2],
}

impl Conn {
    const fn alive(&self) -> bool {
        !self.closed && (self.circuit.is_some() || self.link.is_some())
    }

    fn between(&self, a: usize, b: usize) -> bool {
        self.ends.contains(&a) && self.ends.contains(&b)
    }

    /// Whether a frame that is sent over the link of this number, or over the circuit, arrives.
    fn carries(&self, by: Option<u32>) -> bool {
        match by {
            Some(link) => !self.closed && self.link == Some(link),
            // What is under way on a circuit is waited for before it is closed.
            None => self.alive(),
        }
    }
}

/// What a device's network layer knows of another device.
#[derive(Debug)]
pub(crate) struct Session {
    conn: usize,
    pub(crate) passed: bool,
    /// Links that the other makes are taken.
    pub(crate) takes: bool,
    /// Everything runs on this link.
    link: Option<u32>,
    /// What is published reaches the other.
    reached: bool,
}

/// What happens in the network.
#[derive(Debug)]
pub(crate) enum Net {
    /// A page comes to a relay.
    Enter { device: usize, life: u32, relay: usize },
    /// A dial has its outcome.
    Dialled { from: usize, life: u32, to: usize },
    /// An end of a connection stands.
    Up { conn: usize, end: usize, life: u32 },
    /// An end of a connection notices that it is over.
    Down { conn: usize, end: usize },
    /// A link that one end asked for has its outcome.
    Linked { conn: usize, end: usize, life: u32 },
    /// An end of a connection has its link.
    LinkUp { conn: usize, end: usize, link: u32 },
    /// The circuit of a connection has served its time.
    CircuitEnds { conn: usize },
    /// Gossip reaches the other end of a link.
    Reaches { conn: usize, end: usize, link: u32 },
    /// A published frame arrives.
    Gossip { conn: usize, end: usize, link: u32, frame: Vec<u8> },
    /// A frame arrives.
    Frame { conn: usize, end: usize, by: Option<u32>, channel: Channel, frame: Vec<u8> },
    /// A relay tells of others.
    Told { device: usize, life: u32, relay: usize, input: Input },
}

impl Network {
    /// How many circuits there were between two devices so far.
    pub(crate) fn circuits(&self, a: usize, b: usize) -> usize {
        self.conns.iter().filter(|conn| conn.between(a, b)).count()
    }
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

    fn is_on(&self, device: usize) -> bool {
        let page = &self.devices[device];
        page.node.is_some() && self.now >= page.offline_until
    }

    pub(crate) fn go_offline(&mut self, device: usize, length: u64) {
        self.devices[device].offline_until = self.now + length;
        self.cut_all_of(device, 8000);
        for relay in 0..RELAYS {
            self.lost_relay(device, relay);
            let wait = length + self.rng.random_range(100..3000);
            self.enter_relay(device, relay, wait);
        }
    }

    /// Breaks every connection of a device; its ends notice within `notice`.
    pub(crate) fn cut_all_of(&mut self, device: usize, notice: u64) {
        for conn in 0..self.network.conns.len() {
            if self.network.conns[conn].ends.contains(&device) {
                self.cut_connection(conn, notice);
            }
        }
    }

    /// Breaks all that connects two devices.
    pub(crate) fn cut_between(&mut self, a: usize, b: usize) {
        for conn in 0..self.network.conns.len() {
            if self.network.conns[conn].between(a, b) {
                self.cut_connection(conn, 1000);
            }
        }
    }

    /// Breaks some connection.
    pub(crate) fn cut_some_connection(&mut self) {
        let conns = self.network.conns.iter().enumerate();
        let live: Vec<_> = conns.filter(|(_, conn)| conn.alive()).map(|(id, _)| id).collect();
        if !live.is_empty() {
            let conn = live[self.rng.random_range(0..live.len())];
            self.cut_connection(conn, 8000);
        }
    }

    /// Breaks a connection with all that carries it: a session ends with its link.
    fn cut_connection(&mut self, id: usize, notice: u64) {
        let conn = &mut self.network.conns[id];
        if conn.alive() {
            (conn.circuit, conn.link) = (None, None);
            self.both_notice(id, notice);
        }
    }

    /// The circuit of a connection is no more; so is the connection, if it has no link.
    fn end_circuit(&mut self, id: usize) {
        let conn = &mut self.network.conns[id];
        if conn.circuit.take().is_some() && conn.link.is_none() && !conn.closed {
            self.both_notice(id, 1000);
        }
    }

    /// A connection that nothing carries is over; its ends notice within `notice`.
    fn both_notice(&mut self, id: usize, notice: u64) {
        let last = &self.network.conns[id].last;
        let up = last.each_ref().map(|last| last.values().copied().min().unwrap_or(0));
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
        let (conn, by) = (session.conn, session.link);
        let at = self.now + self.latency(from, to);
        let conn_of = &mut self.network.conns[conn];
        let end = usize::from(conn_of.ends[1] == to);
        let last = conn_of.last[end].entry(channel).or_default();
        *last = at.max(*last);
        let at = *last;
        self.queue.push(at, Happening::Net(Net::Frame { conn, end, by, channel, frame }));
    }

    /// A page ends its session with another: what it sent arrives, what comes does not.
    pub(crate) fn disconnect(&mut self, from: usize, to: usize) {
        let Some(session) = self.devices[from].sessions.remove(&to) else {
            return;
        };
        let key = self.devices[to].key;
        self.later_input(from, 0, Input::Disconnected(key));
        let conn = &mut self.network.conns[session.conn];
        if !conn.alive() {
            return;
        }
        conn.closed = true;
        let end = usize::from(conn.ends[1] == to);
        let last = conn.last[end].values().copied().max().unwrap_or(0);
        let at = last.max(self.now + self.latency(from, to));
        self.queue.push(at, Happening::Net(Net::Down { conn: session.conn, end }));
    }

    /// Whether what two devices say to each other arrives.
    pub(crate) fn connected(&self, a: usize, b: usize) -> bool {
        let live = |from: usize, to: usize| {
            self.devices[from].sessions.get(&to).is_some_and(|session| {
                session.passed && self.network.conns[session.conn].carries(session.link)
            })
        };
        live(a, b) && live(b, a)
    }

    pub(crate) fn on_net(&mut self, net: Net) {
        match net {
            Net::Enter { device, life, relay } => self.on_enter(device, life, relay),
            Net::Told { device, life, relay, input } => {
                if self.devices[device].life == life {
                    self.on_told(device, relay, input);
                }
            }
            Net::Dialled { from, life, to } => self.on_dialled(from, life, to),
            Net::Up { conn, end, life } => self.on_up(conn, end, life),
            Net::Down { conn, end } => self.on_down(conn, end),
            Net::Linked { conn, end, life } => self.on_linked(conn, end, life),
            Net::LinkUp { conn, end, link } => self.on_link_up(conn, end, link),
            Net::CircuitEnds { conn } => self.end_circuit(conn),
            Net::Reaches { conn, end, link } => self.on_reaches(conn, end, link),
            Net::Gossip { conn, end, link, frame } => self.on_gossip(conn, end, link, frame),
            Net::Frame { conn, end, by, channel, frame } => {
                let (me, other) = self.ends(conn, end);
                let session = self.devices[me].sessions.get(&other);
                let open = session.is_some_and(|session| {
                    session.conn == conn && (session.passed || channel.open_to_strangers())
                });
                if open && self.network.conns[conn].carries(by) {
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

    /// What carries a dial, if anything does.
    fn way(&self, a: usize, b: usize) -> Option<Via> {
        if self.network.apart.contains(&(a.min(b), a.max(b))) || !self.is_on(a) || !self.is_on(b) {
            return None;
        }
        let relays = 0..RELAYS;
        let both = |relay: &usize| self.at_relay(a, *relay) && self.at_relay(b, *relay);
        if let Some(relay) = relays.into_iter().find(both) {
            return Some(Via::Relay(relay));
        }
        let common = |third: &usize| self.linked(a, *third) && self.linked(b, *third);
        (0..self.devices.len()).find(common).map(|_| Via::Member)
    }

    fn on_dialled(&mut self, from: usize, life: u32, to: usize) {
        if self.devices[from].life != life {
            return;
        }
        if self.network.conns.iter().any(|conn| conn.alive() && conn.between(from, to)) {
            return;
        }
        let lucky = self.rng.random_range(0..100) >= self.network.bad_dials;
        let Some(via) = self.way(from, to).filter(|_| lucky) else {
            let key = self.devices[to].key;
            let wait = self.rng.random_range(0..5000);
            return self.later_input(from, wait, Input::DialFailed(key));
        };
        let id = self.network.conns.len();
        let ups = [self.latency(from, to), self.latency(from, to)];
        let last = ups
            .map(|up| Channel::ALL.into_iter().map(|channel| (channel, self.now + up)).collect());
        let (ends, circuit) = ([from, to], Some(via));
        self.network.conns.push(Conn {
            ends,
            circuit,
            link: None,
            offered: None,
            closed: false,
            last,
        });
        self.net(CIRCUIT_TIME, Net::CircuitEnds { conn: id });
        for (end, up) in ups.into_iter().enumerate() {
            let life = self.devices[ends[end]].life;
            self.net(up, Net::Up { conn: id, end, life });
        }
    }

    fn on_up(&mut self, conn: usize, end: usize, life: u32) {
        let (me, other) = self.ends(conn, end);
        if self.devices[me].life != life {
            return;
        }
        let key = self.devices[other].key;
        let session = Session { conn, passed: false, takes: true, link: None, reached: false };
        let before = self.devices[me].sessions.insert(other, session);
        if before.is_some() {
            self.input(me, Input::Disconnected(key));
        }
        // What the node does about the end of the one before concerns that one alone.
        if self.devices[me].sessions.contains_key(&other) {
            self.input(me, Input::Connected(key));
        }
    }

    fn on_down(&mut self, conn: usize, end: usize) {
        let (me, other) = self.ends(conn, end);
        if self.devices[me].sessions.get(&other).is_some_and(|s| s.conn == conn) {
            self.devices[me].sessions.remove(&other);
            let key = self.devices[other].key;
            self.input(me, Input::Disconnected(key));
        }
    }
}

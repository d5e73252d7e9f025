//! Direct links: made over whatever connects two devices already, and on their own from then on.

use super::Net;
use crate::world::{Happening, World};
use chats_core::node::{Input, LinkFailure};
use rand::Rng;

impl World {
    /// A node asks for a direct link.
    pub(crate) fn link(&mut self, from: usize, to: usize) {
        let Some(session) = self.devices[from].sessions.get(&to).filter(|s| s.passed) else {
            return self.fail(format!("{from} wants a link to {to}, which did not pass"));
        };
        let conn = session.conn;
        let end = usize::from(self.network.conns[conn].ends[1] == from);
        let life = self.devices[from].life;
        let wait = 4 * self.latency(from, to);
        self.net(wait, Net::Linked { conn, end, life });
    }

    pub(super) fn on_linked(&mut self, id: usize, end: usize, life: u32) {
        let (from, to) = self.ends(id, end);
        let here = |me: usize, other: usize| {
            self.devices[me].sessions.get(&other).is_some_and(|session| session.conn == id)
        };
        if self.devices[from].life != life || !here(from, to) {
            return;
        }
        let pair = (from.min(to), from.max(to));
        let apart = self.network.apart.contains(&pair) || self.network.unlinkable.contains(&pair);
        let lucky = self.rng.random_range(0..100) >= self.network.bad_dials;
        let takes = self.devices[to].sessions.get(&from).is_some_and(|session| session.takes);
        let able = takes && here(to, from) && self.reachable(from, to) && !apart && lucky;
        let conn = &mut self.network.conns[id];
        if conn.link.is_some() || conn.offered.is_some() {
            return;
        }
        if !able || !conn.alive() {
            let device = self.devices[to].key;
            let wait = self.rng.random_range(50..15_000);
            let failure = LinkFailure::Unreachable;
            return self.later_input(from, wait, Input::LinkFailed { device, failure });
        }
        conn.offered = Some(end);
        let key = self.devices[from].key;
        self.input(to, Input::LinkOffered(key));
    }

    /// A node takes the links that another makes, or does not.
    pub(crate) fn take_links(&mut self, me: usize, other: usize, take: bool) {
        let Some(session) = self.devices[me].sessions.get_mut(&other) else { return };
        session.takes = take;
        let id = session.conn;
        let conn = &mut self.network.conns[id];
        if conn.offered.take_if(|end| conn.ends[*end] == other).is_none() {
            return;
        }
        if !take {
            for (from, to) in [(me, other), (other, me)] {
                let wait = self.latency(from, to);
                let (device, failure) = (self.devices[to].key, LinkFailure::Unreachable);
                self.later_input(from, wait, Input::LinkFailed { device, failure });
            }
            return;
        }
        self.network.links += 1;
        let link = self.network.links;
        self.network.conns[id].link = Some(link);
        for end in 0..2 {
            let wait = self.latency(me, other);
            self.net(wait, Net::LinkUp { conn: id, end, link });
        }
    }

    /// A node finds out whether another still answers.
    pub(crate) fn check(&mut self, me: usize, other: usize) {
        let Some(session) = self.devices[me].sessions.get(&other) else { return };
        let (id, link) = (session.conn, session.link);
        if self.network.conns[id].carries(link) {
            let wait = 2 * self.latency(me, other);
            let device = self.devices[other].key;
            return self.later_input(me, wait, Input::Answers(device));
        }
        let conn = &self.network.conns[id];
        let end = usize::from(conn.ends[1] == me);
        let up = conn.last[end].values().copied().min().unwrap_or(0);
        self.queue.push((self.now + 1000).max(up + 1), Happening::Net(Net::Down { conn: id, end }));
    }

    pub(super) fn on_link_up(&mut self, id: usize, end: usize, link: u32) {
        let (me, other) = self.ends(id, end);
        if self.network.conns[id].link != Some(link) {
            return;
        }
        let page = &mut self.devices[me];
        let Some(session) = page.sessions.get_mut(&other).filter(|s| s.conn == id) else { return };
        session.link = Some(link);
        let key = self.devices[other].key;
        self.input(me, Input::Linked(key));
        let wait = self.rng.random_range(10..300);
        self.net(wait, Net::Reaches { conn: id, end, link });
        // Once both have it, the circuit is closed.
        if self.devices[other].sessions.get(&me).is_some_and(|s| s.link == Some(link)) {
            self.network.conns[id].circuit = None;
        }
    }

    /// Breaks the link between two devices, if there is one.
    pub(crate) fn cut_link_between(&mut self, a: usize, b: usize, notice: u64) {
        let found = |conn: &super::Conn| conn.link.is_some() && !conn.closed && conn.between(a, b);
        if let Some(id) = self.network.conns.iter().position(found) {
            self.cut_connection(id, notice);
        }
    }

    /// Breaks some link.
    pub(crate) fn cut_some_link(&mut self) {
        let conns = self.network.conns.iter().enumerate();
        let live = conns.filter(|(_, conn)| conn.link.is_some() && !conn.closed);
        let live: Vec<_> = live.map(|(id, _)| id).collect();
        if !live.is_empty() {
            let conn = live[self.rng.random_range(0..live.len())];
            self.cut_connection(conn, 8000);
        }
    }

    /// Whether a direct link carries what two devices say to each other.
    pub(crate) fn linked(&self, a: usize, b: usize) -> bool {
        let by = |from: usize, to: usize| self.devices[from].sessions.get(&to)?.link;
        by(a, b).is_some() && by(a, b) == by(b, a) && self.connected(a, b)
    }
}

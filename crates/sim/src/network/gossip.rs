//! Gossip: frames that flood over links, each judged once by each node that gets it.

use super::Net;
use crate::world::World;
use chats_core::gossip::{self, GossipId, GossipVerdict};
use chats_core::id::DeviceKey;
use chats_core::node::Input;
use std::collections::{BTreeMap, BTreeSet};

/// What a page has seen of it.
#[derive(Debug, Default)]
pub(crate) struct Gossip {
    seen: BTreeSet<GossipId>,
    /// Frames that are to be judged, and who delivered them.
    judging: BTreeMap<GossipId, (usize, Vec<u8>)>,
}

impl World {
    pub(super) fn on_reaches(&mut self, id: usize, end: usize, link: u32) {
        let (me, other) = self.ends(id, end);
        let passed = |from: usize, to: usize| {
            self.devices[from].sessions.get(&to).is_some_and(|s| s.passed && s.conn == id)
        };
        if !passed(me, other) || !passed(other, me) || self.network.conns[id].link != Some(link) {
            return;
        }
        let Some(session) = self.devices[me].sessions.get_mut(&other) else { return };
        session.reached = true;
        let key = self.devices[other].key;
        self.input(me, Input::GossipReaches(key));
    }

    /// A node publishes a frame.
    pub(crate) fn publish(&mut self, from: usize, frame: &[u8]) {
        if frame.len() > gossip::MAX_FRAME {
            self.fail(format!("{from} publishes {} bytes", frame.len()));
        }
        self.devices[from].gossip.seen.insert(gossip::id(frame));
        self.spread(from, None, frame);
    }

    /// Hands a frame to all whom gossip reaches from here, but not back to where it came from.
    pub(crate) fn spread(&mut self, from: usize, source: Option<usize>, frame: &[u8]) {
        let sessions = self.devices[from].sessions.iter();
        let reached = sessions.filter(|(to, session)| session.reached && Some(**to) != source);
        let reached: Vec<_> =
            reached.filter_map(|(to, session)| Some((*to, session.conn, session.link?))).collect();
        for (to, conn, link) in reached {
            let end = usize::from(self.network.conns[conn].ends[1] == to);
            let (wait, frame) = (self.latency(from, to), frame.to_vec());
            self.net(wait, Net::Gossip { conn, end, link, frame });
        }
    }

    pub(super) fn on_gossip(&mut self, conn: usize, end: usize, link: u32, frame: Vec<u8>) {
        let (me, other) = self.ends(conn, end);
        let session = self.devices[me].sessions.get(&other);
        let open = session.is_some_and(|session| session.conn == conn && session.passed);
        if open && self.network.conns[conn].carries(Some(link)) {
            self.deliver(me, other, frame);
        }
    }

    /// A frame comes to a page for the first time, or again.
    pub(crate) fn deliver(&mut self, me: usize, from: usize, frame: Vec<u8>) {
        let id = gossip::id(&frame);
        let source = self.devices[from].key;
        let page = &mut self.devices[me];
        if page.node.is_none() || !page.gossip.seen.insert(id) {
            return;
        }
        page.gossip.judging.insert(id, (from, frame.clone()));
        self.input(me, Input::Gossip { source, id, frame });
        if self.devices[me].gossip.judging.remove(&id).is_some() {
            self.fail(format!("{me} does not say what becomes of gossip from {from}"));
        }
    }

    pub(crate) fn judged(
        &mut self,
        me: usize,
        id: GossipId,
        source: DeviceKey,
        verdict: GossipVerdict,
    ) {
        let Some((from, frame)) = self.devices[me].gossip.judging.remove(&id) else {
            return self.fail(format!("{me} judges gossip that it was not asked about"));
        };
        if self.devices[from].key != source {
            self.fail(format!("{me} mistakes who delivered gossip"));
        }
        match verdict {
            GossipVerdict::Accept => self.spread(me, Some(from), &frame),
            GossipVerdict::Ignore => {}
            GossipVerdict::Reject if self.garbage.contains(&id) => {}
            GossipVerdict::Reject => {
                self.fail(format!("{me} rejects what the honest {from} passed on"));
            }
        }
    }
}

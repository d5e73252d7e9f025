//! A session's channels move from the circuit to the link without losing or reordering a frame:
//!
//! 1. Each side opens its channels anew on the link, and writes there what comes from now on. What
//!    is queued for the old streams still goes out on them.
//! 2. The side with the greater key ends its old streams at once: it is the last to learn that this
//!    is the link, so the other side takes that for no end of the session. The other side ends its
//!    own when it has read those to their end.
//! 3. A side reads a channel's new stream only after the end of the old one. When the one that began
//!    has read all old streams to their ends, nothing is left on the circuit, and it closes it.

use super::{
    super::devices::{Connection, Inbound, Outbound},
    Driver, Unproven,
};
use crate::network::Event;
use chats_core::{channel::Channel, id::DeviceKey};
use futures::channel::mpsc;
use libp2p::{
    StreamProtocol, core::transport::ListenerId, multiaddr::Protocol, swarm::ConnectionId,
};
use web_time::Instant;

/// The link that carries a session.
pub(super) struct Proven {
    pub(super) link: ConnectionId,
    /// We are the side that ends its old streams first.
    begins: bool,
    pub(super) since: Instant,
    stage: Stage,
    /// Keeps the listener's old streams open.
    held: Vec<mpsc::Sender<Vec<u8>>>,
    /// We can be reached through the other side.
    pub(super) listener: Option<ListenerId>,
}

/// How far the channels are on their way to the link.
enum Stage {
    /// An own stream on an old connection is not open yet: the other side would not know of it.
    Waiting,
    /// What others sent before is still being read.
    Moving,
    /// All are there.
    Moved,
}

impl Proven {
    pub(super) const fn is_moving(&self) -> bool {
        !matches!(self.stage, Stage::Moved)
    }
}

impl Driver {
    /// The link is proven: everything shall move to it.
    pub(super) fn linked(
        &mut self,
        device: DeviceKey,
        Unproven { link, view, held, .. }: Unproven,
    ) {
        let begins = self.secret.device() > view.theirs;
        let Some(session) = self.devices.0.get_mut(&device) else { return };
        let peer = session.peer;
        session.connections.insert(link, Connection::link());
        let others = std::mem::take(&mut session.direct.unproven);
        session.direct.proven = Some(Proven {
            link,
            begins,
            since: Instant::now(),
            stage: Stage::Waiting,
            held: Vec::new(),
            listener: None,
        });
        for other in others {
            self.close_link(peer, other.link);
        }
        self.swarm.behaviour_mut().gossip.admit(peer, link);
        self.linking.linked.set(peer, true);
        self.tell(Event::Linked(device));
        for (channel, stream) in held {
            self.take_channel(device, link, channel, stream);
        }
        self.move_channels(device);
    }

    /// Writes to the link from now on, once all own streams on old connections are open.
    pub(in crate::driver) fn move_channels(&mut self, device: DeviceKey) {
        let Some(session) = self.devices.0.get_mut(&device) else { return };
        let Some(proven) = &mut session.direct.proven else { return };
        let link = proven.link;
        let unopened = |out: &Outbound| out.connection != link && out.unopened.is_some();
        if !matches!(proven.stage, Stage::Waiting) || session.outbound.values().any(unopened) {
            return;
        }
        for (channel, outbound) in &mut session.outbound {
            if outbound.connection == link {
                continue;
            }
            let old = std::mem::replace(outbound, Outbound::new(link));
            if !proven.begins {
                proven.held.push(old.frames);
            }
            let protocol = StreamProtocol::new(channel.protocol());
            self.swarm.behaviour_mut().streams.open(session.peer, link, protocol);
        }
        proven.stage = Stage::Moving;
        self.moved(device);
    }

    /// A stream of a channel was read to its end. Whether the channel moved to another connection.
    pub(in crate::driver) fn channel_ended(
        &mut self,
        device: DeviceKey,
        connection: ConnectionId,
        channel: Channel,
    ) -> bool {
        let Some(session) = self.devices.0.get_mut(&device) else { return false };
        if session.direct.link().is_none_or(|link| link == connection) {
            return false;
        }
        let Some(inbound) = session.inbound.get_mut(&channel) else { return false };
        if inbound.connection != connection {
            return true;
        }
        inbound.ended = true;
        if let Some((link, stream)) = inbound.next.take() {
            self.take_channel(device, link, channel, stream);
        }
        self.moved(device);
        true
    }

    /// Looks whether all that was on its way over old connections has come.
    fn moved(&mut self, device: DeviceKey) {
        let Some(session) = self.devices.0.get_mut(&device) else { return };
        let Some(proven) = &mut session.direct.proven else { return };
        let link = proven.link;
        let old = |inbound: &Inbound| inbound.connection != link && !inbound.ended;
        if !matches!(proven.stage, Stage::Moving) || session.inbound.values().any(old) {
            return;
        }
        // What we held open ends here; whoever began, and has seen it all, hangs up.
        proven.stage = Stage::Moved;
        proven.held.clear();
        // By now both sides know that the link is proven, so this is not refused.
        let through = (self.linking.address)(session.peer).with(Protocol::P2pCircuit);
        proven.listener = self.swarm.listen_on(through).ok();
        let left = session.connections.iter_mut().filter(|(connection, _)| **connection != link);
        for (connection, it) in left {
            it.used = false;
            if proven.begins {
                self.swarm.close_connection(*connection);
            }
        }
    }
}

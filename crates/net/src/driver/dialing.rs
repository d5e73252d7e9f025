//! Dialling a device: through one relay or member after the other, and not all at once, since each
//! circuit costs whoever carries it. But none is waited for long: one that carries nothing makes no
//! error for many seconds. So the next is tried beside it, and the first circuit that stands wins.
//! One that took long does not win while another may still be made soon: who is slow at this is
//! slow at all that follows.

use super::{
    Driver,
    devices::{self, Connection},
};
use crate::{identity, network::Event};
use chats_core::id::DeviceKey;
use libp2p::{
    Multiaddr, PeerId,
    multiaddr::Protocol,
    swarm::{
        ConnectionId,
        dial_opts::{DialOpts, PeerCondition},
    },
};
use std::{collections::VecDeque, time::Duration};
use web_time::Instant;

/// How long whoever carries a circuit may take until the next one is tried as well.
const HEDGE: Duration = Duration::from_millis(2500);

/// A device that is being dialled.
pub(super) struct Dialing {
    peer: PeerId,
    /// The ways that were not tried yet.
    ways: VecDeque<Multiaddr>,
    /// In the order in which they began.
    tries: Vec<Try>,
    /// Why others failed, in order.
    reasons: Vec<String>,
}

struct Try {
    connection: ConnectionId,
    carrier: Option<PeerId>,
    begun: Instant,
    stage: Stage,
}

enum Stage {
    UnderWay,
    Stands(Connection),
    Failed,
}

/// The way to a peer through who is at `addr`.
fn circuit(addr: Multiaddr, peer: PeerId) -> Multiaddr {
    addr.with(Protocol::P2pCircuit).with(Protocol::P2p(peer))
}

impl Dialing {
    fn tried(&self, way: &Multiaddr) -> bool {
        let carrier = devices::relay_in(way);
        self.tries.iter().any(|it| it.carrier == carrier)
    }

    /// The circuit that shall carry the session: the one that was made soonest, once none that is
    /// under way can still be made as soon as one ought to be.
    fn choice(&self, now: Instant) -> Option<(&Try, Connection)> {
        let stands = self.tries.iter().filter_map(|it| match it.stage {
            Stage::Stands(circuit) => Some((it, circuit)),
            Stage::UnderWay | Stage::Failed => None,
        });
        let took =
            |(it, circuit): &(&Try, Connection)| circuit.since.saturating_duration_since(it.begun);
        let best = stands.min_by_key(took)?;
        let hopeful = |it: &Try| matches!(it.stage, Stage::UnderWay) && !it.is_late(now);
        (took(&best) < HEDGE || !self.tries.iter().any(hopeful)).then_some(best)
    }
}

impl Try {
    fn is_late(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.begun) >= HEDGE
    }
}

impl Driver {
    pub(super) fn dial(&mut self, device: DeviceKey) {
        if !self.devices.connected(device) {
            self.dial_circuit(device);
        }
    }

    /// Dials a device, connected or not, unless it is being dialled.
    pub(super) fn dial_circuit(&mut self, device: DeviceKey) {
        if self.dialing.contains_key(&device) {
            return;
        }
        let fail = |reason: &str| Event::DialFailed { device, reason: reason.to_owned() };
        let Some(peer) = identity::peer_id(device).filter(|_| device != self.own()) else {
            return self.tell(fail("this is no other device"));
        };
        let relays = self.relays.towards(device);
        let carriers = self.carriers();
        let ways = relays.into_iter().chain(carriers).map(|addr| circuit(addr, peer));
        let ways: VecDeque<_> = ways.collect();
        if ways.is_empty() {
            return self.tell(fail("no relay and no member is connected who could help"));
        }
        let (tries, reasons) = (Vec::new(), Vec::new());
        let dialing = Dialing { peer, ways, tries, reasons };
        self.dialing.insert(device, dialing);
        self.dial_next(device);
    }

    /// Tries the next way; if there is none and nothing is on its way, the dial has failed.
    fn dial_next(&mut self, device: DeviceKey) {
        let Some(dialing) = self.dialing.get_mut(&device) else { return };
        if dialing.ways.is_empty() {
            // Relays that were not ready when the dial began.
            let relays = self.relays.towards(device).into_iter();
            let ways = relays.map(|addr| circuit(addr, dialing.peer));
            dialing.ways = ways.filter(|way| !dialing.tried(way)).collect();
        }
        while let Some(way) = dialing.ways.pop_front() {
            let carrier = devices::relay_in(&way);
            let options = DialOpts::peer_id(dialing.peer)
                .addresses(vec![way])
                .condition(PeerCondition::Always)
                .build();
            let connection = options.connection_id();
            let failed = self.swarm.dial(options).err();
            let stage = if failed.is_none() { Stage::UnderWay } else { Stage::Failed };
            dialing.tries.push(Try { connection, carrier, begun: Instant::now(), stage });
            match failed {
                None => return self.wake_within(HEDGE),
                Some(error) => dialing.reasons.push(super::dial_reason(&error)),
            }
        }
        if dialing.tries.iter().all(|it| matches!(it.stage, Stage::Failed)) {
            let mut reasons = std::mem::take(&mut dialing.reasons);
            reasons.dedup();
            self.dialing.remove(&device);
            self.tell(Event::DialFailed { device, reason: reasons.join("; ") });
        } else {
            self.choose(device);
        }
    }

    /// Whether it was the dial of a device that failed, or a circuit that was not chosen yet.
    pub(super) fn dial_failed(&mut self, connection: ConnectionId, reason: &str) -> bool {
        if self.outpaced.remove(&connection) {
            return true;
        }
        let mut dialing = self.dialing.iter_mut();
        let failed = dialing.find_map(|(device, dialing)| {
            let it = dialing.tries.iter_mut().find(|it| it.connection == connection)?;
            it.stage = Stage::Failed;
            dialing.reasons.push(reason.to_owned());
            Some(*device)
        });
        if let Some(device) = failed {
            self.dial_next(device);
        }
        failed.is_some()
    }

    /// A circuit that we dialled stands.
    pub(super) fn dial_stands(
        &mut self,
        device: DeviceKey,
        connection: ConnectionId,
        circuit: Connection,
    ) {
        let tries = self.dialing.get_mut(&device).map(|dialing| dialing.tries.iter_mut());
        let mut tries = tries.into_iter().flatten();
        if let Some(it) = tries.find(|it| it.connection == connection) {
            it.stage = Stage::Stands(circuit);
            self.choose(device);
        } else {
            // Another one was there first, or nobody waits for it any more.
            self.outpaced.remove(&connection);
            self.swarm.close_connection(connection);
        }
    }

    /// Has the session of a device carried by the best circuit to it, if that is clear by now.
    fn choose(&mut self, device: DeviceKey) {
        let Some(dialing) = self.dialing.get(&device) else { return };
        let Some((chosen, circuit)) = dialing.choice(Instant::now()) else { return };
        let (connection, begun) = (chosen.connection, chosen.begun);
        let circuit = circuit.anew();
        let Some(dialing) = self.dialing.remove(&device) else { return };
        for other in dialing.tries.iter().filter(|it| it.connection != connection) {
            match other.stage {
                Stage::UnderWay => {
                    self.outpaced.insert(other.connection);
                }
                Stage::Stands(_) => {
                    self.swarm.close_connection(other.connection);
                }
                Stage::Failed => {}
            }
            // It did not what another one did in less time.
            let slower = !matches!(other.stage, Stage::UnderWay) || other.begun < begun;
            if let Some(carrier) = other.carrier.filter(|_| slower) {
                self.relays.doubt(carrier);
            }
        }
        self.begin(dialing.peer, device, connection, circuit);
    }

    /// Tries the next way to those whose last one takes long.
    pub(super) fn dials_due(&mut self, now: Instant) {
        let late = |it: &&Dialing| it.tries.last().is_none_or(|last| last.is_late(now));
        let due = self.dialing.iter().filter(|(_, dialing)| late(dialing));
        let due: Vec<_> = due.map(|(device, _)| *device).collect();
        for device in due {
            self.dial_next(device);
        }
    }

    /// Time in which we did not run says nothing about dials.
    pub(super) fn forgive_dials(&mut self, late: Duration) {
        let tries = self.dialing.values_mut().flat_map(|dialing| &mut dialing.tries);
        tries.for_each(|it| it.begun += late);
    }
}

//! Dialling a device: through one relay or member after the other, and not all at once, since each
//! circuit costs whoever carries it. But none is waited for long: one that carries nothing makes no
//! error for many seconds. So the next is tried beside it, and the first circuit that stands wins.

use super::{Driver, devices};
use crate::{identity, network::Event};
use chats_core::id::DeviceKey;
use libp2p::{
    Multiaddr, PeerId,
    multiaddr::Protocol,
    swarm::{
        ConnectionId, DialError,
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
    tries: Vec<Try>,
    /// Why others failed, in order.
    reasons: Vec<String>,
    /// When the last one began.
    begun: Instant,
}

/// A dial on its way, or one that failed.
struct Try {
    connection: ConnectionId,
    carrier: Option<PeerId>,
    failed: bool,
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
        let circuit = |addr: Multiaddr| addr.with(Protocol::P2pCircuit).with(Protocol::P2p(peer));
        let relays = self.relays.towards(device);
        let carriers = self.carriers();
        let ways: VecDeque<_> = relays.into_iter().chain(carriers).map(circuit).collect();
        if ways.is_empty() {
            return self.tell(fail("no relay and no member is connected who could help"));
        }
        let (tries, reasons) = (Vec::new(), Vec::new());
        let dialing = Dialing { peer, ways, tries, reasons, begun: Instant::now() };
        self.dialing.insert(device, dialing);
        self.dial_next(device);
    }

    /// Tries the next way; if there is none and nothing is on its way, the dial has failed.
    fn dial_next(&mut self, device: DeviceKey) {
        let Some(dialing) = self.dialing.get_mut(&device) else { return };
        while let Some(way) = dialing.ways.pop_front() {
            let carrier = devices::relay_in(&way);
            let options = DialOpts::peer_id(dialing.peer)
                .addresses(vec![way])
                .condition(PeerCondition::Always)
                .build();
            let connection = options.connection_id();
            match self.swarm.dial(options) {
                Ok(()) => {
                    dialing.tries.push(Try { connection, carrier, failed: false });
                    dialing.begun = Instant::now();
                    if !dialing.ways.is_empty() {
                        self.wake_within(HEDGE);
                    }
                    return;
                }
                Err(error) => dialing.reasons.push(super::dial_reason(&error)),
            }
        }
        if dialing.tries.iter().all(|it| it.failed) {
            let mut reasons = std::mem::take(&mut dialing.reasons);
            reasons.dedup();
            self.dialing.remove(&device);
            self.tell(Event::DialFailed { device, reason: reasons.join("; ") });
        }
    }

    /// Whether it was the dial of a device that failed.
    pub(super) fn dial_failed(&mut self, connection: ConnectionId, error: &DialError) -> bool {
        if self.outpaced.remove(&connection) {
            return true;
        }
        let mut dialing = self.dialing.iter_mut();
        let failed = dialing.find_map(|(device, dialing)| {
            let it = dialing.tries.iter_mut().find(|it| it.connection == connection)?;
            it.failed = true;
            dialing.reasons.push(super::dial_reason(error));
            Some(*device)
        });
        if let Some(device) = failed {
            self.dial_next(device);
        }
        failed.is_some()
    }

    /// A dial came to stand. Whether it is the first of its device; any other is of no use.
    pub(super) fn dial_stands(&mut self, device: DeviceKey, connection: ConnectionId) -> bool {
        if self.outpaced.remove(&connection) {
            return false;
        }
        let won = |dialing: &Dialing| dialing.tries.iter().any(|it| it.connection == connection);
        if self.dialing.get(&device).is_some_and(won)
            && let Some(dialing) = self.dialing.remove(&device)
        {
            for other in dialing.tries.iter().filter(|it| it.connection != connection) {
                // It did not what another one did.
                if let Some(carrier) = other.carrier {
                    self.relays.doubt(carrier);
                }
                if !other.failed {
                    self.outpaced.insert(other.connection);
                }
            }
        }
        true
    }

    /// Tries the next way to those whose last one takes long.
    pub(super) fn dials_due(&mut self, now: Instant) {
        let late = |dialing: &Dialing| {
            !dialing.ways.is_empty() && now.saturating_duration_since(dialing.begun) >= HEDGE
        };
        let due: Vec<_> =
            self.dialing.iter().filter(|(_, it)| late(it)).map(|(device, _)| *device).collect();
        for device in due {
            self.dial_next(device);
        }
    }
}

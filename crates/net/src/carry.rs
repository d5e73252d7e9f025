//! Members carry circuits for each other, as a relay does for all: a session between two who have
//! lost their way to each other, end to end encrypted, through one who has a link to both.

use crate::linking::Linked;
#[cfg(any(target_arch = "wasm32", test))]
use libp2p::multiaddr::Protocol;
use libp2p::{
    Multiaddr, PeerId,
    relay::{self, RateLimiter, Status},
};
use std::time::Duration;
use web_time::Instant;

/// Those that one device carries circuits to: all it has links to.
const MAX_RESERVATIONS: usize = 64;
/// Circuits at once.
const MAX_CIRCUITS: usize = 4;
/// Enough to say hello and to signal a link.
const MAX_CIRCUIT_TIME: Duration = Duration::from_secs(30);
/// Both ways together; see [`MAX_CIRCUIT_TIME`].
const MAX_CIRCUIT_BYTES: u64 = 64 * 1024;

/// Serves members with a link and nobody else.
struct MembersOnly(Linked);

impl RateLimiter for MembersOnly {
    fn try_next(&mut self, peer: PeerId, _: &Multiaddr, _: Instant) -> bool {
        self.0.contains(peer)
    }
}

/// The relay that a device is for those in `linked`.
pub(crate) fn carrier(own: PeerId, linked: &Linked) -> relay::Behaviour {
    let config = relay::Config {
        max_reservations: MAX_RESERVATIONS,
        max_reservations_per_peer: 2,
        reservation_duration: Duration::from_secs(60 * 60),
        reservation_rate_limiters: vec![Box::new(MembersOnly(linked.clone()))],
        max_circuits: MAX_CIRCUITS,
        max_circuits_per_peer: MAX_CIRCUITS,
        max_circuit_duration: MAX_CIRCUIT_TIME,
        max_circuit_bytes: MAX_CIRCUIT_BYTES,
        circuit_src_rate_limiters: vec![Box::new(MembersOnly(linked.clone()))],
    };
    let mut carrier = relay::Behaviour::new(own, config);
    carrier.set_status(Some(Status::Enable));
    carrier
}

/// Under what a carrier names itself to those who reserve: a reservation must name an address, and
/// a device is reached over the link alone.
#[cfg(any(target_arch = "wasm32", test))]
pub(crate) fn address() -> Multiaddr {
    Protocol::WebRTC.into()
}

#[cfg(all(test, not(target_arch = "wasm32")))]
pub(crate) mod tests;

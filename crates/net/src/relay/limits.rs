//! What a relay gives to whom.

use libp2p::{
    connection_limits::{self, ConnectionLimits},
    relay,
};
use std::{
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    time::Duration,
};

/// Devices that can be reached through the relay at once, unless the operator says otherwise.
pub const MAX_RESERVATIONS: usize = 1024;
/// Circuits at once.
pub const MAX_CIRCUITS: usize = 512;
/// Circuits that one device may have opened or accepted at once.
pub const MAX_CIRCUITS_PER_PEER: usize = 16;
/// How long a circuit may last: enough to say hello, and to make a direct link and a call.
pub const MAX_CIRCUIT_TIME: Duration = Duration::from_secs(30);
/// Bytes that a circuit may carry, both ways together; see [`MAX_CIRCUIT_TIME`].
pub const MAX_CIRCUIT_BYTES: u64 = 128 * 1024;

/// Reservations of one device; a reloaded page has two for a moment.
const MAX_RESERVATIONS_PER_PEER: usize = 4;
/// Connections of one device.
const MAX_CONNECTIONS_PER_PEER: u32 = 4;
/// Connections beyond one per reservation: in handshakes, of those without a reservation, left
/// over from reloads.
const SPARE_CONNECTIONS: u32 = 512;
/// Incoming connections within their handshakes.
const MAX_PENDING: u32 = 256;

/// Reservations and circuits that a device may ask for in a burst, and one more every 5 s.
const BURST_PER_PEER: NonZeroU32 = NonZeroU32::MIN.saturating_add(63);
const REFILL_PER_PEER: Duration = Duration::from_secs(5);
/// The same from one address: 32 devices of a household or an office that each reload a page some
/// times and dial 31 others at once (992 circuits), and 10 more a second.
const BURST_PER_IP: NonZeroU32 = NonZeroU32::MIN.saturating_add(2047);
const REFILL_PER_IP: Duration = Duration::from_millis(100);

pub(super) fn circuits(max_reservations: usize, max_circuit_time: Duration) -> relay::Config {
    relay::Config {
        max_reservations,
        max_reservations_per_peer: MAX_RESERVATIONS_PER_PEER,
        reservation_duration: Duration::from_secs(60 * 60),
        reservation_rate_limiters: Vec::new(),
        max_circuits: MAX_CIRCUITS,
        // libp2p refuses a circuit to whoever has more than so many.
        max_circuits_per_peer: MAX_CIRCUITS_PER_PEER - 1,
        max_circuit_duration: max_circuit_time,
        max_circuit_bytes: MAX_CIRCUIT_BYTES,
        circuit_src_rate_limiters: Vec::new(),
    }
    .reservation_rate_per_peer(BURST_PER_PEER, REFILL_PER_PEER)
    .reservation_rate_per_ip(BURST_PER_IP, REFILL_PER_IP)
    .circuit_src_per_peer(BURST_PER_PEER, REFILL_PER_PEER)
    .circuit_src_per_ip(BURST_PER_IP, REFILL_PER_IP)
}

pub(super) fn connections(max_reservations: usize) -> connection_limits::Behaviour {
    let reserved = u32::try_from(max_reservations).unwrap_or(u32::MAX);
    connection_limits::Behaviour::new(
        ConnectionLimits::default()
            .with_max_pending_incoming(Some(MAX_PENDING))
            .with_max_established(Some(reserved.saturating_add(SPARE_CONNECTIONS)))
            .with_max_established_per_peer(Some(MAX_CONNECTIONS_PER_PEER)),
    )
}

/// What counts as one address where each has a share: of IPv6 the network of a household (a /64),
/// which may use any address in it.
#[must_use]
pub fn site(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
        ip => ip,
    }
}

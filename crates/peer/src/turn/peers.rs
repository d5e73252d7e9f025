//! To whom the TURN server passes datagrams on.
//!
//! A member must not reach through the relay what only the relay's machine can reach: its own
//! services, those of its network, those of its provider. So nothing but public addresses is
//! passed on to, and of the relay's own only what it has allocated itself: that is how two members
//! meet who both depend on it.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

/// What is allowed, and how own addresses look from inside and from outside.
#[derive(Debug)]
pub(super) struct Peers {
    /// Everything is allowed.
    dev: bool,
    /// The address that others know.
    external: IpAddr,
    /// Where sockets of this server reach each other.
    inside: IpAddr,
    /// All addresses of this machine.
    own: BTreeSet<IpAddr>,
}

impl Peers {
    /// For a server whose sockets are bound to `bound`, which others know as `external`, on a
    /// machine with the addresses `own`. With `dev` nothing is denied.
    pub(super) fn new(
        dev: bool,
        bound: IpAddr,
        external: IpAddr,
        own: impl IntoIterator<Item = IpAddr>,
    ) -> Self {
        let inside = match bound {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
            bound => bound,
        };
        let own = own.into_iter().chain([bound, external, inside]);
        Self { dev, external, inside, own: own.map(|ip| ip.to_canonical()).collect() }
    }

    /// Whether a client may have a permission for this address.
    pub(super) fn permits(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.dev || ip == self.external || (is_public(ip) && !self.own.contains(&ip))
    }

    /// Where to send what a client wants to reach `peer`; `None` if it may not. `allocated` are the
    /// ports of this server's allocations.
    pub(super) fn route(&self, peer: SocketAddr, allocated: &BTreeSet<u16>) -> Option<SocketAddr> {
        let ip = peer.ip().to_canonical();
        if ip == self.external && allocated.contains(&peer.port()) {
            return Some(SocketAddr::new(self.inside, peer.port()));
        }
        (self.dev || (self.permits(ip) && ip != self.external)).then_some(peer)
    }

    /// As whom a client is to see the sender of a datagram.
    pub(super) fn origin(&self, from: SocketAddr, allocated: &BTreeSet<u16>) -> SocketAddr {
        let ip = from.ip().to_canonical();
        if self.own.contains(&ip) && allocated.contains(&from.port()) {
            return SocketAddr::new(self.external, from.port());
        }
        SocketAddr::new(ip, from.port())
    }
}

/// Whether an address is one of the public internet, by the registries of special addresses
/// (RFC 6890 and the IANA lists it began) and of multicast (RFC 5771).
pub(super) fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let special = match (a, b, c) {
        // This network, private (RFC 1918), loopback.
        (0 | 10 | 127, _, _) => true,
        // Carrier-grade NAT (RFC 6598).
        (100, 64..=127, _) => true,
        // Link-local, among it the metadata services of providers.
        (169, 254, _) => true,
        (172, 16..=31, _) | (192, 168, _) => true,
        // Protocol assignments, documentation, 6to4 relays, benchmarks.
        (192, 0, 0 | 2) | (192, 88, 99) | (198, 18 | 19, _) | (198, 51, 100) | (203, 0, 113) => {
            true
        }
        // Multicast, reserved, broadcast.
        (224.., _, _) => true,
        _ => false,
    };
    !special
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    match ip.segments() {
        // Protocol assignments (among them Teredo), documentation, 6to4: some of these hold IPv4
        // addresses, which would have to be looked at in turn.
        [0x2001, 0..=0x01ff, ..] | [0x2001, 0x0db8, ..] | [0x2002, ..] => false,
        [0x3fff, 0..=0x0fff, ..] => false,
        // All else that is public lies in one block (RFC 4291, section 2.4; IANA).
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    /// A machine with a public address of its own.
    fn public() -> Peers {
        Peers::new(false, ip("8.8.4.4"), ip("8.8.4.4"), [ip("10.1.0.2"), ip("9.9.9.9")])
    }

    /// A machine behind an address that is translated.
    fn translated() -> Peers {
        Peers::new(false, ip("0.0.0.0"), ip("8.8.4.4"), [ip("10.1.0.2")])
    }

    #[test]
    fn special_addresses_are_denied_and_their_neighbours_are_not() {
        for special in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.0",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.250",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:10.0.0.1",
            "::ffff:127.0.0.1",
            "::7f00:1",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:10::1",
            "2001:db8::1",
            "2002:a00:1::1",
            "3fff::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!public().permits(ip(special)), "{special}");
            let peer = SocketAddr::new(ip(special), 4000);
            assert_eq!(public().route(peer, &BTreeSet::from([4000])), None, "{special}");
        }
        for usual in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.0.0.1",
            "128.0.0.1",
            "169.253.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.167.0.1",
            "192.169.0.1",
            "223.255.255.255",
            "2001:200::1",
            "2606:4700::1111",
            "2a00::1",
            "::ffff:1.1.1.1",
        ] {
            assert!(public().permits(ip(usual)), "{usual}");
        }
    }

    #[test]
    fn own_addresses_are_denied_but_for_what_was_allocated() {
        let allocated = BTreeSet::from([50_000]);
        for peers in [public(), translated()] {
            assert!(peers.permits(ip("8.8.4.4")), "there may be an allocation");
            assert_eq!(peers.route(addr("8.8.4.4:3478"), &allocated), None);
            assert_eq!(peers.route(addr("8.8.4.4:22"), &allocated), None);
            assert_eq!(peers.route(addr("10.1.0.2:50000"), &allocated), None);
        }
        assert!(!public().permits(ip("9.9.9.9")), "another address of the machine");
        let own = public().route(addr("8.8.4.4:50000"), &allocated);
        assert_eq!(own, Some(addr("8.8.4.4:50000")));
    }

    #[test]
    fn two_clients_of_a_translated_machine_see_its_public_address_and_meet_inside() {
        let allocated = BTreeSet::from([50_000, 50_001]);
        let peers = translated();
        let route = peers.route(addr("8.8.4.4:50001"), &allocated);
        assert_eq!(route, Some(addr("127.0.0.1:50001")));
        let seen = peers.origin(addr("127.0.0.1:50000"), &allocated);
        assert_eq!(seen, addr("8.8.4.4:50000"));
        let other = peers.origin(addr("[::ffff:1.1.1.1]:50000"), &allocated);
        assert_eq!(other, addr("1.1.1.1:50000"));
    }

    #[test]
    fn nothing_is_denied_on_a_developers_machine() {
        let peers = Peers::new(true, ip("127.0.0.1"), ip("127.0.0.1"), []);
        assert!(peers.permits(ip("127.0.0.1")) && peers.permits(ip("10.0.0.1")));
        let none = BTreeSet::new();
        assert_eq!(peers.route(addr("127.0.0.1:5000"), &none), Some(addr("127.0.0.1:5000")));
    }
}

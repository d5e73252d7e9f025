//! Reading the addresses of relays.
//!
//! libp2p's own reading also knows onion services, garlic and hashes of certificates, and brings
//! tables of Unicode and a dozen alphabets for them, as does its writing: 25 kB of the page.

use libp2p::{Multiaddr, PeerId, multiaddr::Protocol};
use std::str::FromStr;

/// Reads an address such as `/dns4/HOST/tcp/443/wss/p2p/PEERID`; `None` if it has parts that no
/// address of a relay has. Whether a program can dial it is another matter.
#[must_use]
pub fn read(text: &str) -> Option<Multiaddr> {
    let mut parts = text.strip_prefix('/')?.split('/');
    let mut addr = Multiaddr::empty();
    while let Some(name) = parts.next() {
        let protocol = match name {
            "ip4" => Protocol::Ip4(value(parts.next())?),
            "ip6" => Protocol::Ip6(value(parts.next())?),
            "dns" => Protocol::Dns(host(parts.next())?.into()),
            "dns4" => Protocol::Dns4(host(parts.next())?.into()),
            "dns6" => Protocol::Dns6(host(parts.next())?.into()),
            "dnsaddr" => Protocol::Dnsaddr(host(parts.next())?.into()),
            "tcp" => Protocol::Tcp(value(parts.next())?),
            "udp" => Protocol::Udp(value(parts.next())?),
            "tls" => Protocol::Tls,
            "ws" => Protocol::Ws("/".into()),
            "wss" => Protocol::Wss("/".into()),
            "quic-v1" => Protocol::QuicV1,
            "p2p" => Protocol::P2p(value::<PeerId>(parts.next())?),
            "p2p-circuit" => Protocol::P2pCircuit,
            _ => return None,
        };
        addr.push(protocol);
    }
    Some(addr)
}

fn value<T: FromStr>(text: Option<&str>) -> Option<T> {
    text?.parse().ok()
}

fn host(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";

    #[test]
    fn an_address_is_read_as_libp2p_reads_it() {
        for start in [
            "/ip4/127.0.0.1/tcp/9090/ws",
            "/ip6/2001:db8::1/tcp/443/tls/ws",
            "/dns/relay.example/tcp/443/wss",
            "/dns4/relay.example/tcp/4001",
            "/dns6/relay.example/udp/4001/quic-v1",
            "/dnsaddr/relay.example",
            "/ip4/10.0.0.1/tcp/1/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN/p2p-circuit",
        ] {
            for text in [start.to_owned(), format!("{start}/p2p/{PEER}")] {
                let addr = read(&text);
                assert_eq!(addr, text.parse().ok(), "{text}");
                assert_eq!(addr.map(|addr| addr.to_string()), Some(text));
            }
        }
    }

    #[test]
    fn what_is_no_address_is_not_read() {
        for text in [
            "",
            "/",
            "relay.example",
            "wss://relay.example",
            "/dns4/relay.example/tcp/443/wss/",
            "/dns4//tcp/443/wss",
            "/dns4",
            "/ip4/1.2.3/tcp/1",
            "/ip4/1.2.3.4/tcp/65536",
            "/ip4/1.2.3.4/tcp/",
            "/ip4/1.2.3.4/tcp/1/ws/p2p/nobody",
            "/ip4/1.2.3.4/tcp/1/carrier-pigeon",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}

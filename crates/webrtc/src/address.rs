//! Addresses of this transport.

use libp2p::{Multiaddr, PeerId, multiaddr::Protocol};

/// Whether an address is one of this transport: it names `/webrtc`, and no circuit after that. The
/// address of a direct connection may still hold the circuit that it was arranged over, so
/// `ConnectedPoint::is_relayed` holds for it as well; and a circuit may run through a peer that is
/// reached directly.
#[must_use]
pub fn is_direct(address: &Multiaddr) -> bool {
    address.iter().fold(false, |direct, part| match part {
        Protocol::WebRTC => true,
        Protocol::P2pCircuit => false,
        _ => direct,
    })
}

/// The address of a direct connection to a peer, for which signalling goes over `circuit`: an
/// address of the same peer through a relay, `<relay>/p2p-circuit`, with or without the peer at
/// its end.
#[must_use]
pub fn over(circuit: &Multiaddr, peer: PeerId) -> Multiaddr {
    let mut address = circuit.clone();
    if address.iter().last() == Some(Protocol::P2p(peer)) {
        address.pop();
    }
    address.with(Protocol::WebRTC).with(Protocol::P2p(peer))
}

/// What `<circuit>/webrtc/p2p/<peer>` says: the peer, and where it can be reached for signalling,
/// unless there is nothing before `/webrtc`.
#[must_use]
pub fn parse(address: &Multiaddr) -> Option<(PeerId, Option<Multiaddr>)> {
    let mut circuit = address.clone();
    let Some(Protocol::P2p(peer)) = circuit.pop() else { return None };
    if circuit.pop() != Some(Protocol::WebRTC) || is_direct(&circuit) {
        return None;
    }
    let circuit = (!circuit.is_empty()).then(|| circuit.with(Protocol::P2p(peer)));
    Some((peer, circuit))
}

/// Whether this is an address to listen on: it ends in `/webrtc`.
#[must_use]
pub fn can_listen(address: &Multiaddr) -> bool {
    let mut circuit = address.clone();
    circuit.pop() == Some(Protocol::WebRTC) && !is_direct(&circuit)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RELAY: &str = "/ip4/127.0.0.1/tcp/9/ws/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN/p2p-circuit";
    const PEER: &str = "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp";

    fn circuit(peer: bool) -> Multiaddr {
        let peer = if peer { format!("/p2p/{PEER}") } else { String::new() };
        format!("{RELAY}{peer}").parse().unwrap()
    }

    fn direct() -> Multiaddr {
        format!("{RELAY}/webrtc/p2p/{PEER}").parse().unwrap()
    }

    #[test]
    fn a_direct_address_names_the_circuit_under_it() {
        let peer = PEER.parse().unwrap();
        assert_eq!(parse(&direct()), Some((peer, Some(circuit(true)))));
        assert_eq!(over(&circuit(true), peer), direct());
        assert_eq!(over(&circuit(false), peer), direct());
    }

    #[test]
    fn an_address_without_circuit_is_a_direct_one_too() {
        let address = format!("/webrtc/p2p/{PEER}").parse().unwrap();
        assert_eq!(parse(&address), Some((PEER.parse().unwrap(), None)));
    }

    #[test]
    fn addresses_of_other_transports_are_left_to_them() {
        for other in [
            circuit(true).to_string(),
            format!("{RELAY}/webrtc"),
            format!("{RELAY}/webrtc/webrtc/p2p/{PEER}"),
        ] {
            assert_eq!(parse(&other.parse().unwrap()), None, "{other}");
        }
        assert!(!is_direct(&circuit(true)));
        assert!(is_direct(&direct()));
        let through_a_direct_peer = format!("/webrtc/p2p/{PEER}/p2p-circuit/p2p/{PEER}");
        assert!(!is_direct(&through_a_direct_peer.parse().unwrap()));
    }

    #[test]
    fn listening_needs_no_relay() {
        assert!(can_listen(&"/webrtc".parse().unwrap()));
        assert!(can_listen(&format!("{RELAY}/webrtc").parse().unwrap()));
        assert!(!can_listen(&circuit(false)));
        assert!(!can_listen(&direct()));
    }
}

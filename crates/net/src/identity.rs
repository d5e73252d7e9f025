//! A device is a libp2p peer: the same Ed25519 key, written in two ways.

use chats_core::id::{DeviceKey, DeviceSecret};
use libp2p::{PeerId, identity::Keypair, multiaddr::Multiaddr, multiaddr::Protocol};

/// The `PeerId` of a device; `None` only if libp2p refuses the bytes, which it does for no key.
#[must_use]
pub fn peer_id(device: DeviceKey) -> Option<PeerId> {
    PeerId::from_bytes(&device.peer_id_bytes()).ok()
}

/// The device behind a `PeerId`, or `None` if that is not an Ed25519 identity.
#[must_use]
pub fn device(peer: PeerId) -> Option<DeviceKey> {
    DeviceKey::from_peer_id_bytes(&peer.to_bytes())
}

/// The libp2p key pair of a device; `None` only if libp2p refuses the seed, which it does for
/// no seed of 32 bytes.
#[must_use]
pub fn keypair(secret: &DeviceSecret) -> Option<Keypair> {
    Keypair::ed25519_from_bytes(*secret.seed()).ok()
}

/// Splits `<address>/p2p/PEERID`; `None` if the address does not end in a peer.
#[must_use]
pub fn split_peer(addr: &Multiaddr) -> Option<(Multiaddr, PeerId)> {
    let mut rest = addr.clone();
    match rest.pop() {
        Some(Protocol::P2p(peer)) if !rest.is_empty() => Some((rest, peer)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_the_peer_that_libp2p_derives_from_the_same_seed() {
        let secret = DeviceSecret::from_seed(&[9; 32]);
        let peer = keypair(&secret).unwrap().public().to_peer_id();
        assert_eq!(peer_id(secret.device()), Some(peer));
        assert_eq!(device(peer), Some(secret.device()));
        assert_eq!(peer.to_string(), secret.device().to_string());
    }

    #[test]
    fn an_address_without_a_peer_does_not_split() {
        let addr: Multiaddr = "/ip4/127.0.0.1/tcp/9090/ws".parse().unwrap();
        assert_eq!(split_peer(&addr), None);
        let peer = PeerId::random();
        let full = addr.clone().with(Protocol::P2p(peer));
        assert_eq!(split_peer(&full), Some((addr, peer)));
    }
}

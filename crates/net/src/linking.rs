//! What makes direct links, as the driver needs to know it.

use chats_core::small::{SmallMap, SmallSet};
use libp2p::{Multiaddr, PeerId};
use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

/// Links that stand and whose certificates nobody asked for yet.
#[cfg(any(target_arch = "wasm32", test))]
const MAX_KEPT: usize = 64;

/// The transport of direct links, seen from outside.
#[derive(Clone)]
pub(crate) struct Linking {
    /// Where a device is dialled for a link; it must be connected some other way.
    pub(crate) address: fn(PeerId) -> Multiaddr,
    /// Whether a connection at this address is a direct link.
    pub(crate) is_link: fn(&Multiaddr) -> bool,
    /// Whether a failure means that the other end's certificate was not the announced one.
    pub(crate) is_attack: fn(&io::Error) -> bool,
    /// Where the transport leaves the certificates of each link.
    pub(crate) certificates: Certificates,
    /// Who has a proven link to us.
    pub(crate) linked: Linked,
}

/// The devices with a proven link, known to the driver and to what serves them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Linked(Arc<Mutex<SmallSet<PeerId>>>);

impl Linked {
    pub(crate) fn contains(&self, peer: PeerId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&peer)
    }

    pub(crate) fn set(&self, peer: PeerId, linked: bool) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if linked {
            all.insert(peer);
        } else {
            all.remove(&peer);
        }
    }
}

/// SHA-256 fingerprints of both DTLS certificates of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprints {
    /// Ours.
    pub(crate) own: [u8; 32],
    /// The other side's.
    pub(crate) theirs: [u8; 32],
}

/// The way from the transport, which knows a link's certificates, to the driver, which knows the
/// connection that the link has become. Each side of a pair is in one handshake at a time, so the
/// peer and who dialled tell which link is meant.
#[derive(Debug, Clone, Default)]
pub(crate) struct Certificates(Arc<Mutex<SmallMap<(PeerId, bool), Fingerprints>>>);

impl Certificates {
    #[cfg(any(target_arch = "wasm32", test))]
    pub(crate) fn put(&self, peer: PeerId, dialer: bool, fingerprints: Fingerprints) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_KEPT {
            kept.pop_first();
        }
        kept.insert((peer, dialer), fingerprints);
    }

    pub(crate) fn take(&self, peer: PeerId, dialer: bool) -> Option<Fingerprints> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&(peer, dialer))
    }
}

impl Linking {
    /// No direct links can be made.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn none() -> Self {
        Self {
            address: |_| Multiaddr::empty(),
            is_link: |_| false,
            is_attack: |_| false,
            certificates: Certificates::default(),
            linked: Linked::default(),
        }
    }
}

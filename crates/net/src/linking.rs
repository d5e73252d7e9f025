//! What makes direct links, as the driver needs to know it.

use crate::behaviour::{Signalling, SignallingEvent};
use chats_core::small::SmallSet;
use libp2p::{Multiaddr, PeerId, swarm::ConnectionId};
use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

/// The transport of direct links, seen from outside.
#[derive(Clone)]
pub(crate) struct Linking {
    /// Where a device is dialled for a link; it must be connected some other way.
    pub(crate) address: fn(PeerId) -> Multiaddr,
    /// Whether a connection at this address is a direct link.
    pub(crate) is_link: fn(&Multiaddr) -> bool,
    /// Whether a failure means that the other end's certificate was not the announced one.
    pub(crate) is_attack: fn(&io::Error) -> bool,
    /// Whose link to us came to nothing for this reason.
    pub(crate) attacked: fn(SignallingEvent) -> Option<PeerId>,
    /// The certificates of a link, which we dialled or not.
    pub(crate) fingerprints: fn(&Signalling, ConnectionId, bool) -> Option<Fingerprints>,
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

impl Linking {
    /// No direct links can be made.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn none() -> Self {
        Self {
            address: |_| Multiaddr::empty(),
            is_link: |_| false,
            is_attack: |_| false,
            attacked: |never| match never {},
            fingerprints: |_, _, _| None,
            linked: Linked::default(),
        }
    }
}

//! What rooms get to see: members who are linked, and what they say.
//!
//! [`Rooms`](crate::rooms::Rooms) stand behind the node and judge no access themselves: nothing
//! reaches them but through here, from devices that passed and while we are let in ourselves.

use super::{Outbox, Output};
use crate::access::{AccessBook, Verdict};
use crate::gossip::{GossipId, GossipVerdict};
use crate::id::{DeviceKey, Wallet};
use crate::peers::Peers;
use crate::rooms::Incoming;
use crate::small::SmallSet;

/// What rooms were told.
#[derive(Debug, Default)]
pub(super) struct Gate {
    linked: SmallSet<DeviceKey>,
    version: u64,
}

impl Gate {
    /// Says what changed since the last time.
    pub(super) fn settle(&mut self, peers: &Peers, access: &AccessBook, out: &mut Outbox) {
        let now: SmallSet<_> = peers.ready().filter(|device| peers.is_linked(*device)).collect();
        for device in self.linked.iter().filter(|device| !now.contains(*device)) {
            out.push(Output::Rooms(Incoming::Gone { device: *device }));
        }
        for device in now.iter().filter(|device| !self.linked.contains(*device)) {
            if let Some(certificate) = peers.certificate(*device) {
                let certificate = Box::new(certificate.clone());
                out.push(Output::Rooms(Incoming::Passed { device: *device, certificate }));
            }
        }
        self.linked = now;
        if access.version() != self.version {
            self.version = access.version();
            out.push(Output::Rooms(Incoming::Version { version: self.version }));
        }
    }

    /// Whether a device speaks to rooms.
    pub(super) fn is_open(&self, device: DeviceKey) -> bool {
        self.linked.contains(&device)
    }

    /// A device delivered gossip about rooms.
    pub(super) fn gossip(
        &self,
        source: DeviceKey,
        id: GossipId,
        message: minicbor::bytes::ByteVec,
        out: &mut Outbox,
    ) {
        out.push(if self.is_open(source) {
            Output::Rooms(Incoming::Gossip { source, id, message })
        } else {
            Output::Judge { id, source, verdict: GossipVerdict::Ignore }
        });
    }
}

/// What the chain said of a wallet.
pub(super) fn access(wallet: Wallet, verdict: Verdict) -> Output {
    Output::Rooms(Incoming::Access {
        wallet,
        admitted: verdict.standing.role.admits(),
        cutoff: verdict.standing.device_cutoff.secs(),
    })
}

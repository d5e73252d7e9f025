//! What a device speaks on every connection. Identify is not part of it: it would tell whoever
//! connects what nobody needs to know.

mod quiet;

pub(crate) use quiet::Quiet;

use crate::{carry, gossip, linking::Linking, network::StartError, proof, streams};
use chats_core::channel::Channel;
use libp2p::{
    PeerId, StreamProtocol,
    connection_limits::{self, ConnectionLimits},
    identity::Keypair,
    ping, relay,
    swarm::NetworkBehaviour,
    yamux,
};
use std::time::Duration;

/// What opens and answers the signalling of direct links.
#[cfg(target_arch = "wasm32")]
pub(crate) type Signalling = chats_webrtc::Behaviour;
/// Native programs make no direct links.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) type Signalling = libp2p::swarm::dummy::Behaviour;
/// What it tells.
pub(crate) type SignallingEvent = <Signalling as NetworkBehaviour>::ToSwarm;

/// How often a round trip is measured, and with it whether the other side still lives.
pub(crate) const PING_EVERY: Duration = Duration::from_secs(5);
/// Circuits and relay connections stay open while idle; it is ping that tells the dead. A day, and
/// not more, since browsers count timeouts in 31 bits of milliseconds.
pub(crate) const IDLE: Duration = Duration::from_secs(24 * 60 * 60);
/// For an outgoing or incoming connection to get through its handshakes.
pub(crate) const HANDSHAKE: Duration = Duration::from_secs(10);

/// Connections to relays and devices together.
const MAX_CONNECTIONS: u32 = 512;
/// Connections of one peer: both sides dialled, a direct one, and one left over from a reload.
const MAX_PER_PEER: u32 = 4;
/// Incoming connections within their handshakes.
const MAX_PENDING: u32 = 64;
/// Streams on one connection; of each that nobody reads, yamux keeps up to 256 kB. A device that
/// opens and accepts all the circuits that a relay gives it needs some forty.
pub(crate) const MAX_STREAMS: usize = 64;

/// The behaviour of a device, on both targets.
#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    limits: connection_limits::Behaviour,
    relay: relay::client::Behaviour,
    ping: ping::Behaviour,
    pub(crate) streams: streams::Behaviour,
    pub(crate) gossip: gossip::Behaviour,
    carrier: relay::Behaviour,
    pub(crate) signalling: Signalling,
}

impl Behaviour {
    pub(crate) fn new(
        key: &Keypair,
        relay: relay::client::Behaviour,
        signalling: Signalling,
        linking: &Linking,
    ) -> Result<Self, StartError> {
        let own = key.public().to_peer_id();
        let channels = Channel::ALL.map(|channel| StreamProtocol::new(channel.protocol()));
        let proof = StreamProtocol::new(proof::PROTOCOL);
        Ok(Self {
            limits: connection_limits::Behaviour::new(
                ConnectionLimits::default()
                    .with_max_established(Some(MAX_CONNECTIONS))
                    .with_max_established_per_peer(Some(MAX_PER_PEER))
                    .with_max_pending_incoming(Some(MAX_PENDING)),
            ),
            relay,
            ping: ping(),
            streams: streams::Behaviour::new(channels.into_iter().chain([proof])),
            gossip: gossip::Behaviour::new(linking.is_link).map_err(StartError::Gossip)?,
            carrier: carry::carrier(own, &linking.linked),
            signalling,
        })
    }

    /// Answers a peer that signals for a direct link, or does not.
    #[cfg(target_arch = "wasm32")]
    pub(crate) fn answer_links(&mut self, peer: PeerId, answer: bool) {
        if answer {
            self.signalling.allow(peer);
        } else {
            self.signalling.forbid(peer);
        }
    }

    /// Native programs make no direct links.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn answer_links(&mut self, _: PeerId, _: bool) {}
}

/// Yamux as devices and relays run it. Whoever opens more than [`MAX_STREAMS`] is cut off.
pub(crate) fn multiplexer() -> yamux::Config {
    let mut config = yamux::Config::default();
    config.set_max_num_streams(MAX_STREAMS);
    config
}

/// Ping as devices and relays run it.
pub(crate) fn ping() -> ping::Behaviour {
    ping::Behaviour::new(
        ping::Config::new().with_interval(PING_EVERY).with_timeout(Duration::from_secs(10)),
    )
}

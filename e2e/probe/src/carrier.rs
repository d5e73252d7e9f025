//! A relay that makes reservations and lists devices as it should, and then loses, delays or spoils
//! what it carries between them.

mod meeting;
mod tamper;

use crate::{identity, ledger::say};
use anyhow::{Context, Result};
use chats_net::meet;
use clap::ValueEnum;
use futures::StreamExt;
use libp2p::{
    Multiaddr, StreamProtocol, Swarm, Transport,
    core::{muxing::StreamMuxerBox, upgrade::Version},
    multiaddr::Protocol,
    noise, ping, relay,
    swarm::{NetworkBehaviour, SwarmEvent},
    tcp, yamux,
};
use meeting::Meeting;
use serde_json::json;
use std::time::Duration;
use tamper::Tampering;

/// For the handshakes of a connection.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Nothing ends a connection but its other side, or the test.
const IDLE: Duration = Duration::from_secs(3600);

/// What is done to circuits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Fault {
    /// Nothing arrives any more, and nothing ends.
    Drop,
    /// Whatever a device says arrives seconds later.
    Delay,
    /// A bit of whatever is said to a device is another one.
    Corrupt,
}

#[derive(NetworkBehaviour)]
struct Behaviour {
    circuits: relay::Behaviour,
    ping: ping::Behaviour,
    streams: libp2p_stream::Behaviour,
}

/// Carries circuits until it is killed, and does to each what `fault` says once the device that was
/// dialled was sent so many bytes on it.
pub(crate) async fn run(fault: Fault, after: usize) -> Result<()> {
    let secret = identity::device()?;
    let key = chats_net::identity::keypair(&secret).context("a key that libp2p refuses")?;
    let own = key.public().to_peer_id();
    let tcp = tcp::tokio::Transport::new(tcp::Config::default().nodelay(true));
    let transport = libp2p_websocket::Config::new(tcp)
        .upgrade(Version::V1)
        .authenticate(noise::Config::new(&key)?)
        .multiplex(yamux::Config::default())
        .timeout(HANDSHAKE)
        .map(move |(peer, muxer), _| {
            (peer, StreamMuxerBox::new(Tampering::new(muxer, fault, after)))
        })
        .boxed();
    let behaviour = Behaviour {
        circuits: relay::Behaviour::new(own, relay::Config::default()),
        ping: ping::Behaviour::default(),
        streams: libp2p_stream::Behaviour::new(),
    };
    let config = libp2p::swarm::Config::with_tokio_executor().with_idle_connection_timeout(IDLE);
    let mut swarm = Swarm::new(transport, behaviour, own, config);
    let mut control = swarm.behaviour().streams.new_control();
    let mut streams = control.accept(StreamProtocol::new(meet::PROTOCOL))?;
    let mut meeting = Meeting::default();
    swarm.listen_on("/ip4/127.0.0.1/tcp/0/ws".parse()?)?;
    loop {
        tokio::select! {
            event = swarm.select_next_some() => match event {
                SwarmEvent::NewListenAddr { address, .. } => listens(&mut swarm, address),
                SwarmEvent::ConnectionClosed { peer_id, num_established: 0, .. } => {
                    meeting.left(peer_id).await;
                }
                _ => {}
            },
            Some((peer, stream)) = streams.next() => meeting.came(peer, stream),
            Some(entered) = meeting.next() => meeting.entered(entered).await,
        }
    }
}

fn listens(swarm: &mut Swarm<Behaviour>, address: Multiaddr) {
    swarm.add_external_address(address.clone());
    let address = address.with(Protocol::P2p(*swarm.local_peer_id()));
    say(json!({ "event": "listening", "address": address.to_string() }));
}

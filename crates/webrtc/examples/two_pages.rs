//! Two swarms that link up directly and measure their round trips. For the sake of shortness both
//! live in one page, and a channel in memory stands for the circuit through a relay.
//!
//! `cargo build --example two_pages --target wasm32-unknown-unknown`, then
//! `wasm-bindgen --target web`; the page that loads it shows its lines in the console.

#[cfg(target_arch = "wasm32")]
mod page {
    use chats_webrtc::{self as webrtc, Config, address};
    use futures::{StreamExt, future::Either};
    use libp2p::{
        Multiaddr, PeerId, Swarm, Transport,
        core::{
            muxing::StreamMuxerBox,
            transport::{MemoryTransport, OrTransport},
            upgrade::Version,
        },
        identity::Keypair,
        noise, ping,
        swarm::{self, NetworkBehaviour, SwarmEvent},
        yamux,
    };

    #[derive(NetworkBehaviour)]
    struct Behaviour {
        webrtc: webrtc::Behaviour,
        ping: ping::Behaviour,
    }

    fn start(
        circuit: &Multiaddr,
    ) -> Result<(PeerId, Swarm<Behaviour>), Box<dyn std::error::Error>> {
        let key = Keypair::generate_ed25519();
        let peer = key.public().to_peer_id();
        let (direct, webrtc) = webrtc::new(Config::default());
        // With a relay, its client's transport stands here.
        let circuits = MemoryTransport::new()
            .upgrade(Version::V1)
            .authenticate(noise::Config::new(&key)?)
            .multiplex(yamux::Config::default());
        let transport = OrTransport::new(direct, circuits)
            .map(|connection, _| match connection {
                Either::Left((peer, direct)) => (peer, StreamMuxerBox::new(direct)),
                Either::Right((peer, circuit)) => (peer, StreamMuxerBox::new(circuit)),
            })
            .boxed();
        let behaviour = Behaviour { webrtc, ping: ping::Behaviour::default() };
        let config = swarm::Config::with_wasm_executor();
        let mut swarm = Swarm::new(transport, behaviour, peer, config);
        swarm.listen_on(circuit.clone())?;
        swarm.listen_on("/webrtc".parse()?)?;
        Ok((peer, swarm))
    }

    async fn run() -> Result<(), Box<dyn std::error::Error>> {
        let (mut one, mut other) = (start(&"/memory/1".parse()?)?, start(&"/memory/2".parse()?)?);
        one.1.dial(address::over(&"/memory/2".parse()?, other.0))?;
        loop {
            let (event, at) = futures::select! {
                event = one.1.select_next_some() => (event, "one"),
                event = other.1.select_next_some() => (event, "other"),
            };
            let line = match event {
                SwarmEvent::ConnectionEstablished { endpoint, .. } => format!("{endpoint:?}"),
                SwarmEvent::Behaviour(BehaviourEvent::Webrtc(failure)) => failure.error.to_string(),
                SwarmEvent::Behaviour(BehaviourEvent::Ping(ping)) => format!("{:?}", ping.result),
                _ => continue,
            };
            web_sys::console::log_1(&format!("{at}: {line}").into());
        }
    }

    /// Starts when the page has loaded this.
    #[wasm_bindgen::prelude::wasm_bindgen(start)]
    pub(crate) fn start_page() {
        wasm_bindgen_futures::spawn_local(async {
            if let Err(error) = run().await {
                web_sys::console::error_1(&error.to_string().into());
            }
        });
    }
}

fn main() {}

//! `chats relay`.

use crate::{
    key::{self, KeyError},
    log,
};
use chats_net::{
    Multiaddr,
    network::StartError,
    relay::{MAX_RESERVATIONS, Relay, RelayEvent},
};
use clap::Args;
use std::{
    io::{self, Write},
    path::PathBuf,
};
use tokio::signal::unix::{SignalKind, signal};

/// Prints `listening MULTIADDR` on standard output for each address, with `/p2p/PEERID` at its
/// end: what goes into `config.json` under `relays`. Stops on SIGINT or SIGTERM.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Address to listen on: `/ip4/0.0.0.0/tcp/9090/ws` for browsers, `/ip4/0.0.0.0/tcp/9091` for
    /// native programs. Port 0 takes a free one.
    #[arg(long, required = true, num_args = 1.., value_name = "ADDR")]
    listen: Vec<Multiaddr>,
    /// Address under which devices reach the relay from outside, such as
    /// `/dns4/relay.example.org/tcp/443/tls/ws`. Without any, the addresses it listens on are
    /// handed out.
    #[arg(long, num_args = 1.., value_name = "ADDR")]
    external: Vec<Multiaddr>,
    /// Devices that can be reached through it at once.
    #[arg(long, default_value_t = MAX_RESERVATIONS, value_name = "N")]
    max_reservations: usize,
    /// File with the relay's key, made on the first start. Without it the key, and so the
    /// `/p2p/PEERID` at the end of its addresses, is another at each start.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// How log lines on standard error look.
    #[arg(long, value_enum, default_value_t = log::Format::Text)]
    log: log::Format,
}

/// Why a relay stopped, or did not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RelayError {
    /// Its key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Its addresses.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A listener broke.
    #[error("no longer listening: {0}")]
    Lost(String),
    /// The system.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Runs a relay until a signal.
pub(crate) fn run(options: Options) -> Result<(), RelayError> {
    log::start(options.log);
    let secret = match &options.key {
        Some(path) => key::load_or_make(path)?,
        None => key::fresh()?,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(async {
        let mut relay = Relay::new(&secret, options.external, options.max_reservations)?;
        for addr in options.listen {
            relay.listen(addr)?;
        }
        serve(relay).await
    });
    // Whatever still runs is not waited for.
    runtime.shutdown_background();
    result
}

async fn serve(mut relay: Relay) -> Result<(), RelayError> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tracing::info!("relay starts");
    loop {
        tokio::select! {
            event = relay.next() => match event {
                RelayEvent::Listening(addr) => {
                    let mut out = io::stdout().lock();
                    writeln!(out, "listening {addr}")?;
                    out.flush()?;
                }
                RelayEvent::Lost(reason) => return Err(RelayError::Lost(reason)),
                _ => {}
            },
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
        }
    }
    tracing::info!("relay stops");
    relay.stop().await;
    Ok(())
}

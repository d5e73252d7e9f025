//! `chats relay`.

use crate::{
    key::{self, KeyError},
    log,
    tls::{TlsError, TlsOptions},
    turn::{TurnError, TurnOptions},
};
use chats_core::turn::{TurnAnswer, TurnRefusal};
use chats_net::{
    Multiaddr, Protocol,
    network::StartError,
    relay::{MAX_RESERVATIONS, Relay, RelayEvent, Settings, TurnQuestion},
};
use clap::Args;
use std::{
    fmt::Display,
    io::{self, Write},
    path::PathBuf,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc::{self, error::TrySendError},
};

/// Prints `listening MULTIADDR` on standard output for each address, with `/p2p/PEERID` at its
/// end, and `external MULTIADDR` for each it is reached under from outside: what goes into
/// `config.json` under `relays`. With TURN, `turn IP:PORT`. Stops on SIGINT or SIGTERM.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Address to listen on: `/ip4/0.0.0.0/tcp/443/tls/ws` for browsers, with a certificate (see
    /// `--tls-cert` and `--domain`), `/ip4/127.0.0.1/tcp/9090/ws` for browsers on this machine or
    /// behind a proxy, `/ip4/0.0.0.0/tcp/9091` for native programs. Port 0 takes a free one.
    #[arg(long, required = true, num_args = 1.., value_name = "ADDR")]
    listen: Vec<Multiaddr>,
    /// Address under which devices reach the relay from outside, such as
    /// `/dns4/relay.example.org/tcp/443/tls/ws`. Without any, and without `--domain`, the
    /// addresses it listens on are handed out.
    #[arg(long, num_args = 1.., value_name = "ADDR")]
    external: Vec<Multiaddr>,
    /// Devices that can be reached through it at once.
    #[arg(long, default_value_t = MAX_RESERVATIONS, value_name = "N")]
    max_reservations: usize,
    /// File with the relay's key, made on the first start. Without it the key, and so the
    /// `/p2p/PEERID` at the end of its addresses, is another at each start.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    #[command(flatten)]
    tls: TlsOptions,
    #[command(flatten)]
    turn: TurnOptions,
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
    /// Its certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Its addresses.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Its TURN server.
    #[error(transparent)]
    Turn(#[from] TurnError),
    /// A listener broke.
    #[error("no longer listening: {0}")]
    Lost(String),
    /// The system.
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl Options {
    /// What of the options does not go together.
    pub(crate) fn fault(&self) -> Option<String> {
        let lacking = self.listen.iter().find(|addr| !self.tls.serves(addr));
        let lacking = lacking.map(|addr| {
            format!("{addr} needs a certificate: give --tls-cert and --tls-key, or --domain")
        });
        lacking.or_else(|| self.turn.fault())
    }

    /// Where devices reach it from outside, as far as the operator says.
    fn external(&self) -> Vec<Multiaddr> {
        match &self.tls.domain {
            Some(domain) if self.external.is_empty() => {
                let name = Protocol::Dns4(domain.into());
                let port = Protocol::Tcp(443);
                vec![[name, port, Protocol::Tls, Protocol::Ws("/".into())].into_iter().collect()]
            }
            _ => self.external.clone(),
        }
    }
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
        let tls = options.tls.start(options.key.as_deref())?;
        let (tls, upkeep) = tls.unzip();
        let external = options.external();
        let turn = options.turn.start().await?;
        let settings = Settings {
            external: external.clone(),
            max_reservations: options.max_reservations,
            tls,
            turn: turn.is_some(),
            ..Settings::default()
        };
        let mut relay = Relay::new(&secret, settings)?;
        for addr in options.listen {
            relay.listen(addr)?;
        }
        for addr in external {
            say("external", addr.with(Protocol::P2p(relay.peer_id())))?;
        }
        let questions = match turn {
            Some(turn) => {
                say("turn", turn.public())?;
                Some(turn.serve())
            }
            None => None,
        };
        if let Some(upkeep) = upkeep {
            tokio::spawn(upkeep);
        }
        serve(relay, questions).await
    });
    // Whatever still runs is not waited for.
    runtime.shutdown_background();
    result
}

/// A line for other programs.
fn say(what: &str, addr: impl Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{what} {addr}")?;
    out.flush()
}

/// Hands on a question; the relay itself never waits.
fn ask(questions: Option<&mpsc::Sender<TurnQuestion>>, question: TurnQuestion) {
    if let Some(Err(TrySendError::Full(question) | TrySendError::Closed(question))) =
        questions.map(|questions| questions.try_send(question))
    {
        question.answer(&TurnAnswer::Refused(TurnRefusal::Busy));
    }
}

async fn serve(
    mut relay: Relay,
    questions: Option<mpsc::Sender<TurnQuestion>>,
) -> Result<(), RelayError> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tracing::info!("relay starts");
    loop {
        tokio::select! {
            event = relay.next() => match event {
                RelayEvent::Listening(addr) => say("listening", addr)?,
                RelayEvent::Lost(reason) => return Err(RelayError::Lost(reason)),
                RelayEvent::TurnAsked(question) => ask(questions.as_ref(), question),
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

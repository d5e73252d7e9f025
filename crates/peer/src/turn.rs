//! STUN and TURN (RFC 8489, RFC 8656), for members of the communities that the operator names.
//!
//! The crate `turn-server`, tried first, carries only between its own clients, accepts expired
//! names, keeps its port after it was stopped, and has no bounds for the unauthenticated. So the
//! protocol is `turn-server-proto`, a state machine without sockets, and what it does not do is
//! done here: [`peers`], [`quota`], and the bounds in [`server`].

mod credentials;
mod members;
mod peers;
mod quota;
mod server;
mod session;
mod tcp;
#[cfg(test)]
mod tests;

use chats_core::{
    config::{Config, ConfigError},
    id::Wallet,
    turn::{TurnGrant, TurnRefusal},
};
use chats_net::{relay::TurnQuestion, tls::rustls};
use clap::Args;
use credentials::Credentials;
use members::{Grants, Members};
use peers::{Peers, is_public};
use rand::{TryRngCore, rngs::OsRng};
use server::Shared;
use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::{TcpListener, UdpSocket},
    sync::mpsc,
};
use zeroize::Zeroizing;

/// Questions that wait to be looked at.
const MAX_QUESTIONS: usize = 256;
/// How often another port is tried where both sockets need the same one.
const MAX_TRIES: usize = 16;
/// A `config.json` is a few hundred bytes.
const MAX_CONFIG: usize = 64 * 1024;
const FETCH: Duration = Duration::from_secs(10);

/// Relayed sound for members.
#[derive(Debug, Args)]
pub(crate) struct TurnOptions {
    /// `config.json` of a community's page, as a file or `http:` or `https:` URL: its members may
    /// use the TURN server. Repeat it for more communities.
    #[arg(long, value_name = "FILE-OR-URL", requires = "turn")]
    config: Vec<String>,
    /// IPv4 address for STUN and TURN over UDP and TCP, such as `0.0.0.0:3478`. Members are told it; UDP
    /// ports 49152 to 50175 are needed besides.
    #[arg(long, value_name = "IP:PORT", requires = "config")]
    turn: Option<SocketAddr>,
    /// Public address of this machine, if it is another than in `--turn`.
    #[arg(long, value_name = "IP", requires = "turn")]
    turn_external: Option<IpAddr>,
    /// For tests on one machine: TURN reaches loopback and private addresses as well.
    #[arg(long, requires = "turn")]
    dev: bool,
}

/// Why there is no TURN server.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TurnError {
    /// A configuration cannot be fetched.
    #[error("{place}: {reason}")]
    Fetch { place: String, reason: String },
    /// It holds something else.
    #[error("{place}: {error}")]
    Config { place: String, error: ConfigError },
    /// Its chain endpoints cannot be used.
    #[error("{0}")]
    Chain(String),
    /// Its address cannot be used.
    #[error("cannot listen at {address} for TURN: {error}")]
    Listen { address: SocketAddr, error: io::Error },
    /// The system has no randomness.
    #[error("no random numbers for TURN credentials: {0}")]
    Random(String),
}

/// A TURN server that has its sockets and does not serve yet.
pub(crate) struct Turn {
    shared: Arc<Shared>,
    members: Members<Granter>,
    udp: UdpSocket,
    tcp: TcpListener,
    public: SocketAddr,
}

impl TurnOptions {
    /// What of the options does not go together.
    pub(crate) fn fault(&self) -> Option<String> {
        // Browsers do not say which kind of address they want, which means IPv4 (RFC 8656,
        // section 7.2), and on another kind of socket there is none.
        if self.turn.is_some_and(|turn| turn.is_ipv6()) {
            return Some(
                "browsers ask TURN for IPv4 only: give an IPv4 address in --turn".to_owned(),
            );
        }
        let external = self.turn_external.or_else(|| self.turn.map(|turn| turn.ip()))?;
        let reachable = if self.dev { !external.is_unspecified() } else { is_public(external) };
        let same = self.turn.is_some_and(|turn| turn.is_ipv4() == external.is_ipv4());
        if reachable && same {
            return None;
        }
        Some(format!(
            "{external} is no address at which others reach this machine over TURN: give its \
             public address, of the same kind as in --turn, as --turn-external"
        ))
    }

    /// Reads the configurations and takes the sockets.
    pub(crate) async fn start(&self) -> Result<Option<Turn>, TurnError> {
        let Some(turn) = self.turn else { return Ok(None) };
        // For the HTTP client, which asks for what the process has agreed on. It is an error only
        // if somebody else has agreed on something.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut configs = Vec::new();
        for place in &self.config {
            let text = fetch(place).await?;
            let config = Config::parse(&text)
                .map_err(|error| TurnError::Config { place: place.clone(), error })?;
            configs.push(config);
        }
        let (udp, tcp, address) =
            sockets(turn).await.map_err(|error| TurnError::Listen { address: turn, error })?;
        let external = self.turn_external.unwrap_or_else(|| address.ip());
        let peers = Peers::new(self.dev, address.ip(), external, own_addresses());
        let shared =
            Arc::new(Shared::new(address.ip(), external, peers, Credentials::new(secret()?)));
        let public = SocketAddr::new(external, address.port());
        let granter = Granter { shared: Arc::clone(&shared), public };
        let members = Members::new(&configs, granter).map_err(TurnError::Chain)?;
        Ok(Some(Turn { shared, members, udp, tcp, public }))
    }
}

impl Turn {
    /// The address that members are told.
    pub(crate) const fn public(&self) -> SocketAddr {
        self.public
    }

    /// Begins to serve, and to answer the questions put into what is returned.
    pub(crate) fn serve(self) -> mpsc::Sender<TurnQuestion> {
        let (ask, questions) = mpsc::channel(MAX_QUESTIONS);
        let Self { shared, members, udp, tcp, .. } = self;
        tokio::spawn(members.run(questions));
        tokio::spawn(async move {
            if let Err(error) = server::serve(shared, udp, tcp).await {
                tracing::error!(%error, "TURN has stopped");
            }
        });
        ask
    }
}

/// Gives credentials.
struct Granter {
    shared: Arc<Shared>,
    public: SocketAddr,
}

impl Grants for Granter {
    fn grant(
        &self,
        question: &TurnQuestion,
        wallet: Wallet,
        address: Option<IpAddr>,
    ) -> Result<TurnGrant, TurnRefusal> {
        let now = self.shared.now();
        let address = address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        if self.shared.quotas().spent(wallet, address, now) {
            return Err(TurnRefusal::Spent);
        }
        let user = self.shared.credentials().issue(question.device, wallet, now);
        let user = user.ok_or(TurnRefusal::Busy)?;
        let lasts = user.expires.since(now).as_secs();
        Ok(TurnGrant {
            urls: vec![
                format!("stun:{}", self.public),
                format!("turn:{}?transport=udp", self.public),
                format!("turn:{}?transport=tcp", self.public),
            ],
            username: user.name,
            credential: user.password,
            lasts: u32::try_from(lasts).unwrap_or(u32::MAX),
        })
    }
}

/// Both sockets at one address, which may leave the port open.
async fn sockets(address: SocketAddr) -> io::Result<(UdpSocket, TcpListener, SocketAddr)> {
    let mut tries = MAX_TRIES;
    loop {
        let udp = UdpSocket::bind(address).await?;
        let bound = udp.local_addr()?;
        match TcpListener::bind(bound).await {
            Ok(tcp) => return Ok((udp, tcp, bound)),
            // The port is taken for TCP, and there are others.
            Err(_) if address.port() == 0 && tries > 0 => tries -= 1,
            Err(error) => return Err(error),
        }
    }
}

async fn fetch(place: &str) -> Result<String, TurnError> {
    let failed = |reason: String| TurnError::Fetch { place: place.to_owned(), reason };
    if !place.starts_with("http://") && !place.starts_with("https://") {
        return std::fs::read_to_string(place).map_err(|error| failed(error.to_string()));
    }
    let client = reqwest::Client::builder().timeout(FETCH).build();
    let client = client.map_err(|error| failed(error.to_string()))?;
    let get = async {
        let mut response = client.get(place).send().await?.error_for_status()?;
        let mut text = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            text.extend_from_slice(&chunk);
            if text.len() > MAX_CONFIG {
                break;
            }
        }
        Ok::<_, reqwest::Error>(text)
    };
    let text = get.await.map_err(|error| failed(root_cause(&error)))?;
    if text.len() > MAX_CONFIG {
        return Err(failed("this is far too long for a config.json".to_owned()));
    }
    String::from_utf8(text).map_err(|_| failed("this is not text".to_owned()))
}

/// An error with what caused it: the outer layers of an HTTP client do not say why.
fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

/// The addresses of this machine's network interfaces.
fn own_addresses() -> Vec<IpAddr> {
    let interfaces = nix::ifaddrs::getifaddrs().into_iter().flatten();
    let addresses = interfaces.filter_map(|interface| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
    });
    addresses.collect()
}

fn secret() -> Result<Zeroizing<[u8; 32]>, TurnError> {
    let mut secret = Zeroizing::new([0; 32]);
    OsRng.try_fill_bytes(&mut *secret).map_err(|error| TurnError::Random(error.to_string()))?;
    Ok(secret)
}

//! Settings.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// How a transport and its behaviour work.
#[derive(Debug, Clone)]
pub struct Config {
    /// The servers asked for a way between the two ends. Without any, ends in different networks
    /// do not find each other. None by default.
    pub ice_servers: IceServers,
    /// Use TURN servers alone, so that the other end learns no address of this one
    /// (`iceTransportPolicy: "relay"`). Off by default.
    pub relay_only: bool,
    /// How long it may take to make a connection, from the first step to the last. 20 s by
    /// default.
    pub handshake: Duration,
    /// How many connections may be in the making at once, in each direction. 16 by default.
    pub max_handshakes: usize,
    /// Whose signalling is answered. Anyone's by default.
    pub answer: Answer,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ice_servers: IceServers::default(),
            relay_only: false,
            handshake: Duration::from_secs(20),
            max_handshakes: 16,
            answer: Answer::Anyone,
        }
    }
}

/// Whose signalling is answered, until `Behaviour::allow` and `Behaviour::forbid` say otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// That of all peers that are not forbidden.
    Anyone,
    /// That of allowed peers only.
    Allowed,
}

/// A STUN or TURN server.
#[derive(Clone, PartialEq, Eq)]
pub struct IceServer {
    /// Its address, as `stun:host:port` or `turn:host:port?transport=udp` (RFC 7064, RFC 7065).
    pub url: String,
    /// User name and password, which TURN needs.
    pub credential: Option<(String, String)>,
}

impl fmt::Debug for IceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

/// The servers in use, shared by all clones. Credentials of TURN expire, so they can be replaced at
/// any time; connections made afterwards use the new ones.
#[derive(Debug, Clone, Default)]
pub struct IceServers(Arc<Mutex<Vec<IceServer>>>);

impl IceServers {
    /// These servers from now on.
    pub fn replace(&self, servers: Vec<IceServer>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = servers;
    }

    /// The servers in use.
    #[must_use]
    pub fn current(&self) -> Vec<IceServer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl From<Vec<IceServer>> for IceServers {
    fn from(servers: Vec<IceServer>) -> Self {
        Self(Arc::new(Mutex::new(servers)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_their_servers() {
        let servers = IceServers::default();
        let clone = servers.clone();
        let one = IceServer { url: "stun:127.0.0.1:1".to_owned(), credential: None };
        clone.replace(vec![one.clone()]);
        assert_eq!(servers.current(), [one]);
    }

    #[test]
    fn passwords_are_not_printed() {
        let credential = Some(("user".to_owned(), "secret".to_owned()));
        let servers = IceServers::from(vec![IceServer { url: "turn:a".to_owned(), credential }]);
        let config = Config { ice_servers: servers, ..Config::default() };
        assert!(!format!("{config:?}").contains("secret"));
    }
}

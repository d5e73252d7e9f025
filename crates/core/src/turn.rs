//! Credentials for the TURN server of a relay (`/chats/turn/1`).
//!
//! A device that is in a meeting, or cannot reach another directly, opens one stream of [`PROTOCOL`]
//! to a relay it is connected to. A relay without a TURN server does not speak the protocol, so the stream cannot
//! be opened. The exchange is one frame each way, deterministic CBOR behind a varint length as on
//! every stream of this project, and then the stream ends:
//!
//! 1. The device sends its [`Hello`]: the one of `/chats/hello/1`, with the certificate of the
//!    device that holds the connection. Version and time in it are not looked at.
//! 2. The relay checks the certificate and asks the contract, as members do (but the wallet's
//!    signature first, since a relay hears all the world), and answers with a [`TurnAnswer`] within
//!    [`ANSWER_TIME`].
//!
//! A [`TurnGrant`] goes into the `iceServers` of an `RTCPeerConnection` as one entry. Username and
//! credential are made as for TURN REST (draft-uberti-behave-turn-rest-00): the username is the
//! moment of expiry by the relay's clock in Unix seconds, a colon, and the device's `PeerId`; the
//! credential is the base64 of HMAC-SHA1 over it, with a secret that the relay never tells. When
//! it expires the relay ends what was allocated with it, unless the device was granted another one
//! by then: so a device that asks again in time keeps what it allocated, and what is allocated
//! never outlives the last proof of membership by more than [`MAX_LIFE`].

use crate::hello::Hello;
use crate::time::Duration;
use crate::wire::{self, WireError};
use minicbor::{Decode, Encode};
use std::fmt;

mod upkeep;

pub(crate) use upkeep::Upkeep;

/// The protocol's name.
pub const PROTOCOL: &str = "/chats/turn/1";
/// The longest frame, either way.
pub const MAX_FRAME: usize = 8 * 1024;
/// How long the relay may take to answer, from the request's arrival on.
pub const ANSWER_TIME: Duration = Duration::from_secs(15);
/// The longest that a credential may last.
pub const MAX_LIFE: Duration = Duration::from_secs(3600);
/// The most URLs in a grant.
pub const MAX_URLS: usize = 4;
/// The longest URL, username or credential, in bytes.
pub const MAX_TEXT: usize = 256;

/// What an `RTCPeerConnection` needs to use the relay's STUN and TURN server.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct TurnGrant {
    /// `stun:` and `turn:` URLs (RFC 7064, RFC 7065), 1 to [`MAX_URLS`].
    #[n(0)]
    pub urls: Vec<String>,
    /// Expiry and device.
    #[n(1)]
    pub username: String,
    /// What proves that the relay gave it.
    #[n(2)]
    pub credential: String,
    /// How many seconds it lasts from now on, at most [`MAX_LIFE`]. It is not a moment, since the
    /// clocks of device and relay may differ.
    #[n(3)]
    pub lasts: u32,
}

/// Why a relay gives no credential.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, thiserror::Error,
)]
#[cbor(index_only)]
pub enum TurnRefusal {
    /// The contract gives the wallet no seat.
    #[error("the relay carries sound for members only")]
    #[n(0)]
    NotAMember,
    /// The certificate does not count: expired, cut off, tampered, or another device's.
    #[error("the relay does not accept this device's certificate: sign in again")]
    #[n(1)]
    Certificate,
    /// The relay does not serve this community.
    #[error("the relay carries no sound for this community")]
    #[n(2)]
    OtherCommunity,
    /// The chain could not be asked in time; worth another try.
    #[error("the relay could not ask the chain: try again")]
    #[n(3)]
    Undecided,
    /// The request was not of this protocol.
    #[error("the relay does not understand this device: one of the two needs a newer version")]
    #[n(4)]
    Malformed,
    /// The wallet or the address has used up what it may have in a day.
    #[error("what the relay carries for one member in a day is used up")]
    #[n(5)]
    Spent,
    /// Too many ask at once; worth another try in a while.
    #[error("the relay is busy: try again in a minute")]
    #[n(6)]
    Busy,
}

/// The relay's only frame.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum TurnAnswer {
    /// Use this.
    #[n(0)]
    Granted(#[n(0)] TurnGrant),
    /// Nothing, for this reason.
    #[n(1)]
    Refused(#[n(0)] TurnRefusal),
}

/// Why a relay's answer is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TurnError {
    /// Not the bytes of an answer.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// A text or a number in it is beyond its bounds.
    #[error("the relay's TURN answer is beyond the bounds: {0}")]
    Bounds(&'static str),
}

/// Reads a device's request.
///
/// # Errors
/// [`WireError`] if `bytes` are anything but one [`Hello`].
pub fn read_request(bytes: &[u8]) -> Result<Hello, WireError> {
    wire::decode("TURN request", bytes)
}

impl TurnAnswer {
    /// Reads a relay's answer. Relays are strangers: what is granted is safe to hand to the
    /// browser.
    ///
    /// # Errors
    /// [`TurnError`] if `bytes` are anything else, or name other than STUN and TURN servers.
    pub fn read(bytes: &[u8]) -> Result<Self, TurnError> {
        let answer: Self = wire::decode("TURN answer", bytes)?;
        if let Self::Granted(grant) = &answer {
            grant.check()?;
        }
        Ok(answer)
    }
}

impl TurnGrant {
    fn check(&self) -> Result<(), TurnError> {
        if !(1..=MAX_URLS).contains(&self.urls.len()) {
            return Err(TurnError::Bounds("1 to 4 URLs are expected"));
        }
        if !self.urls.iter().all(|url| is_text(url) && is_server(url)) {
            return Err(TurnError::Bounds("a URL is not of a STUN or TURN server"));
        }
        if !is_text(&self.username) || !is_text(&self.credential) {
            return Err(TurnError::Bounds("username and credential have 1 to 256 characters"));
        }
        if self.lasts == 0 || u64::from(self.lasts) > MAX_LIFE.as_secs() {
            return Err(TurnError::Bounds("it must last 1 to 3600 seconds"));
        }
        Ok(())
    }
}

impl fmt::Debug for TurnGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TurnGrant({}, for {} s)", self.username, self.lasts)
    }
}

fn is_text(text: &str) -> bool {
    (1..=MAX_TEXT).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether a browser would take it: one that it does not take would fail the whole connection.
fn is_server(url: &str) -> bool {
    let (place, transport) = url.split_once('?').map_or((url, None), |(a, b)| (a, Some(b)));
    let host = match place.split_once(':') {
        Some(("stun", host)) if transport.is_none() => host,
        Some(("turn" | "turns", host))
            if matches!(transport, None | Some("transport=udp" | "transport=tcp")) =>
        {
            host
        }
        _ => return false,
    };
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    let literal = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    let named = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    let valid = match literal {
        Some(literal) => literal.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !name.is_empty() && name.bytes().all(named),
    };
    valid && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{COMMUNITY, NOW, TestWallet, certificate};
    use crate::id::DeviceSecret;

    fn grant() -> TurnGrant {
        TurnGrant {
            urls: vec![
                "stun:192.0.2.1:3478".to_owned(),
                "turn:192.0.2.1:3478?transport=udp".to_owned(),
            ],
            username: "1767229200:12D3KooWGzBh".to_owned(),
            credential: "dGhpcyBpcyBub3QgYSBzZWNyZXQ=".to_owned(),
            lasts: 3600,
        }
    }

    fn read(grant: TurnGrant) -> Result<TurnAnswer, TurnError> {
        TurnAnswer::read(&wire::encode(&TurnAnswer::Granted(grant)))
    }

    #[test]
    fn a_request_is_the_hello_that_devices_say_to_each_other() {
        let secret = DeviceSecret::from_seed(&[7; 32]);
        let certificate = certificate(&TestWallet::new(1), &secret, NOW);
        let hello = Hello { certificate, community: COMMUNITY.id, version: 3, time: NOW };
        let bytes = wire::encode(&hello);
        assert_eq!(read_request(&bytes), Ok(hello));
        for cut in 0..bytes.len() {
            assert!(read_request(&bytes[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn the_longest_request_and_the_longest_answer_fit_a_frame() {
        let secret = DeviceSecret::from_seed(&[7; 32]);
        let mut certificate = certificate(&TestWallet::new(1), &secret, NOW);
        certificate.wallet_signature = vec![0xff; crate::certificate::MAX_SIGNATURE];
        certificate.statement.domain = "d".repeat(253);
        let hello = Hello { certificate, community: u64::MAX, version: u64::MAX, time: NOW };
        assert!(wire::encode(&hello).len() <= MAX_FRAME);
        let text = |start: &str| format!("{start}{}", "x".repeat(MAX_TEXT - start.len()));
        let full = TurnGrant {
            urls: vec![text("turn:"); MAX_URLS],
            username: text(""),
            credential: text(""),
            lasts: 3600,
        };
        assert!(wire::encode(&TurnAnswer::Granted(full.clone())).len() <= MAX_FRAME);
        assert_eq!(read(full.clone()), Ok(TurnAnswer::Granted(full)));
    }

    #[test]
    fn answers_come_back_as_they_were_written() {
        assert_eq!(read(grant()), Ok(TurnAnswer::Granted(grant())));
        let refused = TurnAnswer::Refused(TurnRefusal::Spent);
        let bytes = wire::encode(&refused);
        assert_eq!(bytes, [0x82, 0x01, 0x81, 0x05]);
        assert_eq!(TurnAnswer::read(&bytes), Ok(refused));
    }

    #[test]
    fn answers_that_are_cut_short_or_go_on_are_refused() {
        let bytes = wire::encode(&TurnAnswer::Granted(grant()));
        for cut in 0..bytes.len() {
            assert!(TurnAnswer::read(&bytes[..cut]).is_err(), "cut at {cut}");
        }
        assert!(TurnAnswer::read(&[bytes.as_slice(), &[0]].concat()).is_err());
        for bytes in [&[0x82, 0x01, 0x81, 0x07][..], &[0x82, 0x02, 0x80], &[0xff; 64], &[]] {
            assert!(TurnAnswer::read(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn only_servers_that_a_browser_takes_are_read() {
        let with = |url: &str| read(TurnGrant { urls: vec![url.to_owned()], ..grant() });
        for url in [
            "stun:relay.example.org",
            "turn:relay.example.org",
            "turn:192.0.2.1:3478?transport=tcp",
            "turn:[2001:db8::1]:3478?transport=udp",
            "turns:relay.example.org:443?transport=tcp",
        ] {
            assert!(with(url).is_ok(), "{url}");
        }
        for url in [
            "",
            "https://relay.example.org",
            "turn:",
            "turn:relay.example.org:0",
            "turn:relay.example.org:99999",
            "turn:relay.example.org:",
            "turn:relay.example.org?transport=sctp",
            "turn:user@relay.example.org",
            "turn:relay.example.org/path",
            "turn:[2001:db8::1",
            "turn:2001:db8::1",
            "stun:relay.example.org?transport=udp",
            "turn:relay example.org",
        ] {
            assert!(matches!(with(url), Err(TurnError::Bounds(_))), "{url}");
        }
    }

    #[test]
    fn grants_beyond_the_bounds_are_refused() {
        let long = "x".repeat(MAX_TEXT + 1);
        for wrong in [
            TurnGrant { urls: vec![], ..grant() },
            TurnGrant { urls: vec!["stun:a".to_owned(); MAX_URLS + 1], ..grant() },
            TurnGrant { urls: vec![format!("stun:{long}")], ..grant() },
            TurnGrant { username: String::new(), ..grant() },
            TurnGrant { username: long.clone(), ..grant() },
            TurnGrant { credential: "with space".to_owned(), ..grant() },
            TurnGrant { credential: long, ..grant() },
            TurnGrant { lasts: 0, ..grant() },
            TurnGrant { lasts: 3601, ..grant() },
        ] {
            assert!(matches!(read(wrong.clone()), Err(TurnError::Bounds(_))), "{wrong:?}");
        }
    }
}

//! What can go wrong.

use crate::state::exchange::SignallingError;
use std::time::Duration;

/// Why there is no connection, or none any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The connection did not stand in time. Nobody answered, or signalling or ICE stalled.
    #[error("no direct connection within {} s; try again later", .0.as_secs())]
    TimedOut(Duration),
    /// There is no connection to signal over, and none could be made.
    #[error("the other end cannot be reached for signalling: {0}")]
    Unreachable(String),
    /// The other end is connected and does not answer signalling: it does not speak the protocol,
    /// or does not want us.
    #[error("the other end does not answer signalling")]
    Refused,
    /// The other end does not keep to the signalling protocol.
    #[error("signalling of the other end is refused: {0}")]
    Signalling(#[from] SignallingError),
    /// The other end ended signalling, and the connection did not stand soon after.
    #[error("the other end gave the connection up")]
    GivenUp,
    /// Too many connections are in the making.
    #[error("too many connections are being made at once; try again later")]
    Busy,
    /// ICE found no way between the two ends. A TURN server makes one.
    #[error("the network lets the two ends not reach each other directly")]
    NoPath,
    /// The ends reached each other and then did not agree on keys: one of them does not have the
    /// certificate that was announced in its name. Somebody on the path of signalling or of the
    /// connection is attacking it.
    #[error("one end does not have the certificate announced for it: this is an attack")]
    Untrusted,
    /// The path between the two ends is gone.
    #[error("the direct connection was lost")]
    Lost,
    /// One of the ends closed the connection.
    #[error("the direct connection was closed")]
    Closed,
    /// The other end has opened more streams than we take.
    #[error("the other end opened more than {0} streams at once")]
    TooManyStreams(usize),
    /// The browser refused something, in its words.
    #[error("the browser cannot make a direct connection: {0}")]
    Browser(String),
}

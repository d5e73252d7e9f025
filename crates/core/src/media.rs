//! The seam to whatever carries audio: `RTCPeerConnection` in a browser, a fake in tests.
//!
//! A [`Link`] is one media connection to one session of one other device. Links are never used
//! again; an event for a link that was closed is ignored.

use minicbor::{Decode, Encode};

/// A media connection, numbered by the [`Node`](crate::node::Node) that asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Link(pub u32);

/// Which half of an exchange a description is (RFC 8829, section 4.1.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum DescriptionKind {
    /// Proposes.
    #[n(0)]
    Offer,
    /// Agrees.
    #[n(1)]
    Answer,
}

/// A session description.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Description {
    /// Offer or answer.
    #[n(0)]
    pub kind: DescriptionKind,
    /// SDP (RFC 8866), at most [`Description::MAX_SDP`] bytes.
    #[n(1)]
    pub sdp: String,
}

impl Description {
    /// The longest SDP that is sent or accepted, in bytes.
    pub const MAX_SDP: usize = 16 * 1024;
}

/// An ICE candidate as browsers trickle it (RFC 8838).
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Candidate {
    /// The `candidate:` line; empty says that there are no more. At most
    /// [`Candidate::MAX_LINE`] bytes.
    #[n(0)]
    pub line: String,
    /// The `mid` of its media section.
    #[n(1)]
    pub mid: Option<String>,
    /// The index of its media section.
    #[n(2)]
    pub line_index: Option<u16>,
}

impl Candidate {
    /// The longest candidate line that is sent or accepted, in bytes.
    pub const MAX_LINE: usize = 1024;
}

/// How a media connection is (W3C WebRTC, `RTCPeerConnectionState`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LinkState {
    /// Not tried yet, or trying.
    Connecting,
    /// Audio can flow.
    Connected,
    /// No answer for a while; may come back.
    Disconnected,
    /// Will not come back by itself.
    Failed,
}

/// What the node asks of the media layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MediaCommand {
    /// Make a connection that sends the microphone's track and plays what it receives.
    Open {
        /// Its number.
        link: Link,
    },
    /// Set the local description that the connection itself finds right (an answer if an offer
    /// was applied, else an offer) and report it as [`MediaEvent::LocalDescription`].
    Describe {
        /// Of this connection.
        link: Link,
    },
    /// Apply the other side's description (rolling back an own offer if need be) and report
    /// [`MediaEvent::Applied`].
    Apply {
        /// To this connection.
        link: Link,
        /// What the other side sent.
        description: Description,
    },
    /// Add a candidate of the other side. Only asked for once a description was applied.
    AddCandidate {
        /// To this connection.
        link: Link,
        /// What the other side sent.
        candidate: Candidate,
    },
    /// Look for paths anew, by the servers that are in use now; leads to [`MediaEvent::NegotiationNeeded`].
    RestartIce {
        /// Of this connection.
        link: Link,
    },
    /// Let go of it. No event follows.
    Close {
        /// This connection.
        link: Link,
    },
    /// Send silence, or the microphone again, on all connections.
    Mute(bool),
}

/// What the media layer reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MediaEvent {
    /// The connection wants an offer made.
    NegotiationNeeded {
        /// Which.
        link: Link,
    },
    /// The answer to [`MediaCommand::Describe`].
    LocalDescription {
        /// Which.
        link: Link,
        /// What to send to the other side.
        description: Description,
    },
    /// The answer to [`MediaCommand::Apply`].
    Applied {
        /// Which.
        link: Link,
        /// What was applied.
        kind: DescriptionKind,
    },
    /// A local candidate was found.
    LocalCandidate {
        /// Which.
        link: Link,
        /// What to send to the other side.
        candidate: Candidate,
    },
    /// The connection's state changed.
    State {
        /// Which.
        link: Link,
        /// To this.
        state: LinkState,
    },
    /// The connection took this path: told when it is connected, and when the path changes.
    Path {
        /// Which.
        link: Link,
        /// Whether a TURN server is at either end.
        relayed: bool,
    },
    /// Sound came from the other side, and for a second nothing comes any more. This is known long
    /// before the state changes. Told again, ever more rarely, while it goes on.
    Silent {
        /// Which.
        link: Link,
    },
    /// A command could not be carried out; the connection is of no more use.
    Broken {
        /// Which.
        link: Link,
        /// In the media layer's words.
        reason: String,
    },
}

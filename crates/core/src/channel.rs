//! The application protocols that two devices speak with each other.

/// An ordered, reliable channel of frames between two devices, one per protocol.
///
/// The network layer maps each to a libp2p protocol and bounds its frames. Everything but
/// [`Channel::Hello`] is served to devices that passed hello only, and is dropped from others
/// twice: by the network layer and by the [`Node`](crate::node::Node).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// Certificates and verdicts; first on every connection.
    Hello,
    /// Presence and signalling of a meeting.
    Meeting,
    /// What rooms hold: see [`sync`](crate::sync).
    Sync,
}

impl Channel {
    /// Every channel, in the order in which it may be used.
    pub const ALL: [Self; 3] = [Self::Hello, Self::Meeting, Self::Sync];

    /// The libp2p protocol name.
    #[must_use]
    pub const fn protocol(self) -> &'static str {
        match self {
            Self::Hello => "/chats/hello/1",
            Self::Meeting => "/chats/meeting/1",
            Self::Sync => "/chats/sync/1",
        }
    }

    /// The longest frame in bytes that is sent or accepted.
    #[must_use]
    pub const fn max_frame(self) -> usize {
        match self {
            Self::Hello => 8 * 1024,
            Self::Meeting => 32 * 1024,
            Self::Sync => crate::sync::wire::MAX_MESSAGE,
        }
    }

    /// Whether a device that has not passed hello may use it.
    #[must_use]
    pub const fn open_to_strangers(self) -> bool {
        matches!(self, Self::Hello)
    }
}

//! The seam between an application and the network: commands in, events out.
//!
//! Both ways are bounded. A full command queue is reported to the caller; while nobody takes
//! events, nothing is read from other devices, so they are slowed down instead of being buffered.

use chats_core::{
    channel::Channel,
    gossip::{GossipId, GossipVerdict},
    id::{DeviceKey, GossipTopic, MeetTag},
    turn::TurnGrant,
};
use futures::{Stream, channel::mpsc, stream::FusedStream};
use libp2p::Multiaddr;
use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

/// Commands that may wait for the network.
pub const COMMAND_QUEUE: usize = 512;
/// Events that may wait for the application.
pub const EVENT_QUEUE: usize = 512;

/// What the application wants of the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Find devices under this tag, at every relay, from now on; at most
    /// [`crate::meet::MAX_TAGS`] tags, more are ignored with a warning.
    Meet(MeetTag),
    /// Connect to a device through any relay; answered by [`Event::Connected`] or
    /// [`Event::DialFailed`]. Does nothing if it is connected or being dialled.
    Dial(DeviceKey),
    /// End all connections to a device; [`Event::Disconnected`] follows if there were any.
    Disconnect(DeviceKey),
    /// The device passed hello: open every channel to it until it disconnects.
    Pass(DeviceKey),
    /// Send a frame; order is kept per device and channel. Frames to a device that is not
    /// connected are dropped (an [`Event::Disconnected`] is then on its way or was seen). A
    /// device that does not keep up with 64 waiting frames is disconnected.
    Send {
        /// To whom.
        to: DeviceKey,
        /// On which channel.
        channel: Channel,
        /// At most [`Channel::max_frame`] bytes.
        frame: Vec<u8>,
    },
    /// Make a direct link to a device that passed; answered by [`Event::Linked`] or
    /// [`Event::LinkFailed`].
    Link(DeviceKey),
    /// Whether direct links that a device makes to us are taken from now on, one included of which
    /// [`Event::LinkOffered`] told; they are until this is said. Of one that is taken,
    /// [`Event::Linked`] or [`Event::LinkFailed`] tells the rest.
    TakeLinks {
        /// Whose.
        device: DeviceKey,
        /// Whether.
        take: bool,
    },
    /// Find out at once whether a device still answers, as there is reason to doubt it; answered by
    /// [`Event::Answers`], or by [`Event::Disconnected`] if it does not. Does nothing if it is not
    /// connected.
    Check(DeviceKey),
    /// Take part in the gossip of this topic, with devices that passed, over direct links.
    Subscribe(GossipTopic),
    /// Publish a frame to all members.
    Publish {
        /// To those who take part in this.
        topic: GossipTopic,
        /// At most [`chats_core::gossip::MAX_FRAME`] bytes.
        frame: Vec<u8>,
    },
    /// What becomes of a frame of [`Event::Gossip`].
    Judge {
        /// Which frame.
        id: GossipId,
        /// Who delivered it.
        source: DeviceKey,
        /// What becomes of it.
        verdict: GossipVerdict,
    },
    /// Ask the relays in use, one after the other, for the use of a TURN server; answered by
    /// [`Event::Turn`] or [`Event::NoTurn`]. The request is that of [`chats_core::turn`].
    AskForTurn(Vec<u8>),
    /// Use exactly these relays, each `<address>/p2p/PEERID`; those already in use stay connected.
    SetRelays(Vec<Multiaddr>),
    /// Try relays that wait for their next attempt at once, and start the waits over.
    RetryNow,
}

/// What the network has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A relay's state changed.
    Relay {
        /// As it was given.
        addr: Multiaddr,
        /// How it stands.
        state: RelayState,
    },
    /// An own address that others can dial directly (native only).
    Listening(Multiaddr),
    /// We entered a tag at a relay; these devices were there before us (at most 32 of them, at
    /// random). It is for the newcomer, us, to dial them. Comes again from each relay and after
    /// each reconnection.
    Present {
        /// Which relay says so; each has a number of its own.
        source: u32,
        /// The devices.
        devices: Vec<DeviceKey>,
    },
    /// A device entered a tag of ours after us; it will dial.
    Arrived {
        /// Which relay said so first.
        source: u32,
        /// The device.
        device: DeviceKey,
    },
    /// No relay lists the device any more; its connection, if any, tells the rest.
    Left(DeviceKey),
    /// A device is connected, by whoever dialled. Only hello is open until [`Command::Pass`].
    Connected {
        /// Who; the connection proves possession of this key.
        device: DeviceKey,
        /// How.
        path: Path,
    },
    /// A dial came to nothing.
    DialFailed {
        /// Who was wanted.
        device: DeviceKey,
        /// Why, for people.
        reason: String,
    },
    /// The connection to a device ended, as a circuit does in time, or the device started over
    /// (then [`Event::Connected`] follows at once). Frames not yet delivered are lost.
    Disconnected {
        /// Who.
        device: DeviceKey,
        /// Why, for people.
        reason: String,
    },
    /// A device answers, after [`Command::Check`].
    Answers(DeviceKey),
    /// A device made a direct link to us, which waits for [`Command::TakeLinks`].
    LinkOffered(DeviceKey),
    /// Everything to and from a connected device runs on a direct link from now on, until
    /// [`Event::Disconnected`].
    Linked(DeviceKey),
    /// No direct link came of [`Command::Link`], or of one that was taken.
    LinkFailed {
        /// To whom.
        device: DeviceKey,
        /// Whether somebody tampered with the signalling.
        attack: bool,
        /// Why, for people.
        reason: String,
    },
    /// A frame of gossip, to be answered by [`Command::Judge`].
    Gossip {
        /// Who delivered it.
        source: DeviceKey,
        /// Its id.
        id: GossipId,
        /// Its bytes.
        frame: Vec<u8>,
    },
    /// What the first relay that grants anything on [`Command::AskForTurn`] grants.
    Turn(TurnGrant),
    /// No relay in use grants anything on [`Command::AskForTurn`]: none has a TURN server, or none
    /// serves us, or none is there.
    NoTurn,
    /// What is published from now on reaches this device, too.
    GossipReaches(DeviceKey),
    /// A frame, complete and within the channel's bound.
    Received {
        /// From whom.
        from: DeviceKey,
        /// On which channel.
        channel: Channel,
        /// Its bytes.
        frame: Vec<u8>,
    },
    /// The round trip to a device was measured (about every 5 s).
    Rtt {
        /// To whom.
        device: DeviceKey,
        /// How long.
        rtt: Duration,
    },
}

/// How a relay stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelayState {
    /// Not needed now: enough others serve us. It is used as soon as one of them fails.
    Standby,
    /// Being dialled, or waiting for its reservation.
    Connecting,
    /// Reserved and meeting: others can reach us through it.
    Connected {
        /// Round trip, once measured; the event comes again with each measurement.
        rtt: Option<Duration>,
    },
    /// It cannot be used now.
    Failed {
        /// Why, for people.
        reason: String,
        /// It answers, and by our clock what it promises is over: our clock is ahead of its.
        clock_ahead: bool,
        /// When it is tried again; `None` if its address is unusable.
        retry_in: Option<Duration>,
    },
}

/// What carries a connection between two devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Path {
    /// Through a relay or a member, encrypted end to end, and for half a minute at most.
    Circuit,
    /// Without a relay.
    Direct,
}

/// Why a command was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// Too many commands wait; try again after some events.
    #[error("the network is busy: {COMMAND_QUEUE} commands are waiting")]
    Full,
    /// The network is gone.
    #[error("the network has stopped")]
    Stopped,
    /// The frame is longer than its channel allows.
    #[error("a frame of {length} bytes does not fit {channel:?}, which takes {max}")]
    TooLong {
        /// The channel.
        channel: Channel,
        /// The frame's bytes.
        length: usize,
        /// [`Channel::max_frame`].
        max: usize,
    },
}

/// Why a network could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The device key is unusable.
    #[error("the device key cannot be used for connections: {0}")]
    Key(String),
    /// Gossip cannot be set up.
    #[error("gossip cannot be set up: {0}")]
    Gossip(String),
    /// An address to listen on is unusable.
    #[error("cannot listen on {addr}: {reason}")]
    Listen {
        /// The address.
        addr: String,
        /// Why.
        reason: String,
    },
}

/// A running network; dropping it closes every connection.
///
/// As a stream it yields [`Event`]s, and ends if the network stops.
#[derive(Debug)]
pub struct Network {
    device: DeviceKey,
    commands: mpsc::Sender<Command>,
    events: mpsc::Receiver<Event>,
}

impl Network {
    /// The handle, and the driver's ends of both queues.
    pub(crate) fn new(device: DeviceKey) -> (Self, mpsc::Receiver<Command>, mpsc::Sender<Event>) {
        // A channel holds one more than this for its one sender.
        let (commands, from_app) = mpsc::channel(COMMAND_QUEUE - 1);
        let (to_app, events) = mpsc::channel(EVENT_QUEUE - 1);
        (Self { device, commands, events }, from_app, to_app)
    }

    /// The own device.
    #[must_use]
    pub fn device(&self) -> DeviceKey {
        self.device
    }

    /// Hands over a command without waiting.
    ///
    /// # Errors
    /// [`SendError`]; the command was not taken.
    pub fn try_send(&mut self, command: Command) -> Result<(), SendError> {
        if let Command::Send { channel, frame, .. } = &command {
            let (length, max) = (frame.len(), channel.max_frame());
            if length > max {
                return Err(SendError::TooLong { channel: *channel, length, max });
            }
        }
        self.commands
            .try_send(command)
            .map_err(|error| if error.is_full() { SendError::Full } else { SendError::Stopped })
    }
}

impl Stream for Network {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        Pin::new(&mut self.events).poll_next(cx)
    }
}

impl FusedStream for Network {
    fn is_terminated(&self) -> bool {
        self.events.is_terminated()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chats_core::id::DeviceSecret;

    #[test]
    fn a_full_queue_is_reported() {
        let device = DeviceSecret::from_seed(&[1; 32]).device();
        let (mut network, from_app, _to_app) = Network::new(device);
        for _ in 0..COMMAND_QUEUE {
            network.try_send(Command::RetryNow).unwrap();
        }
        assert_eq!(network.try_send(Command::RetryNow), Err(SendError::Full));
        drop(from_app);
        assert_eq!(network.try_send(Command::RetryNow), Err(SendError::Stopped));
    }

    #[test]
    fn a_frame_beyond_its_channel_is_refused_at_once() {
        let device = DeviceSecret::from_seed(&[1; 32]).device();
        let (mut network, _from_app, _to_app) = Network::new(device);
        let frame = vec![0; Channel::Hello.max_frame() + 1];
        let send = Command::Send { to: device, channel: Channel::Hello, frame };
        assert!(matches!(network.try_send(send), Err(SendError::TooLong { length: 8193, .. })));
    }

    #[test]
    fn an_event_shows_no_credential() {
        let grant = TurnGrant {
            urls: vec!["turn:192.0.2.1:3478?transport=udp".to_owned()],
            username: "1767229200:12D3KooW".to_owned(),
            credential: "hush".to_owned(),
            lasts: 3600,
        };
        let shown = format!("{:?}", Event::Turn(grant));
        assert!(shown.contains("3600 s") && !shown.contains("hush"), "{shown}");
        // Nor its bytes.
        assert!(!shown.contains(&format!("{:?}", b"hush").replace(['[', ']'], "")), "{shown}");
    }
}

//! What goes into a [`Node`](super::Node), and what comes out.

use crate::access::{AccessAnswer, Batch, Verdict};
use crate::channel::Channel;
use crate::gossip::{GossipId, GossipVerdict};
use crate::hello::Refusal;
use crate::id::{DeviceKey, MeetingName, Wallet};
use crate::media::{Link, MediaCommand, MediaEvent};
use crate::presence::Session;
use crate::rooms::Incoming;
use crate::time::Time;
use crate::turn::TurnGrant;

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Time passed.
    Tick,
    /// These devices were at a meeting point when we came.
    Present {
        /// Which relay says so, by a number of its own.
        source: u32,
        /// Who.
        devices: Vec<DeviceKey>,
    },
    /// This one came later.
    Arrived {
        /// Which relay says so, by a number of its own.
        source: u32,
        /// Who.
        device: DeviceKey,
    },
    /// No relay lists this one any more.
    Left(DeviceKey),
    /// The first connection to a device stands; the network vouches for its key.
    Connected(DeviceKey),
    /// The last connection to it is gone: a circuit ends in time, a link that breaks ends with its
    /// session. Frames may be lost. Another one may carry on at once.
    Disconnected(DeviceKey),
    /// It could not be reached.
    DialFailed(DeviceKey),
    /// A device that passed made a direct link to us; answered by [`Output::TakeLinks`], before
    /// which it does not stand.
    LinkOffered(DeviceKey),
    /// The direct link to a connected device stands, is proven, and everything runs on it until
    /// the connection ends.
    Linked(DeviceKey),
    /// The answer to [`Output::Link`], or to [`Output::TakeLinks`], if no link came of it.
    LinkFailed {
        /// To whom.
        device: DeviceKey,
        /// Why.
        failure: LinkFailure,
    },
    /// The answer to [`Output::Check`], if the device can be spoken to.
    Answers(DeviceKey),
    /// A frame of gossip; answered by exactly one [`Output::Judge`].
    Gossip {
        /// Who delivered it; it need not be who published it.
        source: DeviceKey,
        /// Its [`gossip::id`](crate::gossip::id).
        id: GossipId,
        /// What, at most [`gossip::MAX_FRAME`](crate::gossip::MAX_FRAME) bytes.
        frame: Vec<u8>,
    },
    /// What is published from now on reaches this device, too; said again for each new link.
    GossipReaches(DeviceKey),
    /// The machine has another network, or its network came back.
    NetworkChanged,
    /// A relay came into use.
    RelayCame,
    /// The answer to [`Output::AskForTurn`], or `None` if no relay in use grants anything.
    Turn(Option<TurnGrant>),
    /// It sent a frame.
    Received {
        /// Who.
        from: DeviceKey,
        /// Where.
        channel: Channel,
        /// What, at most [`Channel::max_frame`] bytes.
        frame: Vec<u8>,
    },
    /// The answer to [`Output::CheckAccess`], or `None` if the chain gave none.
    Access {
        /// The batch's number.
        request: u32,
        /// What the chain says.
        answer: Option<AccessAnswer>,
    },
    /// The answer to [`Output::CheckVersion`].
    Version(u64),
    /// From the media layer.
    Media(MediaEvent),
    /// We are about to go into a meeting.
    Prepare,
    /// Go into a meeting.
    Join {
        /// Which.
        meeting: MeetingName,
        /// Random.
        session: Session,
        /// Whether to begin muted.
        muted: bool,
    },
    /// Go out of it.
    Leave,
    /// Mute or unmute.
    SetMuted(bool),
    /// Raise or lower the hand.
    SetHand(bool),
    /// Try again to reach a participant that was given up on.
    Retry(DeviceKey),
    /// Ask the chain about our own wallet again, at once.
    Recheck,
    /// Ask the chain about a wallet again, at once: rooms want to know.
    CheckAccess(Wallet),
    /// Make links to these too, and no longer to those that were named before: rooms want them. At
    /// most [`MAX_SOUGHT`](crate::rooms::MAX_SOUGHT).
    Seek(Vec<DeviceKey>),
}

/// Why no direct link to a device came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LinkFailure {
    /// There is no way to it, or not in time.
    Unreachable,
    /// The DTLS fingerprints that the other side signed are not those in use, or DTLS refused the
    /// certificate that was announced: somebody in between tampered with the signalling.
    Attack,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Connect to a device.
    Dial(DeviceKey),
    /// Make a direct link to a device that passed; answered by [`Input::Linked`] or
    /// [`Input::LinkFailed`].
    Link(DeviceKey),
    /// Whether direct links that a device makes to us are taken from now on, one included that it
    /// has just made; if so, answered like [`Output::Link`]. They are until this is said.
    TakeLinks {
        /// Whose.
        device: DeviceKey,
        /// Whether.
        take: bool,
    },
    /// Find out at once whether a device still answers; answered by [`Input::Answers`], or by
    /// [`Input::Disconnected`] if it does not.
    Check(DeviceKey),
    /// Send it what is queued for it, then close all connections to it.
    Disconnect(DeviceKey),
    /// Serve it all channels from now on.
    Pass(DeviceKey),
    /// Send it a frame.
    Send {
        /// To whom.
        to: DeviceKey,
        /// Where.
        channel: Channel,
        /// What.
        frame: Vec<u8>,
    },
    /// Publish a frame to all members that gossip reaches.
    Publish(Vec<u8>),
    /// What becomes of a frame of gossip.
    Judge {
        /// Which frame.
        id: GossipId,
        /// Who delivered it.
        source: DeviceKey,
        /// What becomes of it.
        verdict: GossipVerdict,
    },
    /// Ask the chain about wallets.
    CheckAccess(Batch),
    /// Ask the chain for the community's version.
    CheckVersion,
    /// Ask the relays in use for their TURN server, until one grants it; answered by
    /// [`Input::Turn`].
    AskForTurn,
    /// Media connections and direct links that look for a path from now on use this TURN server,
    /// and no longer the one that was granted before.
    UseTurn(TurnGrant),
    /// For the media layer.
    Media(MediaCommand),
    /// For the rooms behind this node.
    Rooms(Incoming),
    /// For people.
    Event(Event),
}

/// What people want to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// What the contract says of our own wallet, at first and whenever it changes.
    Own(Verdict),
    /// Our own certificate is over.
    CertificateExpired,
    /// A member is online, or what is known of it changed. It need not be connected at every moment.
    Online(DeviceKey, Member),
    /// It is no longer.
    Offline(DeviceKey),
    /// We did not let a device pass.
    Refused {
        /// Which.
        device: DeviceKey,
        /// Why.
        refusal: Refusal,
    },
    /// A device did not let us pass.
    RefusedBy {
        /// Which.
        device: DeviceKey,
        /// Why, in its words.
        refusal: Refusal,
    },
    /// Somebody between us and a device tampered with the making of a direct link.
    Attack {
        /// To which device.
        device: DeviceKey,
    },
    /// A frame of a device that passed was malformed, late, or claimed what it must not.
    Ignored {
        /// Whose.
        device: DeviceKey,
    },
    /// We are in a meeting.
    Joined {
        /// Which.
        meeting: MeetingName,
        /// Since when.
        joined: Time,
    },
    /// We cannot be in it.
    NotJoined(JoinRefusal),
    /// We are out of it.
    Left,
    /// Somebody is in a meeting, or what is known of them changed.
    Participant(DeviceKey, Participant),
    /// Somebody is in no meeting any more.
    ParticipantGone(DeviceKey),
}

/// Why a meeting cannot be joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinRefusal {
    /// As many as can speak are there already.
    Full,
    /// Another device of the same wallet is there.
    OtherDevice,
}

/// A member who is online.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Whose device it is.
    pub wallet: Wallet,
    /// What the contract says of the wallet.
    pub verdict: Verdict,
}

/// Somebody in a meeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Participant {
    /// Whose device it is.
    pub wallet: Wallet,
    /// Where.
    pub meeting: MeetingName,
    /// Since when, by their clock.
    pub joined: Time,
    /// Whether they muted themselves.
    pub muted: bool,
    /// Since when their hand is raised, by their clock.
    pub hand: Option<Time>,
    /// Whether we hear each other.
    pub state: ParticipantState,
    /// The media connection to them, if any.
    pub link: Option<Link>,
    /// A TURN server carries what we hear of each other.
    pub relayed: bool,
}

/// How well we hear each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParticipantState {
    /// We are not in their meeting.
    Elsewhere,
    /// Not yet.
    Connecting,
    /// We do.
    Connected,
    /// We did, and are trying to again.
    Reconnecting,
    /// We gave up; [`Input::Retry`] tries again.
    Failed,
}

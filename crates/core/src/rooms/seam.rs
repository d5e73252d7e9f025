//! What goes into [`Rooms`](super::Rooms), and what comes out.
//!
//! What comes from the [`Node`](crate::node::Node) and from people is [`Incoming`], what goes to
//! them [`Outgoing`]: both can be written down, so that rooms may live in a thread of their own.

use super::views::View;
use crate::certificate::DeviceCertificate;
use crate::content::{Mentions, Pin};
use crate::control::Revoke;
use crate::epoch::{Policy, RoomTag};
use crate::gossip::{GossipId, GossipVerdict};
use crate::id::{DeviceKey, Wallet};
use crate::op::OpId;
use crate::seats::{Change, Head};
use crate::store::{Reply, Request, StoreError};
use crate::sync::Ticket;
use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};
use std::fmt;
use zeroize::Zeroizing;

/// The most devices that rooms seek at once.
pub const MAX_SOUGHT: usize = 32;

/// What happened.
#[derive(Debug)]
pub enum Input {
    /// Time passed.
    Tick,
    /// Something came from outside.
    Incoming(Incoming),
    /// The answer to [`Output::Store`].
    Stored {
        /// Its ticket.
        ticket: Ticket,
        /// What came of it.
        result: Result<Reply, StoreError>,
    },
}

/// What is to be done.
#[derive(Debug)]
pub enum Output {
    /// Something is for outside.
    Outgoing(Outgoing),
    /// Have the store do something; answered by one [`Input::Stored`]. The store carries out one
    /// after the other, in this order.
    Store {
        /// To be said with the answer.
        ticket: Ticket,
        /// What.
        request: Request,
    },
}

/// What comes from the node, from the chain and from people.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Incoming {
    /// A device passed hello, and a direct link to it stands.
    #[n(0)]
    Passed {
        /// Which.
        #[n(0)]
        device: DeviceKey,
        /// With which it passed: checked, the wallet's signature too.
        #[n(1)]
        certificate: Box<DeviceCertificate>,
    },
    /// It is linked no longer.
    #[n(1)]
    Gone {
        /// Which.
        #[n(0)]
        device: DeviceKey,
    },
    /// A device that passed sent a frame of [`Channel::Sync`](crate::channel::Channel::Sync).
    #[n(2)]
    Frame {
        /// Which.
        #[n(0)]
        from: DeviceKey,
        /// What.
        #[n(1)]
        frame: ByteVec,
    },
    /// A device that passed delivered gossip about rooms; answered by one [`Outgoing::Judge`].
    #[n(3)]
    Gossip {
        /// Which.
        #[n(0)]
        source: DeviceKey,
        /// Its id.
        #[n(1)]
        id: GossipId,
        /// What.
        #[n(2)]
        message: ByteVec,
    },
    /// The community has this version at least, as the chain or a member says.
    #[n(4)]
    Version {
        /// Which.
        #[n(0)]
        version: u64,
    },
    /// The answer to [`Outgoing::ReadChanges`], as a quorum gave it.
    #[n(5)]
    Changes {
        /// The version that they follow.
        #[n(0)]
        from: u64,
        /// All that came after it.
        #[n(1)]
        changes: Vec<Change>,
        /// Where they lead.
        #[n(2)]
        head: Head,
    },
    /// The chain could not be read.
    #[n(6)]
    NoChanges,
    /// What the chain said of a wallet just now.
    #[n(7)]
    Access {
        /// Which.
        #[n(0)]
        wallet: Wallet,
        /// Whether it is let in.
        #[n(1)]
        admitted: bool,
        /// Certificates issued until then are void, in unix seconds; 0 if it never said so.
        #[n(2)]
        cutoff: u64,
    },
    /// Somebody here wants something; answered by one [`Outgoing::Done`].
    #[n(8)]
    Act {
        /// To be said with the answer.
        #[n(0)]
        number: u64,
        /// What.
        #[n(1)]
        action: Action,
    },
}

/// What goes to the node, to the chain and to people.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Outgoing {
    /// Send a device a frame of [`Channel::Sync`](crate::channel::Channel::Sync).
    #[n(0)]
    Send {
        /// To whom.
        #[n(0)]
        to: DeviceKey,
        /// What.
        #[n(1)]
        frame: ByteVec,
    },
    /// Publish to all members that gossip reaches.
    #[n(1)]
    Publish {
        /// What.
        #[n(0)]
        message: ByteVec,
    },
    /// What becomes of gossip.
    #[n(2)]
    Judge {
        /// Which.
        #[n(0)]
        id: GossipId,
        /// Who delivered it.
        #[n(1)]
        source: DeviceKey,
        /// What becomes of it.
        #[n(2)]
        verdict: GossipVerdict,
    },
    /// Read the community's changes after a version; answered by [`Incoming::Changes`] or
    /// [`Incoming::NoChanges`]. Asked again only after that.
    #[n(3)]
    ReadChanges {
        /// Which version.
        #[n(0)]
        from: u64,
    },
    /// Ask the chain about a wallet, at once; answered by [`Incoming::Access`] if it can be read.
    #[n(4)]
    CheckAccess {
        /// Which.
        #[n(0)]
        wallet: Wallet,
    },
    /// Be linked with these too, as soon as they can be: at most [`MAX_SOUGHT`]. The list takes the
    /// place of the one before.
    #[n(8)]
    Seek {
        /// Whom, ascending. None of them is linked.
        #[n(0)]
        devices: Vec<DeviceKey>,
    },
    /// For people.
    #[n(5)]
    Show(#[n(0)] Box<View>),
    /// The next part of a backup.
    #[n(7)]
    Backup {
        /// The action's number.
        #[n(0)]
        number: u64,
        /// To be put behind the parts before.
        #[n(1)]
        part: ByteVec,
    },
    /// What came of an action.
    #[n(6)]
    Done {
        /// Its number.
        #[n(0)]
        number: u64,
        /// The room that it made or found, if it did.
        #[n(1)]
        room: Option<RoomTag>,
        /// Why it was not carried out, for people.
        #[n(2)]
        refused: Option<String>,
    },
}

/// What a backup is sealed with. Erased on drop, never printed.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct Passphrase(#[cbor(n(0), with = "passphrase")] Zeroizing<String>);

impl Passphrase {
    /// This one.
    #[must_use]
    pub const fn new(text: Zeroizing<String>) -> Self {
        Self(text)
    }

    /// Its bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

/// How a passphrase is written down.
mod passphrase {
    use minicbor::decode::Error as DecodeError;
    use minicbor::encode::{Error as EncodeError, Write};
    use minicbor::{Decoder, Encoder};
    use zeroize::Zeroizing;

    pub(super) fn encode<C, W: Write>(
        text: &Zeroizing<String>,
        encoder: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        encoder.str(text.as_str()).map(drop)
    }

    pub(super) fn decode<C>(
        decoder: &mut Decoder<'_>,
        _: &mut C,
    ) -> Result<Zeroizing<String>, DecodeError> {
        Ok(Zeroizing::new(decoder.str()?.to_owned()))
    }
}

/// What people do.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Action {
    /// Make a room of all members; for moderators.
    #[n(0)]
    CreateRoom {
        /// What it is called, at most [`MAX_NAME`](crate::content::MAX_NAME) bytes.
        #[n(0)]
        name: String,
        /// What newcomers may read.
        #[n(1)]
        policy: Policy,
    },
    /// Find or make the room of direct messages with somebody.
    #[n(1)]
    Direct {
        /// With whom.
        #[n(0)]
        wallet: Wallet,
    },
    /// Show a room, its newest messages first; in place of the one that was shown.
    #[n(2)]
    Open {
        /// Which.
        #[n(0)]
        room: RoomTag,
    },
    /// Show no room.
    #[n(3)]
    Close,
    /// Show older messages of the room that is shown, too.
    #[n(4)]
    Older,
    /// Say something.
    #[n(5)]
    Write {
        /// Where.
        #[n(0)]
        room: RoomTag,
        /// What, at most [`MAX_CHARACTERS`](crate::content::MAX_CHARACTERS).
        #[n(1)]
        markdown: String,
        /// To which message.
        #[n(2)]
        reply: Option<OpId>,
        /// Who should know.
        #[n(3)]
        mentions: Mentions,
    },
    /// Say better what was said.
    #[n(6)]
    Edit {
        /// Where.
        #[n(0)]
        room: RoomTag,
        /// Which message, one's own.
        #[n(1)]
        target: OpId,
        /// What it says from now on.
        #[n(2)]
        markdown: String,
        /// Who should know.
        #[n(3)]
        mentions: Mentions,
    },
    /// Put an emoji to a message, or take it away.
    #[n(7)]
    React {
        /// Where.
        #[n(0)]
        room: RoomTag,
        /// To which message.
        #[n(1)]
        target: OpId,
        /// Which, at most 32 bytes.
        #[n(2)]
        emoji: String,
        /// Put or taken away.
        #[n(3)]
        set: bool,
    },
    /// Take a message away: one's own, or as a moderator.
    #[n(8)]
    Delete {
        /// Where.
        #[n(0)]
        room: RoomTag,
        /// Which message.
        #[n(1)]
        target: OpId,
    },
    /// Change what a room is called, what it is about, what is pinned, or what newcomers may read.
    #[n(9)]
    SetRoom {
        /// Which.
        #[n(0)]
        room: RoomTag,
        /// Its name, if that changes.
        #[n(1)]
        name: Option<String>,
        /// Its topic, if that changes.
        #[n(2)]
        topic: Option<String>,
        /// A message to pin or not, if that changes.
        #[n(3)]
        pin: Option<Pin>,
        /// Whether newcomers read nothing from before they came, from now on and for good.
        #[n(4)]
        tighten: bool,
    },
    /// Say what one wants to be called in a room.
    #[n(10)]
    SetName {
        /// Where.
        #[n(0)]
        room: RoomTag,
        /// What, at most [`MAX_NAME`](crate::content::MAX_NAME) bytes; empty for none.
        #[n(1)]
        name: String,
    },
    /// Tell the others that one is writing.
    #[n(11)]
    Typing {
        /// Where.
        #[n(0)]
        room: RoomTag,
    },
    /// Everything up to this message was read.
    #[n(12)]
    Read {
        /// Where.
        #[n(0)]
        room: RoomTag,
        /// Up to which.
        #[n(1)]
        upto: OpId,
    },
    /// Give a new device of one's own, or as a moderator of somebody else, the keys of all rooms.
    #[n(13)]
    Approve {
        /// Which.
        #[n(0)]
        device: DeviceKey,
    },
    /// Take back for good that a wallet vouches for a device.
    #[n(14)]
    Revoke {
        /// The wallet's word.
        #[n(0)]
        revoke: Revoke,
    },
    /// Send what is queued and failed again at once, and ask for what is missing.
    #[n(15)]
    Retry,
    /// Write a backup of all that is kept here, but for the device's own secret; it comes in parts
    /// as [`Outgoing::Backup`], before the answer.
    #[n(16)]
    Export {
        /// What opens it.
        #[n(0)]
        passphrase: Passphrase,
    },
    /// Take in what is in a backup of this community.
    #[n(17)]
    Import {
        /// What opens it.
        #[n(0)]
        passphrase: Passphrase,
        /// All of it, at most 128 MB.
        #[n(1)]
        file: ByteVec,
    },
}

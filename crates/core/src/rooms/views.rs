//! What people are to see of their rooms.

use crate::control::RoomKind;
use crate::epoch::{Policy, RoomTag};
use crate::id::{DeviceKey, Wallet};
use crate::op::OpId;
use crate::time::Time;
use minicbor::{Decode, Encode};

/// Something to be shown, in place of what was shown of the same before.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum View {
    /// All rooms: those of all members by age, then direct messages, the newest first.
    #[n(0)]
    Rooms(#[n(0)] Vec<RoomView>),
    /// The messages of the room that is shown, all anew.
    #[n(1)]
    Messages {
        /// Which room.
        #[n(0)]
        room: RoomTag,
        /// In the order of the room.
        #[n(1)]
        messages: Vec<MessageView>,
        /// Whether there are older ones.
        #[n(2)]
        more: bool,
    },
    /// One message of the room that is shown is new or looks different.
    #[n(2)]
    Message {
        /// Which room.
        #[n(0)]
        room: RoomTag,
        /// The message.
        #[n(1)]
        message: Box<MessageView>,
    },
    /// A message does not count any more.
    #[n(3)]
    Vanished {
        /// Which room.
        #[n(0)]
        room: RoomTag,
        /// Which message.
        #[n(1)]
        id: OpId,
    },
    /// Who writes in a room just now.
    #[n(4)]
    Typing {
        /// Which room.
        #[n(0)]
        room: RoomTag,
        /// Who.
        #[n(1)]
        wallets: Vec<Wallet>,
    },
    /// The devices of our wallet, and those of others that wait for a word of ours.
    #[n(5)]
    Devices(#[n(0)] Vec<DeviceView>),
    /// How things stand, for whoever mends them.
    #[n(6)]
    Counts(#[n(0)] Counts),
    /// How what is kept here stands.
    #[n(7)]
    Keeping(#[n(0)] Keeping),
}

/// A room.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct RoomView {
    /// Which.
    #[n(0)]
    pub tag: RoomTag,
    /// Whose; unknown as long as no key of it is here.
    #[n(1)]
    pub kind: Option<RoomKind>,
    /// What it is called.
    #[n(2)]
    pub name: Option<String>,
    /// What it is about.
    #[n(3)]
    pub topic: Option<String>,
    /// How many messages of others were not read.
    #[n(4)]
    pub unread: u64,
    /// Whether one of these mentions us.
    #[n(5)]
    pub mentioned: bool,
    /// When something was said last.
    #[n(6)]
    pub last: Option<Time>,
    /// What newcomers may read.
    #[n(7)]
    pub policy: Policy,
    /// Whether we may change its name, topic and pins. Moderators also take away what others said,
    /// but in direct messages nobody does.
    #[n(8)]
    pub moderated: bool,
    /// How far it is usable.
    #[n(9)]
    pub state: RoomState,
    /// Devices that wrote two different things as their next: copied, or brought back from a
    /// backup.
    #[n(10)]
    pub forked: Vec<(DeviceKey, Option<Wallet>)>,
    /// How many messages wait until the clock here is as late as they say that it is.
    #[n(11)]
    pub early: u64,
}

/// How far a room is usable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum RoomState {
    /// What is kept of it here is being read.
    #[n(0)]
    Loading,
    /// No key of it is here yet: another member has to send it.
    #[n(1)]
    WaitsForKey,
    /// It can be read and written.
    #[n(2)]
    Open,
    /// It can be read; others would not take what we write.
    #[n(3)]
    ReadOnly,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct MessageView {
    /// Which.
    #[n(0)]
    pub id: OpId,
    /// Who wrote it.
    #[n(1)]
    pub author: Wallet,
    /// What they want to be called in this room.
    #[n(2)]
    pub name: Option<String>,
    /// On which device.
    #[n(3)]
    pub device: DeviceKey,
    /// When, by the author's clock.
    #[n(4)]
    pub time: Time,
    /// What it says.
    #[n(5)]
    pub words: Words,
    /// Whether it says something else than at first.
    #[n(6)]
    pub edited: bool,
    /// What it answers.
    #[n(7)]
    pub reply: Option<Reply>,
    /// Whether it mentions us.
    #[n(8)]
    pub mentions_me: bool,
    /// What was put to it, and whose it is.
    #[n(9)]
    pub reactions: Vec<(String, Vec<Wallet>)>,
    /// Whether it is pinned.
    #[n(10)]
    pub pinned: bool,
    /// How far it has come, if it is ours.
    #[n(11)]
    pub sending: Option<Sending>,
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Words {
    /// Markdown.
    #[n(0)]
    Said(#[n(0)] String),
    /// It was taken away.
    #[n(1)]
    Deleted,
    /// It is of a kind that this version does not know.
    #[n(2)]
    Unknown,
    /// Its body is not here any more.
    #[n(3)]
    Missing,
}

/// A message that another answers.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Reply {
    /// Which.
    #[n(0)]
    pub id: OpId,
    /// Who wrote it, if it is here.
    #[n(1)]
    pub author: Option<Wallet>,
    /// How it begins, at most 120 characters.
    #[n(2)]
    pub excerpt: String,
}

/// How far a message of ours has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum Sending {
    /// It is kept here.
    #[n(0)]
    Queued,
    /// It was handed to a link.
    #[n(1)]
    Sent,
    /// Another device has it on disk.
    #[n(2)]
    Delivered,
    /// It could not be kept here, and is lost when the page is closed.
    #[n(3)]
    Failed,
}

/// A device.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct DeviceView {
    /// Which.
    #[n(0)]
    pub device: DeviceKey,
    /// Whose.
    #[n(1)]
    pub wallet: Wallet,
    /// Since when its wallet vouches for it.
    #[n(2)]
    pub since: Time,
    /// Until when.
    #[n(3)]
    pub until: Time,
    /// Whether it is this one.
    #[n(4)]
    pub own: bool,
    /// What is to be known of it.
    #[n(5)]
    pub standing: Standing,
}

/// How a device stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Standing {
    /// Its wallet vouches for it.
    #[n(0)]
    Good,
    /// It is new, and gets nothing that was written before it came until it is approved or a day
    /// has passed.
    #[n(1)]
    WaitsForApproval,
    /// It was revoked, or its certificates were voided.
    #[n(2)]
    Revoked,
    /// Its certificate has ended.
    #[n(3)]
    Expired,
}

/// How much there is, and what was refused for which reason.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
#[cbor(array)]
pub struct Counts {
    /// Messages and other ops that are held.
    #[n(0)]
    pub ops: u64,
    /// Certificates, keys and the like.
    #[n(1)]
    pub control: u64,
    /// Ops that no key is here for.
    #[n(2)]
    pub sealed: u64,
    /// The newest version of the community's seats that is known.
    #[n(3)]
    pub version: u64,
    /// Reasons, and how often something was refused for each since the start.
    #[n(4)]
    pub refused: Vec<(String, u64)>,
}

/// How what is kept here stands.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Keeping {
    /// All well.
    #[n(0)]
    Good,
    /// It cannot be read or written now: why, for people.
    #[n(1)]
    Failing(#[n(0)] String),
    /// Some of it was damaged, and is fetched from others again.
    #[n(2)]
    Damaged,
}

//! The messages of `/chats/sync/1`.

use super::short::Short;
use super::sketch::{CELL, MAX_CELLS};
use super::window::Window;
use crate::epoch::RoomTag;
use crate::hlc::Hlc;
use crate::id::DeviceKey;
use crate::op::OpId;
use crate::wire::{self, WireError};
use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

/// The longest message in bytes.
pub const MAX_MESSAGE: usize = 262_144;
/// The most rooms that a hello names.
pub const MAX_ROOMS: usize = 256;
/// The longest message of negentropy that is carried, in bytes.
pub const MAX_NEGENTROPY: usize = 250_000;
/// The most ids in one fetch.
pub const MAX_FETCH: usize = 1024;
/// The most items in one message.
pub const MAX_ITEMS: usize = 128;
/// The longest item in bytes.
pub const MAX_ITEM: usize = 65_536;

/// 16 bytes, random for each session.
pub type Salt = [u8; 16];

/// A room as one device names it to one other, in one session: 32 bytes. It tells nothing to who
/// does not know the room's tag, and is of no use to anybody else who hears it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(transparent)]
pub struct TagHash(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 32]);

impl TagHash {
    /// What `from` calls `room` towards `to`, in the session with this salt of `from`'s.
    #[must_use]
    pub fn of(room: RoomTag, salt: &Salt, from: DeviceKey, to: DeviceKey) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("community-chats/1 sync room");
        hasher.update(salt).update(&from.0).update(&to.0).update(&room.0);
        Self(*hasher.finalize().as_bytes())
    }
}

/// A room that a device has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct RoomOffer {
    /// Which.
    #[n(0)]
    pub tag: TagHash,
    /// What is older than this it no longer keeps.
    #[n(1)]
    pub horizon: Hlc,
}

/// Which set: 0 is the control log, n the n-th room of the welcome.
pub type SetNumber = u16;

/// Why a session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum End {
    /// All windows were gone through.
    #[n(0)]
    Finished,
    /// There are other sessions.
    #[n(1)]
    Busy,
    /// All that may be taken from, or given to, one device for now was.
    #[n(2)]
    Spent,
    /// The sets cannot be compared with the work that one session may take.
    #[n(3)]
    TooMuch,
    /// The other side said what it must not.
    #[n(4)]
    Malformed,
    /// The other side let us wait for too long.
    #[n(5)]
    TooSlow,
}

/// A message of `/chats/sync/1`.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum SyncMessage {
    /// The first word of the side that begins.
    #[n(0)]
    Hello {
        /// Random.
        #[cbor(n(0), with = "minicbor::bytes")]
        salt: Salt,
        /// All its rooms, at most [`MAX_ROOMS`].
        #[n(1)]
        rooms: Vec<RoomOffer>,
    },
    /// One round of comparing what both have of a window.
    #[n(1)]
    Reconcile {
        /// Of which set.
        #[n(0)]
        set: SetNumber,
        /// Which part of it.
        #[n(1)]
        window: Window,
        /// A message of negentropy, protocol version 1; at most [`MAX_NEGENTROPY`] bytes.
        #[n(2)]
        negentropy: ByteVec,
    },
    /// Asks for items.
    #[n(2)]
    Fetch {
        /// Of which set.
        #[n(0)]
        set: SetNumber,
        /// Which, 1 to [`MAX_FETCH`].
        #[n(1)]
        ids: Vec<OpId>,
    },
    /// Items, in the order in which they were asked for, or unasked, newest first.
    #[n(3)]
    Items {
        /// Of which set.
        #[n(0)]
        set: SetNumber,
        /// 1 to [`MAX_ITEMS`] of at most [`MAX_ITEM`] bytes. None are long if what was asked for
        /// is not to be had.
        #[n(1)]
        items: Vec<ByteVec>,
    },
    /// The answer to each message of items, in their order.
    #[n(4)]
    Committed {
        /// Of which set.
        #[n(0)]
        set: SetNumber,
        /// Those that are on disk here. What is left out was refused.
        #[n(1)]
        ids: Vec<OpId>,
    },
    /// All of a window that was to be had of each other is on disk on both sides.
    #[n(5)]
    Done {
        /// Of which set.
        #[n(0)]
        set: SetNumber,
        /// Which part of it.
        #[n(1)]
        window: Window,
    },
    /// The session is over.
    #[n(6)]
    End {
        /// Why.
        #[n(0)]
        reason: End,
    },
    /// The first word of the other side.
    #[n(7)]
    Welcome {
        /// Random, another one.
        #[cbor(n(0), with = "minicbor::bytes")]
        salt: Salt,
        /// Those of the rooms of the hello that it has, too, in that order.
        #[n(1)]
        rooms: Vec<RoomOffer>,
    },
    /// Outside of sessions: what the other side wrote and delivered live is on disk here.
    #[n(8)]
    Stored {
        /// The room's tag, or zeros for the control log.
        #[cbor(n(0), with = "minicbor::bytes")]
        set: [u8; 16],
        /// Which, 1 to [`MAX_ITEMS`].
        #[n(1)]
        ids: Vec<OpId>,
    },
    /// Compares what both have of a window by a sketch, which takes less than negentropy where
    /// little is unlike.
    #[n(9)]
    Sketch {
        /// Of which set.
        #[n(0)]
        set: SetNumber,
        /// Which part of it.
        #[n(1)]
        window: Window,
        /// How many ids are in it.
        #[n(2)]
        known: u32,
        /// Its cells, one after the other, at most [`MAX_CELLS`].
        #[n(3)]
        cells: ByteVec,
    },
    /// The answer to a sketch: all that the two have not both.
    #[n(10)]
    Difference {
        /// Of which set.
        #[n(0)]
        set: SetNumber,
        /// Which part of it.
        #[n(1)]
        window: Window,
        /// What the side that asked has not.
        #[n(2)]
        have: Vec<OpId>,
        /// What the side that answers has not. No more than cells of a sketch, with `have`.
        #[n(3)]
        lack: Vec<Short>,
    },
    /// The other answer: the sketch does not tell.
    #[n(11)]
    Again {
        /// Of which set.
        #[n(0)]
        set: SetNumber,
        /// Which part of it.
        #[n(1)]
        window: Window,
        /// How many cells may do, at most [`MAX_CELLS`]; 0 if it is to be negentropy.
        #[n(2)]
        cells: u16,
    },
}

impl SyncMessage {
    /// Reads a message.
    ///
    /// # Errors
    /// [`WireError`] if it is not written as it must be, or exceeds a limit.
    pub fn read(bytes: &[u8]) -> Result<Self, WireError> {
        let what = "sync message";
        if bytes.len() > MAX_MESSAGE {
            return Err(WireError::Malformed { what, why: "too long".into() });
        }
        let message: Self = wire::decode(what, bytes)?;
        let within = match &message {
            Self::Hello { rooms, .. } | Self::Welcome { rooms, .. } => rooms.len() <= MAX_ROOMS,
            Self::Reconcile { window, negentropy, .. } => {
                !window.is_empty() && (1..=MAX_NEGENTROPY).contains(&negentropy.len())
            }
            Self::Fetch { ids, .. } => (1..=MAX_FETCH).contains(&ids.len()),
            Self::Items { items, .. } => {
                (1..=MAX_ITEMS).contains(&items.len())
                    && items.iter().all(|item| item.len() <= MAX_ITEM)
            }
            Self::Committed { ids, .. } => ids.len() <= MAX_ITEMS,
            Self::Stored { ids, .. } => (1..=MAX_ITEMS).contains(&ids.len()),
            Self::Done { window, .. } => !window.is_empty(),
            Self::Sketch { window, cells, .. } => {
                !window.is_empty() && (CELL..=MAX_CELLS * CELL).contains(&cells.len())
            }
            Self::Difference { window, have, lack, .. } => {
                !window.is_empty() && have.len() + lack.len() <= MAX_CELLS
            }
            Self::Again { window, cells, .. } => {
                !window.is_empty() && usize::from(*cells) <= MAX_CELLS
            }
            Self::End { .. } => true,
        };
        if within {
            Ok(message)
        } else {
            Err(WireError::Malformed { what, why: "over a limit".into() })
        }
    }
}

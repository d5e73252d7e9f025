//! A room's keys for a time, as all may see it.

use crate::control::ascend;
use crate::control::signed::device_signed;
use crate::epoch::{EpochId, EpochSecret, Policy, RoomId, RoomTag, SealedRoom, WriteKey};
use crate::history::Position;
use crate::id::{Community, DeviceKey, DeviceSignature, Wallet};
use crate::op::{OpId, Parents};
use crate::time::Time;
use crate::wire;
use minicbor::{Decode, Encode};

/// Says that there is an epoch: who made it, when by the contract's count, and for whom not.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct EpochRecord {
    /// Of which community.
    #[n(0)]
    pub community: Community,
    /// Of which room.
    #[n(1)]
    pub room_tag: RoomTag,
    /// At which version of the community's seats.
    #[n(2)]
    pub version: u64,
    /// The contract's digest at that version.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub rolling: [u8; 32],
    /// 1 more than the largest generation among the parents of the same version.
    #[n(4)]
    pub generation: u16,
    /// The ids of up to 8 records that its author knew as the newest.
    #[n(5)]
    pub parents: Parents,
    /// Who made it.
    #[n(6)]
    pub author: DeviceKey,
    /// When.
    #[n(7)]
    pub time: Time,
    /// The epoch's id, which follows from its secret.
    #[n(8)]
    pub epoch: EpochId,
    /// The public half of its write key.
    #[n(9)]
    pub write_key: WriteKey,
    /// The room's id, for those who have the epoch's secret.
    #[n(10)]
    pub room: SealedRoom,
    /// What kind of room it is; in records without parents, and only there.
    #[n(11)]
    pub charter: Option<Charter>,
    /// Whose earlier ops are limited to those named, ascending by device.
    #[n(12)]
    pub cuts: Vec<Cut>,
    /// Where the secret is sealed to the devices, at most [`Self::MAX_PAGES`], ascending.
    #[n(13)]
    pub pages: Vec<PageRef>,
    /// Of `author`, context `epoch`.
    #[n(14)]
    pub signature: DeviceSignature,
}

/// A page with wraps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct PageRef {
    /// The first device on it: a device finds itself on the last page that begins no later.
    #[n(0)]
    pub first: DeviceKey,
    /// The id of the page, as a control item.
    #[n(1)]
    pub page: OpId,
}

/// What a room is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Charter {
    /// Whose it is.
    #[n(0)]
    pub kind: RoomKind,
    /// What newcomers may read.
    #[n(1)]
    pub policy: Policy,
}

/// Whose a room is. The room's id follows from it and from 16 random bytes, so those in the room
/// know which of several charters is the right one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(flat)]
pub enum RoomKind {
    /// All members'.
    #[n(0)]
    All,
    /// Two wallets', the smaller first.
    #[n(1)]
    Direct(#[n(0)] Wallet, #[n(1)] Wallet),
}

/// The last ops of a device that lost its right to write.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Cut {
    /// Whose.
    #[n(0)]
    pub device: DeviceKey,
    /// Why.
    #[n(1)]
    pub cause: Cause,
    /// Its last ops, up to 8.
    #[n(2)]
    pub heads: Parents,
}

/// Why a device lost its right to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Cause {
    /// Its wallet lost its seat with the change that led to this version.
    #[n(0)]
    Seat(#[n(0)] u64),
    /// Its wallet voided all certificates until this moment, in unix seconds.
    #[n(1)]
    Cutoff(#[n(0)] u64),
    /// Its wallet revoked it.
    #[n(2)]
    Revoked(#[n(0)] OpId),
    /// Its newest certificate ended at this moment, in unix seconds.
    #[n(3)]
    Expired(#[n(0)] u64),
}

impl RoomKind {
    /// The room of two wallets, in whatever order.
    #[must_use]
    pub fn direct(one: Wallet, other: Wallet) -> Self {
        Self::Direct(one.min(other), one.max(other))
    }

    /// Whether a wallet with a seat is in the room.
    #[must_use]
    pub fn includes(&self, wallet: Wallet) -> bool {
        match self {
            Self::All => true,
            Self::Direct(one, other) => wallet == *one || wallet == *other,
        }
    }

    /// The id of a new room of this kind: the 16 random bytes, and 16 that follow from them.
    #[must_use]
    pub fn room(&self, random: [u8; 16]) -> RoomId {
        let mut id = [0; 32];
        let (start, end) = id.split_at_mut(16);
        start.copy_from_slice(&random);
        blake3::Hasher::new_derive_key("community-chats/1 room kind")
            .update(&random)
            .update(&wire::encode(self))
            .finalize_xof()
            .fill(end);
        RoomId::new(id)
    }

    /// Whether the room with this id was made as one of this kind.
    #[must_use]
    pub fn fits(&self, room: &RoomId) -> bool {
        room.bytes().first_chunk().is_some_and(|random| self.room(*random) == *room)
    }
}

impl EpochRecord {
    /// The most pages named: the most devices that get keys, 500 on each.
    pub const MAX_PAGES: usize = 4;

    /// Where the epoch stands among those of its room: later ones are greater.
    #[must_use]
    pub const fn position(&self) -> Position {
        Position { version: self.version, generation: self.generation }
    }

    /// Whether `secret` is the one that this epoch's id was made of.
    #[must_use]
    pub fn is_of(&self, secret: &EpochSecret) -> bool {
        secret.id(self.room_tag, self.version, self.generation, self.author) == self.epoch
    }

    /// The page on which the wrap for a device would be.
    #[must_use]
    pub fn page_of(&self, device: DeviceKey) -> Option<OpId> {
        let until = self.pages.partition_point(|page| page.first <= device);
        until.checked_sub(1).and_then(|last| self.pages.get(last)).map(|page| page.page)
    }

    pub(super) fn form(&self) -> Result<(), &'static str> {
        let rules = [
            (self.generation > 0, "generations count from 1"),
            (ascend(&self.pages, Self::MAX_PAGES, |page| page.first), "at most 4 pages, ascending"),
            (ascend(&self.cuts, usize::MAX, |cut| cut.device), "cuts ascend by device"),
            (
                self.charter.is_some() == self.parents.as_slice().is_empty(),
                "a charter without parents, parents without a charter",
            ),
            (self.charter.is_none_or(|charter| charter.kind.form()), "the smaller wallet first"),
        ];
        rules.into_iter().find(|(kept, _)| !kept).map_or(Ok(()), |(_, rule)| Err(rule))
    }
}

impl RoomKind {
    fn form(&self) -> bool {
        match self {
            Self::All => true,
            Self::Direct(one, other) => one < other,
        }
    }
}

device_signed!(EpochRecord, "epoch", author);

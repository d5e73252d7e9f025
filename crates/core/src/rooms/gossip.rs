//! What is said of rooms by gossip.

use crate::epoch::{EpochId, EpochKeys, RoomTag};
use crate::id::{Community, DeviceKey, DeviceSecret, DeviceSignature};
use crate::op::OpId;
use crate::seal::Nonce;
use crate::time::{Duration, Time};
use crate::wire;
use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

/// How long somebody who said so is taken to be writing.
pub(super) const TYPING_LASTS: Duration = Duration::from_secs(6);
/// The most bytes of an op or item that is gossiped whole; of larger ones the id is.
pub(super) const MAX_WHOLE: usize = crate::gossip::MAX_FRAME - 64;

const CONTEXT: &[u8] = b"community-chats/typing/1\0";

/// A message of gossip about rooms.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum RoomGossip {
    /// An op.
    #[n(0)]
    Op(#[n(0)] ByteVec),
    /// A control item.
    #[n(1)]
    Item(#[n(0)] ByteVec),
    /// There is an op or item that is too large to be gossiped.
    #[n(2)]
    Have {
        /// The room's tag, or zeros for the control log.
        #[cbor(n(0), with = "minicbor::bytes")]
        set: [u8; 16],
        /// Which.
        #[n(1)]
        id: OpId,
    },
    /// Somebody in a room writes: for those in it alone.
    #[n(3)]
    Typing(#[n(0)] SealedTyping),
}

/// That somebody writes, sealed with the `presence` key of an epoch.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct SealedTyping {
    /// In which room.
    #[n(0)]
    pub room: RoomTag,
    /// Of which epoch.
    #[n(1)]
    pub epoch: EpochId,
    /// Random.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub nonce: Nonce,
    /// A [`Typing`].
    #[cbor(n(3), with = "minicbor::bytes")]
    pub sealed: Vec<u8>,
}

/// A device says that somebody writes.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Typing {
    /// On which device.
    #[n(0)]
    pub device: DeviceKey,
    /// When.
    #[n(1)]
    pub time: Time,
    /// Of the device, over context, community, room, device and time.
    #[n(2)]
    pub signature: DeviceSignature,
}

fn covered(community: Community, room: RoomTag, device: DeviceKey, time: Time) -> Vec<u8> {
    [CONTEXT, &wire::encode(&(community, room, device, time))].concat()
}

impl SealedTyping {
    /// The longest that what is sealed may be, in bytes.
    const MAX: usize = 160;

    /// Says it.
    #[must_use]
    pub fn seal(
        community: Community,
        room: RoomTag,
        me: &DeviceSecret,
        keys: &EpochKeys,
        nonce: Nonce,
        time: Time,
    ) -> Self {
        let device = me.device();
        let signature = me.sign(&covered(community, room, device, time));
        let mut sealed = wire::encode(&Typing { device, time, signature });
        keys.presence().seal(&nonce, &room.0, &mut sealed);
        Self { room, epoch: keys.id(), nonce, sealed }
    }

    /// Who says it and when; `None` if it is not sealed with these keys, or not signed.
    #[must_use]
    pub fn open(&self, community: Community, keys: &EpochKeys) -> Option<Typing> {
        let fits = self.sealed.len() <= Self::MAX && keys.id() == self.epoch;
        let opened = fits.then(|| keys.presence().open(&self.nonce, &self.room.0, &self.sealed));
        let typing: Typing = wire::decode("typing", &opened.flatten()?).ok()?;
        let covered = covered(community, self.room, typing.device, typing.time);
        typing.device.verifies(&covered, &typing.signature).then_some(typing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::epoch::EpochSecret;
    use crate::fixtures::{COMMUNITY, NOW};

    const ROOM: RoomTag = RoomTag([4; 16]);

    fn keys(seed: u8) -> EpochKeys {
        EpochKeys::derive(&EpochSecret::new([seed; 32]), &EpochId([seed; 16]))
    }

    #[test]
    fn that_somebody_writes_is_for_the_room_alone_and_signed() {
        let me = DeviceSecret::from_seed(&[1; 32]);
        let said = SealedTyping::seal(COMMUNITY, ROOM, &me, &keys(1), [9; 24], NOW);
        let heard = said.open(COMMUNITY, &keys(1)).unwrap();
        assert_eq!((heard.device, heard.time), (me.device(), NOW));
        assert_eq!(said.open(COMMUNITY, &keys(2)), None);
        let elsewhere = SealedTyping { room: RoomTag([5; 16]), ..said.clone() };
        assert_eq!(elsewhere.open(COMMUNITY, &keys(1)), None);
    }

    #[test]
    fn nobody_says_it_for_another() {
        let me = DeviceSecret::from_seed(&[1; 32]);
        let other = DeviceSecret::from_seed(&[2; 32]).device();
        let signature = me.sign(&covered(COMMUNITY, ROOM, me.device(), NOW));
        let mut sealed = wire::encode(&Typing { device: other, time: NOW, signature });
        keys(1).presence().seal(&[9; 24], &ROOM.0, &mut sealed);
        let said = SealedTyping { room: ROOM, epoch: keys(1).id(), nonce: [9; 24], sealed };
        assert_eq!(said.open(COMMUNITY, &keys(1)), None);
    }
}

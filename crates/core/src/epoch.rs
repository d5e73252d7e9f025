//! The keys of a room for a time.
//!
//! A room has one secret after the other; each, an epoch's, makes all keys that are used while it
//! is the newest. The secret is random and its id follows from it, so who receives one can tell
//! whether it is the right one.

use crate::base32;
use crate::id::DeviceKey;
use crate::seal::{Nonce, SealKey};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use hkdf::Hkdf;
use minicbor::{Decode, Encode};
use sha2::Sha256;
use std::fmt;
use zeroize::{Zeroize, Zeroizing};

/// Which room: 32 random bytes that only its members know. Erased on drop, never printed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(transparent)]
pub struct RoomId(#[cbor(n(0), with = "minicbor::bytes")] [u8; 32]);

impl RoomId {
    /// The room with these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, to be sealed or stored.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// What the room is called towards those who do not know it.
    #[must_use]
    pub fn tag(&self) -> RoomTag {
        RoomTag(short(blake3::Hasher::new_derive_key("community-chats/1 room tag").update(&self.0)))
    }
}

impl Drop for RoomId {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for RoomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RoomId(..)")
    }
}

/// A room's public name: it follows from the [`RoomId`] and tells nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct RoomTag(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 16]);

impl RoomTag {
    /// Reads what [`fmt::Display`] wrote, in exactly that form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        base32::read(text).map(Self)
    }
}

impl fmt::Display for RoomTag {
    /// Crockford's base32 in lower case, 26 characters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base32::write(&self.0))
    }
}

/// Which epoch: it follows from the secret and from where and by whom it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct EpochId(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 16]);

/// What all keys of an epoch are made of: 32 random bytes. Erased on drop, never printed.
#[derive(Clone, Encode, Decode)]
#[cbor(transparent)]
pub struct EpochSecret(#[cbor(n(0), with = "minicbor::bytes")] [u8; 32]);

impl EpochSecret {
    /// The secret with these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, to be sealed.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The id of the epoch that `author` made of this secret for a room, at this version of the
    /// community's seats and in this generation of it.
    #[must_use]
    pub fn id(&self, room: RoomTag, version: u64, generation: u16, author: DeviceKey) -> EpochId {
        EpochId(short(
            blake3::Hasher::new_derive_key("community-chats/1 epoch id")
                .update(&self.0)
                .update(&room.0)
                .update(&version.to_be_bytes())
                .update(&generation.to_be_bytes())
                .update(&author.0),
        ))
    }
}

impl Drop for EpochSecret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for EpochSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EpochSecret(..)")
    }
}

/// The first 16 bytes of a hash.
fn short(hasher: &blake3::Hasher) -> [u8; 16] {
    let mut bytes = [0; 16];
    hasher.finalize_xof().fill(&mut bytes);
    bytes
}

/// The public half of an epoch's write key (Ed25519): with it, those without the epoch's secret
/// can tell that somebody with it wrote something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct WriteKey(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 32]);

impl WriteKey {
    /// Checks a signature of the epoch over `message`.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &WriteSignature) -> bool {
        VerifyingKey::from_bytes(&self.0).is_ok_and(|key| {
            key.verify_strict(message, &Signature::from_bytes(&signature.0)).is_ok()
        })
    }
}

/// An Ed25519 signature with an epoch's write key, 64 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct WriteSignature(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 64]);

impl fmt::Debug for WriteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WriteSignature(..)")
    }
}

/// How much of a room newcomers may read; the greater is the stricter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Policy {
    /// Everything.
    #[n(0)]
    OpenHistory,
    /// What is written after they came.
    #[n(1)]
    FromJoin,
}

/// A room's id as an epoch's record carries it: open to those who have the epoch's secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct SealedRoom {
    /// Random.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub nonce: Nonce,
    /// The id, 32 bytes, and the tag.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub sealed: [u8; 48],
}

/// All keys of an epoch. Erased on drop, never printed.
#[derive(Clone)]
pub struct EpochKeys {
    id: EpochId,
    write: SigningKey,
    header: SealKey,
    body: SealKey,
    presence: SealKey,
    room: SealKey,
}

impl EpochKeys {
    /// The keys of the epoch with this secret and id.
    #[must_use]
    pub fn derive(secret: &EpochSecret, id: &EpochId) -> Self {
        let source = Hkdf::<Sha256>::new(Some(&id.0), &secret.0);
        let key = |purpose: &[u8]| {
            let mut bytes = Zeroizing::new([0; 32]);
            // 32 bytes are far below what HKDF-SHA256 can give (RFC 5869: 8,160).
            let _ = source.expand(purpose, &mut *bytes);
            bytes
        };
        Self {
            id: *id,
            write: SigningKey::from_bytes(&key(b"write/1")),
            header: SealKey::new(key(b"header/1")),
            body: SealKey::new(key(b"body/1")),
            presence: SealKey::new(key(b"presence/1")),
            room: SealKey::new(key(b"room/1")),
        }
    }

    /// Whose keys these are.
    #[must_use]
    pub const fn id(&self) -> EpochId {
        self.id
    }

    /// What others check [`Self::sign_write`] with.
    #[must_use]
    pub fn write_key(&self) -> WriteKey {
        WriteKey(self.write.verifying_key().to_bytes())
    }

    /// Signs `message`; callers put a context string of their own in front.
    #[must_use]
    pub fn sign_write(&self, message: &[u8]) -> WriteSignature {
        WriteSignature(self.write.sign(message).to_bytes())
    }

    /// Seals the headers of ops.
    #[must_use]
    pub const fn header(&self) -> &SealKey {
        &self.header
    }

    /// Seals the bodies of ops.
    #[must_use]
    pub const fn body(&self) -> &SealKey {
        &self.body
    }

    /// Seals what is said about the moment and not kept.
    #[must_use]
    pub const fn presence(&self) -> &SealKey {
        &self.presence
    }

    /// Seals the room's id, for the epoch's record.
    #[must_use]
    pub fn seal_room(&self, room: &RoomId, nonce: Nonce) -> SealedRoom {
        let mut buffer = Vec::with_capacity(48);
        buffer.extend_from_slice(room.bytes());
        self.room.seal(&nonce, &self.id.0, &mut buffer);
        // It is always 48 bytes; others would not open.
        SealedRoom { nonce, sealed: buffer.try_into().unwrap_or([0; 48]) }
    }

    /// The room's id from the epoch's record, which names the room by `tag`; `None` if it was not
    /// sealed with these keys or is the id of another room.
    #[must_use]
    pub fn open_room(&self, room: &SealedRoom, tag: RoomTag) -> Option<RoomId> {
        let mut opened = self.room.open(&room.nonce, &self.id.0, &room.sealed)?;
        let id = opened.as_slice().try_into().ok().map(RoomId::new);
        opened.zeroize();
        id.filter(|id| id.tag() == tag)
    }
}

impl fmt::Debug for EpochKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EpochKeys({:?})", self.id)
    }
}

#[cfg(test)]
mod tests;

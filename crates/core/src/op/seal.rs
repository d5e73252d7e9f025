//! Writing an op.

use super::envelope::{write, write_message};
use super::{Body, Header, OpError, OpId, Parents, SUITE, Signed, VERSION, size};
use crate::epoch::{EpochKeys, RoomId};
use crate::hlc::Hlc;
use crate::id::{Community, DeviceSecret, DeviceSignature};
use crate::seal::{Nonce, TAG};
use crate::wire;

/// Everything that an op is made of.
#[derive(Debug, Clone)]
pub struct Draft<'a> {
    /// In which community.
    pub community: &'a Community,
    /// In which room of it.
    pub room: &'a RoomId,
    /// The keys of the epoch to write under.
    pub keys: &'a EpochKeys,
    /// Who writes.
    pub device: &'a DeviceSecret,
    /// When; see [`crate::hlc::HybridClock`].
    pub hlc: Hlc,
    /// How many ops this device wrote in this room before.
    pub sequence: u64,
    /// The last of those.
    pub previous: Option<OpId>,
    /// The heads that it has seen, but for `previous`.
    pub parents: Parents,
    /// What the content is.
    pub content_type: u16,
    /// The content.
    pub content: &'a [u8],
}

/// An op that was just written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedOp {
    /// Its id.
    pub id: OpId,
    /// It itself, for [`super::Envelope::decode`].
    pub bytes: Vec<u8>,
}

impl Draft<'_> {
    /// Seals and signs it. Of `random` the header's nonce takes 24 bytes, then the body's 24 and
    /// the body 16; never the same for two ops.
    ///
    /// # Errors
    /// [`OpError::TooLarge`], or [`OpError::Order`] if it names as earlier what is not.
    pub fn seal(&self, random: &[u8; 64]) -> Result<SealedOp, OpError> {
        let (header_nonce, body_nonce, body_random) = split(random);
        let mut header = Header {
            device: self.device.device(),
            sequence: self.sequence,
            previous: self.previous,
            parents: self.parents.clone(),
            content_type: self.content_type,
            signature: DeviceSignature([0; 64]),
        };
        header.check(self.hlc)?;
        // The body is as long as the rest leaves room for, so that is measured first.
        let mut sealed_header = wire::encode(&header);
        sealed_header.resize(sealed_header.len() + TAG, 0);
        let mut signed = Signed {
            version: VERSION,
            suite: SUITE,
            room: self.room.tag(),
            hlc: self.hlc,
            epoch: self.keys.id(),
            header_nonce,
            body_nonce,
            sealed_header: &sealed_header,
            body_hash: [0; 32],
        };
        let length = wire::encode(&signed).len();
        let size = size::needed(length, self.content.len());
        let size = size.ok_or(OpError::TooLarge(self.content.len()))?;
        let context = signed.context();

        let mut body = Body::write(&body_random, self.content, size::filled(size, length));
        self.keys.body().seal(&body_nonce, &context, &mut body);
        signed.body_hash = blake3::hash(&body).into();
        header.signature = self.device.sign(&header.message(self.community, self.room, &signed));

        let mut sealed_header = wire::encode(&header);
        self.keys.header().seal(&header_nonce, &context, &mut sealed_header);
        let signed = wire::encode(&Signed { sealed_header: &sealed_header, ..signed });
        let signature = self.keys.sign_write(&write_message(&signed));
        let id = OpId::of(self.hlc, &signed);
        Ok(SealedOp { id, bytes: write(&signed, Some(&body), &signature) })
    }
}

fn split(random: &[u8; 64]) -> (Nonce, Nonce, [u8; 16]) {
    let mut bytes = random.iter().copied();
    let mut next = || bytes.next().unwrap_or_default();
    (
        std::array::from_fn(|_| next()),
        std::array::from_fn(|_| next()),
        std::array::from_fn(|_| next()),
    )
}

//! An op as it travels and as it is kept.

use super::size::{self, BODY_HEAD};
use super::{Header, MAX_HEADER, OpError, OpId, SIZES, SUITE, VERSION};
use crate::epoch::{EpochId, EpochKeys, RoomId, RoomTag, WriteKey, WriteSignature};
use crate::hlc::Hlc;
use crate::id::Community;
use crate::seal::{Nonce, TAG};
use crate::wire::{self, WireError};
use minicbor::data::Type;
use minicbor::{Decode, Decoder, Encode};
use std::fmt;

const WRITE_CONTEXT: &[u8] = b"community-chats/write/1\0";

/// What the id of an op is the hash of: all that those without keys can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Signed<'a> {
    /// [`VERSION`].
    #[n(0)]
    pub version: u8,
    /// [`SUITE`].
    #[n(1)]
    pub suite: u8,
    /// In which room.
    #[n(2)]
    pub room: RoomTag,
    /// When.
    #[n(3)]
    pub hlc: Hlc,
    /// Sealed with the keys of which epoch.
    #[n(4)]
    pub epoch: EpochId,
    /// Random; the header is sealed with it.
    #[cbor(n(5), with = "minicbor::bytes")]
    pub header_nonce: Nonce,
    /// Random; the body is sealed with it.
    #[cbor(n(6), with = "minicbor::bytes")]
    pub body_nonce: Nonce,
    /// A [`Header`].
    #[cbor(b(7), with = "minicbor::bytes")]
    pub sealed_header: &'a [u8],
    /// BLAKE3 of the sealed body.
    #[cbor(n(8), with = "minicbor::bytes")]
    pub body_hash: [u8; 32],
}

impl Signed<'_> {
    /// What is not sealed with header and body but must be the same when they are opened.
    pub(super) fn context(&self) -> Vec<u8> {
        wire::encode(&(self.version, self.suite, self.room, self.hlc, self.epoch))
    }
}

/// An op, read from bytes and still mostly sealed. It borrows them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Envelope<'a> {
    id: OpId,
    bytes: &'a [u8],
    signed: Signed<'a>,
    body: Option<&'a [u8]>,
    write: WriteSignature,
}

impl<'a> Envelope<'a> {
    /// Reads an op from bytes of others, with its body or without it. Everything is checked that
    /// can be without keys, but for the write signature.
    ///
    /// # Errors
    /// [`OpError::Wire`], [`OpError::Version`], [`OpError::Size`] or [`OpError::BodyHash`].
    pub fn decode(envelope: &'a [u8]) -> Result<Self, OpError> {
        let malformed = |why: minicbor::decode::Error| WireError::Malformed {
            what: "op",
            why: why.to_string(),
        };
        let (bytes, body, write, end) = parts(envelope).map_err(malformed)?;
        let whole = envelope.len();
        // Only the shortest heads of all parts, and nothing behind them, add up to this.
        if end != whole || whole != size::written(bytes.len(), body.map(<[u8]>::len)) {
            return Err(WireError::NotDeterministic { what: "op" }.into());
        }
        if body.is_some() && !SIZES.contains(&whole) {
            return Err(OpError::Size(whole));
        }
        let signed: Signed<'a> = wire::decode("op", bytes)?;
        if (signed.version, signed.suite) != (VERSION, SUITE) {
            return Err(OpError::Version(signed.version, signed.suite));
        }
        if signed.sealed_header.len() > MAX_HEADER + TAG {
            return Err(OpError::Size(whole));
        }
        if body.is_some_and(|body| blake3::hash(body) != signed.body_hash) {
            return Err(OpError::BodyHash);
        }
        Ok(Self { id: OpId::of(signed.hlc, bytes), bytes, signed, body, write })
    }

    /// Its id: to be compared where it was asked for by one.
    #[must_use]
    pub const fn id(&self) -> OpId {
        self.id
    }

    /// What can be read without keys.
    #[must_use]
    pub const fn signed(&self) -> &Signed<'a> {
        &self.signed
    }

    /// Whether it still has its body.
    #[must_use]
    pub const fn has_body(&self) -> bool {
        self.body.is_some()
    }

    /// Checks that it was written with the secret of its epoch, whose write key this is.
    ///
    /// # Errors
    /// [`OpError::WriteSignature`].
    pub fn verify_write(&self, key: &WriteKey) -> Result<(), OpError> {
        let verified = key.verifies(&write_message(self.bytes), &self.write);
        verified.then_some(()).ok_or(OpError::WriteSignature)
    }

    /// Opens the header. It is authentic only if [`Self::verify_header`] says so, or an authentic
    /// header that [`Header::follows`] it names this op as its previous.
    ///
    /// # Errors
    /// [`OpError::OtherEpoch`], [`OpError::Header`], [`OpError::Wire`] or [`OpError::Order`].
    pub fn open_header(&self, keys: &EpochKeys) -> Result<Header, OpError> {
        self.check_epoch(keys)?;
        let signed = &self.signed;
        let header = keys
            .header()
            .open(&signed.header_nonce, &signed.context(), signed.sealed_header)
            .ok_or(OpError::Header)?;
        let header: Header = wire::decode("op header", &header)?;
        header.check(signed.hlc)?;
        Ok(header)
    }

    /// Checks that the device that `header`, this op's, names signed it, for this room.
    ///
    /// # Errors
    /// [`OpError::OtherRoom`] or [`OpError::Signature`].
    pub fn verify_header(
        &self,
        header: &Header,
        community: &Community,
        room: &RoomId,
    ) -> Result<(), OpError> {
        if room.tag() != self.signed.room {
            return Err(OpError::OtherRoom);
        }
        let message = header.message(community, room, &self.signed);
        let verified = header.device.verifies(&message, &header.signature);
        verified.then_some(()).ok_or(OpError::Signature)
    }

    /// Opens the body.
    ///
    /// # Errors
    /// [`OpError::OtherEpoch`], [`OpError::NoBody`], [`OpError::Body`] or [`OpError::Padding`].
    pub fn open_body(&self, keys: &EpochKeys) -> Result<Body, OpError> {
        self.check_epoch(keys)?;
        let sealed = self.body.ok_or(OpError::NoBody)?;
        let signed = &self.signed;
        let opened = keys.body().open(&signed.body_nonce, &signed.context(), sealed);
        let body = Body::read(opened.ok_or(OpError::Body)?)?;
        let whole = size::written(self.bytes.len(), Some(sealed.len()));
        if size::needed(self.bytes.len(), body.content().len()) != Some(whole) {
            return Err(OpError::Padding);
        }
        Ok(body)
    }

    /// Writes it down as it was read.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        write(self.bytes, self.body, &self.write)
    }

    /// Writes it down without its body; id and signatures can still be checked.
    #[must_use]
    pub fn encode_without_body(&self) -> Vec<u8> {
        write(self.bytes, None, &self.write)
    }

    fn check_epoch(&self, keys: &EpochKeys) -> Result<(), OpError> {
        if keys.id() == self.signed.epoch {
            Ok(())
        } else {
            Err(OpError::OtherEpoch(self.signed.epoch))
        }
    }
}

impl fmt::Debug for Envelope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Envelope({})", self.id)
    }
}

type Parts<'a> = (&'a [u8], Option<&'a [u8]>, WriteSignature, usize);

/// The parts of an envelope, and where they end.
fn parts(envelope: &[u8]) -> Result<Parts<'_>, minicbor::decode::Error> {
    let mut decoder = Decoder::new(envelope);
    if decoder.array()? != Some(3) {
        return Err(minicbor::decode::Error::message("not three parts"));
    }
    let signed = decoder.bytes()?;
    let body = match decoder.datatype()? {
        Type::Null => decoder.null().map(|()| None)?,
        _ => Some(decoder.bytes()?),
    };
    let write = decoder.decode()?;
    Ok((signed, body, write, decoder.position()))
}

/// Writes an envelope.
pub(super) fn write(signed: &[u8], body: Option<&[u8]>, write: &WriteSignature) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(size::written(signed.len(), body.map(<[u8]>::len)));
    let mut encoder = minicbor::Encoder::new(&mut bytes);
    // Writing into a vector cannot fail.
    let _ = encoder.array(3).and_then(|to| to.bytes(signed)).and_then(|to| {
        match body {
            Some(body) => to.bytes(body)?,
            None => to.null()?,
        }
        .encode(write)
    });
    bytes
}

/// What the epoch's write key signs.
pub(super) fn write_message(signed: &[u8]) -> Vec<u8> {
    [WRITE_CONTEXT, signed].concat()
}

/// The opened body of an op.
#[derive(Clone, PartialEq, Eq)]
pub struct Body {
    /// Random bytes, the content's length, the content, zeros.
    bytes: Vec<u8>,
    /// Where the content ends.
    end: usize,
}

impl Body {
    /// The body with this content, as long as it must be for a sealed one of `sealed` bytes.
    pub(super) fn write(random: &[u8; 16], content: &[u8], sealed: usize) -> Vec<u8> {
        let length = u32::try_from(content.len()).unwrap_or(u32::MAX);
        let mut bytes = Vec::with_capacity(sealed);
        bytes.extend_from_slice(random);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(content);
        bytes.resize(sealed.saturating_sub(TAG), 0);
        bytes
    }

    /// Reads an opened body.
    ///
    /// # Errors
    /// [`OpError::Padding`] if it is shorter than it says, or not filled up with zeros.
    pub fn read(bytes: Vec<u8>) -> Result<Self, OpError> {
        let head = bytes.first_chunk::<BODY_HEAD>();
        let length = head.and_then(|head| head.last_chunk()).copied().map(u32::from_be_bytes);
        let end = length
            .and_then(|length| usize::try_from(length).ok()?.checked_add(BODY_HEAD))
            .filter(|end| bytes.get(*end..).is_some_and(|rest| rest.iter().all(|b| *b == 0)));
        end.map(|end| Self { bytes, end }).ok_or(OpError::Padding)
    }

    /// The content; see [`crate::content`].
    #[must_use]
    pub fn content(&self) -> &[u8] {
        self.bytes.get(BODY_HEAD..self.end).unwrap_or_default()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes of content)", self.content().len())
    }
}

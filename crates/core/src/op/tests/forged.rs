//! What a member who has the keys, or somebody without them, might make of an op.

use super::super::envelope::{write, write_message};
use super::*;
use crate::id::DeviceSignature;
use crate::wire::{self, WireError};
use minicbor::Encode;

impl Writer {
    /// An op with any header, any clear part and any body, sealed as it should be.
    pub(super) fn forge(
        &self,
        header: &impl Encode<()>,
        clear: &Signed<'_>,
        body: &[u8],
    ) -> Vec<u8> {
        let context = clear.context();
        let (mut sealed_header, mut sealed_body) = (wire::encode(header), body.to_vec());
        self.keys.header().seal(&clear.header_nonce, &context, &mut sealed_header);
        self.keys.body().seal(&clear.body_nonce, &context, &mut sealed_body);
        let body_hash = blake3::hash(&sealed_body).into();
        self.frame(&Signed { sealed_header: &sealed_header, body_hash, ..*clear }, &sealed_body)
    }

    /// The clear part and a sealed body as an envelope.
    pub(super) fn frame(&self, signed: &Signed<'_>, sealed_body: &[u8]) -> Vec<u8> {
        let signed = wire::encode(signed);
        write(&signed, Some(sealed_body), &self.keys.sign_write(&write_message(&signed)))
    }

    /// An op as it was written: its header, its clear part and its opened body.
    fn taken(&self) -> (Header, Signed<'static>, Vec<u8>) {
        let sealed = self.write(b"content");
        let op = Envelope::decode(&sealed.bytes).expect("it reads");
        let (header, body) = self.read(&sealed.bytes).expect("it opens");
        let signed = Signed { sealed_header: &[], ..*op.signed() };
        let filled = size::filled(512, wire::encode(op.signed()).len());
        (header, signed, Body::write(&[5; 16], body.content(), filled))
    }
}

#[test]
fn what_was_taken_apart_can_be_put_together() {
    let writer = Writer::new();
    let (header, signed, body) = writer.taken();
    assert_eq!(writer.forge(&header, &signed, &body), writer.write(b"content").bytes);
}

#[test]
fn nobody_can_write_in_the_name_of_another_device() {
    let writer = Writer::new();
    let (header, signed, body) = writer.taken();
    let other = DeviceSecret::from_seed(&[9; 32]).device();
    let forged = writer.forge(&Header { device: other, ..header }, &signed, &body);
    assert_eq!(writer.read(&forged), Err(OpError::Signature));
}

#[test]
fn nothing_in_a_header_can_be_changed() {
    let writer = Writer::new();
    let (header, signed, body) = writer.taken();
    for changed in [
        Header { sequence: 8, ..header.clone() },
        Header { previous: Some(earlier(9)), ..header.clone() },
        Header { parents: Parents::newest(vec![earlier(2), earlier(4)]), ..header.clone() },
        Header { content_type: 2, ..header.clone() },
        Header { signature: DeviceSignature([0; 64]), ..header.clone() },
    ] {
        let forged = writer.forge(&changed, &signed, &body);
        assert_eq!(writer.read(&forged), Err(OpError::Signature), "{changed:?}");
    }
}

#[test]
fn a_signed_header_cannot_be_sealed_again() {
    let writer = Writer::new();
    let (header, signed, body) = writer.taken();
    for changed in [
        Signed { hlc: Hlc(signed.hlc.0 + 1), ..signed },
        Signed { header_nonce: [6; 24], ..signed },
        Signed { body_nonce: [6; 24], ..signed },
    ] {
        let forged = writer.forge(&header, &changed, &body);
        assert_eq!(writer.read(&forged), Err(OpError::Signature), "{changed:?}");
    }
}

#[test]
fn a_signed_header_cannot_be_moved_to_another_epoch() {
    let writer = Writer::new();
    let (header, signed, body) = writer.taken();
    let keys = EpochKeys::derive(&EpochSecret::new([8; 32]), &EpochId([8; 16]));
    let later = Writer { keys, ..Writer::new() };
    let forged = later.forge(&header, &Signed { epoch: EpochId([8; 16]), ..signed }, &body);
    assert_eq!(later.read(&forged), Err(OpError::Signature));
}

#[test]
fn a_signed_header_cannot_be_given_another_body() {
    let writer = Writer::new();
    let (header, signed, mut body) = writer.taken();
    body[20] ^= 1;
    let forged = writer.forge(&header, &signed, &body);
    assert_eq!(writer.read(&forged), Err(OpError::Signature));
}

#[test]
fn a_body_that_was_not_signed_is_refused_without_keys() {
    let writer = Writer::new();
    let sealed = writer.write(b"content");
    let op = Envelope::decode(&sealed.bytes).expect("it reads");
    let length = size::filled(512, wire::encode(op.signed()).len());
    let forged = writer.frame(op.signed(), &vec![1; length]);
    assert_eq!(Envelope::decode(&forged), Err(OpError::BodyHash));
}

/// A clear part and a body around which any header fits.
fn any_header(writer: &Writer, header: &impl Encode<()>) -> Vec<u8> {
    let (_, signed, _) = writer.taken();
    let sealed_header = vec![0; wire::encode(header).len() + TAG];
    let length = wire::encode(&Signed { sealed_header: &sealed_header, ..signed }).len();
    writer.forge(header, &signed, &vec![0; size::filled(1024, length) - TAG])
}

#[test]
fn what_is_named_as_earlier_must_be_earlier() {
    let writer = Writer::new();
    let (header, ..) = writer.taken();
    let now = OpId::of(Hlc::at(NOW), b"another of this moment");
    for lie in [
        Header { previous: Some(now), ..header.clone() },
        Header { parents: Parents::newest(vec![earlier(2), now]), ..header.clone() },
        Header { previous: None, ..header.clone() },
        Header { sequence: 0, ..header.clone() },
        Header { previous: Some(earlier(2)), ..header },
    ] {
        assert_eq!(writer.read(&any_header(&writer, &lie)), Err(OpError::Order), "{lie:?}");
        let Header { sequence, previous, parents, .. } = lie;
        let draft = Draft { sequence, previous, parents, ..writer.draft(b"content") };
        assert_eq!(draft.seal(&RANDOM), Err(OpError::Order));
    }
}

#[test]
fn parents_are_few_and_ascending() {
    let writer = Writer::new();
    let (header, ..) = writer.taken();
    let Header { device, sequence, previous, content_type, signature, .. } = header;
    let with = |parents: Vec<OpId>| {
        let header = (device, sequence, previous, parents, content_type, signature);
        writer.read(&any_header(&writer, &header))
    };
    let right = (10..18).rev().map(earlier).collect();
    assert_eq!(with(right), Err(OpError::Signature));
    assert!(matches!(with((10..19).rev().map(earlier).collect()), Err(OpError::Size(_))));
    for wrong in [vec![earlier(2), earlier(3)], vec![earlier(2), earlier(2)]] {
        assert!(matches!(with(wrong), Err(OpError::Wire(WireError::Malformed { .. }))));
    }
}

#[test]
fn a_longer_header_than_the_longest_is_refused_without_keys() {
    let writer = Writer::new();
    let (_, signed, _) = writer.taken();
    let with = |length| {
        let signed = wire::encode(&Signed { sealed_header: &vec![0; length], ..signed });
        let bytes = write(&signed, None, &writer.keys.sign_write(&signed));
        Envelope::decode(&bytes).map(|_| ())
    };
    assert_eq!(with(MAX_HEADER + TAG), Ok(()));
    assert!(matches!(with(MAX_HEADER + TAG + 1), Err(OpError::Size(_))));
}

#[test]
fn other_versions_and_suites_are_refused() {
    let writer = Writer::new();
    let (header, signed, body) = writer.taken();
    let forged = writer.forge(&header, &Signed { version: 2, ..signed }, &body);
    assert_eq!(writer.read(&forged), Err(OpError::Version(2, 1)));
    let forged = writer.forge(&header, &Signed { suite: 2, ..signed }, &body);
    assert_eq!(writer.read(&forged), Err(OpError::Version(1, 2)));
}

#[test]
fn longer_heads_are_refused() {
    let writer = Writer::new();
    let (_, signed, _) = writer.taken();
    let signed = wire::encode(&Signed { sealed_header: &[0; 130], ..signed });
    let signature = writer.keys.sign_write(&write_message(&signed));
    let short = write(&signed, None, &signature);
    assert!(Envelope::decode(&short).is_ok());
    // The first byte string's head with 16 bits of length, and the same with 32.
    assert_eq!(short[1], 0x59);
    let longer = [&[0x83, 0x5a, 0, 0], &short[2..]].concat();
    let refused = WireError::NotDeterministic { what: "op" };
    assert_eq!(Envelope::decode(&longer), Err(OpError::Wire(refused)));
}

#[test]
fn nothing_may_stand_behind_an_op() {
    let sealed = Writer::new().write(b"content");
    let op = Envelope::decode(&sealed.bytes).expect("it reads");
    for mut bytes in [op.encode(), op.encode_without_body()] {
        bytes.push(0);
        let refused = WireError::NotDeterministic { what: "op" };
        assert_eq!(Envelope::decode(&bytes), Err(OpError::Wire(refused)));
    }
}

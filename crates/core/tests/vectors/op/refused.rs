//! Well-formed lies: with the keys of the epoch, or of a device, or without any.

use super::{HLC, Op, earlier, given, keys, room};
use crate::{check, hex};
use chats_core::fixtures::COMMUNITY;
use chats_core::hlc::Hlc;
use chats_core::id::DeviceSecret;
use chats_core::op::{Envelope, OpError, OpId};
use chats_core::wire::WireError;
use serde_json::json;

/// What a member checks of an op.
fn read(bytes: &[u8]) -> Result<(), OpError> {
    let op = Envelope::decode(bytes)?;
    op.verify_write(&keys().write_key())?;
    let header = op.open_header(&keys())?;
    op.verify_header(&header, &COMMUNITY, &room())?;
    op.open_body(&keys()).map(|_| ())
}

fn right() -> Op {
    Op {
        sequence: 3,
        previous: Some(earlier(1)),
        parents: vec![earlier(3), earlier(2)],
        ..Op::new(b"\x81\x58\x20")
    }
}

/// What each is, how it is refused, and its bytes.
fn lies() -> Vec<(&'static str, OpError, Vec<u8>)> {
    let malformed = OpError::Wire(WireError::Malformed { what: "", why: String::new() });
    let longer = OpError::Wire(WireError::NotDeterministic { what: "op" });
    let right = right();
    let ops = |op: Op| op.filled(512).steps().envelope;
    let envelope = ops(right.clone());
    let flipped = |at: usize| {
        let mut bytes = envelope.clone();
        bytes[at] ^= 1;
        bytes
    };
    let hidden = [&right.content[..], b"\0\0\x01"].concat();
    vec![
        ("version 2", OpError::Version(2, 1), ops(Op { version: 2, ..right.clone() })),
        ("suite 2", OpError::Version(1, 2), ops(Op { suite: 2, ..right.clone() })),
        (
            "signed by another device than it names",
            OpError::Signature,
            ops(Op { signer: DeviceSecret::from_seed(&[9; 32]), ..right.clone() }),
        ),
        ("a previous op, and the first", OpError::Order, ops(Op { sequence: 0, ..right.clone() })),
        (
            "no previous op, and not the first",
            OpError::Order,
            ops(Op { previous: None, ..right.clone() }),
        ),
        (
            "a parent of the same moment",
            OpError::Order,
            ops(Op { parents: vec![OpId::of(HLC, b"")], ..right.clone() }),
        ),
        (
            "a previous op of a later moment",
            OpError::Order,
            ops(Op { previous: Some(OpId::of(Hlc(HLC.0 + 1), b"")), ..right.clone() }),
        ),
        (
            "previous among the parents",
            OpError::Order,
            ops(Op { parents: vec![earlier(1)], ..right.clone() }),
        ),
        (
            "parents not ascending",
            malformed.clone(),
            ops(Op { parents: vec![earlier(2), earlier(3)], ..right.clone() }),
        ),
        (
            "a larger size than needed",
            OpError::Padding,
            right.clone().filled(1024).steps().envelope,
        ),
        ("not filled up", OpError::Size(511), right.clone().filled(511).steps().envelope),
        (
            "other things than zeros behind the content",
            OpError::Padding,
            ops(Op { content: hidden, ..right.clone() }),
        ),
        (
            "content that ends behind the body",
            OpError::Padding,
            ops(Op { length: 400, ..right.clone() }),
        ),
        ("a byte behind it", longer, [&envelope[..], &[0]].concat()),
        ("a byte too few", malformed, envelope[..511].to_vec()),
        ("a flipped byte in what is signed", OpError::WriteSignature, flipped(100)),
        ("a flipped byte in the sealed body", OpError::BodyHash, flipped(440)),
        ("a flipped byte in the write signature", OpError::WriteSignature, flipped(511)),
    ]
}

#[test]
fn ops_that_are_refused() {
    assert_eq!(read(&right().filled(512).steps().envelope), Ok(()));
    let refused: Vec<_> = lies()
        .into_iter()
        .map(|(why, expected, bytes)| {
            let error = read(&bytes).expect_err(why);
            match (&error, &expected) {
                // What the decoder says is not compared.
                (OpError::Wire(is), OpError::Wire(WireError::Malformed { .. })) => {
                    assert!(matches!(is, WireError::Malformed { .. }), "{why}: {error}");
                }
                _ => assert_eq!(error, expected, "{why}"),
            }
            json!({ "why": why, "envelope": hex(bytes) })
        })
        .collect();
    check("op-refused", &json!({ "given": given(), "refused": refused }));
}

//! How ops are filled up.

use super::*;
use crate::id::DeviceSignature;

/// The length of what is signed of an op by [`Writer::draft`].
fn signed_length() -> usize {
    let writer = Writer::new();
    let sealed = writer.write(b"");
    crate::wire::encode(Envelope::decode(&sealed.bytes).expect("it reads").signed()).len()
}

/// The most content that fits into an op of this size.
fn most(size: usize) -> usize {
    size::filled(size, signed_length()) - size::BODY_HEAD - TAG
}

/// An op with this opened body, signed by its device and by the epoch.
fn with_body(body: &[u8]) -> Vec<u8> {
    let writer = Writer::new();
    let sealed = writer.write(b"");
    let op = Envelope::decode(&sealed.bytes).expect("it reads");
    let mut clear = *op.signed();
    let mut header = op.open_header(&writer.keys).expect("it opens");
    let mut sealed_body = body.to_vec();
    writer.keys.body().seal(&clear.body_nonce, &clear.context(), &mut sealed_body);
    clear.body_hash = blake3::hash(&sealed_body).into();
    header.signature = DeviceSignature([0; 64]);
    header.signature = writer.device.sign(&header.message(&writer.community, &writer.room, &clear));
    writer.forge(&header, &clear, body)
}

/// A body for an envelope of `size` bytes that says to have `length` bytes of content.
fn body(size: usize, length: u32) -> Vec<u8> {
    let mut body = vec![0; size::filled(size, signed_length()) - TAG];
    body[16..20].copy_from_slice(&length.to_be_bytes());
    body
}

#[test]
fn an_op_is_of_the_smallest_size_that_holds_it() {
    let writer = Writer::new();
    let length = |content: usize| writer.write(&vec![1; content]).bytes.len();
    for (size, next) in SIZES.iter().zip(&SIZES[1..]) {
        assert_eq!(length(most(*size)), *size);
        assert_eq!(length(most(*size) + 1), *next);
    }
    assert_eq!(length(most(65_536)), 65_536);
}

#[test]
fn what_fits_into_no_op_is_not_written() {
    let writer = Writer::new();
    let content = vec![1; most(65_536) + 1];
    let refused = writer.draft(&content).seal(&RANDOM).map(|_| ());
    assert_eq!(refused, Err(OpError::TooLarge(content.len())));
}

#[test]
fn contents_of_all_lengths_open_again() {
    let writer = Writer::new();
    for length in (0..700).chain(4000..4100).step_by(3) {
        let content = vec![7; length];
        let (_, body) = writer.read(&writer.write(&content).bytes).expect("it opens");
        assert_eq!(body.content(), content);
    }
}

#[test]
fn a_body_made_here_by_hand_opens() {
    assert!(Writer::new().read(&with_body(&body(512, 3))).is_ok());
}

#[test]
fn what_fills_a_body_must_be_zeros() {
    let mut body = body(512, 3);
    let last = body.len() - 1;
    for at in [23, last] {
        body[at] = 1;
        assert_eq!(Writer::new().read(&with_body(&body)), Err(OpError::Padding), "byte {at}");
        body[at] = 0;
    }
}

#[test]
fn content_that_ends_behind_the_body_is_refused() {
    for length in [u32::try_from(most(512)).expect("short") + 1, u32::MAX] {
        assert_eq!(Writer::new().read(&with_body(&body(512, length))), Err(OpError::Padding));
    }
}

#[test]
fn a_larger_size_than_is_needed_is_refused() {
    let short = u32::try_from(most(512)).expect("short");
    let writer = Writer::new();
    assert_eq!(writer.read(&with_body(&body(1024, short))), Err(OpError::Padding));
    assert!(writer.read(&with_body(&body(1024, short + 1))).is_ok());
}

#[test]
fn envelopes_of_other_lengths_are_refused() {
    let mut body = body(512, 3);
    body.pop();
    assert_eq!(Writer::new().read(&with_body(&body)), Err(OpError::Size(511)));
}

#[test]
fn a_body_without_a_length_is_refused() {
    assert_eq!(Body::read(vec![0; 19]), Err(OpError::Padding));
    assert!(Body::read(vec![0; 20]).is_ok());
}

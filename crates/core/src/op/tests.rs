//! Ops that others might send: right ones, and well-formed lies.

mod forged;
mod padding;

use super::*;
use crate::epoch::{EpochId, EpochKeys, EpochSecret, RoomId};
use crate::fixtures::{COMMUNITY, NOW};
use crate::hlc::Hlc;
use crate::id::{Community, DeviceSecret};
use crate::seal::TAG;
use proptest::prelude::*;

const RANDOM: [u8; 64] = [5; 64];

/// Somebody who may write in a room.
struct Writer {
    community: Community,
    room: RoomId,
    keys: EpochKeys,
    device: DeviceSecret,
}

impl Writer {
    fn new() -> Self {
        let (room, device) = (RoomId::new([1; 32]), DeviceSecret::from_seed(&[3; 32]));
        let secret = EpochSecret::new([2; 32]);
        let keys = EpochKeys::derive(&secret, &secret.id(room.tag(), 5, 0, device.device()));
        Self { community: COMMUNITY, room, keys, device }
    }

    fn draft<'a>(&'a self, content: &'a [u8]) -> Draft<'a> {
        Draft {
            community: &self.community,
            room: &self.room,
            keys: &self.keys,
            device: &self.device,
            hlc: Hlc::at(NOW),
            sequence: 7,
            previous: Some(earlier(1)),
            parents: Parents::newest(vec![earlier(2), earlier(3)]),
            content_type: 1,
            content,
        }
    }

    fn write(&self, content: &[u8]) -> SealedOp {
        self.draft(content).seal(&RANDOM).expect("it can be sealed")
    }

    /// All that a member checks when it gets an op.
    fn read(&self, bytes: &[u8]) -> Result<(Header, Body), OpError> {
        let op = Envelope::decode(bytes)?;
        let header = op.open_header(&self.keys)?;
        op.verify_header(&header, &self.community, &self.room)?;
        Ok((header, op.open_body(&self.keys)?))
    }
}

/// An op before [`NOW`].
fn earlier(number: u8) -> OpId {
    OpId::of(Hlc(Hlc::at(NOW).0 - u64::from(number)), &[number])
}

#[test]
fn what_was_written_opens_again() {
    let writer = Writer::new();
    let sealed = writer.write(b"content");
    let (header, body) = writer.read(&sealed.bytes).expect("it opens");
    assert_eq!(body.content(), b"content");
    assert_eq!(header.device, writer.device.device());
    assert_eq!((header.sequence, header.previous, header.content_type), (7, Some(earlier(1)), 1));
    assert_eq!(header.parents.as_slice(), [earlier(3), earlier(2)]);
}

#[test]
fn the_clear_part_names_room_time_and_epoch() {
    let writer = Writer::new();
    let sealed = writer.write(b"content");
    let op = Envelope::decode(&sealed.bytes).expect("it reads");
    let signed = op.signed();
    assert_eq!(
        (signed.room, signed.hlc, signed.epoch),
        (writer.room.tag(), Hlc::at(NOW), writer.keys.id())
    );
}

#[test]
fn the_id_follows_from_what_was_signed() {
    let writer = Writer::new();
    let sealed = writer.write(b"content");
    let op = Envelope::decode(&sealed.bytes).expect("it reads");
    assert_eq!(op.id(), sealed.id);
    assert_eq!(op.id(), OpId::of(Hlc::at(NOW), &crate::wire::encode(op.signed())));
}

#[test]
fn a_node_without_the_secret_can_check_the_epochs_signature() {
    let writer = Writer::new();
    let sealed = writer.write(b"content");
    let op = Envelope::decode(&sealed.bytes).expect("it reads");
    assert_eq!(op.verify_write(&writer.keys.write_key()), Ok(()));
    let other = EpochKeys::derive(&EpochSecret::new([9; 32]), &writer.keys.id());
    assert_eq!(op.verify_write(&other.write_key()), Err(OpError::WriteSignature));
}

#[test]
fn an_op_of_another_epoch_does_not_open() {
    let writer = Writer::new();
    let sealed = writer.write(b"content");
    let op = Envelope::decode(&sealed.bytes).expect("it reads");
    let other = EpochKeys::derive(&EpochSecret::new([2; 32]), &EpochId([0; 16]));
    assert_eq!(op.open_header(&other), Err(OpError::OtherEpoch(writer.keys.id())));
    assert_eq!(op.open_body(&other), Err(OpError::OtherEpoch(writer.keys.id())));
}

#[test]
fn an_op_does_not_open_with_another_secret() {
    let writer = Writer::new();
    let sealed = writer.write(b"content");
    let op = Envelope::decode(&sealed.bytes).expect("it reads");
    let other = EpochKeys::derive(&EpochSecret::new([9; 32]), &writer.keys.id());
    assert_eq!(op.open_header(&other), Err(OpError::Header));
    assert_eq!(op.open_body(&other), Err(OpError::Body));
}

#[test]
fn an_op_counts_in_its_own_room_and_community_alone() {
    let writer = Writer::new();
    let sealed = writer.write(b"content");
    let elsewhere = Writer { room: RoomId::new([9; 32]), ..Writer::new() };
    assert_eq!(elsewhere.read(&sealed.bytes), Err(OpError::OtherRoom));
    let elsewhere = Writer { community: Community { id: 2, ..COMMUNITY }, ..Writer::new() };
    assert_eq!(elsewhere.read(&sealed.bytes), Err(OpError::Signature));
}

#[test]
fn an_op_that_lost_its_body_keeps_id_and_signatures() {
    let writer = Writer::new();
    let sealed = writer.write(b"content");
    let whole = Envelope::decode(&sealed.bytes).expect("it reads");
    let bytes = whole.encode_without_body();
    let op = Envelope::decode(&bytes).expect("it reads");
    assert_eq!((op.id(), op.has_body(), whole.has_body()), (sealed.id, false, true));
    assert_eq!(op.verify_write(&writer.keys.write_key()), Ok(()));
    let header = op.open_header(&writer.keys).expect("it opens");
    assert_eq!(op.verify_header(&header, &writer.community, &writer.room), Ok(()));
    assert_eq!(op.open_body(&writer.keys), Err(OpError::NoBody));
}

#[test]
fn every_truncation_is_refused() {
    let sealed = Writer::new().write(b"content");
    for length in 0..sealed.bytes.len() {
        assert!(Envelope::decode(&sealed.bytes[..length]).is_err(), "{length} bytes");
    }
}

#[test]
fn every_flipped_byte_is_noticed_without_keys() {
    let writer = Writer::new();
    let sealed = writer.write(b"content");
    for at in 0..sealed.bytes.len() {
        let mut bytes = sealed.bytes.clone();
        bytes[at] ^= 1;
        let write_key = writer.keys.write_key();
        let verified = Envelope::decode(&bytes).and_then(|op| op.verify_write(&write_key));
        assert!(verified.is_err(), "byte {at}");
    }
}

#[test]
fn every_flipped_byte_but_of_the_write_signature_is_noticed_by_a_member() {
    let writer = Writer::new();
    let sealed = writer.write(b"content");
    assert_eq!(sealed.bytes.len(), 512);
    for at in 0..512 - 64 {
        let mut bytes = sealed.bytes.clone();
        bytes[at] ^= 0x10;
        assert!(writer.read(&bytes).is_err(), "byte {at}");
    }
}

#[test]
fn a_header_follows_the_one_before_of_the_same_device() {
    let writer = Writer::new();
    let header = |sequence| {
        let sealed = Draft { sequence, ..writer.draft(b"") }.seal(&RANDOM).expect("it can");
        writer.read(&sealed.bytes).expect("it opens").0
    };
    assert!(header(8).follows(&header(7)));
    assert!(!header(9).follows(&header(7)));
    assert!(!header(7).follows(&header(8)));
    let other = Header { device: DeviceSecret::from_seed(&[4; 32]).device(), ..header(7) };
    assert!(!header(8).follows(&other));
    assert!(!header(1).follows(&Header { sequence: u64::MAX, ..header(7) }));
}

#[test]
fn of_many_heads_the_newest_are_named() {
    let ids = Parents::newest([3, 1, 2, 9, 5, 6, 4, 7, 8, 3].map(earlier).to_vec());
    assert_eq!(ids.as_slice(), [8, 7, 6, 5, 4, 3, 2, 1].map(earlier));
}

#[test]
fn the_longest_header_is_as_long_as_is_said() {
    let header = Header {
        device: Writer::new().device.device(),
        sequence: u64::MAX,
        previous: Some(earlier(9)),
        parents: Parents::newest((1..=8).map(earlier).collect()),
        content_type: u16::MAX,
        signature: crate::id::DeviceSignature([0; 64]),
    };
    assert_eq!(crate::wire::encode(&header).len(), MAX_HEADER);
}

#[test]
fn nothing_of_the_content_is_printed() {
    let writer = Writer::new();
    let sealed = writer.write(b"secret");
    let (_, body) = writer.read(&sealed.bytes).expect("it opens");
    assert_eq!(format!("{body:?}"), "Body(6 bytes of content)");
}

proptest! {
    #[test]
    fn whatever_is_written_opens_again(
        content in proptest::collection::vec(any::<u8>(), 0..5000),
        random in any::<[u8; 32]>(),
        hlc in (1 << 32)..u64::MAX,
        sequence in any::<u64>(),
        content_type in any::<u16>(),
        heads in proptest::collection::vec(any::<u32>(), 0..12),
    ) {
        let writer = Writer::new();
        let id = |head: u32| OpId::of(Hlc(head.into()), b"");
        let parents = Parents::newest(heads.into_iter().map(id).collect());
        let random: Vec<u8> = random.into_iter().chain(random).collect();
        let draft = Draft {
            hlc: Hlc(hlc),
            sequence,
            previous: (sequence > 0).then(|| OpId::of(Hlc(0), b"previous")),
            parents: parents.clone(),
            content_type,
            ..writer.draft(&content)
        };
        let sealed = draft.seal(&random.try_into().expect("64 bytes")).expect("it can be sealed");
        prop_assert!(SIZES.contains(&sealed.bytes.len()));
        let op = Envelope::decode(&sealed.bytes).expect("it reads");
        prop_assert_eq!(op.encode(), sealed.bytes.clone());
        let (header, body) = writer.read(&sealed.bytes).expect("it opens");
        prop_assert_eq!(body.content(), content);
        prop_assert_eq!((header.sequence, header.content_type), (sequence, content_type));
        prop_assert_eq!(header.parents, parents);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..700)) {
        prop_assert!(Envelope::decode(&bytes).is_err());
        let _ = Body::read(bytes);
    }
}

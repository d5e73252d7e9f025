use super::*;
use crate::id::DeviceSecret;

const ROOM: RoomId = RoomId::new([1; 32]);
const SECRET: EpochSecret = EpochSecret::new([2; 32]);

fn author() -> DeviceKey {
    DeviceSecret::from_seed(&[3; 32]).device()
}

fn keys() -> EpochKeys {
    EpochKeys::derive(&SECRET, &SECRET.id(ROOM.tag(), 5, 0, author()))
}

#[test]
fn the_id_of_an_epoch_follows_from_all_that_it_names() {
    let id = SECRET.id(ROOM.tag(), 5, 0, author());
    assert_eq!(id, SECRET.id(ROOM.tag(), 5, 0, author()));
    assert_ne!(id, EpochSecret::new([4; 32]).id(ROOM.tag(), 5, 0, author()));
    assert_ne!(id, SECRET.id(RoomId::new([4; 32]).tag(), 5, 0, author()));
    assert_ne!(id, SECRET.id(ROOM.tag(), 6, 0, author()));
    assert_ne!(id, SECRET.id(ROOM.tag(), 5, 1, author()));
    assert_ne!(id, SECRET.id(ROOM.tag(), 5, 0, DeviceSecret::from_seed(&[4; 32]).device()));
}

#[test]
fn the_keys_of_an_epoch_differ_from_each_other_and_from_those_of_another() {
    let seal = |key: &SealKey| {
        let mut buffer = vec![0; 8];
        key.seal(&[0; 24], b"", &mut buffer);
        buffer
    };
    let other = EpochKeys::derive(&SECRET, &EpochId([0; 16]));
    let mut seen = Vec::new();
    for keys in [keys(), other] {
        seen.extend([&keys.header, &keys.body, &keys.presence, &keys.room].map(seal));
        seen.push(keys.write_key().0.to_vec());
    }
    seen.sort_unstable();
    let all = seen.len();
    seen.dedup();
    assert_eq!(seen.len(), all);
}

#[test]
fn a_write_signature_is_checked_with_the_write_key() {
    let signature = keys().sign_write(b"words");
    assert!(keys().write_key().verifies(b"words", &signature));
    assert!(!keys().write_key().verifies(b"other words", &signature));
    assert!(
        !EpochKeys::derive(&SECRET, &EpochId([0; 16])).write_key().verifies(b"words", &signature)
    );
}

#[test]
fn a_record_hands_out_its_room() {
    let sealed = keys().seal_room(&ROOM, [7; 24]);
    assert_eq!(keys().open_room(&sealed, ROOM.tag()), Some(ROOM));
}

#[test]
fn a_room_that_was_sealed_by_another_epoch_does_not_open() {
    let sealed = EpochKeys::derive(&SECRET, &EpochId([0; 16])).seal_room(&ROOM, [7; 24]);
    assert_eq!(keys().open_room(&sealed, ROOM.tag()), None);
}

#[test]
fn a_record_that_seals_another_room_than_it_names_hands_out_none() {
    let sealed = keys().seal_room(&RoomId::new([9; 32]), [7; 24]);
    assert_eq!(keys().open_room(&sealed, ROOM.tag()), None);
}

#[test]
fn every_flipped_byte_of_a_sealed_room_is_noticed() {
    for at in 0..72 {
        let mut sealed = keys().seal_room(&ROOM, [7; 24]);
        match at {
            0..24 => sealed.nonce[at] ^= 1,
            _ => sealed.sealed[at - 24] ^= 1,
        }
        assert_eq!(keys().open_room(&sealed, ROOM.tag()), None, "byte {at}");
    }
}

#[test]
fn secrets_do_not_print_themselves() {
    assert_eq!(format!("{SECRET:?} {ROOM:?}"), "EpochSecret(..) RoomId(..)");
    assert_eq!(format!("{:?}", keys().body()), "SealKey(..)");
    assert!(!format!("{:?}", keys()).contains("Key {"));
}

#[test]
fn a_rooms_tag_reads_as_it_was_written() {
    let tag = ROOM.tag();
    let text = tag.to_string();
    assert_eq!(text.len(), 26);
    assert_eq!(RoomTag::parse(&text), Some(tag));
    assert_eq!(RoomTag::parse("general"), None);
}

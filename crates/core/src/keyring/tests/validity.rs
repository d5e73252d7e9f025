//! Which records hold.

use super::*;
use crate::ascending::Ascending;
use crate::op::Parents;

/// A record by `author` that follows the one that is sent under, sealed to nobody.
fn forged(town: &Town, author: u8, change: impl FnOnce(&mut EpochRecord)) -> EpochRecord {
    let present = town.ring(1).sending().unwrap().clone();
    let parent = ControlItem::Record(Box::new(present.clone())).id();
    let mut record = EpochRecord {
        version: town.seats.newest(),
        generation: if present.version == town.seats.newest() { present.generation + 1 } else { 1 },
        parents: Ascending::newest(vec![parent]),
        author: device(author),
        time: town.now,
        charter: None,
        cuts: Vec::new(),
        pages: Vec::new(),
        ..present
    };
    record.rolling = town.seats.rolling(record.version).unwrap();
    change(&mut record);
    let secret = EpochSecret::new([0x77; 32]);
    record.epoch = secret.id(record.room_tag, record.version, record.generation, record.author);
    let keys = EpochKeys::derive(&secret, &record.epoch);
    record.write_key = keys.write_key();
    record.room = keys.seal_room(town.ring(1).room().unwrap(), [3; 24]);
    record.sign(&DeviceSecret::from_seed(&[author; 32]))
}

fn say(town: &mut Town, record: &EpochRecord) -> OpId {
    let item = ControlItem::Record(Box::new(record.clone()));
    town.say(item.clone());
    item.id()
}

fn state(town: &Town, number: u8, id: OpId) -> State {
    town.ring(number).records().find(|(it, ..)| *it == id).unwrap().2
}

/// What becomes of such a record.
fn judged(town: &mut Town, author: u8, change: impl FnOnce(&mut EpochRecord)) -> State {
    let record = forged(town, author, change);
    let id = say(town, &record);
    let states = [1, 2].map(|number| state(town, number, id));
    assert_eq!(states[0], states[1]);
    states[0]
}

#[test]
fn a_record_by_any_member_holds() {
    let mut town = Town::with_room(3, ROOM);
    assert_eq!(judged(&mut town, 3, |_| ()), State::Valid);
}

#[test]
fn a_record_says_what_the_chain_says() {
    let mut town = Town::with_room(3, ROOM);
    let wrong = judged(&mut town, 3, |it| it.rolling[0] ^= 1);
    assert_eq!(wrong, State::Replaced);
    let early = judged(&mut town, 3, |it| (it.version, it.generation) = (4, 1));
    assert_eq!(early, State::Waiting(Waiting::Version));
    assert_eq!(town.due(1), None, "what cannot be checked asks for nothing");
}

#[test]
fn a_record_waits_until_its_version_is_known() {
    let mut town = Town::with_room(3, ROOM);
    let mut ahead = town.seats.clone();
    change(&mut ahead, 9, 1);
    let rolling = ahead.rolling(4).unwrap();
    let record = forged(&town, 3, |it| {
        (it.version, it.generation, it.rolling) = (4, 1, rolling);
    });
    let secret = EpochSecret::new([0x77; 32]);
    town.member(2).keyring.as_mut().unwrap().restore(record.epoch, secret);
    let before = town.sending(2);
    let id = say(&mut town, &record);
    assert_eq!(state(&town, 2, id), State::Waiting(Waiting::Version));
    assert!(town.ring(2).keys(record.epoch).is_some(), "it can be read with");
    assert_eq!((town.sending(2), town.ring(2).position(record.epoch)), (before, None));
    town.change(9, 1);
    assert_eq!(state(&town, 2, id), State::Valid);
    assert_eq!(town.sending(2), Some(record.epoch));
}

#[test]
fn a_record_of_blocks_that_were_taken_back_is_read_with_and_not_sent_under() {
    let mut town = Town::with_room(3, ROOM);
    let first = town.sending(1).unwrap();
    town.change(9, 1);
    let second = town.rotate(1);
    town.seats = seats(&[(1, 3), (2, 2), (3, 1), (8, 1)]);
    town.settle();
    assert_eq!(town.state(2, second), [State::Replaced]);
    assert_eq!(town.sending(2), Some(first));
    assert!(town.ring(2).keys(second).is_some());
    assert!(town.ring(2).position(second).is_some(), "what was written under it counts");
}

#[test]
fn a_room_that_was_made_on_blocks_that_were_taken_back_goes_on() {
    let mut town = Town::new(3);
    town.change(9, 1);
    let first = town.found(1, ROOM);
    town.seats = seats(&[(1, 3), (2, 2), (3, 1), (8, 1)]);
    town.settle();
    assert_eq!((town.sending(2), town.due(2)), (None, Some(Due::Devices)));
    let second = town.rotate(2);
    assert_eq!([town.sending(1), town.sending(3)], [Some(second); 2]);
    assert!(town.ring(3).position(first) < town.ring(3).position(second));
}

#[test]
fn an_author_has_a_seat_and_is_known() {
    let mut town = Town::with_room(4, ROOM);
    town.change(4, 0);
    assert_eq!(judged(&mut town, 4, |_| ()), State::Invalid(Invalid::Seat));
    assert_eq!(judged(&mut town, 9, |_| ()), State::Waiting(Waiting::Certificate));
    town.change(9, 1);
    town.vouch(9, 9);
    let mut known = town.items.iter().filter_map(|item| match item {
        ControlItem::Record(record) if record.author == device(9) => Some(item.id()),
        _ => None,
    });
    let id = known.next_back().unwrap();
    assert_eq!(state(&town, 1, id), State::Invalid(Invalid::Seat), "it came later");
    assert_eq!(judged(&mut town, 9, |_| ()), State::Valid);
    let late = NOW + DAY * 31;
    town.now = late;
    assert_eq!(judged(&mut town, 3, |_| ()), State::Waiting(Waiting::Certificate));
}

#[test]
fn a_record_of_an_older_version_than_its_parent_does_not_hold() {
    let mut town = Town::with_room(3, ROOM);
    town.change(9, 1);
    town.rotate(1);
    let rolling = town.seats.rolling(3).unwrap();
    let state = judged(&mut town, 3, |it| {
        (it.version, it.generation, it.rolling) = (3, 2, rolling);
    });
    assert_eq!(state, State::Invalid(Invalid::Generation));
}

#[test]
fn a_generation_follows_from_the_parents() {
    let mut town = Town::with_room(3, ROOM);
    for wrong in [1, 3, 65_535] {
        let state = judged(&mut town, 3, |it| it.generation = wrong);
        assert_eq!(state, State::Invalid(Invalid::Generation), "{wrong}");
    }
    town.change(9, 1);
    let wrong = judged(&mut town, 3, |it| it.generation = 2);
    assert_eq!(wrong, State::Invalid(Invalid::Generation));
    assert_eq!(judged(&mut town, 3, |it| it.generation = 1), State::Valid, "a new version");
}

#[test]
fn parents_are_held_and_hold() {
    let mut town = Town::with_room(3, ROOM);
    let wrong = forged(&town, 9, |_| ());
    let missing = ControlItem::Record(Box::new(wrong.clone())).id();
    let child = |it: &mut EpochRecord| {
        it.parents = Ascending::newest(vec![missing]);
        it.generation = 3;
    };
    let record = forged(&town, 3, child);
    let id = say(&mut town, &record);
    assert_eq!(state(&town, 1, id), State::Waiting(Waiting::Parent));
    town.vouch(9, 9);
    say(&mut town, &wrong);
    assert_eq!(state(&town, 1, id), State::Invalid(Invalid::Parent));
}

#[test]
fn another_charter_takes_no_room_over() {
    let mut town = Town::with_room(4, ROOM);
    // A moderator makes a room of two of it, with the room's own id.
    let kind = RoomKind::direct(wallet(2), wallet(3));
    let root = |it: &mut EpochRecord| {
        (it.generation, it.parents) = (1, Parents::default());
        it.charter = Some(Charter { kind, policy: Policy::FromJoin });
    };
    assert_eq!(judged(&mut town, 2, root), State::Invalid(Invalid::Kind));
    assert_eq!((town.ring(1).kind(), town.ring(1).policy()), (Some(RoomKind::All), ROOM.policy));
    // A member begins it again.
    let root = |it: &mut EpochRecord| {
        (it.generation, it.parents) = (1, Parents::default());
        it.charter = Some(Charter { policy: Policy::FromJoin, ..ROOM });
    };
    assert_eq!(judged(&mut town, 3, root), State::Invalid(Invalid::Founder));
    assert_eq!(town.ring(1).policy(), Policy::OpenHistory);
    // A moderator may, and the stricter of the policies holds.
    assert_eq!(judged(&mut town, 2, root), State::Valid);
    assert_eq!(town.ring(1).policy(), Policy::FromJoin);
    let high = |it: &mut EpochRecord| {
        (it.generation, it.parents, it.charter) = (2, Parents::default(), Some(ROOM));
    };
    assert_eq!(judged(&mut town, 2, high), State::Invalid(Invalid::Generation));
}

#[test]
fn no_member_looks_into_direct_messages_of_others_by_making_them_a_room() {
    let kind = RoomKind::direct(wallet(3), wallet(4));
    let mut town = Town::new(4);
    town.found(3, Charter { kind, ..ROOM });
    town.found_beside(2);
    let ring = town.ring(3);
    assert_eq!((ring.kind(), town.due(3)), (Some(kind), None));
    town.wait(MAX_AGE);
    let next = town.rotate(3);
    assert_eq!(town.wrapped(next).len(), 2);
}

#[test]
fn who_holds_the_secret_knows_a_false_record_from_the_right_one() {
    let mut town = Town::with_room(3, ROOM);
    let right = town.ring(1).sending().unwrap().clone();
    for step in 0..3 {
        let mut record = right.clone();
        record.time = Time(town.now.0 - 1 - step);
        match step {
            0 => record.author = device(2),
            1 => record.write_key = WriteKey([1; 32]),
            _ => record.room.sealed[0] ^= 1,
        }
        let author = if step == 0 { 2 } else { 1 };
        let record = record.sign(&town.member(author).secret);
        let id = say(&mut town, &record);
        assert_eq!(state(&town, 2, id), State::Invalid(Invalid::Secret), "{step}");
    }
    assert_eq!(town.sending(2), Some(right.epoch));
    assert!(town.ring(2).write_keys(right.epoch).eq([right.write_key]));
}

#[test]
fn no_more_records_are_held_than_the_bound() {
    let town = Town::with_room(2, ROOM);
    let mut ring = Keyring::new(COMMUNITY, town.tag(), device(2));
    let mut record = town.ring(1).sending().unwrap().clone();
    for number in 0..=Keyring::MAX_RECORDS as u64 {
        record.time = Time(number);
        let item = ControlItem::Record(Box::new(record.clone()));
        assert_eq!(ring.insert(item.id(), &item), number < Keyring::MAX_RECORDS as u64);
    }
    assert_eq!(ring.records().count(), Keyring::MAX_RECORDS);
}

impl Town {
    /// A moderator who is not in the room, and does not know its id, begins a room of all under
    /// its tag, earlier than it was.
    fn found_beside(&mut self, by: u8) {
        let right = self.ring(3).sending().unwrap().clone();
        let secret = EpochSecret::new([0x55; 32]);
        let mut record = right;
        record.time = Time(self.now.0 - 60_000);
        (record.author, record.charter) = (device(by), Some(ROOM));
        record.epoch = secret.id(record.room_tag, record.version, 1, device(by));
        let keys = EpochKeys::derive(&secret, &record.epoch);
        record.write_key = keys.write_key();
        record.room = keys.seal_room(&RoomKind::All.room([9; 16]), [3; 24]);
        let record = record.sign(&DeviceSecret::from_seed(&[by; 32]));
        self.say(ControlItem::Record(Box::new(record)));
    }
}

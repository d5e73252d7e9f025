//! Whose ops are cut off.

use super::*;
use crate::control::Cause;
use crate::history::Judge;

fn op(number: u8) -> OpId {
    OpId::of(Hlc::at(NOW), &[number])
}

fn cut_head(town: &Town, holder: u8, of: u8, head: OpId) -> ControlItem {
    let (community, room_tag, time) = (COMMUNITY, town.tag(), town.now);
    let (cut, holder_key) = (device(of), device(holder));
    let item =
        CutHead { community, room_tag, cut, head, holder: holder_key, time, signature: UNSIGNED };
    ControlItem::CutHead(item.sign(&DeviceSecret::from_seed(&[holder; 32])))
}

/// Makes the next epoch, naming `heads` as the last ops of every device.
fn rotate(town: &mut Town, by: u8, heads: &[OpId]) -> EpochId {
    let new = town.try_make(by, &mut |_| heads.to_vec()).unwrap();
    town.publish(by, new)
}

#[test]
fn a_removed_device_keeps_the_ops_that_are_named() {
    let mut town = Town::with_room(4, ROOM);
    town.change(4, 0);
    assert_eq!(town.ring(1).cut(device(4)), None, "nothing is cut off before the record");
    let next = rotate(&mut town, 1, &[op(1), op(2)]);
    assert_eq!(town.record(next).cuts[0].cause, Cause::Seat(5));
    for number in 1..=3 {
        let cut = town.ring(number).cut(device(4)).unwrap();
        let mut heads = vec![op(1), op(2)];
        heads.sort_unstable();
        assert_eq!(cut.heads, heads);
        assert_eq!(cut.position, Position { version: 5, generation: 1 });
    }
    assert_eq!(town.ring(1).cut(device(3)), None);
}

#[test]
fn two_records_made_at_once_leave_the_ops_that_either_names() {
    let mut town = Town::with_room(4, ROOM);
    town.change(4, 0);
    let one = town.try_make(1, &mut |_| vec![op(1)]).unwrap();
    let other = town.try_make(2, &mut |_| vec![op(2)]).unwrap();
    town.publish(1, one);
    town.publish(2, other);
    assert_eq!(town.ring(3).cut(device(4)).unwrap().heads.len(), 2);
}

#[test]
fn others_vouch_for_what_they_held() {
    let mut town = Town::with_room(5, ROOM);
    town.change(4, 0);
    rotate(&mut town, 1, &[]);
    assert_eq!(town.ring(3).cut(device(4)).unwrap().heads, []);
    town.say(cut_head(&town, 2, 4, op(1)));
    assert_eq!(town.ring(3).cut(device(4)).unwrap().heads, [op(1)]);
    town.say(cut_head(&town, 9, 4, op(2)));
    assert_eq!(town.ring(3).cut(device(4)).unwrap().heads, [op(1)], "not those who had no seat");
    town.say(cut_head(&town, 2, 5, op(3)));
    assert_eq!(town.ring(3).cut(device(5)), None, "nobody cut this one off");
    for number in 10..30 {
        town.say(cut_head(&town, 3, 4, op(number)));
    }
    assert_eq!(town.ring(3).cut(device(4)).unwrap().heads.len(), 1 + MAX_PARENTS);
}

#[test]
fn nobody_is_cut_off_for_what_is_not_so() {
    let mut town = Town::with_room(4, ROOM);
    town.wait(MAX_AGE);
    let honest = town.make(1);
    for cause in [
        Cause::Seat(4),
        Cause::Seat(99),
        Cause::Cutoff(town.now.secs()),
        Cause::Revoked(op(1)),
        Cause::Expired((NOW + DAY * 30).secs()),
        Cause::Expired((NOW + DAY).secs()),
    ] {
        let Some(ControlItem::Record(record)) = honest.items.last() else { unreachable!() };
        let mut record = (**record).clone();
        let heads = crate::op::Parents::default();
        record.cuts = vec![crate::control::Cut { device: device(4), cause, heads }];
        let record = record.sign(&town.member(1).secret);
        town.say(ControlItem::Record(Box::new(record)));
        assert_eq!(town.ring(3).cut(device(4)), None, "{cause:?}");
    }
}

#[test]
fn who_comes_back_writes_on_and_what_was_cut_off_stays_so() {
    let mut town = Town::with_room(4, ROOM);
    let first = town.sending(1).unwrap();
    town.change(4, 0);
    rotate(&mut town, 1, &[op(1)]);
    town.change(4, 1);
    town.wait(MAX_AGE);
    let back = town.rotate(2);
    assert!(town.wrapped(back).contains(&device(4)));
    assert_eq!(town.due(1), None);
    let ring = town.ring(3);
    let judge = ring.judge_of(&town.seats, &town.members[2].devices);
    let cut = judge.cut(device(4)).unwrap();
    assert!(judge.position(first).unwrap() < cut.position);
    assert!(judge.position(back).unwrap() >= cut.position);
    assert_eq!(cut.heads, [op(1)]);
}

#[test]
fn a_revoked_device_is_cut_off_in_all_epochs() {
    let mut town = Town::with_room(4, ROOM);
    town.revoke(4, 4);
    let next = rotate(&mut town, 1, &[op(1)]);
    let cut = town.ring(3).cut(device(4)).unwrap();
    assert!(cut.position > town.ring(3).position(next).unwrap());
    assert_eq!(cut.heads, [op(1)]);
}

#[test]
fn a_renewed_certificate_lifts_the_cut_of_an_expired_device() {
    let mut town = Town::with_room(3, ROOM);
    let certificate = town.certificate(3, 3);
    town.wait(DAY * 29);
    for number in [1, 2] {
        town.vouch(number, number);
        town.prekey(number);
    }
    town.wait(DAY);
    rotate(&mut town, 1, &[]);
    assert!(town.ring(2).cut(device(3)).is_some());
    town.say(certificate);
    assert!(town.ring(2).cut(device(3)).is_some(), "the old one again changes nothing");
    town.vouch(3, 3);
    assert_eq!(town.ring(2).cut(device(3)), None);
    assert_eq!(town.due(2), None);
}

#[test]
fn an_epoch_made_without_knowing_of_a_revocation_is_followed_by_another() {
    let mut town = Town::with_room(4, ROOM);
    town.wait(MAX_AGE);
    let late = town.make(2);
    town.revoke(4, 4);
    let next = town.rotate(1);
    assert_eq!(town.due(3), None);
    let late = town.publish(2, late);
    assert!(town.wrapped(late).contains(&device(4)));
    assert_eq!(town.record(late).position(), town.record(next).position());
    assert_eq!(town.due(3), Some(Due::Devices), "the device holds keys of the same generation");
    let last = town.rotate(1);
    for number in 1..=3 {
        assert_eq!((town.sending(number), town.due(number)), (Some(last), None));
    }
    town.wait(MAX_AGE);
    let later = town.rotate(2);
    assert_eq!(town.record(later).cuts, [], "it was said");
    assert_eq!(town.due(1), None);
}

#[test]
fn who_follows_a_record_that_cuts_a_device_off_gives_it_no_keys_even_without_the_proof() {
    let mut town = Town::with_room(4, ROOM);
    town.wait(MAX_AGE);
    // Device 2 does not hear of the revocation.
    let devices = town.member(2).devices.clone();
    town.revoke(4, 4);
    town.rotate(1);
    town.member(2).devices = devices;
    town.wait(MAX_AGE - Duration::from_secs(1));
    assert_eq!(town.ring(2).cut(device(4)), None);
    let next = town.rotate(2);
    assert!(!town.wrapped(next).contains(&device(4)));
    assert_eq!(town.due(1), None);
    // What stays unproven is not believed for ever.
    town.wait(Duration::from_secs(1));
    let late = town.rotate(2);
    assert!(town.wrapped(late).contains(&device(4)));
}

#[test]
fn more_cuts_than_fit_are_spread_over_several_records() {
    let mut town = Town::with_room(3, ROOM);
    // Eighty devices of one wallet, revoked together.
    for number in 100..180 {
        town.vouch(3, number);
        town.revoke(3, number);
    }
    let heads: Vec<_> = (0..8).map(op).collect();
    let mut rounds = 0;
    while town.due(1).is_some() {
        assert_eq!(town.due(1), Some(Due::Devices));
        let next = rotate(&mut town, 1, if rounds == 0 { &heads } else { &[] });
        let item = ControlItem::Record(Box::new(town.record(next)));
        assert!(ControlItem::decode(&item.encode()).is_ok(), "{}", item.encode().len());
        rounds += 1;
        assert!(rounds < 20, "it comes to an end");
    }
    assert!(rounds > 1);
    for number in 100..180 {
        assert!(town.ring(2).cut(device(number)).is_some(), "{number}");
    }
}

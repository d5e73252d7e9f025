//! When a new epoch is due, and what becomes of it.

use super::*;

#[test]
fn the_first_epoch_of_a_room_reaches_all_members() {
    let town = Town::with_room(3, ROOM);
    let first = town.sending(1).unwrap();
    assert_eq!(town.wrapped(first).len(), 3);
    for number in 1..=3 {
        let ring = town.ring(number);
        assert_eq!(town.sending(number), Some(first));
        assert_eq!((ring.kind(), ring.policy()), (Some(RoomKind::All), Policy::OpenHistory));
        assert_eq!(ring.room().map(RoomId::tag), Some(ring.tag()));
        assert_eq!(town.due(number), None);
    }
}

#[test]
fn a_member_who_was_removed_is_in_no_page_of_a_later_epoch() {
    let mut town = Town::with_room(4, ROOM);
    let first = town.sending(2).unwrap();
    town.change(4, 0);
    assert_eq!(town.due(2), Some(Due::Seats));
    assert_eq!(town.due(4), None, "who was removed makes no epochs");
    let second = town.rotate(2);
    assert!(town.wrapped(first).contains(&device(4)));
    assert_eq!(town.wrapped(second).len(), 3);
    assert!(!town.wrapped(second).contains(&device(4)));
    for number in 1..=3 {
        assert_eq!((town.sending(number), town.due(number)), (Some(second), None));
    }
    assert!(town.ring(4).keys(second).is_none());
    assert!(town.ring(4).missing().eq([second]));
    town.wait(MAX_AGE);
    let third = town.rotate(1);
    assert!(!town.wrapped(third).contains(&device(4)));
}

#[test]
fn a_loss_of_rank_asks_for_a_new_epoch_and_a_gain_does_not() {
    let mut town = Town::with_room(3, ROOM);
    town.change(3, 2);
    assert_eq!(town.due(1), None);
    town.change(3, 1);
    assert_eq!(town.due(1), Some(Due::Seats));
    let next = town.rotate(1);
    assert_eq!(town.wrapped(next).len(), 3, "who lost rank alone stays");
}

#[test]
fn who_got_a_seat_or_a_rank_makes_an_epoch_before_writing() {
    let mut town = Town::with_room(3, ROOM);
    town.change(3, 2);
    assert_eq!((town.due(1), town.due(3)), (None, Some(Due::Rise)));
    let next = town.rotate(3);
    assert_eq!((town.due(3), town.sending(1)), (None, Some(next)));
}

#[test]
fn a_device_that_was_revoked_or_cut_off_or_expired_gets_no_more_keys() {
    for way in 0..3 {
        let mut town = Town::with_room(3, ROOM);
        match way {
            0 => town.revoke(3, 3),
            1 => {
                let now = town.now;
                for member in &mut town.members {
                    member.devices.cutoff(wallet(3), now);
                }
                town.settle();
            }
            _ => {
                town.wait(DAY * 20);
                for number in [1, 2] {
                    town.vouch(number, number);
                    town.prekey(number);
                }
                town.prekey(3);
                town.wait(DAY * 10);
                town.rotate(1);
            }
        }
        let expected = if way == 2 { None } else { Some(Due::Devices) };
        assert_eq!(town.due(1), expected, "{way}");
        let next = town.rotate(2);
        assert!(!town.wrapped(next).contains(&device(3)), "{way}");
        assert_eq!(town.wrapped(next).len(), 2);
        assert_eq!(town.due(1), None, "{way}: once is enough");
        assert_eq!(town.due(3), None, "{way}: it makes none itself");
    }
}

#[test]
fn an_expired_device_is_cut_off_by_the_next_epoch() {
    let mut town = Town::with_room(3, ROOM);
    town.wait(DAY * 29);
    for number in [1, 2] {
        town.vouch(number, number);
        town.prekey(number);
    }
    assert_eq!(town.due(1), Some(Due::Age));
    town.rotate(1);
    assert_eq!(town.due(1), None);
    town.wait(DAY);
    assert_eq!(town.due(1), Some(Due::Devices));
    let next = town.rotate(1);
    assert_eq!(town.record(next).cuts[0].cause, Cause::Expired((NOW + DAY * 30).secs()));
    assert_eq!(town.due(2), None);
}

#[test]
fn after_a_week_or_a_thousand_ops_a_new_epoch_is_due() {
    let mut town = Town::with_room(2, ROOM);
    let (ring, view) = (town.ring(2), town.view(2));
    assert_eq!(ring.due(view, MAX_OPS - 1), None);
    assert_eq!(ring.due(view, MAX_OPS), Some(Due::Ops));
    town.wait(Duration::from_millis(7 * 24 * 3_600_000 - 1));
    assert_eq!(town.due(2), None);
    town.wait(Duration::from_millis(1));
    assert_eq!(town.due(2), Some(Due::Age));
}

#[test]
fn newcomers_ask_for_a_new_epoch_only_where_they_may_not_read_what_was_before() {
    let join = Charter { policy: Policy::FromJoin, ..ROOM };
    for (charter, due) in [(ROOM, None), (join, Some(Due::Arrival))] {
        let mut town = Town::with_room(2, charter);
        town.change(9, 1);
        assert_eq!(town.due(1), due);
    }
    let mut town = Town::with_room(2, ROOM);
    town.change(9, 1);
    town.member(1).keyring.as_mut().unwrap().tighten();
    assert_eq!((town.due(1), town.due(2)), (Some(Due::Arrival), None));
}

#[test]
fn of_epochs_made_at_once_all_send_under_the_same_and_read_both() {
    let mut town = Town::with_room(3, ROOM);
    town.change(3, 0);
    let (one, other) = (town.make(1), town.make(2));
    let (one, other) = (town.publish(1, one), town.publish(2, other));
    assert_eq!(town.sending(1), Some(one.min(other)));
    assert_eq!(town.sending(2), Some(one.min(other)));
    for number in [1, 2] {
        assert!(town.ring(number).keys(one).is_some() && town.ring(number).keys(other).is_some());
    }
    town.wait(MAX_AGE);
    let next = town.rotate(1);
    assert_eq!(town.record(next).parents.as_slice().len(), 2, "the next one joins them");
    assert_eq!(town.record(next).position(), Position { version: 4, generation: 2 });
    assert_eq!(town.sending(2), Some(next));
}

#[test]
fn a_wrong_key_is_noticed_and_answered_with_the_next_generation() {
    let mut town = Town::with_room(3, ROOM);
    let first = town.sending(2).unwrap();
    town.wait(MAX_AGE);
    let mut new = town.make(1);
    // Wallet 1 gives device 2 another secret than the rest.
    let (epoch, tag) = (new.epoch, town.tag());
    let place = (COMMUNITY, tag, epoch);
    let lie = EpochSecret::new([6; 32]);
    let prekey = |number: u8| town.members[usize::from(number) - 1].prekeys[0].public();
    let mut to: Vec<_> = (1..=3).map(|number| (device(number), prekey(number))).collect();
    to.sort_unstable();
    let right = wrap::seal_pages(place, town.now, &new.secret, &to, &mut random(&mut 900));
    let wrong = wrap::seal_pages(place, town.now, &lie, &to, &mut random(&mut 950));
    let mut page = right[0].clone();
    for (wrap, other) in page.wraps.iter_mut().zip(&wrong[0].wraps) {
        if wrap.device == device(2) {
            *wrap = *other;
        }
    }
    let page = ControlItem::Page(page);
    let Some(ControlItem::Record(record)) = new.items.pop() else { unreachable!() };
    let mut record = *record;
    record.pages[0].page = page.id();
    let record = record.sign(&town.member(1).secret);
    new.items = vec![page, ControlItem::Record(Box::new(record))];
    town.publish(1, new);

    assert_eq!(town.sending(3), Some(epoch));
    assert_eq!(town.sending(2), Some(first));
    assert!(town.ring(2).bad().eq([epoch]) && town.ring(3).bad().next().is_none());
    assert_eq!((town.due(2), town.due(3)), (Some(Due::BadWrap), None));
    let (device, time) = (device(2), town.now);
    let notice =
        BadWrap { community: COMMUNITY, room_tag: tag, epoch, device, time, signature: UNSIGNED };
    let notice = notice.sign(&town.member(2).secret);
    town.say(ControlItem::BadWrap(notice));
    let next = town.rotate(2);
    assert_eq!(town.record(next).generation, 3);
    for number in 1..=3 {
        assert_eq!((town.sending(number), town.due(number)), (Some(next), None));
    }
}

#[test]
fn only_those_who_may_begin_a_room() {
    let mut town = Town::new(3);
    let mut found = |by: u8, charter| {
        let member = &town.members[usize::from(by) - 1];
        let view = member.view(&town.seats, town.now);
        Keyring::found(COMMUNITY, charter, &member.secret, view, &mut random(&mut town.random))
            .map(|_| ())
    };
    let direct =
        |one, other| Charter { kind: RoomKind::direct(wallet(one), wallet(other)), ..ROOM };
    assert_eq!(found(2, ROOM), Ok(()));
    assert_eq!(found(3, ROOM), Err(MakeError::NotAllowed));
    assert_eq!(found(3, direct(3, 1)), Ok(()));
    assert_eq!(found(1, direct(3, 2)), Err(MakeError::NotAllowed));
}

#[test]
fn direct_messages_are_for_two_wallets() {
    let kind = RoomKind::direct(wallet(3), wallet(1));
    let mut town = Town::with_room(4, Charter { kind, ..ROOM });
    let first = town.sending(3).unwrap();
    let mut both = [device(1), device(3)];
    both.sort_unstable();
    assert_eq!(town.wrapped(first), both);
    assert_eq!((town.sending(2), town.due(2)), (None, None));
    town.change(4, 0);
    assert_eq!(town.due(1), None, "others come and go");
    town.change(3, 0);
    assert_eq!((town.due(1), town.due(3)), (Some(Due::Seats), None));
    let next = town.rotate(1);
    assert_eq!(town.wrapped(next), [device(1)]);
}

#[test]
fn who_holds_no_key_makes_none() {
    let mut town = Town::with_room(2, ROOM);
    town.members.push(Member::new(3));
    town.change(3, 1);
    town.vouch(3, 3);
    let (tag, items) = (town.tag(), town.items.clone());
    for item in items {
        town.member(3).hear(&item, tag);
    }
    town.settle();
    assert_eq!((town.sending(3), town.due(3)), (None, None));
    assert_eq!(town.try_make(3, &mut |_| Vec::new()).map(|_| ()), Err(MakeError::NoKey));
}

#[test]
fn after_the_author_was_revoked_nobody_sends_under_its_epochs() {
    let mut town = Town::with_room(3, ROOM);
    let first = town.sending(1).unwrap();
    town.wait(MAX_AGE);
    let second = town.rotate(3);
    assert_eq!(town.sending(1), Some(second));
    town.revoke(3, 3);
    assert_eq!(town.sending(1), Some(first));
    assert_eq!(town.due(1), Some(Due::Devices));
    // Whoever has the device goes on making epochs.
    let by = &town.members[2];
    let honest = Member::new(3);
    let view = View { devices: &honest.devices, ..by.view(&town.seats, town.now) };
    assert!(
        by.keyring
            .as_ref()
            .unwrap()
            .make(&by.secret, view, &mut |_| vec![], &mut random(&mut 7))
            .is_err()
    );
    let third = town.rotate(1);
    assert_eq!(town.record(third).generation, 3);
    assert!(!town.wrapped(third).contains(&device(3)));
    assert_eq!((town.sending(2), town.due(2)), (Some(third), None));
    let mut stolen = town.record(third);
    (stolen.author, stolen.generation, stolen.time) = (device(3), 4, town.now);
    stolen.parents = crate::ascending::Ascending::newest(vec![
        ControlItem::Record(Box::new(town.record(third))).id(),
    ]);
    let secret = EpochSecret::new([8; 32]);
    stolen.epoch = secret.id(town.tag(), stolen.version, 4, device(3));
    stolen.write_key = EpochKeys::derive(&secret, &stolen.epoch).write_key();
    let room = town.ring(1).room().unwrap().clone();
    stolen.room = EpochKeys::derive(&secret, &stolen.epoch).seal_room(&room, [1; 24]);
    let stolen = stolen.sign(&town.member(3).secret);
    let epoch = stolen.epoch;
    town.member(2).keyring.as_mut().unwrap().restore(epoch, secret);
    town.say(ControlItem::Record(Box::new(stolen)));
    assert_eq!(town.state(2, epoch), [State::Valid], "it can be read with");
    assert_eq!(town.sending(2), Some(third), "and is not sent under");
}

#[test]
fn delays_rise_with_the_rank_among_those_present_up_to_eight_steps() {
    let present: Vec<_> = (1..=20).map(device).collect();
    let step = Duration::from_millis(250);
    let mut delays: Vec<_> =
        present.iter().map(|own| delay(*own, &present, &[7; 32], step)).collect();
    let other: Vec<_> = present.iter().map(|own| delay(*own, &present, &[8; 32], step)).collect();
    assert_ne!(delays, other, "another order for each occasion");
    delays.sort_unstable();
    let expected: Vec<_> = (0..20).map(|rank: u32| step * rank.min(8)).collect();
    assert_eq!(delays, expected);
}

//! Asking for keys, and giving them.

use super::*;
use crate::control::Grant;

/// A wallet with this number comes, and hears all that was said.
fn join(town: &mut Town, number: u8) {
    town.change(number, 1);
    town.members.push(Member::new(number));
    town.vouch(number, number);
    let (tag, items) = (town.tag(), town.items.clone());
    for item in items {
        town.members.last_mut().unwrap().hear(&item, tag);
    }
    town.prekey(number);
    town.settle();
}

fn ask(town: &mut Town, number: u8, wanted: Vec<EpochId>) {
    let (device, time, room_tag) = (device(number), town.now, town.tag());
    let request =
        KeyRequest { community: COMMUNITY, room_tag, device, wanted, time, signature: UNSIGNED };
    let request = request.sign(&DeviceSecret::from_seed(&[number; 32]));
    town.say(ControlItem::Request(request));
}

fn askers(town: &Town, number: u8) -> Vec<DeviceKey> {
    town.ring(number).asking(town.view(number)).map(|it| it.recipient.device).collect()
}

fn granted(town: &mut Town, by: u8, to: u8) -> Option<Grant> {
    let Town { seats, now, members, random: count, .. } = town;
    let member = &members[usize::from(by) - 1];
    let keyring = member.keyring.as_ref().unwrap();
    keyring.grant(device(to), &member.secret, member.view(seats, *now), &mut random(count))
}

fn give(town: &mut Town, by: u8, to: u8) {
    let grant = granted(town, by, to).unwrap();
    town.say(ControlItem::Grant(grant));
}

/// The epochs whose keys a member holds.
fn held(town: &Town, number: u8) -> usize {
    town.ring(number).secrets().count()
}

/// Three epochs, then wallet 4 joins.
fn town(policy: Policy) -> Town {
    let mut town = Town::with_room(3, Charter { policy, ..ROOM });
    for _ in 0..2 {
        town.wait(MAX_AGE);
        town.rotate(1);
    }
    join(&mut town, 4);
    town
}

#[test]
fn a_newcomer_gets_all_keys_where_history_is_open() {
    let mut town = town(Policy::OpenHistory);
    assert_eq!((held(&town, 4), town.ring(4).missing().count()), (0, 3));
    ask(&mut town, 4, Vec::new());
    assert_eq!(askers(&town, 1), [device(4)]);
    assert_eq!(askers(&town, 4), [], "nobody answers itself");
    give(&mut town, 1, 4);
    assert_eq!((held(&town, 4), town.ring(4).missing().count()), (3, 0));
    assert_eq!(town.sending(4), town.sending(1));
    assert_eq!(askers(&town, 2), [], "it was answered");
}

#[test]
fn a_newcomer_gets_no_keys_from_before_where_that_is_the_policy() {
    let mut town = town(Policy::FromJoin);
    ask(&mut town, 4, Vec::new());
    assert_eq!(askers(&town, 1), []);
    assert_eq!(granted(&mut town, 1, 4), None);
    assert_eq!(town.due(1), Some(Due::Arrival));
    let next = town.rotate(1);
    assert_eq!((held(&town, 4), town.sending(4)), (1, Some(next)));
    // A second device of the same wallet may have what the wallet may read.
    let second = 5;
    town.members.push(Member::new(second));
    town.vouch(4, second);
    town.prekey(second);
    ask(&mut town, second, Vec::new());
    assert!(askers(&town, 1).contains(&device(second)));
    let items = town.items.clone();
    for item in items {
        let tag = town.tag();
        town.member(second).hear(&item, tag);
    }
    give(&mut town, 4, second);
    assert!(town.ring(second).secrets().map(|(epoch, _)| epoch).eq([next]));
}

#[test]
fn only_what_was_asked_for_is_given() {
    let mut town = town(Policy::OpenHistory);
    let wanted: Vec<_> = town.ring(4).missing().take(1).collect();
    ask(&mut town, 4, wanted.clone());
    give(&mut town, 2, 4);
    assert!(town.ring(4).secrets().map(|(epoch, _)| epoch).eq(wanted));
}

#[test]
fn those_without_a_seat_get_nothing() {
    let mut town = town(Policy::OpenHistory);
    ask(&mut town, 4, Vec::new());
    ask(&mut town, 3, Vec::new());
    town.change(4, 0);
    town.revoke(3, 3);
    assert_eq!(askers(&town, 1), []);
    assert_eq!((granted(&mut town, 1, 4), granted(&mut town, 1, 3)), (None, None));
}

#[test]
fn a_device_of_which_a_record_says_that_it_is_revoked_gets_nothing_even_without_the_proof() {
    let mut town = Town::with_room(4, ROOM);
    // Device 2 does not hear of the revocation.
    let devices = town.member(2).devices.clone();
    town.revoke(4, 4);
    town.rotate(1);
    town.member(2).devices = devices;
    town.settle();
    ask(&mut town, 4, Vec::new());
    assert_eq!(askers(&town, 2), []);
    assert_eq!(granted(&mut town, 2, 4), None);
    // What stays unproven is not believed for ever.
    town.wait(MAX_AGE);
    ask(&mut town, 4, Vec::new());
    assert_eq!(askers(&town, 2), [device(4)]);
}

#[test]
fn a_key_is_checked_against_its_epoch() {
    let mut town = town(Policy::OpenHistory);
    ask(&mut town, 4, Vec::new());
    let lies: Vec<_> =
        town.ring(4).missing().map(|epoch| (epoch, EpochSecret::new([6; 32]))).collect();
    let (room_tag, prekey) = (town.tag(), town.members[3].prekeys[0].public());
    let to = wrap::GrantTo { community: COMMUNITY, room_tag, device: device(4), prekey };
    let liar = DeviceSecret::from_seed(&[2; 32]);
    let lie = |town: &mut Town| {
        let grant = wrap::seal_grant(to, &lies, &liar, town.now, &mut random(&mut 99)).unwrap();
        town.say(ControlItem::Grant(grant));
    };
    lie(&mut town);
    assert_eq!((held(&town, 4), town.sending(4)), (0, None));
    assert_eq!(askers(&town, 1), [], "it looks as if it had been answered");
    town.wait(Duration::from_secs(30));
    ask(&mut town, 4, Vec::new());
    lie(&mut town);
    assert_eq!(askers(&town, 1), [device(4)], "whose first answer was no use counts no more");
    give(&mut town, 1, 4);
    assert_eq!(held(&town, 4), 3);
    assert_eq!(askers(&town, 3), []);
}

#[test]
fn who_answered_twice_does_not_answer_for_ever() {
    let mut town = town(Policy::OpenHistory);
    for _ in 0..2 {
        ask(&mut town, 4, Vec::new());
        give(&mut town, 1, 4);
        assert_eq!(askers(&town, 1), []);
        town.wait(Duration::from_secs(30));
    }
}

#[test]
fn an_answer_is_to_one_question_whatever_the_clocks_say() {
    let mut town = town(Policy::OpenHistory);
    ask(&mut town, 4, Vec::new());
    let asked = town.now;
    town.wait(Duration::from_secs(240));
    give(&mut town, 1, 4);
    town.now = asked + Duration::from_secs(60);
    ask(&mut town, 4, Vec::new());
    assert_eq!(askers(&town, 1), [device(4)]);
    town.now = asked;
    assert_eq!(askers(&town, 2), [device(4)]);
    give(&mut town, 2, 4);
    assert_eq!(askers(&town, 3), []);
}

#[test]
fn who_can_give_all_that_is_asked_for_is_told_from_who_cannot() {
    let mut town = town(Policy::OpenHistory);
    let epochs: Vec<_> = town.ring(1).secrets().map(|(epoch, _)| epoch).collect();
    let all = |town: &Town| town.ring(1).asking(town.view(1)).map(|it| it.all).next();
    ask(&mut town, 4, epochs.clone());
    assert_eq!(all(&town), Some(true));
    town.wait(Duration::from_secs(1));
    ask(&mut town, 4, [epochs, vec![EpochId([9; 16])]].concat());
    assert_eq!(all(&town), Some(false));
}

#[test]
fn keys_that_come_before_their_records_are_kept_for_them() {
    let mut town = town(Policy::OpenHistory);
    ask(&mut town, 4, Vec::new());
    let grant = ControlItem::Grant(granted(&mut town, 1, 4).unwrap());
    let (tag, items) = (town.tag(), town.items.clone());
    let member = town.member(4);
    member.keyring = None;
    member.hear(&grant, tag);
    member.settle(&Seats::default(), NOW);
    for item in items.iter().rev() {
        member.hear(item, tag);
    }
    town.settle();
    assert_eq!((held(&town, 4), town.sending(4)), (3, town.sending(1)));
}

#[test]
fn the_pages_that_may_hold_a_key_are_asked_for() {
    let mut town = Town::with_room(3, ROOM);
    let (tag, items) = (town.tag(), town.items.clone());
    let page = items.iter().find(|it| matches!(it, ControlItem::Page(_))).unwrap();
    let member = town.member(3);
    member.keyring = None;
    for item in items.iter().filter(|item| *item != page) {
        member.hear(item, tag);
    }
    town.settle();
    assert!(town.ring(3).wanted().map(|(_, page)| page).eq([page.id()]));
    assert_eq!(town.sending(3), None);
    town.member(3).hear(page, tag);
    town.settle();
    assert_eq!(town.sending(3), town.sending(1));
    assert_eq!(town.ring(3).wanted().count(), 0);
}

#[test]
fn pages_without_records_do_not_push_out_those_that_are_wanted() {
    let mut town = Town::with_room(3, ROOM);
    town.wait(MAX_AGE);
    let new = town.make(1);
    let Some((ControlItem::Record(record), pages)) = new.items.split_last() else { unreachable!() };
    let ring = town.member(3).keyring.as_mut().unwrap();
    ring.insert(OpId([1; 32]), &ControlItem::Record(record.clone()));
    ring.insert(pages[0].id(), &pages[0]);
    let ControlItem::Page(page) = &pages[0] else { unreachable!() };
    for number in 0..2000_u32 {
        let mut junk = page.clone();
        junk.epoch.0[..4].copy_from_slice(&number.to_be_bytes());
        let junk = ControlItem::Page(junk);
        ring.insert(junk.id(), &junk);
    }
    town.settle();
    assert!(town.ring(3).keys(new.epoch).is_some());
}

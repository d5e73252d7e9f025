//! What a lying member costs: little, and it is left.

use crate::device::{INVALID, NOW, ROOM, item, items};
use crate::eve::{DAY, Duel, EVE, SALT, alice, hello, offer};
use crate::world::World;
use chats_core::epoch::RoomTag;
use chats_core::hlc::Hlc;
use chats_core::id::DeviceKey;
use chats_core::op::OpId;
use chats_core::store::SetId;
use chats_core::sync::wire::{MAX_FETCH, RoomOffer, TagHash};
use chats_core::sync::{End, Ending, Output, SyncMessage, Window};
use chats_core::time::{Duration, Time};
use negentropy::{Id, Negentropy, NegentropyStorageVector};

const MINUTE: Duration = Duration::from_secs(60);

/// The first question of somebody who has these.
fn question(ids: &[OpId]) -> Vec<u8> {
    Negentropy::owned(storage(ids), 250_000).unwrap().initiate().unwrap()
}

/// The answer of somebody who has these.
fn answer(ids: &[OpId], question: &[u8]) -> Vec<u8> {
    Negentropy::owned(storage(ids), 250_000).unwrap().reconcile(question).unwrap()
}

fn storage(ids: &[OpId]) -> NegentropyStorageVector {
    let mut storage = NegentropyStorageVector::new();
    ids.iter().for_each(|id| storage.insert(id.hlc().0, Id::from_byte_array(id.0)).unwrap());
    storage.seal().unwrap();
    storage
}

fn ids(items: &[(OpId, Vec<u8>)]) -> Vec<OpId> {
    items.iter().map(|(id, _)| *id).collect()
}

fn given(set: u16, items: &[(OpId, Vec<u8>)]) -> SyncMessage {
    SyncMessage::Items { set, items: items.iter().map(|(_, it)| it.clone().into()).collect() }
}

fn reconcile(window: Window, negentropy: Vec<u8>) -> SyncMessage {
    SyncMessage::Reconcile { set: 1, window, negentropy: negentropy.into() }
}

/// The question that Alice asks about the newest day of the room.
fn asked(duel: &mut Duel) -> (Window, Vec<u8>) {
    let heard = duel.heard();
    let question = heard.into_iter().find_map(|message| match message {
        SyncMessage::Reconcile { set: 1, window, negentropy } => Some((window, negentropy)),
        _ => None,
    });
    let (window, negentropy) = question.unwrap();
    (window, negentropy.into())
}

#[test]
fn frames_that_mean_nothing_end_a_session() {
    for frame in [vec![], vec![0xff], vec![0x80], vec![0; 1000]] {
        let mut duel = Duel::over(10);
        duel.dial();
        duel.bytes(frame);
        duel.assert_left();
    }
}

#[test]
fn a_second_hello_ends_a_session() {
    let mut duel = Duel::over(10);
    duel.dial();
    duel.say(&hello(duel.alice.key));
    duel.assert_left();
}

#[test]
fn a_second_welcome_ends_a_session() {
    let mut duel = Duel::over(10);
    duel.dialled();
    duel.heard();
    duel.say(&SyncMessage::Welcome { salt: SALT, rooms: vec![] });
    duel.assert_left();
}

#[test]
fn a_welcome_to_rooms_that_were_not_offered_ends_a_session() {
    let alice = DeviceKey([1; 32]);
    let other = TagHash::of(RoomTag([9; 16]), &SALT, EVE, alice);
    let cases = [
        vec![RoomOffer { tag: other, horizon: Hlc(0) }],
        vec![offer(EVE, alice), offer(EVE, alice)],
        // What Alice herself said, said again.
        vec![offer(alice, EVE)],
    ];
    for rooms in cases {
        let mut duel = Duel::over(10);
        duel.wait(Duration::from_secs(3));
        duel.heard();
        duel.say(&SyncMessage::Welcome { salt: SALT, rooms });
        duel.assert_left();
    }
}

#[test]
fn another_s_hello_said_again_reveals_no_room() {
    let mut duel = Duel::over(10);
    let bob = DeviceKey([2; 32]);
    let to_alice = offer(bob, duel.alice.key);
    let to_eve = offer(bob, EVE);
    duel.say(&SyncMessage::Hello { salt: SALT, rooms: vec![to_alice, to_eve] });
    let heard = duel.heard();
    assert!(matches!(&heard[..], [SyncMessage::Welcome { rooms, .. }] if rooms.is_empty()));
}

#[test]
fn a_room_named_twice_is_one_room() {
    let mut duel = Duel::over(10);
    let rooms = vec![offer(EVE, duel.alice.key); 256];
    duel.say(&SyncMessage::Hello { salt: SALT, rooms });
    let heard = duel.heard();
    assert!(matches!(&heard[..], [SyncMessage::Welcome { rooms, .. }] if rooms.len() == 1));
}

#[test]
fn sets_that_were_not_agreed_on_end_a_session() {
    let messages = [
        SyncMessage::Reconcile { set: 2, window: DAY, negentropy: question(&[]).into() },
        SyncMessage::Fetch { set: 2, ids: vec![OpId([0; 32])] },
        given(2, &items(1, NOW)),
        SyncMessage::Committed { set: 2, ids: vec![] },
        SyncMessage::Done { set: 2, window: DAY },
    ];
    for message in messages {
        let mut duel = Duel::over(10);
        duel.dial();
        duel.say(&message);
        duel.assert_left();
    }
}

#[test]
fn messages_of_the_other_role_end_a_session() {
    let mut one = Duel::over(10);
    one.dial();
    one.say(&SyncMessage::Welcome { salt: SALT, rooms: vec![] });
    one.assert_left();
    for message in [
        SyncMessage::Fetch { set: 1, ids: vec![OpId([0; 32])] },
        SyncMessage::Done { set: 1, window: DAY },
    ] {
        let mut duel = Duel::over(10);
        duel.dialled_about_the_room();
        duel.say(&message);
        duel.assert_left();
    }
}

#[test]
fn items_that_were_not_asked_for_end_a_session() {
    let mut duel = Duel::over(10);
    duel.dialled_about_the_room();
    duel.say(&given(1, &items(1, Time(NOW.0 - 5000))));
    duel.assert_left();
}

#[test]
fn other_items_than_were_asked_for_end_a_session() {
    let lacked = items(20, Time(NOW.0 - 5000));
    let mut swapped = lacked[..3].to_vec();
    swapped.swap(0, 1);
    let mut changed = lacked[..1].to_vec();
    changed[0].1.push(0);
    for (set, answered) in
        [(1, swapped), (1, changed), (1, items(1, NOW)), (0, lacked[..1].to_vec())]
    {
        let mut duel = Duel::over(10);
        duel.dialled_about_the_room();
        let (window, question) = asked(&mut duel);
        duel.say(&reconcile(window, answer(&ids(&lacked), &question)));
        let heard = duel.heard();
        let fetched = |message: &SyncMessage| matches!(message, SyncMessage::Fetch { ids, .. } if *ids == self::ids(&lacked));
        assert!(heard.iter().any(fetched), "{heard:?}");
        duel.say(&given(set, &answered));
        duel.assert_left();
        assert_eq!(duel.alice.store.ids(ROOM).len(), 10);
    }
}

#[test]
fn items_given_unasked_must_be_of_a_window_that_was_compared() {
    let old = item(Hlc::at(Time(NOW.0 - 3 * 86_400_000)), b"old");
    let cases = [vec![old], items(1, Time(NOW.0 + 3 * 86_400_000))];
    for items in cases {
        let mut duel = Duel::over(10);
        duel.dial();
        duel.say(&reconcile(DAY, question(&[])));
        duel.heard();
        duel.say(&given(1, &items));
        duel.assert_left();
    }
    let mut duel = Duel::over(10);
    duel.dial();
    duel.say(&given(1, &items(1, Time(NOW.0 - 5000))));
    duel.assert_left();
}

#[test]
fn one_item_twice_in_a_message_or_bytes_of_no_item_end_a_session() {
    let one = items(1, Time(NOW.0 - 5000)).remove(0);
    let none = (one.0, vec![]);
    let short = (one.0, vec![1, 2, 3]);
    for items in [vec![one.clone(), one.clone()], vec![none], vec![short]] {
        let mut duel = Duel::over(10);
        duel.dial();
        duel.say(&reconcile(DAY, question(&[])));
        duel.heard();
        duel.say(&given(1, &items));
        duel.assert_left();
    }
}

#[test]
fn more_messages_than_were_answered_for_end_a_session() {
    let mut duel = Duel::over(10);
    duel.dial();
    duel.say(&reconcile(DAY, question(&[])));
    duel.heard();
    let new = items(9, Time(NOW.0 - 5000));
    for item in &new[..8] {
        duel.say(&given(1, std::slice::from_ref(item)));
        assert_eq!(duel.endings(), []);
    }
    duel.say(&given(1, &new[8..]));
    duel.assert_left();
}

#[test]
fn committed_must_be_what_was_sent() {
    for (set, ids) in [(1, ids(&items(1, Time(NOW.0 - 5000)))), (0, vec![])] {
        let mut duel = Duel::over(300);
        duel.dial();
        let wanted = items(300, NOW)[..200].iter().map(|(id, _)| *id).collect();
        duel.say(&SyncMessage::Fetch { set: 1, ids: wanted });
        duel.work();
        assert!(matches!(duel.heard()[..], [SyncMessage::Items { .. }, ..]));
        duel.say(&SyncMessage::Committed { set, ids });
        duel.assert_left();
        assert!(!duel.alice.told.iter().any(|it| matches!(it, Output::Delivered { .. })));
    }
    let mut duel = Duel::over(10);
    duel.dial();
    duel.say(&SyncMessage::Committed { set: 1, ids: vec![] });
    duel.assert_left();
}

#[test]
fn who_answers_for_nothing_gets_little_and_is_not_waited_for() {
    let mut duel = Duel::over(5000);
    duel.dial();
    let all = ids(&items(5000, NOW));
    for ids in all.chunks(MAX_FETCH).take(4) {
        duel.say(&SyncMessage::Fetch { set: 1, ids: ids.to_vec() });
    }
    duel.work();
    assert_eq!(duel.heard().len(), 8);
    duel.wait(Duration::from_secs(50));
    assert_eq!(duel.endings(), []);
    duel.wait(Duration::from_secs(20));
    assert_eq!(duel.endings(), [Ending::Ours(End::TooSlow)]);
}

#[test]
fn more_questions_for_items_than_can_be_answered_end_a_session() {
    let mut duel = Duel::over(10);
    duel.dial();
    for round in 0..5 {
        assert_eq!(duel.endings(), [], "{round}");
        let ids = ids(&items(1024, NOW));
        duel.say(&SyncMessage::Fetch { set: 1, ids });
    }
    duel.assert_left();
}

#[test]
fn what_was_never_here_is_not_read_from_the_store() {
    let mut duel = Duel::over(10);
    duel.dial();
    let ids = ids(&items(1000, Time(NOW.0 - 5000)));
    duel.say(&SyncMessage::Fetch { set: 1, ids });
    assert!(duel.alice.tasks.is_empty());
    let heard = duel.heard();
    let mut count = 0;
    for message in &heard {
        let SyncMessage::Items { items, .. } = message else { panic!("{message:?}") };
        assert!(items.len() <= 128 && items.iter().all(|item| item.is_empty()));
        count += items.len();
    }
    assert_eq!((heard.len(), count), (8, 1000));
}

#[test]
fn one_device_gets_so_much_within_an_hour() {
    let mut duel = Duel::over(2000);
    let all = ids(&items(2000, NOW));
    let mut items = 0;
    for _ in 0..100 {
        duel.dial();
        for ids in all.chunks(MAX_FETCH) {
            duel.say(&SyncMessage::Fetch { set: 1, ids: ids.to_vec() });
        }
        loop {
            duel.work();
            let heard = duel.heard();
            if heard.is_empty() {
                break;
            }
            for message in heard {
                match message {
                    SyncMessage::Items { set, items: some } => {
                        items += some.len();
                        duel.say(&SyncMessage::Committed { set, ids: vec![] });
                    }
                    SyncMessage::End { reason: End::Spent } => {
                        assert_eq!(items, 40_000);
                        return;
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        duel.say(&SyncMessage::End { reason: End::Finished });
        duel.wait(Duration::from_secs(20));
        duel.heard();
    }
    panic!("{items} items were given");
}

#[test]
fn who_begins_sessions_without_end_is_not_answered() {
    let mut duel = Duel::over(10);
    for _ in 0..100 {
        duel.say(&hello(duel.alice.key));
        duel.say(&SyncMessage::End { reason: End::Finished });
    }
    assert_eq!(duel.heard().len(), 8);
    duel.wait(Duration::from_secs(10));
    duel.say(&hello(duel.alice.key));
    assert!(matches!(duel.heard()[..], [SyncMessage::Welcome { .. }]));
}

#[test]
fn questions_about_one_window_have_an_end() {
    let mut duel = Duel::over(100);
    duel.dial();
    let question = question(&ids(&items(100, Time(NOW.0 - 5000))));
    for round in 0..64 {
        duel.say(&reconcile(DAY, question.clone()));
        assert!(matches!(duel.heard()[..], [SyncMessage::Reconcile { .. }]), "{round}");
    }
    duel.say(&reconcile(DAY, question));
    assert_eq!(duel.heard(), [SyncMessage::End { reason: End::TooMuch }]);
}

#[test]
fn questions_about_ever_other_windows_have_an_end() {
    let mut duel = Duel::over(100);
    duel.dial();
    for at in 1..=4 {
        let window = Window { from: Hlc(0), until: Hlc(u64::MAX - at) };
        duel.say(&reconcile(window, question(&[])));
        assert!(matches!(duel.heard()[..], [SyncMessage::Reconcile { .. }]), "{at}");
    }
    duel.say(&reconcile(Window::ALL, question(&[])));
    assert_eq!(duel.heard(), [SyncMessage::End { reason: End::TooMuch }]);
}

/// Four windows of 64 rounds each over all ids would be four times what a session may take.
#[test]
fn questions_over_all_of_the_largest_set_have_an_end() {
    let mut duel = Duel::over_the_largest();
    duel.dial();
    let question = question(&ids(&items(100, Time(NOW.0 - 5000))));
    let mut rounds = 0;
    'session: for at in 1..=4 {
        let window = Window { from: Hlc(0), until: Hlc(u64::MAX - at) };
        for _ in 0..64 {
            duel.say(&reconcile(window, question.clone()));
            match &duel.heard()[..] {
                [SyncMessage::Reconcile { negentropy, .. }] => {
                    assert!(negentropy.len() <= 250_000);
                    rounds += 1;
                }
                [SyncMessage::End { reason: End::TooMuch }] => break 'session,
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(rounds, 63);
}

#[test]
fn answers_that_never_come_to_an_end_end_a_session() {
    let mut duel = Duel::over(2000);
    duel.dialled_about_the_room();
    let sketched = duel.heard().into_iter().find_map(|message| match message {
        SyncMessage::Sketch { set: 1, window, .. } => Some(window),
        _ => None,
    });
    duel.say(&SyncMessage::Again { set: 1, window: sketched.unwrap(), cells: 0 });
    // Whatever is asked, all differs.
    let other = ids(&items(2000, Time(NOW.0 - 500)));
    for round in 1..=65 {
        let heard = duel.heard();
        let window = heard.iter().find_map(|message| match message {
            SyncMessage::Reconcile { set: 1, window, .. } => Some(*window),
            _ => None,
        });
        let Some(window) = window else {
            assert_eq!(heard, [SyncMessage::End { reason: End::TooMuch }]);
            assert_eq!(round, 65);
            return;
        };
        duel.say(&reconcile(window, question(&other)));
    }
    panic!("it goes on");
}

#[test]
fn ids_that_are_not_of_the_window_end_a_session() {
    let mut duel = Duel::over(10);
    duel.dialled_about_the_room();
    let (window, question) = asked(&mut duel);
    let old = item(Hlc::at(Time(NOW.0 - 3 * 86_400_000)), b"old");
    let mut lie = answer(&[], &question);
    // The same list with one id more: behind version, bound and mode stands its length.
    let at = lie.len() - 1;
    assert_eq!(lie[at], 0);
    lie[at] = 1;
    lie.extend(old.0.0);
    duel.say(&reconcile(window, lie));
    duel.assert_left();
}

#[test]
fn answers_to_what_was_not_asked_and_negentropy_that_is_none_end_a_session() {
    let mut one = Duel::over(10);
    one.dialled_about_the_room();
    one.say(&reconcile(Window::ALL, vec![0x61]));
    one.assert_left();
    let mut two = Duel::over(10);
    two.dialled_about_the_room();
    let (window, _) = asked(&mut two);
    two.say(&reconcile(window, vec![0x61, 0, 0, 7]));
    two.assert_left();
    let mut three = Duel::over(10);
    three.dial();
    three.say(&reconcile(DAY, vec![0x61, 0, 0, 7]));
    three.assert_left();
}

#[test]
fn ids_that_are_claimed_and_not_given_cost_an_hour_s_items_and_no_more() {
    let mut world = World::new(2);
    world.devices[0].store.put(ROOM, items(10, world.now));
    let claimed = items(50_000, Time(world.now.0 - 5000));
    // Its store says that it has them, and has none.
    world.devices[1].store.put(ROOM, []);
    let (known, _) = world.devices[1].store.sets.get_mut(&ROOM).unwrap();
    for (id, _) in &claimed {
        known.insert(*id);
    }
    world.link(0, 1);
    world.run(MINUTE * 50);
    let asked = world.traffic.fetched.get(&0).copied().unwrap_or_default();
    assert_eq!(asked, 20_000);
    assert_eq!(world.devices[0].store.ids(ROOM).len(), 10);
    // Comparing so much costs 1.6 MB a time: not every minute.
    assert!(world.traffic.bytes < 20_000_000, "{} bytes", world.traffic.bytes);
}

#[test]
fn over_one_in_twenty_invalid_items_and_the_device_is_left() {
    let mut world = World::new(2);
    let invalid = (0..200_u64).map(|at| {
        let what = [INVALID, &at.to_be_bytes()].concat();
        item(Hlc::at(Time(world.now.0 - at)), &what)
    });
    let invalid: Vec<_> = invalid.collect();
    world.devices[0].store.put(ROOM, []);
    world.devices[1].store.put(ROOM, invalid);
    world.link(0, 1);
    world.run(MINUTE * 50);
    let ended = |how: Ending| Output::Ended { with: world.devices[1].key, how };
    let left = ended(Ending::Ours(End::Malformed));
    assert_eq!(world.devices[0].told.iter().filter(|it| **it == left).count(), 1);
    let completed = |it: &Output| matches!(it, Output::Completed { set: ROOM, .. });
    assert!(!world.devices[0].told.iter().any(completed));
}

#[test]
fn who_drips_is_not_listened_to_for_ever() {
    let mut duel = Duel::over(10);
    duel.dial();
    for _ in 0..20 {
        duel.say(&SyncMessage::Reconcile {
            set: 0,
            window: Window::ALL,
            negentropy: question(&[]).into(),
        });
        duel.wait(Duration::from_secs(50));
    }
    assert_eq!(duel.endings(), [Ending::Ours(End::TooSlow)]);
}

#[test]
fn who_has_not_passed_is_not_listened_to() {
    let mut alice = alice(10);
    let frame = chats_core::wire::encode(&hello(alice.key));
    alice.handle(chats_core::sync::Input::Frame { from: EVE, frame }, NOW);
    assert!(alice.outbox.is_empty() && alice.told.is_empty());
}

#[test]
fn a_set_that_is_no_room_of_ours_is_not_written_to() {
    let mut duel = Duel::over(10);
    let other = TagHash::of(RoomTag([9; 16]), &SALT, EVE, duel.alice.key);
    let rooms = vec![RoomOffer { tag: other, horizon: Hlc(0) }, offer(EVE, duel.alice.key)];
    duel.say(&SyncMessage::Hello { salt: SALT, rooms });
    duel.heard();
    // The first common room is number 1, wherever it stood in the hello.
    duel.say(&reconcile(DAY, question(&[])));
    duel.say(&given(1, &items(1, Time(NOW.0 - 5000))));
    duel.work();
    assert_eq!(duel.alice.store.ids(ROOM).len(), 11);
    assert_eq!(duel.alice.store.sets.keys().copied().collect::<Vec<_>>(), [SetId::CONTROL, ROOM]);
}

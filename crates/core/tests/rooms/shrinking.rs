//! What is not kept for ever, and what is judged again.

use crate::town::Town;
use chats_core::content::Mentions;
use chats_core::control::ControlItem;
use chats_core::epoch::{EpochSecret, Policy};
use chats_core::gossip;
use chats_core::rooms::{Action, Incoming, Passphrase, RoomGossip};
use chats_core::time::Duration;
use chats_core::wire;
use zeroize::Zeroizing;

const MOMENT: Duration = Duration::from_secs(2);
const LONG: Duration = Duration::from_secs(120);
/// Within this time it is looked for what need not be kept.
const SWEPT: Duration = Duration::from_secs(3700);
const DAY: Duration = Duration::from_secs(24 * 3600);

fn passphrase() -> Passphrase {
    Passphrase::new(Zeroizing::new("correct horse".to_owned()))
}

/// Lets days pass in which nobody does anything.
fn days(town: &mut Town, days: u32) {
    town.now = town.now + DAY * days;
    town.run(SWEPT);
}

/// Somebody is let in, and linked with the first two.
fn newcomer(town: &mut Town) -> usize {
    town.change(3, 1);
    town.hear();
    let new = town.come(3, 3);
    town.link(0, new);
    town.link(1, new);
    town.run(LONG);
    new
}

#[test]
fn what_others_took_the_place_of_loses_its_body_after_a_week_and_all_shows_as_before() {
    let (mut town, room) = Town::with_room(2);
    town.open_all(room);
    town.say(0, room, "first");
    let target = town.people[0].message("first").id;
    for words in ["second", "third"] {
        let (markdown, mentions) = (words.to_owned(), Mentions::default());
        town.act(0, Action::Edit { room, target, markdown, mentions });
    }
    for set in [true, false, true] {
        town.act(1, Action::React { room, target, emoji: "+".to_owned(), set });
    }
    town.say(1, room, "too much");
    let gone = town.people[1].message("too much").id;
    town.act(1, Action::Delete { room, target: gone });
    let name = Some("lobby".to_owned());
    town.act(0, Action::SetRoom { room, name, topic: None, pin: None, tighten: false });
    town.run(MOMENT);
    let whole = vec![512; 10];
    days(&mut town, 6);
    for person in &town.people {
        assert_eq!(person.sizes(room), whole);
    }
    days(&mut town, 2);
    // The first name, the first edit, two reactions and what was taken away.
    let spent = [0, 2, 4, 5, 7];
    let new = newcomer(&mut town);
    town.restart(0);
    town.open(0, room);
    town.open(new, room);
    town.run(MOMENT);
    for (who, person) in town.people.iter().enumerate() {
        for (at, size) in person.sizes(room).into_iter().enumerate() {
            let right = if spent.contains(&at) { (1..512).contains(&size) } else { size == 512 };
            assert!(right, "person {who}: {size} bytes of op {at}");
        }
        assert_eq!(person.said(), ["third", "(deleted)"], "person {who}");
        let reactions = &person.message("third").reactions;
        assert_eq!(reactions.len(), 1, "person {who}");
        assert_eq!(person.list[0].name.as_deref(), Some("lobby"), "person {who}");
    }
}

#[test]
fn what_nobody_gives_a_key_to_is_given_up_after_a_month_and_read_when_there_is_one() {
    let (mut town, _) = Town::with_room(2);
    let (name, policy) = ("board".to_owned(), Policy::FromJoin);
    let room = town.act(0, Action::CreateRoom { name, policy }).unwrap();
    town.say(0, room, "before");
    let new = newcomer(&mut town);
    town.say(1, room, "after");
    town.open(new, room);
    town.run(LONG);
    assert_eq!(town.people[new].said(), ["after"]);
    assert_eq!(town.people[new].sizes(room), [512; 3]);
    assert_eq!(town.people[new].counts.sealed, 2);
    days(&mut town, 20);
    town.restart(new);
    town.link(0, new);
    days(&mut town, 9);
    assert_eq!(town.people[new].sizes(room), [512; 3]);
    days(&mut town, 2);
    town.run(LONG);
    assert_eq!(town.people[new].sizes(room), [0, 0, 512]);
    assert_eq!(town.people[new].counts.sealed, 0);
    assert_eq!(town.people[0].sizes(room), [512; 3]);
    // They are not fetched again for the asking.
    town.restart(new);
    town.link(0, new);
    town.open(new, room);
    town.run(LONG);
    assert_eq!(town.people[new].sizes(room), [0, 0, 512]);
    town.act(0, Action::Export { passphrase: passphrase() });
    let file = town.people[0].backup.clone().into();
    town.act(new, Action::Import { passphrase: passphrase(), file });
    town.run(MOMENT);
    assert_eq!(town.people[new].said(), ["before", "after"]);
    assert_eq!(town.people[new].sizes(room), [512; 3]);
}

#[test]
fn what_was_refused_by_a_record_that_lies_is_read_when_the_right_one_comes() {
    let (mut town, room) = Town::with_room(4);
    town.open_all(room);
    let late = 3;
    town.isolate(late);
    town.change(9, 1);
    town.change(9, 0);
    town.hear();
    town.say(0, room, "under new keys");
    town.run(MOMENT);
    let id = town.people[0].message("under new keys").id;
    // Another member tells the one who was away of this epoch, with a write key of its own.
    let mut lie = town.people[0].newest_record();
    lie.author = town.people[2].key();
    let other = chats_core::epoch::EpochKeys::derive(&EpochSecret::new([1; 32]), &lie.epoch);
    (lie.write_key, lie.pages) = (other.write_key(), Vec::new());
    let lie = ControlItem::Record(Box::new(lie.sign(&town.people[2].secret)));
    let message = wire::encode(&RoomGossip::Item(lie.encode().into()));
    let (source, certificate) = (town.people[2].key(), town.people[2].certificate.clone());
    let passed = Incoming::Passed { device: source, certificate: Box::new(certificate) };
    let said = Incoming::Gossip { source, id: gossip::id(&message), message: message.into() };
    let now = town.now;
    let person = &mut town.people[late];
    person.tell(passed, now);
    person.tell(said, now);
    person.out.clear();
    person.refuse(room, id, now);
    town.restart(late);
    town.open(late, room);
    town.run(MOMENT);
    assert!(town.people[late].said().is_empty());
    town.bring_back(late);
    town.run(LONG);
    assert_eq!(town.people[late].said(), ["under new keys"]);
}

#[test]
fn what_was_too_far_ahead_of_a_clock_is_read_when_the_clock_is_right() {
    let (mut town, room) = Town::with_room(2);
    town.open_all(room);
    let ahead = town.now + DAY * 3;
    let (markdown, mentions) = ("from ahead".to_owned(), Mentions::default());
    town.people[0].act(Action::Write { room, markdown, reply: None, mentions }, ahead);
    town.run(LONG);
    assert_eq!(town.people[1].said(), Vec::<&str>::new());
    assert!(!town.people[1].counts.refused.is_empty());
    days(&mut town, 3);
    town.all_read(&["from ahead"]);
}

//! Members write, and read what others wrote.

use crate::town::{Town, wallet};
use chats_core::content::Mentions;
use chats_core::rooms::{Action, RoomState, Sending};
use chats_core::time::Duration;

const MOMENT: Duration = Duration::from_secs(2);
const LONG: Duration = Duration::from_secs(90);

#[test]
fn a_room_that_the_owner_makes_is_there_for_all() {
    let (town, room) = Town::with_room(3);
    for person in &town.people {
        let [view] = person.list.as_slice() else { panic!("{:?}", person.list) };
        assert_eq!((view.tag, view.name.as_deref()), (room, Some("general")));
        assert_eq!(view.state, RoomState::Open);
    }
    assert_eq!(town.rejected, 0);
}

#[test]
fn the_first_room_is_made_by_a_moderator_who_meets_others() {
    let mut town = Town::new(1);
    town.run(LONG);
    assert!(town.people[0].list.is_empty());
    town.change(2, 2);
    town.change(3, 1);
    town.hear();
    for number in 2..=3 {
        let one = town.come(number, number);
        town.bring_back(one);
    }
    town.run(Duration::from_secs(30));
    for person in &town.people {
        let [room] = person.list.as_slice() else { panic!("{:?}", person.list) };
        assert_eq!((room.name.as_deref(), room.state), (Some("general"), RoomState::Open));
    }
}

#[test]
fn members_make_no_rooms() {
    let mut town = Town::new(3);
    let policy = chats_core::epoch::Policy::OpenHistory;
    let refused = town.try_act(2, Action::CreateRoom { name: "mine".to_owned(), policy });
    assert!(refused.unwrap_err().contains("moderators"));
}

#[test]
fn who_gets_a_seat_later_is_read_by_all() {
    let (mut town, room) = Town::with_room(2);
    town.change(3, 1);
    town.hear();
    let late = town.come(3, 3);
    town.bring_back(late);
    town.run(LONG);
    town.open_all(room);
    town.say(late, room, "here I am");
    town.run(MOMENT);
    town.all_read(&["here I am"]);
}

#[test]
fn what_one_says_all_read_at_once_and_it_counts_as_delivered() {
    let (mut town, room) = Town::with_room(4);
    town.open_all(room);
    town.say(2, room, "hello");
    town.say(3, room, "hi there");
    town.all_read(&["hello", "hi there"]);
    let seen = &town.people[0].messages.values().next().unwrap();
    assert_eq!((seen.author, seen.sending), (wallet(3), None));
    assert_eq!(town.people[2].sending("hello"), Some(Sending::Delivered));
    assert_eq!(town.rejected, 0);
}

#[test]
fn what_is_said_alone_waits_and_comes_to_all_later() {
    let (mut town, room) = Town::with_room(3);
    town.open_all(room);
    town.isolate(2);
    town.say(2, room, "anybody?");
    town.run(MOMENT);
    assert_eq!(town.people[2].sending("anybody?"), Some(Sending::Queued));
    town.say(0, room, "where is three?");
    town.run(LONG);
    town.bring_back(2);
    town.run(LONG);
    town.all_read(&["anybody?", "where is three?"]);
    assert_eq!(town.people[2].sending("anybody?"), Some(Sending::Delivered));
}

#[test]
fn who_comes_later_reads_what_was_said_before() {
    let (mut town, room) = Town::with_room(2);
    town.open_all(room);
    for number in 0..300 {
        town.say(number % 2, room, &format!("number {number}"));
        town.now = town.now + Duration::from_secs(1);
    }
    town.change(3, 1);
    town.hear();
    let late = town.come(3, 3);
    town.link(0, late);
    town.run(Duration::from_secs(20));
    town.open(late, room);
    town.run(MOMENT);
    let person = &town.people[late];
    assert_eq!(person.counts.ops, town.people[0].counts.ops, "{:?}", person.counts);
    assert_eq!((person.messages.len(), person.more), (30, true));
    assert_eq!(*person.said().last().unwrap(), "number 299");
    for _ in 0..9 {
        town.act(late, Action::Older);
        town.run(MOMENT);
    }
    assert_eq!((town.people[late].messages.len(), town.people[late].more), (300, false));
    assert_eq!(town.people[late].said()[0], "number 0");
}

#[test]
fn edits_reactions_and_deletions_show_for_all() {
    let (mut town, room) = Town::with_room(3);
    town.open_all(room);
    town.say(2, room, "helo");
    let target = town.people[2].message("helo").id;
    let (markdown, mentions) = ("hello".to_owned(), Mentions::default());
    town.act(2, Action::Edit { room, target, markdown, mentions });
    town.act(1, Action::React { room, target, emoji: "+1".to_owned(), set: true });
    town.run(MOMENT);
    town.all_read(&["hello"]);
    let seen = town.people[0].message("hello");
    assert!(seen.edited);
    assert_eq!(seen.reactions, [("+1".to_owned(), vec![wallet(2)])]);
    // A member takes nothing of others away, a moderator does.
    town.say(0, room, "off topic");
    let other = town.people[0].message("off topic").id;
    assert!(town.try_act(2, Action::Delete { room, target: other }).is_err());
    town.run(MOMENT);
    town.all_read(&["hello", "off topic"]);
    town.act(1, Action::Delete { room, target: other });
    town.run(MOMENT);
    town.all_read(&["hello", "(deleted)"]);
}

#[test]
fn an_answer_names_what_it_answers_and_a_mention_is_noticed() {
    let (mut town, room) = Town::with_room(3);
    town.open_all(room);
    town.say(0, room, "shall we?");
    let id = town.people[0].message("shall we?").id;
    let mentions = Mentions::newest(vec![wallet(1)]);
    let markdown = "yes".to_owned();
    town.act(2, Action::Write { room, markdown, reply: Some(id), mentions });
    town.run(MOMENT);
    let seen = town.people[0].message("yes");
    let reply = seen.reply.as_ref().unwrap();
    assert_eq!((reply.author, reply.excerpt.as_str()), (Some(wallet(1)), "shall we?"));
    assert!(seen.mentions_me && !town.people[1].message("yes").mentions_me);
    let view = &town.people[0].list[0];
    assert_eq!((view.unread, view.mentioned), (1, true));
    let upto = town.people[0].message("yes").id;
    town.act(0, Action::Read { room, upto });
    town.run(MOMENT);
    assert_eq!((town.people[0].list[0].unread, town.people[0].list[0].mentioned), (0, false));
}

#[test]
fn what_comes_before_its_key_is_delivered_as_well() {
    let (mut town, room) = Town::with_room(2);
    town.open(0, room);
    town.isolate(1);
    // Nobody approves it.
    let second = town.come(2, 9);
    town.link(0, second);
    town.run(LONG);
    town.say(0, room, "hello");
    town.work();
    assert_eq!(town.people[0].message("hello").sending, Some(Sending::Delivered));
    town.run(LONG);
    assert!(town.people[second].said().is_empty() && town.people[second].counts.sealed > 0);
}

#[test]
fn reading_takes_nothing_out_of_sight() {
    let (mut town, room) = Town::with_room(2);
    town.open_all(room);
    for number in 0..40 {
        town.say(0, room, &format!("number {number}"));
        town.run(Duration::from_secs(3));
        let upto = town.people[1].message(&format!("number {number}")).id;
        town.act(1, Action::Read { room, upto });
        town.run(MOMENT);
    }
    assert_eq!((town.people[1].said().len(), town.people[1].list[0].unread), (40, 0));
}

#[test]
fn two_talk_alone_and_a_third_sees_nothing_of_it() {
    let (mut town, _) = Town::with_room(4);
    let other = wallet(4);
    let room = town.act(2, Action::Direct { wallet: other }).unwrap();
    town.run(MOMENT);
    assert_eq!(town.act(3, Action::Direct { wallet: wallet(3) }), Some(room));
    town.open(2, room);
    town.open(3, room);
    town.say(2, room, "between us");
    town.run(LONG);
    assert_eq!(town.people[3].said(), ["between us"]);
    for who in [0, 1] {
        assert_eq!(town.people[who].list.len(), 1);
        assert_eq!(town.people[who].counts.sealed, 0);
        town.open(who, room);
        assert!(town.people[who].messages.is_empty());
    }
}

#[test]
fn long_messages_come_soon_although_who_passes_on_word_of_them_has_to_fetch_them_too() {
    let (mut town, room) = Town::with_room(4);
    town.open_all(room);
    town.run(LONG);
    // In a row: each hears of it from the one before.
    for (one, other) in [(0, 2), (0, 3), (1, 3)] {
        town.cut(one, other);
    }
    let mut all = Vec::new();
    for number in 0..12 {
        all.push(format!("{number} {}", "long ".repeat(1900)));
        town.say(0, room, all.last().unwrap());
        town.run(Duration::from_secs(25));
        for (who, person) in town.people.iter().enumerate() {
            assert_eq!(person.said().len(), all.len(), "person {who}, message {number}");
        }
        town.run(LONG);
    }
}

#[test]
fn two_who_talk_alone_seek_each_other_when_they_are_not_linked() {
    let (mut town, _) = Town::with_room(5);
    town.cut(2, 3);
    town.run(LONG);
    assert!(town.people.iter().all(|person| person.seeks.is_empty()));
    let alone = town.act(2, Action::Direct { wallet: wallet(4) }).unwrap();
    town.say(2, alone, "between us");
    town.run(LONG);
    let keys = [2, 3].map(|who: usize| town.people[who].key());
    // The other has heard of it from those who pass the keys on.
    assert_eq!(
        (town.people[2].seeks.as_slice(), town.people[3].seeks.as_slice()),
        (&keys[1..], &keys[..1])
    );
    assert!(town.people[0].seeks.is_empty());
    town.link(2, 3);
    assert!(town.people[2].seeks.is_empty() && town.people[3].seeks.is_empty());
    town.run(Duration::from_secs(30));
    town.open(3, alone);
    assert_eq!(town.people[3].said(), ["between us"]);
}

#[test]
fn who_writes_is_seen_for_a_few_seconds_until_the_message_comes() {
    let (mut town, room) = Town::with_room(3);
    town.open_all(room);
    town.act(2, Action::Typing { room });
    town.work();
    assert_eq!(town.people[0].typing, [wallet(3)]);
    assert!(town.people[2].typing.is_empty());
    town.say(2, room, "there");
    assert!(town.people[0].typing.is_empty());
    town.run(Duration::from_secs(4));
    town.act(2, Action::Typing { room });
    town.work();
    assert_eq!(town.people[0].typing, [wallet(3)]);
    town.run(Duration::from_secs(7));
    assert!(town.people[0].typing.is_empty());
}

#[test]
fn what_is_too_long_is_refused_with_what_to_do() {
    let (mut town, room) = Town::with_room(2);
    let mentions = Mentions::default();
    let markdown = "x".repeat(10_001);
    let refused = town.try_act(0, Action::Write { room, markdown, reply: None, mentions });
    assert!(refused.unwrap_err().contains("make it shorter"));
}

#[test]
fn long_messages_come_whole_although_gossip_does_not_carry_them() {
    let (mut town, room) = Town::with_room(3);
    town.open_all(room);
    let long = "ö🙂".repeat(5000);
    town.say(2, room, &long);
    town.run(Duration::from_secs(15));
    for person in &town.people {
        // Not printed: it is long.
        assert!(person.said() == [long.as_str()]);
    }
}

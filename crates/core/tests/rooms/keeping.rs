//! What lasts when the page is closed.

use crate::town::Town;
use chats_core::content::Mentions;
use chats_core::rooms::{Action, Keeping, RoomState, Sending};
use chats_core::store::StoreError;
use chats_core::time::{Duration, Time};

const MOMENT: Duration = Duration::from_secs(2);

#[test]
fn history_reads_after_a_restart_without_anybody() {
    let (mut town, room) = Town::with_room(2);
    town.open_all(room);
    for number in 0..200 {
        town.say(number % 2, room, &format!("number {number}"));
        town.now = town.now + Duration::from_secs(1);
    }
    let upto = *town.people[1].messages.keys().nth(9).unwrap();
    town.act(1, Action::Read { room, upto });
    let unread = town.people[1].list[0].unread;
    town.restart(1);
    assert_eq!(town.people[1].list[0].state, RoomState::Open);
    assert_eq!(town.people[1].list[0].name.as_deref(), Some("general"));
    assert_eq!(town.people[1].list[0].unread, unread);
    town.open(1, room);
    town.run(MOMENT);
    assert_eq!(*town.people[1].said().last().unwrap(), "number 199");
    for _ in 0..6 {
        town.act(1, Action::Older);
        town.run(MOMENT);
    }
    assert_eq!(town.people[1].messages.len(), 200);
}

#[test]
fn what_was_queued_goes_out_after_a_restart() {
    let (mut town, room) = Town::with_room(2);
    town.open_all(room);
    town.isolate(1);
    town.say(1, room, "before");
    town.restart(1);
    town.open(1, room);
    town.run(MOMENT);
    assert_eq!(town.people[1].sending("before"), Some(Sending::Queued));
    town.say(1, room, "after");
    town.bring_back(1);
    town.run(Duration::from_secs(20));
    town.all_read(&["before", "after"]);
    assert_eq!(town.people[1].sending("before"), Some(Sending::Delivered));
    assert!(town.people[0].list[0].forked.is_empty());
}

#[test]
fn what_cannot_be_kept_is_said_and_kept_later_and_does_not_go_out_before() {
    let (mut town, room) = Town::with_room(2);
    town.open_all(room);
    town.people[1].fails.extend([StoreError::Quota, StoreError::Quota]);
    let mentions = Mentions::default();
    let markdown = "no space".to_owned();
    let write = Action::Write { room, markdown, reply: None, mentions };
    let number = town.people[1].act(write, town.now);
    town.work();
    assert!(!town.people[1].done.contains_key(&number), "acknowledged without being kept");
    assert_eq!(town.people[1].sending("no space"), Some(Sending::Failed));
    assert!(matches!(town.people[1].keeping, Some(Keeping::Failing(_))));
    assert!(town.people[0].said().is_empty());
    town.run(Duration::from_secs(10));
    assert_eq!(town.people[1].done.get(&number), Some(&(None, None)));
    assert_eq!(town.people[1].sending("no space"), Some(Sending::Delivered));
    assert_eq!(town.people[1].keeping, Some(Keeping::Good));
    town.all_read(&["no space"]);
}

#[test]
fn nothing_is_written_past_what_was_written_under_keys_that_are_lost() {
    let (mut town, room) = Town::with_room(3);
    town.open_all(room);
    town.say(1, room, "first");
    town.change(3, 0);
    town.hear();
    town.isolate(2);
    town.say(0, room, "new keys");
    town.say(1, room, "second");
    town.run(MOMENT);
    town.people[1].lose_newest_record();
    town.restart(1);
    town.open(1, room);
    town.run(MOMENT);
    assert_eq!(town.people[1].said(), ["first"]);
    let (markdown, mentions) = ("third".to_owned(), Mentions::default());
    let write = Action::Write { room, markdown, reply: None, mentions };
    let number = town.people[1].act(write, town.now);
    town.run(MOMENT);
    assert!(!town.people[1].done.contains_key(&number));
    town.link(0, 1);
    town.run(Duration::from_secs(10));
    assert_eq!(town.people[1].done.get(&number), Some(&(None, None)));
    for who in 0..2 {
        assert_eq!(town.people[who].said(), ["first", "new keys", "second", "third"]);
        assert!(town.people[who].list[0].forked.is_empty());
    }
}

#[test]
fn what_is_said_under_new_keys_is_not_acknowledged_before_they_are_kept() {
    let (mut town, room) = Town::with_room(3);
    town.open_all(room);
    town.change(3, 0);
    town.hear();
    town.isolate(2);
    town.people[1].fails.extend(vec![StoreError::Quota; 3]);
    town.say(0, room, "new keys");
    let (markdown, mentions) = ("mine".to_owned(), Mentions::default());
    let write = Action::Write { room, markdown, reply: None, mentions };
    let number = town.people[1].act(write, town.now);
    town.run(MOMENT);
    assert!(!town.people[1].done.contains_key(&number) && !town.people[1].fails.is_empty());
    town.run(Duration::from_secs(10));
    assert_eq!(town.people[1].done.get(&number), Some(&(None, None)));
    town.restart(1);
    town.open(1, room);
    town.run(MOMENT);
    assert_eq!(town.people[1].said(), ["new keys", "mine"]);
}

#[test]
fn what_there_was_no_space_for_when_its_key_came_is_read_later() {
    let (mut town, room) = Town::with_room(2);
    for number in [3, 4] {
        town.change(number, 1);
    }
    town.hear();
    let newcomers = [3, 4].map(|number| town.come(number, number));
    for late in newcomers {
        town.link(0, late);
        while town.people[late].list.is_empty() {
            town.run(Duration::from_millis(50));
        }
        town.isolate(late);
        assert_eq!(town.people[late].list[0].state, RoomState::WaitsForKey);
    }
    // It asks one who has no key either.
    let [late, other] = newcomers;
    town.link(late, other);
    town.run(Duration::from_secs(10));
    town.isolate(late);
    town.say(0, room, "welcome");
    town.people[late].fails.extend(vec![StoreError::Quota; 5]);
    town.link(0, late);
    while town.people[late].list[0].state == RoomState::WaitsForKey {
        town.run(Duration::from_millis(50));
    }
    assert!(!town.people[late].fails.is_empty(), "there was space before the key came");
    town.isolate(late);
    town.run(Duration::from_secs(60));
    town.open(late, room);
    assert_eq!(town.people[late].said(), ["welcome"]);
    town.restart(late);
    town.open(late, room);
    town.run(MOMENT);
    assert_eq!(town.people[late].said(), ["welcome"]);
}

#[test]
fn a_database_that_is_deleted_under_the_page_comes_back_from_memory_and_from_others() {
    let (mut town, room) = Town::with_room(2);
    town.open_all(room);
    town.say(0, room, "one");
    town.isolate(1);
    town.run(MOMENT);
    town.say(1, room, "two");
    town.people[1].lose_disk();
    town.run(MOMENT);
    town.say(1, room, "three");
    town.run(Duration::from_secs(10));
    town.bring_back(1);
    town.run(Duration::from_secs(30));
    town.all_read(&["one", "two", "three"]);
    town.restart(1);
    town.open(1, room);
    town.run(MOMENT);
    town.all_read(&["one", "two", "three"]);
    town.bring_back(1);
    town.say(1, room, "four");
    town.run(MOMENT);
    town.all_read(&["one", "two", "three", "four"]);
    assert!(town.people[0].list[0].forked.is_empty());
}

#[test]
fn who_writes_faster_than_is_shown_is_told_so() {
    let (mut town, room) = Town::with_room(2);
    town.run(Duration::from_secs(60));
    for number in 0..30 {
        town.say(1, room, &format!("{number}"));
    }
    let (markdown, mentions) = ("one more".to_owned(), Mentions::default());
    let write = Action::Write { room, markdown, reply: None, mentions };
    assert!(town.try_act(1, write.clone()).unwrap_err().contains("Wait a moment"));
    town.run(Duration::from_secs(60));
    assert!(town.try_act(1, write).is_ok());
}

#[test]
fn a_clock_that_is_set_back_while_the_page_is_closed_hides_nothing_and_makes_no_fork() {
    let (mut town, room) = Town::with_room(3);
    town.now = town.now + Duration::from_secs(3 * 3600);
    town.say(1, room, "by another");
    town.say(2, room, "by oneself");
    town.run(Duration::from_secs(5));
    town.isolate(2);
    let back = Time(town.now.0 - 2 * 3600 * 1000);
    let person = &mut town.people[2];
    person.restart(back);
    person.act(Action::Open { room }, back);
    assert_eq!(person.said(), ["by another", "by oneself"]);
    let (markdown, mentions) = ("afterwards".to_owned(), Mentions::default());
    person.act(Action::Write { room, markdown, reply: None, mentions }, back);
    person.tick(back + Duration::from_secs(1));
    assert_eq!(person.said(), ["by another", "by oneself", "afterwards"]);
    town.bring_back(2);
    town.run(Duration::from_secs(60));
    town.open_all(room);
    town.all_read(&["by another", "by oneself", "afterwards"]);
    assert!(town.people.iter().all(|person| person.list[0].forked.is_empty()));
}

#[test]
fn messages_that_wait_for_the_clock_are_counted() {
    let (mut town, room) = Town::with_room(2);
    town.open_all(room);
    let ahead = town.now + Duration::from_secs(3600);
    let (markdown, mentions) = ("from ahead".to_owned(), Mentions::default());
    town.people[0].act(Action::Write { room, markdown, reply: None, mentions }, ahead);
    town.run(Duration::from_secs(60));
    assert_eq!(town.people[1].list[0].early, 1);
    assert_eq!(town.people[1].said(), Vec::<&str>::new());
    town.run(Duration::from_secs(3600));
    assert_eq!(town.people[1].list[0].early, 0);
    town.all_read(&["from ahead"]);
}

#[test]
fn who_is_alone_hears_that_there_is_no_room_yet() {
    let mut town = Town::new(0);
    town.come(1, 1);
    assert!(town.people[0].listed);
    assert!(town.people[0].list.is_empty());
}

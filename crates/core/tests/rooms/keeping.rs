//! What lasts when the page is closed.

use crate::town::Town;
use chats_core::content::Mentions;
use chats_core::rooms::{Action, Keeping, RoomState, Sending};
use chats_core::store::StoreError;
use chats_core::time::Duration;

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
    for _ in 0..4 {
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

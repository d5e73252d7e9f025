//! What lasts when the page is closed.

use crate::town::Town;
use chats_core::rooms::{Action, RoomState, Sending};
use chats_core::time::Duration;

const MOMENT: Duration = Duration::from_secs(2);

#[test]
fn history_reads_after_a_restart_without_anybody() {
    let (mut town, room) = Town::with_room(2);
    town.open_all(room);
    for number in 0..200 {
        town.say(number % 2, room, &format!("number {number}"));
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

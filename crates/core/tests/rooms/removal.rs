//! Who loses the seat reads and writes no more.

use crate::town::Town;
use chats_core::time::Duration;

const MOMENT: Duration = Duration::from_secs(2);
const LONG: Duration = Duration::from_secs(120);

#[test]
fn a_removed_member_cannot_read_on_and_what_it_held_back_counts_for_nobody() {
    let (mut town, room) = Town::with_room(4);
    town.open_all(room);
    town.say(3, room, "I am here");
    town.run(MOMENT);
    // It leaves the others and writes in secret, before and after it is removed.
    town.isolate(3);
    town.say(3, room, "held back");
    town.change(4, 0);
    town.hear();
    town.say(2, room, "without four");
    town.run(LONG);
    // A removed member would not be linked; here it is, and what it gives changes nothing.
    town.bring_back(3);
    town.run(LONG);
    for who in 0..3 {
        assert_eq!(town.people[who].said(), ["I am here", "without four"], "person {who}");
    }
    assert!(!town.people[3].said().contains(&"without four"));
    let refused = &town.people[0].counts.refused;
    assert!(!refused.is_empty(), "{refused:?}");
}

#[test]
fn a_removal_is_read_of_although_the_endpoints_lag_behind_what_was_heard() {
    let (mut town, room) = Town::with_room(4);
    let before = town.list();
    town.change(4, 0);
    town.stale.extend(vec![before; 9]);
    town.hear();
    town.run(LONG);
    assert!(town.stale.is_empty(), "it was not asked again");
    let version = town.list().newest();
    assert!(town.people.iter().all(|person| person.counts.version == version));
    town.open_all(room);
    town.isolate(3);
    town.say(0, room, "without four");
    town.bring_back(3);
    town.run(LONG);
    assert_eq!(town.people[2].said(), ["without four"]);
    assert!(town.people[3].said().is_empty());
}

#[test]
fn no_key_of_a_list_that_is_not_known_is_given_to_one_of_a_list_that_may_be_over() {
    let (mut town, room) = Town::with_room(3);
    town.change(4, 1);
    town.hear();
    let late = town.come(4, 4);
    town.link(0, late);
    town.run(Duration::from_secs(10));
    town.open_all(room);
    // Four got keys just now, so the chain was asked about it. It takes back that four has a seat:
    // something else changed, for which there is a new epoch.
    // One of the others cannot read that.
    town.unreachable_from = Some(0);
    town.change_at(town.list().newest(), 2, 1);
    town.restart(1);
    town.link(0, 1);
    town.run(MOMENT);
    town.say(1, room, "without four");
    town.run(LONG);
    assert_eq!(town.people[0].said(), ["without four"]);
    assert!(town.people[late].said().is_empty());
    town.unreachable_from = None;
    town.run(LONG);
    assert!(town.people[late].said().is_empty());
}

#[test]
fn what_a_removed_member_said_before_stays() {
    let (mut town, room) = Town::with_room(4);
    town.open_all(room);
    town.say(3, room, "one");
    town.say(3, room, "two");
    town.change(4, 0);
    town.hear();
    town.isolate(3);
    town.say(0, room, "three");
    town.run(LONG);
    for who in 0..3 {
        assert_eq!(town.people[who].said(), ["one", "two", "three"], "person {who}");
    }
}

#[test]
fn whose_seat_the_chain_takes_back_reads_no_more_of_what_is_written_then() {
    for restarts in [false, true] {
        let (mut town, room) = Town::with_room(3);
        town.change(4, 1);
        town.hear();
        let late = town.come(4, 4);
        (0..3).for_each(|one| town.link(one, late));
        town.run(LONG);
        town.open_all(room);
        town.say(0, room, "for all four");
        town.run(MOMENT);
        assert_eq!(town.people[late].said(), ["for all four"]);
        // By the chain four never had a seat, and nobody lost one.
        town.change_at(town.list().newest(), 5, 1);
        town.run(Duration::from_secs(20 * 60));
        if restarts {
            town.isolate(0);
            town.restart(0);
            town.bring_back(0);
            town.open(0, room);
            town.run(LONG);
        }
        town.say(0, room, "without four");
        town.say(1, room, "neither");
        town.run(LONG);
        let all = ["for all four", "without four", "neither"];
        (0..3).for_each(|who| assert_eq!(town.people[who].said(), all, "person {who}"));
        assert_eq!(town.people[late].said(), ["for all four"]);
        // One new epoch is enough.
        let epochs = town.people[0].newest_record().generation;
        town.say(0, room, "again");
        town.run(MOMENT);
        assert_eq!(town.people[0].newest_record().generation, epochs);
    }
}

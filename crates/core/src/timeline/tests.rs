use super::*;
use crate::content::{Edit, Mentions, Pin, Profile, Reaction, Text, Tombstone};
use crate::hlc::Hlc;
use crate::time::Time;
use proptest::prelude::*;

const ALICE: Author = Author { wallet: Wallet([1; 20]), role: Role::Member };
const BOB: Author = Author { wallet: Wallet([2; 20]), role: Role::Member };
const EVE: Author = Author { wallet: Wallet([3; 20]), role: Role::Moderator };

fn id(time: u64) -> OpId {
    OpId::of(Hlc::at(Time(time)), &time.to_be_bytes())
}

fn text() -> Content {
    Content::Text(Text { markdown: "a".to_owned(), reply: None, mentions: Mentions::default() })
}

fn edit(target: OpId) -> Content {
    Content::Edit(Edit { target, markdown: "b".to_owned(), mentions: Mentions::default() })
}

fn react(target: OpId, emoji: &str, set: bool) -> Content {
    Content::Reaction(Reaction { target, emoji: emoji.to_owned(), set })
}

fn bury(target: OpId) -> Content {
    Content::Tombstone(Tombstone { target })
}

fn named(name: &str) -> Content {
    Content::State(RoomState { name: Some(name.to_owned()), ..RoomState::default() })
}

fn pin(target: OpId, set: bool) -> Content {
    Content::State(RoomState { pin: Some(Pin { target, set }), ..RoomState::default() })
}

fn profile(name: &str) -> Content {
    Content::Profile(Profile { name: name.to_owned() })
}

fn timeline(ops: &[(u64, Author, Content)]) -> Timeline {
    let mut timeline = Timeline::default();
    for (time, author, content) in ops {
        timeline.take(id(*time), *author, content, false);
    }
    timeline
}

fn words(timeline: &Timeline) -> Option<OpId> {
    timeline.message(id(1)).and_then(|message| message.words)
}

#[test]
fn the_newest_edit_of_its_author_stands() {
    let ops = [(1, ALICE, text()), (3, ALICE, edit(id(1))), (2, ALICE, edit(id(1)))];
    assert_eq!(words(&timeline(&ops)), Some(id(3)));
}

#[test]
fn nobody_edits_what_another_said() {
    let ops = [(1, ALICE, text()), (2, BOB, edit(id(1))), (3, EVE, edit(id(1)))];
    assert_eq!(words(&timeline(&ops)), Some(id(1)));
}

#[test]
fn authors_and_moderators_take_a_message_away_and_others_do_not() {
    let by = |author| timeline(&[(1, ALICE, text()), (2, author, bury(id(1)))]);
    assert_eq!(words(&by(ALICE)), None);
    assert_eq!(words(&by(EVE)), None);
    assert_eq!(words(&by(BOB)), Some(id(1)));
}

#[test]
fn a_tombstone_beats_a_later_edit_and_all_that_was_put_to_it() {
    let ops = [
        (1, ALICE, text()),
        (2, ALICE, bury(id(1))),
        (3, ALICE, edit(id(1))),
        (4, BOB, react(id(1), "👍", true)),
        (5, EVE, pin(id(1), true)),
    ];
    let message = timeline(&ops).message(id(1)).unwrap();
    assert_eq!((message.words, message.reactions.len(), message.pinned), (None, 0, false));
}

#[test]
fn reactions_are_counted_once_for_each_wallet() {
    let ops = [
        (1, ALICE, text()),
        (2, BOB, react(id(1), "👍", true)),
        (3, BOB, react(id(1), "👍", true)),
        (4, EVE, react(id(1), "🎉", true)),
        (5, ALICE, react(id(1), "🎉", true)),
        (6, ALICE, react(id(1), "🎉", false)),
    ];
    let reactions = timeline(&ops).message(id(1)).unwrap().reactions;
    let expected = vec![("👍".to_owned(), vec![BOB.wallet]), ("🎉".to_owned(), vec![EVE.wallet])];
    assert_eq!(reactions, expected);
}

#[test]
fn one_wallet_does_not_bury_a_message_under_emoji() {
    let mut ops = vec![(1, ALICE, text())];
    ops.extend((0..100).map(|n| (2 + n, BOB, react(id(1), &format!("e{n}"), true))));
    let reactions = timeline(&ops).message(id(1)).unwrap().reactions;
    assert_eq!(reactions.len(), Timeline::MAX_REACTIONS);
}

#[test]
fn only_moderators_name_a_room_and_either_side_does_in_direct_messages() {
    let mut timeline = timeline(&[(1, EVE, named("general")), (2, BOB, named("mine"))]);
    assert_eq!(timeline.name(), Some("general"));
    timeline.take(id(3), BOB, &named("ours"), true);
    assert_eq!(timeline.name(), Some("ours"));
}

#[test]
fn a_policy_is_only_tightened() {
    let policy =
        |policy| Content::State(RoomState { policy: Some(policy), ..RoomState::default() });
    let ops = [(1, EVE, policy(Policy::FromJoin)), (2, EVE, policy(Policy::OpenHistory))];
    assert!(timeline(&ops).tightened());
    assert!(!timeline(&ops[1..]).tightened());
}

#[test]
fn a_member_is_called_what_it_said_last() {
    let ops = [(2, BOB, profile("Robert")), (1, BOB, profile("Bob"))];
    assert_eq!(timeline(&ops).name_of(BOB.wallet), Some("Robert"));
}

#[test]
fn unread_are_those_of_others_since_the_mark() {
    let ops = [(1, ALICE, text()), (2, BOB, text()), (3, ALICE, text()), (4, BOB, text())];
    let timeline = timeline(&ops);
    assert_eq!(timeline.unread(None, ALICE.wallet), 2);
    assert_eq!(timeline.unread(Some(id(2)), ALICE.wallet), 1);
    assert_eq!(timeline.unread(Some(id(4)), ALICE.wallet), 0);
}

#[test]
fn what_comes_is_counted_to_what_was_unread_once() {
    let mut timeline = timeline(&[(1, BOB, text()), (3, BOB, text())]);
    let since = Some(id(2));
    assert_eq!(timeline.unread(since, ALICE.wallet), 1);
    for (at, author) in [(4, BOB), (4, BOB), (5, ALICE), (2, BOB), (1, BOB), (6, EVE)] {
        timeline.take(id(at), author, &text(), false);
    }
    assert_eq!(timeline.unread(since, ALICE.wallet), 3);
    assert_eq!(timeline.unread(since, BOB.wallet), 2);
    assert_eq!(timeline.unread(None, ALICE.wallet), 5);
}

#[test]
fn what_is_not_known_here_is_shown_as_that() {
    let unknown = Content::Unknown { content_type: 99, bytes: vec![1] };
    let timeline = timeline(&[(1, ALICE, unknown)]);
    assert!(timeline.is_unknown(id(1)));
    assert_eq!(words(&timeline), None);
}

proptest! {
    #[test]
    fn the_order_in_which_ops_are_taken_means_nothing(
        shuffled in Just(vec![
            (1, ALICE, text()),
            (2, BOB, text()),
            (3, ALICE, edit(id(1))),
            (4, ALICE, edit(id(1))),
            (5, BOB, edit(id(1))),
            (6, EVE, bury(id(2))),
            (7, BOB, react(id(1), "👍", true)),
            (8, BOB, react(id(1), "👍", false)),
            (9, BOB, react(id(1), "👍", true)),
            (10, ALICE, react(id(1), "🎉", true)),
            (11, EVE, pin(id(1), true)),
            (12, EVE, pin(id(1), false)),
            (13, EVE, named("a")),
            (14, EVE, named("b")),
            (15, BOB, profile("x")),
            (16, BOB, profile("y")),
        ]).prop_shuffle(),
    ) {
        let timeline = timeline(&shuffled);
        let message = timeline.message(id(1)).unwrap();
        prop_assert_eq!(message.words, Some(id(4)));
        let expected =
            vec![("👍".to_owned(), vec![BOB.wallet]), ("🎉".to_owned(), vec![ALICE.wallet])];
        prop_assert_eq!(message.reactions, expected);
        prop_assert!(!message.pinned);
        prop_assert_eq!(timeline.message(id(2)).unwrap().words, None);
        prop_assert_eq!(timeline.name(), Some("b"));
        prop_assert_eq!(timeline.name_of(BOB.wallet), Some("y"));
    }
}

//! Several devices of one wallet.

use crate::town::{Town, wallet};
use chats_core::control::Revoke;
use chats_core::fixtures::TestWallet;
use chats_core::rooms::{Action, RoomState, Standing};
use chats_core::time::{Duration, Time};

const MOMENT: Duration = Duration::from_secs(2);
const LONG: Duration = Duration::from_secs(30);

#[test]
fn a_second_device_reads_what_was_said_before_only_after_the_first_approved_it() {
    let (mut town, room) = Town::with_room(3);
    town.open_all(room);
    town.say(2, room, "before");
    town.now = town.now + Duration::from_secs(60);
    let second = town.come(3, 33);
    town.bring_back(second);
    town.run(LONG);
    town.open(second, room);
    assert_eq!(town.people[second].list[0].state, RoomState::WaitsForKey);
    assert!(town.people[second].said().is_empty());
    let device = town.people[second].key();
    let waiting = town.people[2].devices.iter().find(|it| it.device == device).unwrap();
    assert_eq!((waiting.wallet, waiting.standing), (wallet(3), Standing::WaitsForApproval));
    assert_eq!(town.standing_of_itself(second), Standing::WaitsForApproval);
    // Another member has no say in it.
    town.act(2, Action::Approve { device });
    town.run(LONG);
    assert_eq!(town.people[second].said(), ["before"]);
    assert_eq!(town.standing_of_itself(second), Standing::Good);
    town.say(second, room, "from the second");
    town.run(MOMENT);
    town.all_read(&["before", "from the second"]);
}

#[test]
fn a_revoked_device_reads_and_writes_no_more() {
    let (mut town, room) = Town::with_room(3);
    let second = town.come(3, 33);
    town.bring_back(second);
    town.run(LONG);
    let device = town.people[second].key();
    town.act(2, Action::Approve { device });
    town.run(LONG);
    town.open_all(room);
    town.say(second, room, "last words");
    town.run(MOMENT);
    town.isolate(second);
    let time = Time::from_secs(town.now.secs());
    let signature = TestWallet::new(3).sign(&Revoke::text(wallet(3), device, time));
    let signature = signature.try_into().unwrap();
    let revoke = Revoke { wallet: wallet(3), device, time, signature };
    town.act(2, Action::Revoke { revoke });
    town.say(second, room, "in secret");
    town.say(0, room, "new key");
    town.bring_back(second);
    town.run(LONG);
    for who in 0..3 {
        assert_eq!(town.people[who].said(), ["last words", "new key"], "person {who}");
    }
    assert!(!town.people[second].said().contains(&"new key"));
    assert_eq!(town.standing_of_itself(second), Standing::Revoked);
}

#[test]
fn only_who_may_approves_a_device() {
    let (mut town, _) = Town::with_room(4);
    let second = town.come(3, 33);
    town.bring_back(second);
    town.run(LONG);
    let device = town.people[second].key();
    assert!(town.try_act(3, Action::Approve { device }).is_err());
    assert!(town.try_act(second, Action::Approve { device }).is_err());
    assert!(town.try_act(0, Action::Approve { device }).is_ok());
}

use super::super::MAX_UNTAKEN;
use super::super::desk::Desk;
use super::passed;
use chats_core::epoch::RoomTag;
use chats_core::gossip::{GossipId, GossipVerdict};
use chats_core::id::DeviceKey;
use chats_core::rooms::{Action, Incoming, Outgoing};
use chats_core::seats::Head;
use wasm_bindgen_test::wasm_bindgen_test;

const ROOM: RoomTag = RoomTag([4; 16]);
const SOURCE: DeviceKey = DeviceKey([1; 32]);

fn open() -> Desk {
    let mut desk = Desk::shut("closed");
    desk.open();
    desk
}

fn rest(desk: &mut Desk) -> Vec<Incoming> {
    std::iter::from_fn(|| desk.next()).collect()
}

fn gossip(number: u8) -> Incoming {
    Incoming::Gossip { source: SOURCE, id: GossipId([number; 32]), message: vec![number].into() }
}

fn frame(bytes: usize) -> Incoming {
    Incoming::Frame { from: SOURCE, frame: vec![0; bytes].into() }
}

fn act(number: u64) -> Incoming {
    Incoming::Act { number, action: Action::Older }
}

fn changes(from: u64) -> Incoming {
    Incoming::Changes { from, changes: Vec::new(), head: Head { version: from, rolling: [0; 32] } }
}

fn ignored(number: u8) -> Outgoing {
    let verdict = GossipVerdict::Ignore;
    Outgoing::Judge { id: GossipId([number; 32]), source: SOURCE, verdict }
}

#[wasm_bindgen_test]
fn what_is_put_comes_out_in_its_order() {
    let mut desk = open();
    let all = [passed(1).1, gossip(1), frame(3), act(1), Incoming::Version { version: 2 }];
    for incoming in &all {
        assert_eq!(desk.put(incoming.clone()), None);
    }
    assert_eq!(rest(&mut desk), all);
}

#[wasm_bindgen_test]
fn no_more_is_under_way_than_may_be() {
    let mut desk = open();
    for _ in 0..MAX_UNTAKEN + 2 {
        desk.put(frame(1));
    }
    assert_eq!(rest(&mut desk).len(), MAX_UNTAKEN);
    desk.taken(1);
    assert_eq!(rest(&mut desk).len(), 1);
}

#[wasm_bindgen_test]
fn gossip_and_wishes_are_answered_while_nobody_takes_them() {
    let mut desk = Desk::shut("closed");
    assert_eq!(desk.put(gossip(1)), Some(ignored(1)));
    let refused = Some("closed".to_owned());
    assert_eq!(desk.put(act(7)), Some(Outgoing::Done { number: 7, room: None, refused }));
    assert_eq!(rest(&mut desk), []);
}

#[wasm_bindgen_test]
fn what_was_under_way_when_it_closed_is_answered_once() {
    let mut desk = open();
    for incoming in [gossip(1), gossip(2), act(1), act(2)] {
        desk.put(incoming);
    }
    rest(&mut desk);
    desk.note(&ignored(1));
    desk.note(&Outgoing::Done { number: 1, room: None, refused: None });
    let answers = desk.close("broken".to_owned());
    let [judged, Outgoing::Done { number: 2, room: None, refused: Some(_) }] = answers.as_slice()
    else {
        panic!("{answers:?}")
    };
    assert_eq!(*judged, ignored(2));
    assert_eq!(desk.close("broken".to_owned()), []);
}

#[wasm_bindgen_test]
fn whoever_comes_next_is_told_how_things_are_and_not_how_they_came_to_be() {
    let mut desk = open();
    let ((gone, one), (_, two)) = (passed(1), passed(2));
    let show = |number, room| Incoming::Act { number, action: Action::Open { room } };
    for incoming in [one, two.clone(), frame(3), show(1, RoomTag([3; 16])), gossip(1)] {
        desk.put(incoming);
    }
    desk.close("broken".to_owned());
    for incoming in [Incoming::Gone { device: gone }, Incoming::Version { version: 6 }, frame(3)] {
        assert_eq!(desk.put(incoming), None);
    }
    let done = Outgoing::Done { number: 2, room: None, refused: None };
    assert_eq!(desk.put(show(2, ROOM)), Some(done));
    desk.open();
    assert_eq!(rest(&mut desk), [Incoming::Version { version: 6 }, two, show(0, ROOM)]);
    // It was the desk's own wish.
    assert!(!desk.note(&Outgoing::Done { number: 0, room: None, refused: None }));
}

#[wasm_bindgen_test]
fn changes_go_only_to_whoever_asked_for_them() {
    let mut desk = open();
    desk.note(&Outgoing::ReadChanges { from: 3 });
    desk.close("broken".to_owned());
    desk.open();
    desk.put(changes(3));
    desk.put(Incoming::NoChanges);
    assert_eq!(rest(&mut desk), []);
    desk.note(&Outgoing::ReadChanges { from: 4 });
    desk.put(changes(3));
    desk.put(changes(4));
    desk.put(changes(4));
    assert_eq!(rest(&mut desk), [changes(4)]);
}

#[wasm_bindgen_test]
fn what_others_send_is_bounded_by_number_and_by_size() {
    let mut desk = open();
    let most = std::iter::from_fn(|| Some(desk.put(gossip(1)))).take_while(Option::is_none);
    let count = most.count();
    assert!((100..1000).contains(&count), "{count}");
    let mut desk = open();
    for _ in 0..200 {
        desk.put(frame(256 * 1024));
    }
    let held = rest(&mut desk).len();
    assert!((16..=64).contains(&held), "{held}");
}

#[wasm_bindgen_test]
fn people_who_want_too_much_at_once_are_told_so() {
    let mut desk = open();
    let answers: Vec<_> = (1..=100).filter_map(|number| desk.put(act(number))).collect();
    assert!(matches!(answers.first(), Some(Outgoing::Done { refused: Some(_), .. })));
    assert!(answers.len() < 50, "{}", answers.len());
    assert!(!desk.is_overrun());
}

#[wasm_bindgen_test]
fn a_desk_on_which_too_much_piles_up_says_so() {
    let mut desk = open();
    for version in 0..5000 {
        desk.put(Incoming::Version { version });
    }
    assert!(desk.is_overrun());
}

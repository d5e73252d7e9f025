use crate::{bytes, check, hex, moment};
use chats_core::epoch::RoomTag;
use chats_core::hlc::Hlc;
use chats_core::id::DeviceKey;
use chats_core::op::OpId;
use chats_core::store::SetId;
use chats_core::sync::wire::{RoomOffer, TagHash};
use chats_core::sync::{
    CELL, End, IdSet, Input, Output, Sessions, Sets, Short, SyncMessage, Window,
};
use chats_core::time::Time;
use chats_core::wire;
use serde_json::{Value, json};
use std::collections::{BTreeSet, VecDeque};

const NOW: Time = Time(1_767_225_600_000);
const ROOM: RoomTag = RoomTag([0x77; 16]);
const DAY_MS: u64 = 24 * 3600 * 1000;

fn device(label: &str) -> DeviceKey {
    DeviceKey(bytes(label))
}

fn id(age: u64) -> OpId {
    OpId::of(Hlc::at(Time(NOW.0 - age)), &age.to_be_bytes())
}

fn rooms(offers: &[RoomOffer]) -> Value {
    offers
        .iter()
        .map(|offer| json!({ "tag hash": hex(offer.tag.0), "horizon": moment(offer.horizon) }))
        .collect()
}

fn window(window: &Window) -> Value {
    json!([moment(window.from), moment(window.until)])
}

fn ids(ids: &[OpId]) -> Value {
    ids.iter().map(|id| hex(id.0)).collect()
}

/// A message as it is written, and what it says.
fn message(message: &SyncMessage) -> Value {
    let written = wire::encode(message);
    assert_eq!(SyncMessage::read(&written).as_ref(), Ok(message));
    let (name, fields) = match message {
        SyncMessage::Hello { salt, rooms: offers } => {
            ("hello", json!({ "salt": hex(salt), "rooms": rooms(offers) }))
        }
        SyncMessage::Welcome { salt, rooms: offers } => {
            ("welcome", json!({ "salt": hex(salt), "rooms": rooms(offers) }))
        }
        SyncMessage::Reconcile { set, window: part, negentropy } => (
            "reconcile",
            json!({ "set": set, "window": window(part), "negentropy": hex(&**negentropy) }),
        ),
        SyncMessage::Fetch { set, ids: asked } => {
            ("fetch", json!({ "set": set, "ids": ids(asked) }))
        }
        SyncMessage::Items { set, items } => {
            let items: Value = items.iter().map(|item| hex(&**item)).collect();
            ("items", json!({ "set": set, "items": items }))
        }
        SyncMessage::Committed { set, ids: kept } => {
            ("committed", json!({ "set": set, "ids": ids(kept) }))
        }
        SyncMessage::Done { set, window: part } => {
            ("done", json!({ "set": set, "window": window(part) }))
        }
        SyncMessage::Stored { set, ids: kept } => {
            ("stored", json!({ "set": hex(set), "ids": ids(kept) }))
        }
        SyncMessage::Sketch { set, window: part, known, cells } => (
            "sketch",
            json!({ "set": set, "window": window(part), "known": known, "cells": hex(&**cells) }),
        ),
        SyncMessage::Difference { set, window: part, have, lack } => {
            let lack: Value = lack.iter().map(|short| hex(short.0.to_be_bytes())).collect();
            let window = window(part);
            let fields = json!({ "set": set, "window": window, "have": ids(have), "lack": lack });
            ("difference", fields)
        }
        SyncMessage::Again { set, window: part, cells } => {
            ("again", json!({ "set": set, "window": window(part), "cells": cells }))
        }
        SyncMessage::End { reason } => ("end", json!({ "reason": format!("{reason:?}") })),
    };
    json!({ "message": name, "fields": fields, "bytes": hex(written) })
}

fn messages() -> Vec<Value> {
    let offer = |label: &str, horizon| RoomOffer { tag: TagHash(bytes(label)), horizon };
    let offers = vec![offer("one", Hlc(0)), offer("two", Hlc::at(NOW))];
    let [day, ..] = Window::of_room(NOW, Hlc(0));
    let all = [
        SyncMessage::Hello { salt: bytes("salt"), rooms: offers.clone() },
        SyncMessage::Hello { salt: bytes("salt"), rooms: vec![] },
        SyncMessage::Welcome { salt: bytes("another salt"), rooms: offers },
        SyncMessage::Reconcile { set: 0, window: Window::ALL, negentropy: vec![0x61].into() },
        SyncMessage::Reconcile { set: 256, window: day, negentropy: vec![0x61, 0, 0, 0].into() },
        SyncMessage::Fetch { set: 1, ids: vec![id(1), id(2)] },
        SyncMessage::Items { set: 1, items: vec![vec![1, 2, 3].into(), vec![].into()] },
        SyncMessage::Committed { set: 1, ids: vec![id(1)] },
        SyncMessage::Committed { set: 1, ids: vec![] },
        SyncMessage::Done { set: 1, window: day },
        SyncMessage::Stored { set: ROOM.0, ids: vec![id(1), id(2)] },
        SyncMessage::Stored { set: [0; 16], ids: vec![id(1)] },
        SyncMessage::Sketch { set: 1, window: day, known: 300, cells: vec![7; 2 * CELL].into() },
        SyncMessage::Difference { set: 1, window: day, have: vec![id(1)], lack: vec![Short(5)] },
        SyncMessage::Difference { set: 1, window: day, have: vec![], lack: vec![] },
        SyncMessage::Again { set: 1, window: day, cells: 96 },
        SyncMessage::Again { set: 0, window: Window::ALL, cells: 0 },
    ];
    let ends = [End::Finished, End::Busy, End::Spent, End::TooMuch, End::Malformed, End::TooSlow];
    let ends = ends.map(|reason| SyncMessage::End { reason });
    all.iter().chain(&ends).map(message).collect()
}

fn refused() -> Vec<Value> {
    let empty = Window { from: Hlc(5), until: Hlc(5) };
    let ids = |count: u64| (0..count).map(id).collect();
    let written = |message: SyncMessage| wire::encode(&message);
    let items = |items: Vec<Vec<u8>>| SyncMessage::Items {
        set: 0,
        items: items.into_iter().map(Into::into).collect(),
    };
    let reconcile = |window, negentropy: Vec<u8>| SyncMessage::Reconcile {
        set: 0,
        window,
        negentropy: negentropy.into(),
    };
    let sketch = |window, bytes: usize| {
        written(SyncMessage::Sketch { set: 0, window, known: 0, cells: vec![0; bytes].into() })
    };
    let difference = |window, have, lack| {
        written(SyncMessage::Difference { set: 0, window, have: ids(have), lack })
    };
    let again = |window, cells| written(SyncMessage::Again { set: 0, window, cells });
    let offer = RoomOffer { tag: TagHash([0; 32]), horizon: Hlc(0) };
    let long: [(&str, Vec<u8>); 10] = [
        ("1025 cells", sketch(Window::ALL, 1025 * CELL)),
        ("1025 ids that are unlike", difference(Window::ALL, 1000, vec![Short(1); 25])),
        ("1025 cells to come", again(Window::ALL, 1025)),
        ("1025 ids to fetch", written(SyncMessage::Fetch { set: 0, ids: ids(1025) })),
        ("129 items", written(items(vec![vec![]; 129]))),
        ("an item of 65537 bytes", written(items(vec![vec![0; 65_537]]))),
        ("129 ids committed", written(SyncMessage::Committed { set: 0, ids: ids(129) })),
        ("negentropy of 250001 bytes", written(reconcile(Window::ALL, vec![0; 250_001]))),
        ("257 rooms", written(SyncMessage::Hello { salt: [0; 16], rooms: vec![offer; 257] })),
        ("five items of 64 kB", written(items(vec![vec![0; 65_536]; 5]))),
    ];
    for (what, bytes) in &long {
        assert!(SyncMessage::read(bytes).is_err(), "{what}");
    }
    let short = [
        ("nothing", vec![]),
        ("no ids to fetch", written(SyncMessage::Fetch { set: 0, ids: vec![] })),
        ("no items", written(items(vec![]))),
        ("an empty window", written(reconcile(empty, vec![0x61]))),
        ("no negentropy", written(reconcile(Window::ALL, vec![]))),
        ("an empty window that is done", written(SyncMessage::Done { set: 0, window: empty })),
        ("no cells", sketch(Window::ALL, 0)),
        ("a sketch of an empty window", sketch(empty, CELL)),
        ("what is unlike in an empty window", difference(empty, 0, vec![])),
        ("an empty window again", again(empty, 96)),
        ("an unknown message", vec![0x82, 12, 0]),
        ("nothing that is stored", written(SyncMessage::Stored { set: [0; 16], ids: vec![] })),
        ("an unknown end", vec![0x82, 6, 6]),
        ("a field too many", vec![0x83, 6, 0, 0]),
        ("a longer form of a number", vec![0x82, 6, 0x18, 0]),
        ("a byte behind", vec![0x82, 6, 0, 0]),
    ];
    short
        .into_iter()
        .map(|(what, bytes)| {
            assert!(SyncMessage::read(&bytes).is_err(), "{what}");
            json!({ "what": what, "bytes": hex(bytes) })
        })
        .collect()
}

fn tag_hashes() -> Value {
    let (salt, from, to) = (bytes("salt"), device("speaker"), device("listener"));
    json!({
        "room tag": hex(ROOM.0),
        "salt": hex(salt),
        "speaker": hex(from.0),
        "listener": hex(to.0),
        "tag hash": hex(TagHash::of(ROOM, &salt, from, to).0),
    })
}

fn windows() -> Vec<Value> {
    let horizons = [0, NOW.0 - 3 * DAY_MS, NOW.0 - DAY_MS / 2, NOW.0 + 2 * DAY_MS];
    horizons
        .into_iter()
        .map(|horizon| {
            let horizon = Hlc::at(Time(horizon));
            let windows = Window::of_room(NOW, horizon);
            let windows: Value = windows.iter().filter(|it| !it.is_empty()).map(window).collect();
            json!({ "now": NOW.0, "larger horizon": moment(horizon), "windows": windows })
        })
        .collect()
}

struct Side {
    key: DeviceKey,
    sessions: Sessions,
    control: IdSet,
    room: IdSet,
}

impl Sets for Side {
    fn rooms(&self) -> Vec<RoomTag> {
        vec![ROOM]
    }

    fn set(&self, set: SetId) -> Option<&IdSet> {
        Some(if set == SetId::CONTROL { &self.control } else { &self.room })
    }

    fn id(&self, _: SetId, item: &[u8]) -> Option<OpId> {
        Some(id(u64::from_be_bytes(item.try_into().ok()?)))
    }
}

/// All messages between a side that leads and one that answers. What each has of the room is told
/// by its age in milliseconds; an item is its age in 8 bytes here, big endian, and its id has
/// their hash.
fn session(held: [Vec<u64>; 2]) -> Value {
    let side = |number: usize, label: &str| Side {
        key: device(label),
        sessions: Sessions::new(device(label), bytes(label)),
        control: IdSet::default(),
        room: held[number].iter().map(|age| id(*age)).collect(),
    };
    let mut sides = [side(0, "leader"), side(1, "other")];
    let keys = sides.each_ref().map(|side| side.key);
    let names = ["leader", "other"];
    let mut said = Vec::new();
    let mut inputs = VecDeque::from([
        (1, Input::Passed(keys[0])),
        (0, Input::Passed(keys[1])),
        (0, Input::Tick),
    ]);
    while let Some((at, input)) = inputs.pop_front() {
        // The leader begins within two seconds.
        let passed = matches!(input, Input::Passed(_));
        let time = if passed { Time(NOW.0 - 3000) } else { NOW };
        let mut sessions =
            std::mem::replace(&mut sides[at].sessions, Sessions::new(keys[at], [0; 32]));
        sessions.handle(input, time, &sides[at]);
        while let Some(output) = sessions.poll() {
            match output {
                Output::Send { frame, .. } => {
                    let read = SyncMessage::read(&frame).unwrap();
                    said.push(json!({ "by": names[at], "said": message(&read) }));
                    inputs.push_back((1 - at, Input::Frame { from: keys[at], frame }));
                }
                Output::Load { ticket, ids, .. } => {
                    let age = |id: &OpId| NOW.0 - id.hlc().time().0;
                    let items = ids.iter().map(|id| age(id).to_be_bytes().to_vec()).collect();
                    inputs.push_front((at, Input::Loaded { ticket, items }));
                }
                Output::Received { ticket, items, .. } => {
                    let ids: Vec<OpId> = items.iter().map(|(id, _)| *id).collect();
                    sides[at].room.extend(ids.iter().copied());
                    inputs.push_front((at, Input::Committed { ticket, ids, invalid: 0 }));
                }
                Output::Delivered { .. } | Output::Completed { .. } | Output::Ended { .. } => {}
            }
        }
        sides[at].sessions = sessions;
    }
    let all: BTreeSet<OpId> = held.iter().flatten().map(|age| id(*age)).collect();
    assert!(sides.iter().all(|side| side.room.ids(Window::ALL).eq(&all)));
    json!({
        "leader": { "device": hex(keys[0].0), "ages": held[0] },
        "other": { "device": hex(keys[1].0), "ages": held[1] },
        "room tag": hex(ROOM.0),
        "now": NOW.0,
        "messages": said,
    })
}

#[test]
fn syncs() {
    let vectors = json!({
        "messages": messages(),
        "refused": refused(),
        "tag hashes": tag_hashes(),
        "windows": windows(),
        "session": session([(0..70).step_by(2).collect(), (0..66).collect()]),
        "session with sketches": session([(0..400).collect(), (60..402).collect()]),
    });
    check("sync", &vectors);
}

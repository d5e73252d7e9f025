//! Changes and what is read after them.

use super::kit::{
    OTHER, Place, ROOM, all_entries, all_items, append, batch_of, ids_of, item_of, open_store, raw,
    secret, value,
};
use crate::op::OpId;
use crate::store::{
    Batch, Change, Item, MAX_BATCH, MAX_ITEM, MAX_LOAD, RowKind, SEGMENT_BYTES, SEGMENT_ITEMS,
    SetId, State, StoreError, Table,
};
use std::collections::BTreeMap;

/// Items and rows are the same after the store was opened again.
pub async fn what_was_committed_is_there_after_a_reopen<P: Place>(place: &P) {
    let mut batch = batch_of(ROOM, 0..300, 512);
    batch.put(RowKind::Key, b"epoch", secret("a secret"));
    open_store(place).await.commit(batch).await.expect("committed");

    let store = open_store(place).await;
    let expected: Vec<Item> = (0..300).map(|number| item_of(number, 512)).collect();
    assert_eq!(all_items(&store, ROOM).await, expected);
    assert!(all_items(&store, ROOM).await.iter().zip(&expected).all(|(a, b)| a.bytes == b.bytes));
    assert_eq!(value(&store, RowKind::Key, b"epoch").await.as_deref(), Some("a secret"));
    assert_eq!(store.sets().await, Ok(vec![ROOM]));
    assert_eq!(store.damage().await, []);
}

/// Pages go back from the newest item to the oldest, wherever one begins.
pub async fn items_come_newest_first_in_pages<P: Place>(place: &P) {
    let store = open_store(place).await;
    // In an order that makes segments overlap.
    for start in [3, 0, 4, 1, 2] {
        let numbers = (0..60).map(|step| start + 5 * step);
        store.commit(batch_of(ROOM, numbers, 600)).await.expect("committed");
    }
    let page = store.newest(ROOM, None, 7).await.expect("items");
    let expected: Vec<Item> = (293..300).rev().map(|number| item_of(number, 600)).collect();
    assert_eq!(page, expected);
    let before = item_of(150, 600).entry.id;
    let page = store.newest(ROOM, Some(before), 3).await.expect("items");
    assert_eq!(page, [149, 148, 147].map(|number| item_of(number, 600)));
    // One that is not kept will do, too.
    let page = store.newest(ROOM, Some(OpId([0xff; 32])), 1).await.expect("items");
    assert_eq!(page, [item_of(299, 600)]);
    assert_eq!(store.newest(ROOM, Some(item_of(0, 600).entry.id), 5).await, Ok(vec![]));
    assert_eq!(store.newest(OTHER, None, 5).await, Ok(vec![]));
    assert_eq!(store.newest(ROOM, None, 5000).await.map(|page| page.len()), Ok(MAX_LOAD));
}

/// Entries come from the oldest to the newest, and items by their ids in the order asked for.
pub async fn entries_come_in_the_order_of_ids_in_pages<P: Place>(place: &P) {
    let store = open_store(place).await;
    for start in [1, 0, 2] {
        let numbers = (0..100).map(|step| start + 3 * step);
        store.commit(batch_of(ROOM, numbers, 40)).await.expect("committed");
    }
    let entries = all_entries(&store, ROOM).await;
    let expected: Vec<_> = (0..300).map(|number| item_of(number, 40).entry).collect();
    assert_eq!(entries, expected);
    let wanted = [250, 3, 999, 77].map(|number| item_of(number, 40).entry.id);
    let loaded = store.load(ROOM, &wanted).await.expect("items");
    assert_eq!(loaded, [250, 3, 77].map(|number| item_of(number, 40)));
    let many = vec![OpId([0; 32]); MAX_LOAD + 1];
    let refused = store.load(ROOM, &many).await;
    assert_eq!(refused, Err(StoreError::TooMuch { what: "items", limit: MAX_LOAD }));
}

/// To append what is kept changes nothing, in one batch and in several.
pub async fn an_item_that_is_kept_is_not_replaced<P: Place>(place: &P) {
    let store = open_store(place).await;
    let first = item_of(1, 100);
    let Item { entry, bytes } = item_of(1, 100);
    let mut other = Item { entry, bytes };
    other.bytes[50] ^= 1;
    other.entry.state = State::Queued;
    let mut batch = Batch::default();
    append(&mut batch, ROOM, first.clone());
    append(&mut batch, ROOM, other.clone());
    store.commit(batch).await.expect("committed");
    let mut batch = Batch::default();
    append(&mut batch, ROOM, other);
    store.commit(batch).await.expect("committed");
    let items = all_items(&store, ROOM).await;
    assert_eq!(items, std::slice::from_ref(&first));
    assert_eq!(items[0].bytes, first.bytes);
}

/// The state of an item goes on and is there after a reopen; all else of it stays.
pub async fn a_state_changes_and_lasts<P: Place>(place: &P) {
    let store = open_store(place).await;
    store.commit(batch_of(ROOM, 0..200, 512)).await.expect("committed");
    let id = item_of(90, 512).entry.id;
    let mut own = item_of(500, 512);
    own.entry.state = State::Queued;
    let mut batch = Batch::default();
    append(&mut batch, ROOM, own.clone());
    batch.change(ROOM, Change::State { id, state: State::Delivered });
    batch.change(ROOM, Change::State { id: own.entry.id, state: State::Sent });
    batch.change(ROOM, Change::State { id: OpId([3; 32]), state: State::Sent });
    store.commit(batch).await.expect("committed");
    drop(store);

    let store = open_store(place).await;
    let items = all_items(&store, ROOM).await;
    assert_eq!(items.len(), 201);
    for (number, item) in items.iter().enumerate() {
        let expected = match number {
            90 => State::Delivered,
            200 => State::Sent,
            _ => State::Received,
        };
        assert_eq!(item.entry.state, expected, "item {number}");
    }
    assert_eq!(items[90].bytes, item_of(90, 512).bytes);
}

/// A body goes, from the disk too; what is left of the item is what the batch said.
pub async fn what_is_shrunk_keeps_its_entry_and_takes_no_space<P: Place>(place: &P) {
    let store = open_store(place).await;
    store.commit(batch_of(ROOM, 0..100, 600)).await.expect("committed");
    drop(store);
    let size = |rows: Vec<(Vec<u8>, Vec<u8>)>| rows.iter().map(|(_, row)| row.len()).sum::<usize>();
    let before = size(raw(place, Table::Bodies).await);

    let store = open_store(place).await;
    let mut batch = Batch::default();
    for number in 10..60 {
        let bytes = if number % 2 == 0 { Vec::new() } else { vec![1; 50] };
        batch.change(ROOM, Change::Shrink { id: item_of(number, 600).entry.id, bytes });
    }
    store.commit(batch).await.expect("committed");
    drop(store);
    let after = size(raw(place, Table::Bodies).await);
    assert_eq!(before - after, 25 * 600 + 25 * 550);

    let store = open_store(place).await;
    let items = all_items(&store, ROOM).await;
    assert_eq!(items.len(), 100);
    for (number, item) in items.iter().enumerate() {
        let whole = item_of(number as u64, 600);
        let expected = match number {
            10..60 if number % 2 == 0 => Vec::new(),
            10..60 => vec![1; 50],
            _ => whole.bytes,
        };
        assert_eq!(item.bytes, expected, "item {number}");
        assert_eq!((item.entry.id, item.entry.len()), (whole.entry.id, expected.len()));
    }
}

/// What is dropped leaves nothing behind, be it one item, a whole segment or all.
pub async fn what_is_dropped_is_forgotten_and_may_come_again<P: Place>(place: &P) {
    let store = open_store(place).await;
    store.commit(batch_of(ROOM, 0..256, 512)).await.expect("committed");
    let dropping = |numbers: &mut dyn Iterator<Item = u64>| {
        let mut batch = Batch::default();
        for number in numbers {
            batch.change(ROOM, Change::Drop { id: item_of(number, 512).entry.id });
        }
        batch
    };
    // All of the first segment but what is shrunk, and one item of the second.
    let mut batch = Batch::default();
    batch.change(ROOM, Change::Shrink { id: item_of(5, 512).entry.id, bytes: Vec::new() });
    store.commit(batch).await.expect("committed");
    store
        .commit(dropping(&mut (0..128).filter(|number| *number != 5).chain([200])))
        .await
        .expect("committed");
    drop(store);
    assert_eq!(raw(place, Table::Bodies).await.len(), 1, "a body without items is left");

    let store = open_store(place).await;
    let left: Vec<u64> = [5].into_iter().chain(128..200).chain(201..256).collect();
    let expected: Vec<_> = left.iter().map(|number| item_of(*number, 512).entry.id).collect();
    assert_eq!(ids_of(&store, ROOM).await, expected);
    store.commit(batch_of(ROOM, [7], 512)).await.expect("committed");
    let again = item_of(7, 512);
    assert_eq!(store.load(ROOM, &[again.entry.id]).await, Ok(vec![again]));

    store.commit(dropping(&mut (0..256))).await.expect("committed");
    assert_eq!(store.sets().await, Ok(vec![]));
    drop(store);
    assert!(raw(place, Table::Bodies).await.is_empty());
    assert!(raw(place, Table::Index).await.is_empty());
    assert!(ids_of(&open_store(place).await, ROOM).await.is_empty());
}

/// Where only an entry is kept, the item can come later; another entry alone changes nothing.
pub async fn an_entry_alone_is_filled_by_its_item<P: Place>(place: &P) {
    let store = open_store(place).await;
    let whole = item_of(3, 512);
    let stub = |state| {
        let mut batch = Batch::default();
        let mut entry = whole.entry;
        entry.state = state;
        append(&mut batch, ROOM, Item { entry, bytes: Vec::new() });
        batch
    };
    store.commit(stub(State::Received)).await.expect("committed");
    store.commit(stub(State::Sent)).await.expect("committed");
    let kept = all_items(&store, ROOM).await;
    assert_eq!((kept.len(), kept[0].entry.size, kept[0].entry.state), (1, 0, State::Received));
    store.commit(batch_of(ROOM, 0..10, 512)).await.expect("committed");
    drop(store);
    let items = all_items(&open_store(place).await, ROOM).await;
    assert_eq!(items, (0..10).map(|number| item_of(number, 512)).collect::<Vec<_>>());
}

/// The same id and the same name mean different things in different sets and kinds.
pub async fn sets_and_kinds_of_rows_are_apart<P: Place>(place: &P) {
    let store = open_store(place).await;
    let mut batch = batch_of(ROOM, [1], 10);
    for (set, number) in [(SetId::CONTROL, 1), (SetId::CONTROL, 2), (OTHER, 3)] {
        append(&mut batch, set, item_of(number, 10));
    }
    let kinds = [RowKind::Meta, RowKind::Key, RowKind::Outbox];
    for (kind, text) in kinds.into_iter().zip(["meta", "key", "outbox"]) {
        batch.put(kind, b"name", secret(text));
    }
    batch.put(RowKind::Key, b"", secret("no name"));
    store.commit(batch).await.expect("committed");
    let mut batch = Batch::default();
    batch.change(ROOM, Change::Drop { id: item_of(1, 10).entry.id });
    batch.remove(RowKind::Meta, b"name");
    store.commit(batch).await.expect("committed");
    drop(store);

    let store = open_store(place).await;
    assert_eq!(store.sets().await, Ok(vec![SetId::CONTROL, OTHER]));
    assert_eq!(all_items(&store, SetId::CONTROL).await, [item_of(1, 10), item_of(2, 10)]);
    assert_eq!(all_items(&store, OTHER).await, [item_of(3, 10)]);
    let mut values = Vec::new();
    for kind in kinds {
        values.push(value(&store, kind, b"name").await);
    }
    assert_eq!(values, [None, Some("key".to_owned()), Some("outbox".to_owned())]);
    assert_eq!(value(&store, RowKind::Key, b"").await.as_deref(), Some("no name"));
}

/// Rows of a kind, page by page.
pub async fn rows_come_in_the_order_of_their_names_in_pages<P: Place>(place: &P) {
    let store = open_store(place).await;
    let mut batch = Batch::default();
    for number in (0..50_u8).rev() {
        batch.put(RowKind::Outbox, &[number, 0xff], secret(&number.to_string()));
        batch.put(RowKind::Meta, &[number], secret("other"));
    }
    store.commit(batch).await.expect("committed");
    let mut names: Vec<Vec<u8>> = Vec::new();
    loop {
        let page = store.rows(RowKind::Outbox, names.last().map(Vec::as_slice), 20).await;
        let page = page.expect("rows");
        if page.is_empty() {
            break;
        }
        for row in page {
            assert_eq!(row.value.as_slice(), row.name[0].to_string().as_bytes());
            names.push(row.name);
        }
    }
    assert_eq!(names, (0..50).map(|number| vec![number, 0xff]).collect::<Vec<_>>());
}

/// Of a batch beyond a bound nothing is kept, and the store goes on.
pub async fn a_batch_that_is_too_large_is_refused_whole<P: Place>(place: &P) {
    let store = open_store(place).await;
    let mut batch = batch_of(ROOM, [1], 10);
    append(&mut batch, ROOM, item_of(2, MAX_ITEM + 1));
    let refused = store.commit(batch).await;
    assert_eq!(refused, Err(StoreError::TooMuch { what: "bytes in an item", limit: MAX_ITEM }));
    let all = (0..129).map(|number| 1000 + number);
    let refused = store.commit(batch_of(ROOM, all, MAX_ITEM)).await;
    assert_eq!(refused, Err(StoreError::TooMuch { what: "bytes in a batch", limit: MAX_BATCH }));
    let refused = store.commit(batch_of(ROOM, 0..5000, 0)).await;
    assert!(matches!(refused, Err(StoreError::TooMuch { what: "changes in a batch", .. })));
    let mut batch = Batch::default();
    batch.put(RowKind::Meta, &[0; 65], secret("long name"));
    let refused = store.commit(batch).await;
    assert!(matches!(refused, Err(StoreError::TooMuch { .. })), "{refused:?}");
    assert!(ids_of(&store, ROOM).await.is_empty());
    store.commit(batch_of(ROOM, [1], 10)).await.expect("committed");
    store.commit(Batch::default()).await.expect("nothing to do");
    assert_eq!(ids_of(&store, ROOM).await.len(), 1);
}

/// Items that come alone do not keep rows of their own.
pub async fn items_that_come_one_by_one_are_merged<P: Place>(place: &P) {
    let store = open_store(place).await;
    for number in 0..600 {
        // Some late ones among them.
        let number = if number % 10 == 0 { 10_000 + number } else { number };
        store.commit(batch_of(ROOM, [number], 512)).await.expect("committed");
    }
    let before = ids_of(&store, ROOM).await;
    assert_eq!(before.len(), 600);
    drop(store);
    let rows = raw(place, Table::Index).await.len();
    assert!(rows < 600 / SEGMENT_ITEMS + SEGMENT_ITEMS, "{rows} rows for 600 items");
    let store = open_store(place).await;
    assert_eq!(ids_of(&store, ROOM).await, before);
    assert_eq!(all_items(&store, ROOM).await.len(), 600);
    // The next that fills a segment merges all that are small.
    store.commit(batch_of(ROOM, 20_000..20_128, 512)).await.expect("committed");
    drop(store);
    let rows = raw(place, Table::Index).await.len();
    assert!(rows <= 728 / SEGMENT_ITEMS + 1, "{rows} rows for 728 items");
}

/// No segment is larger than it may be, whatever the items.
pub async fn items_of_all_sizes_fit_into_segments<P: Place>(place: &P) {
    let store = open_store(place).await;
    let sizes = [512, 65_536, 1024, 4096, 0, 16_384, 33_000, 32_768, 1, 40_000];
    let mut expected = Vec::new();
    for round in 0..12 {
        let mut batch = Batch::default();
        for (at, size) in sizes.into_iter().enumerate() {
            let item = item_of(round * 10 + at as u64, size);
            append(&mut batch, ROOM, item.clone());
            expected.push(item);
        }
        store.commit(batch).await.expect("committed");
    }
    let items = all_items(&store, ROOM).await;
    assert_eq!(items, expected);
    assert!(items.iter().zip(&expected).all(|(a, b)| a.bytes == b.bytes));
    drop(store);
    for (_, row) in raw(place, Table::Bodies).await {
        assert!(row.len() <= SEGMENT_BYTES + 40, "a body of {} bytes", row.len());
    }
    let small = raw(place, Table::Bodies).await.iter().filter(|row| row.1.len() < 32_768).count();
    assert!(small < 12, "{small} small bodies");
}

/// Arbitrary batches, with reopens between them, against the simplest thing that could do it.
pub async fn a_store_does_what_a_map_does<P: Place>(place: &P) {
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    };
    let mut model: BTreeMap<OpId, Item> = BTreeMap::new();
    let mut store = open_store(place).await;
    for round in 0..150 {
        let mut batch = Batch::default();
        let count = [1, 1, 3, 40, 200][next(5) as usize];
        let mut others = Vec::new();
        for _ in 0..count {
            let number = next(900);
            let id = item_of(number, 700).entry.id;
            match next(10) {
                0 => others.push(Change::State { id, state: State::Delivered }),
                1 => others.push(Change::Drop { id }),
                2 => others.push(Change::Shrink { id, bytes: vec![9; next(3) as usize * 20] }),
                3 if next(4) == 0 => {
                    let mut item = item_of(number, 700);
                    item.entry.size = 0;
                    item.bytes.clear();
                    append(&mut batch, ROOM, item.clone());
                    model.entry(id).or_insert(item);
                }
                _ => {
                    let item = item_of(number, 700);
                    append(&mut batch, ROOM, item.clone());
                    // Of several in a batch the first counts, be it an entry alone.
                    let before = batch.changes.len() - 1;
                    let twice = batch.changes[..before].iter().any(
                        |(_, change)| matches!(change, Change::Append { id: its, .. } if *its == id),
                    );
                    match model.get_mut(&id) {
                        Some(kept) if kept.entry.size == 0 && !twice => *kept = item,
                        Some(_) => {}
                        None => {
                            model.insert(id, item);
                        }
                    }
                }
            }
        }
        for change in others {
            match &change {
                Change::State { id, state } => {
                    if let Some(item) = model.get_mut(id) {
                        item.entry.state = *state;
                    }
                }
                Change::Shrink { id, bytes } => {
                    if let Some(item) = model.get_mut(id)
                        && item.entry.size > 0
                    {
                        item.entry.size = bytes.len() as u32;
                        item.bytes.clone_from(bytes);
                    }
                }
                Change::Drop { id } => {
                    model.remove(id);
                }
                Change::Append { .. } => {}
            }
            batch.change(ROOM, change);
        }
        store.commit(batch).await.expect("committed");
        if next(5) == 0 {
            drop(store);
            store = open_store(place).await;
        }
        if round % 10 == 9 {
            let items = all_items(&store, ROOM).await;
            assert_eq!(items, model.values().cloned().collect::<Vec<_>>(), "round {round}");
            assert!(items.iter().zip(model.values()).all(|(a, b)| a.bytes == b.bytes));
            let entries = all_entries(&store, ROOM).await;
            assert!(entries.iter().eq(model.values().map(|item| &item.entry)), "round {round}");
        }
    }
    assert_eq!(store.damage().await, []);
}

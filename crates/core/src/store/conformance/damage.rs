//! Rows that are not as they were written.

use super::kit::{
    Place, ROOM, all_items, batch_of, ids_of, item_of, key, open_store, put_raw, raw, secret, seed,
    value,
};
use crate::op::OpId;
use crate::seal::SealKey;
use crate::store::{Batch, Damage, RowKind, Store, StoreError, Table};
use zeroize::Zeroizing;

/// What can happen to a row.
fn spoilt(row: &[u8]) -> Vec<Option<Vec<u8>>> {
    let flipped = |at: usize| {
        let mut row = row.to_vec();
        row[at] ^= 0x10;
        Some(row)
    };
    vec![
        flipped(0),
        flipped(row.len() / 2),
        flipped(row.len() - 1),
        Some(row[..row.len() - 1].to_vec()),
        Some(row[..30].to_vec()),
        Some(Vec::new()),
        Some([row, &[0]].concat()),
        None,
    ]
}

/// 256 items in two segments, and two rows.
async fn fill<P: Place>(place: &P) {
    let mut batch = batch_of(ROOM, 0..256, 512);
    batch.put(RowKind::Key, b"first", secret("one"));
    batch.put(RowKind::Key, b"second", secret("two"));
    open_store(place).await.commit(batch).await.expect("committed");
}

async fn find_row<P: Place>(place: &P, name: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let rows = raw(place, Table::Rows).await;
    rows.into_iter().find(|(key, _)| key.ends_with(name)).expect("the row is there")
}

/// A row that is damaged, cut, lengthened, deleted or put in another's place takes what it held
/// with it and nothing else.
pub async fn a_damaged_row_is_dropped_alone<P: Place>(place: &P) {
    fill(place).await;
    let second: Vec<OpId> = (128..256).map(|number| item_of(number, 512).entry.id).collect();
    for table in [Table::Bodies, Table::Index] {
        let rows = raw(place, table).await;
        assert_eq!(rows.len(), 2, "{table:?}");
        let (row_key, row) = &rows[0];
        let mut cases = spoilt(row);
        cases.push(Some(rows[1].1.clone()));
        for (case, value) in cases.into_iter().enumerate() {
            let deleted_index = table == Table::Index && value.is_none();
            put_raw(place, table, row_key, value).await;
            let store = open_store(place).await;
            let left: Vec<OpId> =
                all_items(&store, ROOM).await.iter().map(|item| item.entry.id).collect();
            assert_eq!(left, second, "{table:?}, case {case}");
            assert_eq!(ids_of(&store, ROOM).await, second, "{table:?}, case {case}");
            let expected = match table {
                // Nothing tells of it any more; a sync brings it back.
                Table::Index if deleted_index => vec![],
                Table::Index => vec![Damage::Segment { set: ROOM }],
                _ => vec![Damage::Items {
                    set: ROOM,
                    ids: (0..128).map(|number| item_of(number, 512).entry.id).collect(),
                }],
            };
            assert_eq!(store.damage().await, expected, "{table:?}, case {case}");
            drop(store);
            put_raw(place, table, row_key, Some(row.clone())).await;
        }
    }
    let (row_key, row) = find_row(place, b"first").await;
    let (_, other) = find_row(place, b"second").await;
    let mut cases = spoilt(&row);
    cases.push(Some(other));
    for (case, changed) in cases.into_iter().enumerate() {
        let deleted = changed.is_none();
        put_raw(place, Table::Rows, &row_key, changed).await;
        let store = open_store(place).await;
        assert_eq!(value(&store, RowKind::Key, b"first").await, None, "case {case}");
        assert_eq!(value(&store, RowKind::Key, b"second").await.as_deref(), Some("two"));
        let expected = Damage::Row { kind: RowKind::Key, name: b"first".to_vec() };
        let expected = if deleted { vec![] } else { vec![expected] };
        assert_eq!(store.damage().await, expected, "case {case}");
        drop(store);
        put_raw(place, Table::Rows, &row_key, Some(row.clone())).await;
    }
    assert_eq!(all_items(&open_store(place).await, ROOM).await.len(), 256);
}

/// The next commit removes what was damaged from the disk.
pub async fn a_damaged_row_is_reported_once_it_was_put_right<P: Place>(place: &P) {
    fill(place).await;
    let bodies = raw(place, Table::Bodies).await;
    let index = raw(place, Table::Index).await;
    let (name, _) = find_row(place, b"first").await;
    put_raw(place, Table::Bodies, &bodies[0].0, Some(vec![1; 100])).await;
    put_raw(place, Table::Index, &index[1].0, Some(vec![1; 100])).await;
    put_raw(place, Table::Rows, &name, Some(vec![1; 100])).await;
    let store = open_store(place).await;
    assert_eq!(all_items(&store, ROOM).await, []);
    let page = store.rows(RowKind::Key, None, 10).await.expect("rows");
    assert_eq!(page.len(), 1);
    assert_eq!(store.damage().await.len(), 3);
    store.commit(batch_of(ROOM, [1000], 10)).await.expect("committed");
    assert_eq!(store.damage().await, []);
    drop(store);
    let store = open_store(place).await;
    assert_eq!(all_items(&store, ROOM).await, [item_of(1000, 10)]);
    assert_eq!(value(&store, RowKind::Key, b"first").await, None);
    assert_eq!(store.damage().await, []);
    drop(store);
    assert_eq!(raw(place, Table::Bodies).await.len(), 1);
    assert_eq!(raw(place, Table::Index).await.len(), 1);
}

/// What was lost is fetched from others and kept like anything else, also when the loss shows only
/// then.
pub async fn what_was_damaged_can_be_kept_again<P: Place>(place: &P) {
    fill(place).await;
    let bodies = raw(place, Table::Bodies).await;
    let mut row = bodies[1].1.clone();
    row[5] ^= 1;
    put_raw(place, Table::Bodies, &bodies[1].0, Some(row)).await;
    let store = open_store(place).await;
    let lost = match store.load(ROOM, &[item_of(200, 512).entry.id]).await {
        Ok(items) if items.is_empty() => store.damage().await,
        other => panic!("{other:?}"),
    };
    assert!(matches!(&lost[..], [Damage::Items { ids, .. }] if ids.len() == 128), "{lost:?}");
    // The first of them comes with one more and one to be shrunk in the segment that is left.
    let mut batch = batch_of(ROOM, 128..257, 512);
    let id = item_of(3, 512).entry.id;
    batch.change(ROOM, crate::store::Change::Shrink { id, bytes: vec![] });
    store.commit(batch).await.expect("committed");
    drop(store);
    let store = open_store(place).await;
    let items = all_items(&store, ROOM).await;
    assert_eq!(items.len(), 257);
    assert!(items.iter().all(|item| item.entry.id == id || item.bytes.len() == 512));
    assert_eq!(store.damage().await, []);

    // Damage that is found while a batch is carried out does not keep it from being kept.
    drop(store);
    for (row_key, _) in raw(place, Table::Bodies).await {
        put_raw(place, Table::Bodies, &row_key, Some(vec![0; 200])).await;
    }
    let store = open_store(place).await;
    let mut batch = batch_of(ROOM, [2000], 512);
    let id = item_of(7, 512).entry.id;
    batch.change(ROOM, crate::store::Change::Shrink { id, bytes: vec![] });
    store.commit(batch).await.expect("committed");
    drop(store);
    let store = open_store(place).await;
    assert_eq!(store.newest(ROOM, None, 1).await, Ok(vec![item_of(2000, 512)]));
}

/// Nothing that was given to the store can be found in a row.
pub async fn no_row_shows_what_is_in_it<P: Place>(place: &P) {
    let store = open_store(place).await;
    let mut batch = batch_of(ROOM, 0..150, 512);
    let text = b"the quick brown fox jumps over the lazy dog";
    let item = item_of(999, 0).entry;
    batch.change(
        ROOM,
        crate::store::Change::Append {
            id: item.id,
            bytes: text.to_vec(),
            state: item.state,
            received: item.received,
        },
    );
    for kind in [RowKind::Meta, RowKind::Key, RowKind::Outbox] {
        batch.put(kind, b"name", Zeroizing::new(text.to_vec()));
    }
    store.commit(batch).await.expect("committed");
    drop(store);
    let mut seen = 0;
    for table in Table::ALL {
        for (key, row) in raw(place, table).await {
            seen += 1;
            for hidden in [&text[..], &item.id.0, &item_of(77, 512).bytes[..16]] {
                for part in hidden.windows(8) {
                    let shown = [&key, &row].iter().any(|it| it.windows(8).any(|its| its == part));
                    assert!(!shown, "{table:?} shows {part:?}");
                }
            }
        }
    }
    assert!(seen >= 7, "{seen} rows");
}

/// A row says nothing of whether what it holds was there before.
pub async fn the_same_is_sealed_differently_each_time<P: Place>(place: &P) {
    let mut rows = Vec::new();
    for round in 0..4 {
        let store = open_store(place).await;
        for _ in 0..2 {
            let mut batch = Batch::default();
            batch.put(RowKind::Meta, b"mark", secret("the same"));
            store.commit(batch).await.expect("committed");
        }
        drop(store);
        let row = find_row(place, b"mark").await.1;
        let nonce = row[row.len() - 24..].to_vec();
        assert!(!rows.contains(&nonce), "round {round}");
        rows.push(nonce);
    }
}

/// With another key the store says so, and all is there for the right one.
pub async fn another_key_opens_nothing_and_spoils_nothing<P: Place>(place: &P) {
    fill(place).await;
    let backend = place.open().await.expect("the place opens");
    let other = SealKey::new(Zeroizing::new([1; 32]));
    let refused = Store::open(backend, other, seed()).await;
    assert_eq!(refused.err(), Some(StoreError::WrongKey));
    let backend = place.open().await.expect("the place opens");
    let store = Store::open(backend, key(), seed()).await.expect("the store opens");
    assert_eq!(all_items(&store, ROOM).await.len(), 256);
    assert_eq!(store.damage().await, []);
}

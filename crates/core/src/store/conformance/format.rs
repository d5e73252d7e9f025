//! Older and newer formats.

use super::kit::{
    Place, ROOM, all_items, batch_of, item_of, key, open_store, put_raw, raw, secret, seed, value,
};
use crate::store::schema::Step;
use crate::store::{RowKind, Store, StoreError, Table};

/// A second format, in which rows of keys and the like begin with a letter.
const SECOND: &[Step] = &[|table, plain| match table {
    Table::Rows => Some([b"x", plain.as_slice()].concat()),
    Table::Index | Table::Bodies => Some(plain),
}];
/// A third, without those that would be called "two" then.
const THIRD: &[Step] = &[SECOND[0], |_, plain| (plain != b"xtwo").then_some(plain)];

async fn open_with<P: Place>(
    place: &P,
    steps: &'static [Step],
) -> Result<Store<P::Backend>, StoreError> {
    let backend = place.open().await.expect("the place opens");
    Store::open_with(backend, key(), seed(), steps).await
}

async fn fill<P: Place>(place: &P) {
    let mut batch = batch_of(ROOM, 0..256, 512);
    batch.put(RowKind::Key, b"first", secret("one"));
    batch.put(RowKind::Key, b"second", secret("two"));
    open_store(place).await.commit(batch).await.expect("committed");
}

/// Without the row that names the format all is there, and the row is back.
pub async fn the_format_s_own_row_heals<P: Place>(place: &P) {
    fill(place).await;
    for value in [None, Some(vec![]), Some(vec![7; 48])] {
        put_raw(place, Table::Rows, b"\0schema", value).await;
        let store = open_store(place).await;
        assert_eq!(all_items(&store, ROOM).await.len(), 256);
        drop(store);
        let refused = open_with(place, &[]).await.map(drop);
        assert_eq!(refused, Ok(()));
        assert_eq!(raw(place, Table::Rows).await.len(), 3);
    }
}

/// A format that is not known yet is named in the error, and everything is left as it is.
pub async fn a_newer_format_is_refused_and_spared<P: Place>(place: &P) {
    fill(place).await;
    drop(open_with(place, SECOND).await.expect("the second format"));
    let backend = place.open().await.expect("the place opens");
    let refused = Store::open(backend, key(), seed()).await.err();
    assert_eq!(refused, Some(StoreError::TooNew { found: 2, known: 1 }));
    let store = open_with(place, SECOND).await.expect("the second format");
    assert_eq!(all_items(&store, ROOM).await.len(), 256);
    assert_eq!(value(&store, RowKind::Key, b"second").await.as_deref(), Some("xtwo"));
}

/// All steps are taken, from whichever format on, and what was damaged before still is.
pub async fn an_older_format_is_brought_up_to_date<P: Place>(place: &P) {
    fill(place).await;
    let (spoilt, _) = raw(place, Table::Bodies).await.swap_remove(1);
    put_raw(place, Table::Bodies, &spoilt, Some(vec![3; 90])).await;
    let store = open_with(place, THIRD).await.expect("the third format");
    let items = all_items(&store, ROOM).await;
    assert_eq!(items, (0..128).map(|number| item_of(number, 512)).collect::<Vec<_>>());
    assert_eq!(store.damage().await.len(), 1);
    assert_eq!(value(&store, RowKind::Key, b"first").await.as_deref(), Some("xone"));
    assert_eq!(value(&store, RowKind::Key, b"second").await, None);
    assert_eq!(store.damage().await, [], "a row that a format does not have is no damage");
}

/// If the program ends in the middle of it, the next start goes on, and an old program does not
/// touch what is half done.
pub async fn bringing_up_to_date_goes_on_where_it_ended<P: Place>(place: &P) {
    fill(place).await;
    let mut old = Vec::new();
    for table in Table::ALL {
        old.extend(raw(place, table).await.into_iter().map(|(key, row)| (table, key, row)));
    }
    // As it is after the format was written down and some rows were done.
    let store = open_with(place, SECOND).await.expect("the second format");
    store.inner.lock().await.name_format(1).await.expect("written");
    drop(store);
    let schema = b"\0schema";
    for (table, key, row) in old.iter().filter(|(_, key, _)| key != schema).step_by(2) {
        put_raw(place, *table, key, Some(row.clone())).await;
    }
    let refused = open_with(place, &[]).await.err();
    assert_eq!(refused, Some(StoreError::TooNew { found: 2, known: 1 }));
    let store = open_with(place, THIRD).await.expect("the third format");
    assert_eq!(all_items(&store, ROOM).await.len(), 256);
    assert_eq!(value(&store, RowKind::Key, b"first").await.as_deref(), Some("xone"));
    assert_eq!(value(&store, RowKind::Key, b"second").await, None);
    assert_eq!(store.damage().await, []);
}

//! What the checks share.

use crate::hlc::Hlc;
use crate::op::OpId;
use crate::seal::SealKey;
use crate::store::{
    Backend, Batch, Change, Durability, Entry, Item, RowKind, SetId, State, Store, StoreError,
    Table, Write,
};
use crate::time::Time;
use std::sync::atomic::{AtomicU64, Ordering};
use zeroize::Zeroizing;

/// A place where a backend keeps rows, empty at first.
#[allow(async_fn_in_trait, reason = "tests of the page need not be `Send`")]
pub trait Place {
    /// What it is.
    type Backend: Backend;

    /// Opens what is kept there. What was opened before has been dropped.
    async fn open(&self) -> Result<Self::Backend, StoreError>;
}

/// A room of the checks.
pub(super) const ROOM: SetId = SetId([7; 16]);
/// Another.
pub(super) const OTHER: SetId = SetId([0xff; 16]);

/// The data key of the checks.
pub(super) fn key() -> SealKey {
    SealKey::new(Zeroizing::new([42; 32]))
}

/// Another seed each time.
pub(super) fn seed() -> Zeroizing<[u8; 32]> {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&LAST.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    Zeroizing::new(seed)
}

/// A store at a place, with the data key of the checks.
///
/// # Panics
/// If there is none.
pub async fn open_store<P: Place>(place: &P) -> Store<P::Backend> {
    let backend = place.open().await.expect("the place opens");
    Store::open(backend, key(), seed()).await.expect("the store opens")
}

/// The numbered item of the checks: `size` bytes, and an id at the moment of that number.
#[must_use]
pub fn item_of(number: u64, size: usize) -> Item {
    let mut bytes = number.to_be_bytes().repeat(size / 8 + 1);
    bytes.truncate(size);
    let id = OpId::of(Hlc(number << 16), &bytes);
    let entry = Entry {
        id,
        received: Time(1000 + number),
        state: State::Received,
        size: u32::try_from(size).expect("small"),
    };
    Item { entry, bytes }
}

pub(super) fn append(batch: &mut Batch, set: SetId, item: Item) {
    let Item { entry: Entry { id, received, state, .. }, bytes } = item;
    batch.change(set, Change::Append { id, bytes, state, received });
}

/// A batch that appends the items with these numbers, of this size, to a set.
#[must_use]
pub fn batch_of(set: SetId, numbers: impl IntoIterator<Item = u64>, size: usize) -> Batch {
    let mut batch = Batch::default();
    for number in numbers {
        append(&mut batch, set, item_of(number, size));
    }
    batch
}

/// The ids of all entries of a set, in order.
///
/// # Panics
/// If they cannot be read.
pub async fn ids_of<B: Backend>(store: &Store<B>, set: SetId) -> Vec<OpId> {
    all_entries(store, set).await.into_iter().map(|entry| entry.id).collect()
}

pub(super) async fn all_entries<B: Backend>(store: &Store<B>, set: SetId) -> Vec<Entry> {
    let mut all: Vec<Entry> = Vec::new();
    loop {
        let after = all.last().map(|entry| entry.id);
        let page = store.entries(set, after, 100).await.expect("entries");
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

pub(super) async fn all_items<B: Backend>(store: &Store<B>, set: SetId) -> Vec<Item> {
    let mut all: Vec<Item> = Vec::new();
    loop {
        let before = all.last().map(|item| item.entry.id);
        let page = store.newest(set, before, 50).await.expect("items");
        if page.is_empty() {
            all.reverse();
            return all;
        }
        all.extend(page);
    }
}

pub(super) fn secret(text: &str) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(text.as_bytes().to_vec())
}

pub(super) async fn value<B: Backend>(
    store: &Store<B>,
    kind: RowKind,
    name: &[u8],
) -> Option<String> {
    let row = store.row(kind, name).await.expect("a row is read");
    row.map(|value| String::from_utf8(value.to_vec()).expect("text"))
}

/// All rows of a table, as they are.
pub(super) async fn raw<P: Place>(place: &P, table: Table) -> Vec<(Vec<u8>, Vec<u8>)> {
    let backend = place.open().await.expect("the place opens");
    backend.scan(table, &[], &[0xff; 30], 100_000).await.expect("rows")
}

/// Changes a row behind the store's back.
pub(super) async fn put_raw<P: Place>(place: &P, table: Table, key: &[u8], value: Option<Vec<u8>>) {
    let backend = place.open().await.expect("the place opens");
    let write = Write { table, key: key.to_vec(), value };
    backend.write(vec![write], Durability::Relaxed).await.expect("written");
}

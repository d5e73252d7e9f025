//! Stores in IndexedDB.

mod conformance;
mod speed;

use chats_core::store::{StoreError, conformance::Place};
use chats_web::storage::IndexedDb;
use std::cell::Cell;

/// A database of its own, deleted at the end.
struct InBrowser(String);

impl InBrowser {
    async fn new() -> Self {
        thread_local!(static LAST: Cell<u32> = const { Cell::new(0) });
        let name = format!("test {}", LAST.replace(LAST.get() + 1));
        chats_web::storage::delete(&name).await.expect("deleted");
        Self(name)
    }
}

impl Place for InBrowser {
    type Backend = IndexedDb;

    async fn open(&self) -> Result<IndexedDb, StoreError> {
        IndexedDb::open(&self.0).await
    }
}

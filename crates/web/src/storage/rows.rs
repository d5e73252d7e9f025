//! A store's rows in IndexedDB.
//!
//! `idb` finishes the work of requests here; transactions are opened and waited for beside it,
//! because it knows no durability and does not tell why one was aborted.

mod connection;
mod transaction;

use crate::js::Subscription;
use chats_core::store::{Backend, Durability, StoreError, Table, Write};
use connection::{Connection, idb_error};
use idb::{KeyRange, Query};
use js_sys::Uint8Array;
use std::{
    cell::{Cell, RefCell},
    fmt,
    rc::Rc,
};
use transaction::{Completion, begin};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::IdbTransaction;

pub use connection::delete;

/// The version of the database: which object stores there are. What is in their rows has a format
/// of its own.
const VERSION: u32 = 1;
/// One row, [`CURRENT`]: who writes.
const WRITER: &str = "writer";
const CURRENT: &str = "current";

/// Rows in a database of the browser.
///
/// It belongs to whoever opened it last: writes of anybody before fail with
/// [`StoreError::Elsewhere`] and change nothing. If the database is deleted or wanted by a newer
/// version of the page, the connection is closed at once, so that nobody has to wait for it; the
/// next call opens the database again, and says [`StoreError::Gone`] once if it is another one.
/// Works in workers too.
pub struct IndexedDb {
    name: String,
    /// A random number that stands in the database while we are who writes.
    writer: f64,
    connection: RefCell<Option<Rc<Connection>>>,
    on_closed: OnClosed,
}

/// Called when the connection was closed by others.
type OnClosed = Rc<RefCell<Option<Box<dyn FnMut()>>>>;

impl IndexedDb {
    /// Opens the database of this name, making it if there is none, to write to it from now on.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] without IndexedDB, or if tabs of an older version keep it;
    /// [`StoreError::TooNew`] if a newer version made it, which is left alone.
    pub async fn open(name: &str) -> Result<Self, StoreError> {
        let this = Self {
            name: name.to_owned(),
            writer: js_sys::Math::random(),
            connection: RefCell::default(),
            on_closed: OnClosed::default(),
        };
        let connection = Connection::open(name, &this.on_closed).await?;
        let transaction = begin(&connection, &[WRITER], Some(Durability::Relaxed))?;
        let done = Completion::of(&transaction);
        put(&transaction, WRITER, &CURRENT.into(), &this.writer.into())
            .map_err(|error| transaction::abort(&transaction, &error))?;
        done.wait().await?;
        this.connection.replace(Some(connection));
        Ok(this)
    }

    /// Calls `handler`, in a task of its own, when the browser or somebody else closed the
    /// database: it was deleted, or a newer version of the page wants it. What became of it, the
    /// next call to the store tells.
    pub fn on_closed(&self, handler: impl FnMut() + 'static) -> Subscription {
        self.on_closed.replace(Some(Box::new(handler)));
        let place = Rc::downgrade(&self.on_closed);
        Subscription::new(move || {
            if let Some(place) = place.upgrade() {
                place.replace(None);
            }
        })
    }

    /// The connection; a new one if that was closed.
    async fn connection(&self) -> Result<Rc<Connection>, StoreError> {
        let open = self.connection.borrow().clone().filter(|connection| !connection.is_closed());
        if let Some(connection) = open {
            return Ok(connection);
        }
        self.connection.replace(None);
        let connection = Connection::open(&self.name, &self.on_closed).await?;
        let transaction = begin(&connection, &[WRITER], Some(Durability::Relaxed))?;
        let done = Completion::of(&transaction);
        let ours = self.writer;
        let found = Rc::new(Cell::new(None));
        let writing = transaction.clone();
        let answer = transaction::writer(&transaction, {
            let found = Rc::clone(&found);
            move |writer| {
                found.set(writer);
                if writer.is_none() {
                    // Another database: it is ours as the last one was.
                    let _ = put(&writing, WRITER, &CURRENT.into(), &ours.into());
                }
            }
        });
        let _answer = answer.map_err(|error| transaction::abort(&transaction, &error))?;
        done.wait().await?;
        let result = match found.get() {
            Some(writer) if writer == ours => Ok(()),
            Some(_) => return Err(StoreError::Elsewhere),
            None => Err(StoreError::Gone),
        };
        self.connection.replace(Some(Rc::clone(&connection)));
        result.map(|()| connection)
    }

    /// A transaction on the database; if the connection turns out to be closed, on a new one.
    async fn begin(
        &self,
        stores: &[&str],
        durability: Option<Durability>,
    ) -> Result<IdbTransaction, StoreError> {
        let connection = self.connection().await?;
        if let Ok(transaction) = begin(&connection, stores, durability) {
            return Ok(transaction);
        }
        connection.close();
        begin(&*self.connection().await?, stores, durability)
    }
}

impl Backend for IndexedDb {
    async fn get(
        &self,
        table: Table,
        keys: Vec<Vec<u8>>,
    ) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let transaction = self.begin(&[table.name()], None).await?;
        let store = object_store(&transaction, table.name())?;
        // All are asked for before the first is waited for.
        let asked = keys.iter().map(|key| Ok(store.get(js_key(key))?.into_future()));
        let asked = asked.collect::<Result<Vec<_>, idb::Error>>().map_err(idb_error)?;
        let mut rows = Vec::with_capacity(keys.len());
        for request in asked {
            rows.push(request.await.map_err(idb_error)?.map(|row| bytes(&row)));
        }
        Ok(rows)
    }

    async fn scan(
        &self,
        table: Table,
        from: &[u8],
        until: &[u8],
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
        // A range that ends before it begins is an error there.
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        if from >= until || limit == 0 {
            return Ok(Vec::new());
        }
        let transaction = self.begin(&[table.name()], None).await?;
        let store = object_store(&transaction, table.name())?;
        let range = || -> Result<Option<Query>, idb::Error> {
            let range = KeyRange::bound(&js_key(from), &js_key(until), Some(false), Some(true))?;
            Ok(Some(Query::KeyRange(range)))
        };
        let ask = || -> Result<_, idb::Error> {
            let keys = store.get_all_keys(range()?, Some(limit))?.into_future();
            Ok((keys, store.get_all(range()?, Some(limit))?.into_future()))
        };
        let (keys, rows) = ask().map_err(idb_error)?;
        let (keys, rows) = (keys.await.map_err(idb_error)?, rows.await.map_err(idb_error)?);
        let key = |key: &JsValue| Uint8Array::new(key).to_vec();
        Ok(keys.iter().map(key).zip(rows.iter().map(bytes)).collect())
    }

    async fn write(&self, writes: Vec<Write>, durability: Durability) -> Result<(), StoreError> {
        let mut stores = vec![WRITER];
        for write in &writes {
            if !stores.contains(&write.table.name()) {
                stores.push(write.table.name());
            }
        }
        let transaction = self.begin(&stores, Some(durability)).await?;
        let done = Completion::of(&transaction);
        // Asked for in the transaction that writes, so nobody can take over in between.
        let ours = self.writer;
        let elsewhere = Rc::new(Cell::new(false));
        let answer = transaction::writer(&transaction, {
            let (elsewhere, transaction) = (Rc::clone(&elsewhere), transaction.clone());
            move |writer| {
                if writer != Some(ours) {
                    elsewhere.set(true);
                    let _ = transaction.abort();
                }
            }
        });
        let _answer = answer.map_err(|error| transaction::abort(&transaction, &error))?;
        // Nothing is waited for from here on until all is said.
        for Write { table, key, value } in &writes {
            let done = match value {
                Some(value) => {
                    let value = Uint8Array::from(value.as_slice());
                    put(&transaction, table.name(), &js_key(key), &value)
                }
                None => remove(&transaction, table.name(), &js_key(key)),
            };
            // Forgotten, the transaction would be committed.
            done.map_err(|error| transaction::abort(&transaction, &error))?;
        }
        drop(writes);
        match done.wait().await {
            Err(_) if elsewhere.get() => Err(StoreError::Elsewhere),
            done => done,
        }
    }
}

impl Drop for IndexedDb {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            connection.close();
        }
    }
}

impl fmt::Debug for IndexedDb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IndexedDb({})", self.name)
    }
}

fn object_store(transaction: &IdbTransaction, name: &str) -> Result<idb::ObjectStore, StoreError> {
    transaction.object_store(name).map(Into::into).map_err(|error| connection::error(&error))
}

fn put(
    transaction: &IdbTransaction,
    store: &str,
    key: &JsValue,
    value: &JsValue,
) -> Result<(), JsValue> {
    transaction.object_store(store)?.put_with_key(value, key).map(drop)
}

fn remove(transaction: &IdbTransaction, store: &str, key: &JsValue) -> Result<(), JsValue> {
    transaction.object_store(store)?.delete(key).map(drop)
}

fn js_key(key: &[u8]) -> JsValue {
    Uint8Array::from(key).into()
}

/// The bytes of a row; of one that holds anything else, none.
fn bytes(row: &JsValue) -> Vec<u8> {
    row.dyn_ref::<Uint8Array>().map(Uint8Array::to_vec).unwrap_or_default()
}

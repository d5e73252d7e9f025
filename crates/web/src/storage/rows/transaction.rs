//! Transactions, with their durability and their end.

use super::connection::{Connection, error};
use super::{CURRENT, WRITER};
use crate::js::Subscription;
use chats_core::store::{Durability, StoreError};
use futures::channel::oneshot;
use js_sys::{Array, Object, Reflect};
use std::{cell::Cell, rc::Rc};
use wasm_bindgen::{JsCast, JsValue, closure::Closure, prelude::wasm_bindgen};
use web_sys::IdbTransaction;

#[wasm_bindgen]
extern "C" {
    /// An `IDBDatabase`, for what web-sys still calls unstable: options (Indexed Database API 3.0).
    type Database;

    #[wasm_bindgen(method, catch)]
    fn transaction(
        this: &Database,
        stores: &Array,
        mode: &str,
        options: &Object,
    ) -> Result<IdbTransaction, JsValue>;
}

/// A transaction that reads; one that writes if it is said how safe that must be.
pub(super) fn begin(
    connection: &Connection,
    stores: &[&str],
    durability: Option<Durability>,
) -> Result<IdbTransaction, StoreError> {
    let (mode, durability) = match durability {
        None => ("readonly", "default"),
        Some(Durability::Relaxed) => ("readwrite", "relaxed"),
        Some(Durability::Strict) => ("readwrite", "strict"),
    };
    let stores: Array = stores.iter().map(|store| JsValue::from_str(store)).collect();
    let options = Object::new();
    Reflect::set(&options, &"durability".into(), &durability.into()).map_err(|e| error(&e))?;
    let database: &Database = connection.database().unchecked_ref();
    database.transaction(&stores, mode, &options).map_err(|e| error(&e))
}

/// Takes back what was done in a transaction. Gives what went wrong.
pub(super) fn abort(transaction: &IdbTransaction, exception: &JsValue) -> StoreError {
    // It fails only where there is nothing to be taken back any more.
    let _ = transaction.abort();
    error(exception)
}

/// Asks who writes, and calls `answer` within the transaction; not if what this gives is dropped
/// before.
pub(super) fn writer(
    transaction: &IdbTransaction,
    mut answer: impl FnMut(Option<f64>) + 'static,
) -> Result<Subscription, JsValue> {
    let request = transaction.object_store(WRITER)?.get(&CURRENT.into())?;
    let row = request.clone();
    Ok(Subscription::listen(&request, "success", move |_| {
        answer(row.result().ok().and_then(|row| row.as_f64()));
    }))
}

/// The end of a transaction.
pub(super) struct Completion {
    transaction: IdbTransaction,
    ended: oneshot::Receiver<bool>,
    _handlers: [Closure<dyn FnMut()>; 2],
}

impl Completion {
    pub(super) fn of(transaction: &IdbTransaction) -> Self {
        let (sender, ended) = oneshot::channel();
        let sender = Rc::new(Cell::new(Some(sender)));
        let handlers = [true, false].map(|committed| {
            let sender = Rc::clone(&sender);
            Closure::<dyn FnMut()>::new(move || {
                if let Some(sender) = sender.take() {
                    let _ = sender.send(committed);
                }
            })
        });
        let [complete, aborted] = &handlers;
        transaction.set_oncomplete(Some(complete.as_ref().unchecked_ref()));
        transaction.set_onabort(Some(aborted.as_ref().unchecked_ref()));
        Self { transaction: transaction.clone(), ended, _handlers: handlers }
    }

    /// Waits until it is committed.
    ///
    /// # Errors
    /// It was aborted, and nothing of it was done.
    pub(super) async fn wait(mut self) -> Result<(), StoreError> {
        match (&mut self.ended).await {
            Ok(true) => Ok(()),
            _ => Err(match self.transaction.error() {
                Some(exception) => error(&exception),
                None => StoreError::Other { reason: "the transaction was aborted".to_owned() },
            }),
        }
    }
}

impl Drop for Completion {
    fn drop(&mut self) {
        self.transaction.set_oncomplete(None);
        self.transaction.set_onabort(None);
    }
}

//! Opening, closing and deleting databases.

use super::{OnClosed, VERSION, WRITER};
use crate::js::{Subscription, error_name, error_text};
use chats_core::store::{StoreError, Table};
use futures::{
    channel::oneshot,
    future::{Either, select},
};
use idb::{DatabaseEvent, Factory, ObjectStoreParams};
use std::{cell::Cell, rc::Rc};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;
use web_sys::IdbDatabase;

/// A connection to a database.
pub(super) struct Connection {
    database: IdbDatabase,
    closed: Rc<Cell<bool>>,
    _events: Subscription,
}

impl Connection {
    pub(super) async fn open(name: &str, on_closed: &OnClosed) -> Result<Rc<Self>, StoreError> {
        let factory = factory()?;
        let mut request = factory.open(name, Some(VERSION)).map_err(unavailable)?;
        request.on_upgrade_needed(|event| {
            // If this fails the upgrade does, and the request says so.
            if let Ok(database) = event.database() {
                for store in Table::ALL.map(Table::name).into_iter().chain([WRITER]) {
                    let _ = database.create_object_store(store, ObjectStoreParams::new());
                }
            }
        });
        let (blocked_sender, blocked) = oneshot::channel();
        request.on_blocked(move |_| {
            let _ = blocked_sender.send(());
        });
        let database = match select(request.into_future(), blocked).await {
            Either::Left((Ok(database), _)) => IdbDatabase::from(database),
            Either::Left((Err(error), _)) => return Err(refused(&factory, name, error).await),
            Either::Right((_, request)) => {
                // It is opened once the others have gone; nobody waits for it then.
                spawn_local(async move {
                    if let Ok(database) = request.await {
                        database.close();
                    }
                });
                let reason = "another tab with an older version of this page is open; close it";
                return Err(StoreError::Unavailable { reason: reason.to_owned() });
            }
        };
        Ok(Rc::new(Self::new(database, on_closed)))
    }

    fn new(database: IdbDatabase, on_closed: &OnClosed) -> Self {
        let closed = Rc::new(Cell::new(false));
        let tell = {
            let (closed, on_closed) = (Rc::clone(&closed), Rc::downgrade(on_closed));
            move || {
                let on_closed = on_closed.clone();
                if !closed.replace(true) {
                    spawn_local(async move {
                        if let Some(on_closed) = on_closed.upgrade()
                            && let Some(handler) = on_closed.borrow_mut().as_mut()
                        {
                            handler();
                        }
                    });
                }
            }
        };
        let target = database.clone();
        let told = tell.clone();
        // Somebody wants to delete or to upgrade it, and waits for us.
        let wanted = Subscription::listen(&database, "versionchange", move |_| {
            target.close();
            told();
        });
        // The browser threw it away.
        let lost = Subscription::listen(&database, "close", move |_| tell());
        Self { database, closed, _events: wanted.and(lost) }
    }

    pub(super) fn database(&self) -> &IdbDatabase {
        &self.database
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.get()
    }

    pub(super) fn close(&self) {
        self.closed.set(true);
        self.database.close();
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.close();
    }
}

/// Deletes the database of this name, if there is one; whoever has it open is asked to close it.
///
/// # Errors
/// [`StoreError::Unavailable`] without IndexedDB; the browser failed.
pub async fn delete(name: &str) -> Result<(), StoreError> {
    factory()?.delete(name).map_err(unavailable)?.await.map_err(idb_error)
}

fn factory() -> Result<Factory, StoreError> {
    Factory::new().map_err(|_| StoreError::Unavailable {
        reason: "this browser has no IndexedDB for this page; leave the private window".to_owned(),
    })
}

/// Why a database was not opened.
async fn refused(factory: &Factory, name: &str, error: idb::Error) -> StoreError {
    if name_of(&error) != "VersionError" {
        return unavailable(error);
    }
    let found = match factory.open(name, None) {
        Ok(request) => request.await.ok().and_then(|database| {
            let version = database.version().ok();
            database.close();
            version
        }),
        Err(_) => None,
    };
    StoreError::TooNew { found: found.unwrap_or_default(), known: VERSION }
}

fn unavailable(error: idb::Error) -> StoreError {
    match idb_error(error) {
        StoreError::Other { reason } => StoreError::Unavailable { reason },
        other => other,
    }
}

/// What the browser's exception is for a store.
pub(super) fn error(exception: &JsValue) -> StoreError {
    if error_name(exception) == "QuotaExceededError" {
        StoreError::Quota
    } else {
        StoreError::Other { reason: error_text(exception) }
    }
}

pub(super) fn idb_error(failure: idb::Error) -> StoreError {
    match failure {
        idb::Error::DomException(exception) => error(&exception),
        other => StoreError::Other { reason: crate::js::shorten(&other.to_string()) },
    }
}

fn name_of(error: &idb::Error) -> String {
    match error {
        idb::Error::DomException(exception) => exception.name(),
        _ => String::new(),
    }
}

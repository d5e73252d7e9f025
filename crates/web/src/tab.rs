//! One tab at a time: the device is held by a lock of the Web Locks API.
//!
//! Two tabs of a profile share one IndexedDB and so one device; if both spoke for it, each would
//! answer what was meant for the other. The tab that has the lock holds the device.

use crate::js::{Subscription, error_text, get, window};
use futures::channel::oneshot;
use js_sys::{Function, Object, Promise, Reflect};
use std::{
    cell::{Cell, RefCell},
    fmt,
    rc::Rc,
};
use thiserror::Error;
use wasm_bindgen::{JsCast, JsValue, closure::Closure, prelude::wasm_bindgen};
use wasm_bindgen_futures::{JsFuture, spawn_local};

/// The name of the lock. Locks are shared by all pages of an origin.
const LOCK: &str = "community-chats/device";

#[wasm_bindgen]
extern "C" {
    /// `navigator.locks`; in web-sys only as an unstable interface.
    type LockManager;

    #[wasm_bindgen(method, catch)]
    fn request(
        this: &LockManager,
        name: &str,
        options: &Object,
        granted: &Function,
    ) -> Result<Promise, JsValue>;
}

/// Why the device cannot be held by this tab.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TabError {
    /// Another tab holds it; [`steal`] takes it over.
    #[error("another tab of this browser holds the device; use it here to take over")]
    InUse,
    /// The browser has no locks, or refuses them in this page.
    #[error("this browser does not say whether another tab is open: {reason}")]
    Unavailable {
        /// In the browser's words.
        reason: String,
    },
}

#[derive(Default)]
struct Shared {
    stolen: Cell<bool>,
    on_stolen: RefCell<Option<Rc<dyn Fn()>>>,
}

/// This tab holds the device, until this is dropped or another tab steals it.
#[must_use = "the device is let go of when this is dropped"]
pub struct Hold {
    /// Resolves the promise that the browser keeps the lock for.
    release: Function,
    shared: Rc<Shared>,
}

impl Hold {
    /// Calls `stolen` once when another tab takes the device over; at once (in a task of its
    /// own) if that has happened. Only the latest callback is kept.
    pub fn on_stolen(&self, stolen: impl Fn() + 'static) -> Subscription {
        *self.shared.on_stolen.borrow_mut() = Some(Rc::new(stolen));
        if self.shared.stolen.get() {
            let shared = Rc::clone(&self.shared);
            spawn_local(async move { tell(&shared) });
        }
        let shared = Rc::downgrade(&self.shared);
        Subscription::new(move || {
            if let Some(shared) = shared.upgrade() {
                shared.on_stolen.borrow_mut().take();
            }
        })
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.shared.on_stolen.borrow_mut().take();
        // The resolving function of a promise never throws.
        let _ = self.release.call0(&JsValue::UNDEFINED);
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hold {{ stolen: {} }}", self.shared.stolen.get())
    }
}

/// Holds the device if no other tab does.
///
/// # Errors
/// [`TabError::InUse`] if another tab does; [`TabError::Unavailable`] if the browser has no locks.
pub async fn try_hold() -> Result<Hold, TabError> {
    request("ifAvailable").await
}

/// Holds the device, taking it away from any tab that does.
///
/// # Errors
/// [`TabError::Unavailable`] if the browser has no locks.
pub async fn steal() -> Result<Hold, TabError> {
    request("steal").await
}

async fn request(option: &str) -> Result<Hold, TabError> {
    let unavailable = |error: &JsValue| TabError::Unavailable { reason: error_text(error) };
    let locks = get(window().navigator().unchecked_ref(), "locks");
    if locks.is_undefined() {
        return Err(unavailable(&JsValue::from_str("no navigator.locks")));
    }
    let locks: LockManager = locks.unchecked_into();

    let (sender, granted) = oneshot::channel::<Option<Function>>();
    let callback = Closure::once_into_js(move |lock: JsValue| -> Promise {
        if lock.is_null() || lock.is_undefined() {
            let _ = sender.send(None);
            return Promise::resolve(&JsValue::UNDEFINED);
        }
        let mut sender = Some(sender);
        Promise::new(&mut |resolve, _| {
            if let Some(sender) = sender.take()
                && let Err(Some(unclaimed)) = sender.send(Some(resolve))
            {
                // Nobody waits for the lock any more.
                let _ = unclaimed.call0(&JsValue::UNDEFINED);
            }
        })
    });
    let options = Object::new();
    Reflect::set(&options, &JsValue::from_str("mode"), &JsValue::from_str("exclusive"))
        .and_then(|_| Reflect::set(&options, &JsValue::from_str(option), &JsValue::TRUE))
        .map_err(|error| unavailable(&error))?;
    let held = locks
        .request(LOCK, &options, callback.unchecked_ref())
        .map_err(|error| unavailable(&error))?;

    let shared = Rc::new(Shared::default());
    let (failed_sender, failed) = oneshot::channel();
    {
        let shared = Rc::downgrade(&shared);
        spawn_local(async move {
            // Resolves when the lock was released, rejects when it was refused or stolen.
            if let Err(error) = JsFuture::from(held).await {
                let _ = failed_sender.send(error);
                if let Some(shared) = shared.upgrade() {
                    shared.stolen.set(true);
                    tell(&shared);
                }
            }
        });
    }
    // If the request itself is refused the callback never runs; whichever speaks first counts.
    match futures::future::select(granted, failed).await {
        futures::future::Either::Left((Ok(Some(release)), _)) => Ok(Hold { release, shared }),
        futures::future::Either::Left((_, _)) => Err(TabError::InUse),
        futures::future::Either::Right((Ok(error), _)) => Err(unavailable(&error)),
        futures::future::Either::Right((Err(_), granted)) => match granted.await {
            Ok(Some(release)) => Ok(Hold { release, shared }),
            _ => Err(TabError::InUse),
        },
    }
}

/// Tells the owner, outside any borrow, and only once.
fn tell(shared: &Shared) {
    let callback = shared.on_stolen.borrow_mut().take();
    if let Some(callback) = callback {
        callback();
    }
}

//! What the other modules share in dealing with JavaScript.

use gloo::events::EventListener;
use js_sys::Reflect;
use std::fmt;
use wasm_bindgen::{JsCast, JsValue, UnwrapThrowExt};
use web_sys::{Crypto, Event, EventTarget, Window};

/// The longest text taken from an exception, in characters.
const MAX_REASON: usize = 300;

/// A handler that stays registered until this is dropped.
#[must_use = "the handler is taken away when this is dropped"]
pub struct Subscription(Option<Box<dyn FnOnce()>>);

impl Subscription {
    /// Runs `end` once, when dropped.
    pub(crate) fn new(end: impl FnOnce() + 'static) -> Self {
        Self(Some(Box::new(end)))
    }

    /// Calls `handler` at each event of this type.
    pub(crate) fn listen(
        target: &EventTarget,
        event: &'static str,
        handler: impl FnMut(&Event) + 'static,
    ) -> Self {
        let listener = EventListener::new(target, event, handler);
        Self::new(move || drop(listener))
    }

    /// Both, as one.
    pub(crate) fn and(self, other: Self) -> Self {
        Self::new(move || {
            drop(self);
            drop(other);
        })
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some(end) = self.0.take() {
            end();
        }
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subscription")
    }
}

/// The window, for what only pages have.
pub(crate) fn window() -> Window {
    web_sys::window().expect_throw("this part of the program runs in the window of a browser")
}

/// A property of the global object: of the window, or in a worker of its scope.
pub(crate) fn global(name: &str) -> JsValue {
    get(&js_sys::global(), name)
}

/// The cryptography of the browser.
pub(crate) fn crypto() -> Crypto {
    global("crypto").dyn_into().expect_throw("this browser has no cryptography")
}

/// A property, or `undefined` if there is none or the value is no object.
pub(crate) fn get(value: &JsValue, name: &str) -> JsValue {
    Reflect::get(value, &JsValue::from_str(name)).unwrap_or(JsValue::UNDEFINED)
}

/// The `name` of an exception, such as `NotAllowedError`; empty if it has none.
pub(crate) fn error_name(error: &JsValue) -> String {
    get(error, "name").as_string().unwrap_or_default()
}

/// The words of an exception, cut to a sensible length.
pub(crate) fn error_text(error: &JsValue) -> String {
    let message = get(error, "message").as_string().or_else(|| error.as_string());
    let name = error_name(error);
    let text = match message {
        Some(message) if name.is_empty() || name == "Error" => message,
        Some(message) => format!("{name}: {message}"),
        None if name.is_empty() => "no reason given".to_owned(),
        None => name,
    };
    shorten(&text)
}

/// The first characters of a text from elsewhere.
pub(crate) fn shorten(text: &str) -> String {
    text.chars().take(MAX_REASON).collect()
}

/// Another handle to the same object. Streams and tracks have a `clone` of their own in
/// JavaScript, which Rust's method call would find first and which makes a new track.
pub(crate) fn same<T: Clone>(object: &T) -> T {
    object.clone()
}

/// Whether there is this here (`RTCPeerConnection`, `indexedDB` and so on).
pub(crate) fn has(name: &str) -> bool {
    let value = global(name);
    !value.is_undefined() && !value.is_null()
}

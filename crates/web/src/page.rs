//! The page itself: what the browser can do, where the page came from, its address, its marks.

use crate::{
    js::{self, Subscription, window},
    rpc::{self, FetchError},
};
use gloo::timers::callback::Timeout;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{RequestCache, VisibilityState};

/// Something the program cannot do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capability {
    /// A page from `https:`, `localhost` or the like; without it there is no microphone, no
    /// Web Crypto and no lock.
    SecureContext,
    /// `RTCPeerConnection`.
    PeerConnections,
    /// `indexedDB`.
    Storage,
    /// `AudioWorklet`.
    AudioWorklets,
    /// `navigator.locks`.
    Locks,
}

/// What this browser lacks, most telling first. Empty: all is there.
#[must_use]
pub fn missing() -> Vec<Capability> {
    let has = |capability: &Capability| match capability {
        Capability::SecureContext => window().is_secure_context(),
        Capability::PeerConnections => js::has("RTCPeerConnection"),
        Capability::Storage => js::has("indexedDB"),
        Capability::AudioWorklets => js::has("AudioWorkletNode"),
        Capability::Locks => js::has("LockManager"),
    };
    [
        Capability::SecureContext,
        Capability::PeerConnections,
        Capability::Storage,
        Capability::AudioWorklets,
        Capability::Locks,
    ]
    .into_iter()
    .filter(|capability| !has(capability))
    .collect()
}

/// Host and, if not the usual one, port: `example.org`, `127.0.0.1:8080`.
#[must_use]
pub fn host() -> String {
    window().location().host().unwrap_or_default()
}

/// Whether the page came over `https:`; such a page may open no `ws:` to another machine.
#[must_use]
pub fn is_https() -> bool {
    window().location().protocol().is_ok_and(|protocol| protocol == "https:")
}

/// The URL that relative ones refer to (`document.baseURI`).
#[must_use]
pub fn base_url() -> String {
    window().document().and_then(|d| d.base_uri().ok().flatten()).unwrap_or_default()
}

/// The path that the page lives under, ending in `/`: `/`, `/ipfs/…/`.
#[must_use]
pub fn base_path() -> String {
    let path = window().location().pathname().unwrap_or_default();
    match path.rsplit_once('/') {
        Some((folder, _file)) => format!("{folder}/"),
        None => "/".to_owned(),
    }
}

/// The fragment of the page's address, with its `#`; empty if there is none.
#[must_use]
pub fn hash() -> String {
    window().location().hash().unwrap_or_default()
}

/// Goes to another fragment, as a new entry of the history.
pub fn set_hash(hash: &str) {
    // Fails for no text: a fragment is percent-encoded as need be.
    let _ = window().location().set_hash(hash);
}

/// Goes to another fragment in place of the present entry of the history. Unlike
/// [`set_hash`], this is not reported by [`on_hash`].
pub fn replace_hash(hash: &str) {
    if let Ok(history) = window().history() {
        // Fails only above some hundred calls in half a minute; the address then stays as it is.
        let _ = history.replace_state_with_url(&JsValue::NULL, "", Some(hash));
    }
}

/// Calls `changed` with the new fragment whenever the person or [`set_hash`] changed it.
pub fn on_hash(changed: impl Fn(String) + 'static) -> Subscription {
    Subscription::listen(&window(), "hashchange", move |_| changed(hash()))
}

/// Whether the browser believes that it has a network.
#[must_use]
pub fn is_online() -> bool {
    window().navigator().on_line()
}

/// Calls `changed` when the network comes (`true`) or goes.
pub fn on_online(changed: impl Fn(bool) + Clone + 'static) -> Subscription {
    let other = changed.clone();
    Subscription::listen(&window(), "online", move |_| changed(true)).and(Subscription::listen(
        &window(),
        "offline",
        move |_| other(false),
    ))
}

/// Calls `changed` when the machine has another network (Network Information API), where the
/// browser tells.
pub fn on_network(changed: impl Fn() + 'static) -> Option<Subscription> {
    let navigator = window().navigator();
    let connection = js_sys::Reflect::get(&navigator, &JsValue::from_str("connection")).ok()?;
    let connection = connection.dyn_into::<web_sys::EventTarget>().ok()?;
    Some(Subscription::listen(&connection, "change", move |_| changed()))
}

/// Whether the page can be seen.
#[must_use]
pub fn is_visible() -> bool {
    window().document().is_none_or(|d| d.visibility_state() != VisibilityState::Hidden)
}

/// Calls `changed` when the page comes into sight (`true`) or goes out of it.
pub fn on_visible(changed: impl Fn(bool) + 'static) -> Option<Subscription> {
    let document = window().document()?;
    Some(Subscription::listen(&document, "visibilitychange", move |_| changed(is_visible())))
}

/// Calls `leaving` when the page goes away: the last moment to say good-bye.
pub fn on_leave(leaving: impl Fn() + 'static) -> Subscription {
    Subscription::listen(&window(), "pagehide", move |_| leaving())
}

/// A text kept as long as this tab lives, reloads included.
#[must_use]
pub fn session_flag(name: &str) -> Option<String> {
    window().session_storage().ok().flatten()?.get_item(name).ok().flatten()
}

/// Keeps a text for as long as this tab lives, or forgets it (`None`). A browser that refuses
/// (private mode, full) merely forgets sooner.
pub fn set_session_flag(name: &str, value: Option<&str>) {
    if let Ok(Some(storage)) = window().session_storage() {
        let _ = match value {
            Some(value) => storage.set_item(name, value),
            None => storage.remove_item(name),
        };
    }
}

/// Sets a performance mark (User Timing), for those who measure.
pub fn mark(name: &str) {
    if let Some(performance) = window().performance() {
        // Fails only for names of the browser's own.
        let _ = performance.mark(name);
    }
}

/// Sets a performance mark unless the page has one of that name.
pub fn mark_once(name: &str) {
    let marked = window()
        .performance()
        .is_some_and(|p| p.get_entries_by_name_with_entry_type(name, "mark").length() > 0);
    if !marked {
        mark(name);
    }
}

/// Reads a text file beside the page, such as `config.json`, asking the host each time whether
/// it changed.
///
/// # Errors
/// The host cannot be reached, is too slow, has no such file, or the file is larger than 1 MiB.
pub async fn fetch_text(url: &str) -> Result<String, FetchError> {
    rpc::fetch(url, |init| init.set_cache(RequestCache::NoCache)).await
}

/// All marks of this program, with their times in milliseconds since the page was opened.
#[must_use]
pub fn marks() -> Vec<(String, f64)> {
    let Some(performance) = window().performance() else { return Vec::new() };
    let entries = performance.get_entries_by_type("mark");
    let mark = |entry: JsValue| {
        let entry = entry.unchecked_into::<web_sys::PerformanceEntry>();
        (entry.name(), entry.start_time())
    };
    entries.iter().map(mark).filter(|(name, _)| name.starts_with("chats:")).collect()
}

/// A file that is written here, to be saved by the browser. It grows in the browser's memory.
#[derive(Debug, Default)]
pub struct Download(js_sys::Array);

impl Download {
    /// An empty file.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts something behind all that is in it.
    pub fn push(&self, bytes: &[u8]) {
        self.0.push(&js_sys::Uint8Array::from(bytes));
    }

    /// Has the browser save it under this name, where it saves what people download.
    pub fn save(&self, name: &str) {
        let Ok(blob) = web_sys::Blob::new_with_u8_array_sequence(&self.0) else { return };
        let Ok(url) = web_sys::Url::create_object_url_with_blob(&blob) else { return };
        let link = window().document().and_then(|document| document.create_element("a").ok());
        if let Some(link) = link.and_then(|link| link.dyn_into::<web_sys::HtmlElement>().ok()) {
            // Fails for names that no attribute has.
            let _ = link.set_attribute("href", &url);
            let _ = link.set_attribute("download", name);
            link.click();
        }
        // The browser has taken hold of it by then.
        Timeout::new(60_000, move || drop(web_sys::Url::revoke_object_url(&url))).forget();
    }
}

/// Sets a custom property (CSS) of the whole page.
pub fn set_css_property(name: &str, value: &str) {
    let root = window().document().and_then(|document| document.document_element());
    if let Some(root) = root.and_then(|root| root.dyn_into::<web_sys::HtmlElement>().ok()) {
        // Refused only for values that are none, which leaves the stylesheet's own.
        let _ = root.style().set_property(name, value);
    }
}

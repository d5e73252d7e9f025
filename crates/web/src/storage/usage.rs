//! How much the browser keeps for this page, and whether it may throw it away.

use crate::js::window;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;

/// What the browser says of the page's storage (Storage Standard, `StorageManager`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usage {
    /// Whether the browser promises not to evict it when space runs short.
    pub persisted: bool,
    /// Bytes used, as the browser estimates.
    pub bytes: f64,
}

/// Asks the browser to promise that. Some ask the person, some decide by how the page is used.
pub async fn persist() {
    if let Ok(promised) = window().navigator().storage().persist() {
        // What came of it, `usage` says.
        let _ = JsFuture::from(promised).await;
    }
}

/// Asks the browser; `None` if it does not say.
pub async fn usage() -> Option<Usage> {
    let storage = window().navigator().storage();
    let persisted = JsFuture::from(storage.persisted().ok()?).await.ok()?.as_bool()?;
    let estimate = JsFuture::from(storage.estimate().ok()?).await.ok()?;
    let estimate = estimate.unchecked_into::<web_sys::StorageEstimate>();
    Some(Usage { persisted, bytes: estimate.get_usage().unwrap_or_default() })
}

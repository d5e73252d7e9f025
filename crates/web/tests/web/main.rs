//! What this crate promises, in a real browser.
#![cfg(target_arch = "wasm32")]

use chats_core::time::Duration;
use chats_web::clock;
use wasm_bindgen_test::wasm_bindgen_test_configure;

mod audio;
mod page;
mod rows;
mod rpc;
mod rtc;
mod storage;
mod tab;
mod wallet;

wasm_bindgen_test_configure!(run_in_browser);

/// Waits until `done` holds, and fails with `what` if that takes more than 15 s.
async fn until(what: &str, done: impl Fn() -> bool) {
    let start = clock::now();
    while !done() {
        assert!(clock::now().since(start) < Duration::from_secs(15), "never happened: {what}");
        clock::sleep(Duration::from_millis(10)).await;
    }
}

//! What this crate promises, in a real browser: pairs of swarms in one page. What stands for a
//! circuit is `MemoryTransport` with the addresses of one.
#![cfg(target_arch = "wasm32")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod circuit;
mod connecting;
mod ending;
mod lines;
mod nodes;
mod signalling;
mod states;
mod streams;

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);

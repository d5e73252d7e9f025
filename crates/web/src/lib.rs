//! A browser, as the rest of the program sees it: wallet, microphone, peer connections, storage,
//! clock, randomness, JSON-RPC over `fetch`, and the worker that has the rooms.
//!
//! Plain Rust with callbacks and futures; no user interface. Everything that registers a handler
//! gives back something that takes it away again when dropped, most often a [`Subscription`].
//! Callbacks always run in a task of their own: never inside the call that caused them, so a
//! caller may hold its own borrows across any call into this crate.
#![cfg(target_arch = "wasm32")]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

pub mod audio;
pub mod clock;
mod js;
pub mod page;
pub mod random;
pub mod rooms;
pub mod rpc;
pub mod rtc;
pub mod storage;
pub mod tab;
pub mod wallet;

pub use js::Subscription;

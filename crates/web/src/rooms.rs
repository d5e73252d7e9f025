//! What members write, in a worker: [`chats_core::rooms::Rooms`] off the thread that draws.
//!
//! The page has [`RoomsWorker`], which tells the rooms what the node, the chain and people say and
//! gives what they want done. The worker has a WebAssembly module of its own, fetched only when
//! somebody is let in, and does the rest itself: it opens the device and the store, seals, signs
//! and checks. The device's secrets stay there: no message between the two holds one. A passphrase
//! that somebody types for a backup is in one.
//!
//! A worker can crash, hang or fail to keep anything. The page notices, says so to people, and
//! starts it again; the new one is told what the old one had been told of the present (the `desk`).
//! What the old one had acknowledged is on disk.

mod desk;
mod messages;
mod opening;
mod page;
mod port;
#[cfg(test)]
mod tests;
pub mod worker;

pub use page::{Health, RoomsWorker, State};
pub use port::Port;

use crate::storage;
use chats_core::id::Community;
use chats_core::store::StoreError;

/// How many messages of the page may be on their way to the worker: said, and not taken by it.
const MAX_UNTAKEN: usize = 64;

/// The most things that the worker puts into one message.
const MAX_BATCH: usize = 32;

/// The database of a community. The device that it belongs to is in no name: there is one.
fn database(community: &Community) -> String {
    format!("community-chats rooms {} {}", community.registry, community.id)
}

/// Deletes what is kept of a community's rooms. No worker may have it open, or this waits for it.
///
/// # Errors
/// The browser failed.
pub async fn forget(community: &Community) -> Result<(), StoreError> {
    storage::delete(&database(community)).await
}

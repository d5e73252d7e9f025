//! Two devices that passed hello bring what they have of each set to the same
//! (`/chats/sync/1`, docs/protocol.md, section 6).
//!
//! [`Sessions`] decides with whom and when, and leads its device's side of each session. What the
//! device has it reads through [`Sets`]: an [`IdSet`] for each set. Items come from the store and
//! go to it by way of [`Output::Load`] and [`Output::Received`]; nothing is called committed
//! before the store said so.
//!
//! Whoever drives it drains [`Sessions::poll`] after every [`Sessions::handle`], and ticks when
//! [`Sessions::wake_at`] has come.
//!
//! A session compares windows of sets ([`Window`]): the control log, then the last day of every
//! room, then the last week, then the rest. Comparing is by sketches, and by negentropy over
//! (time, id) where a window has few ids or much is unlike. Then what either side lacks travels,
//! newest first.
//!
//! All that another device can have us do is bounded: rounds, ids looked at, items and bytes taken
//! and given, messages without an answer, time. Who says what no honest device says is left for an
//! hour.

mod answerer;
mod budget;
mod dialler;
mod ids;
mod receiving;
mod reconcile;
mod seam;
mod sending;
mod session;
mod sessions;
mod short;
mod sketch;
mod window;
pub mod wire;

pub use budget::{HOUR, MAX_TAKEN, MAX_TAKEN_BYTES};
pub use ids::IdSet;
pub use seam::{Ending, Input, Output, Sets, Ticket};
pub use sessions::{MAX_SESSIONS, Sessions};
pub use short::Short;
pub use sketch::{CELL, MAX_CELLS};
pub use window::Window;
pub use wire::{End, SyncMessage};

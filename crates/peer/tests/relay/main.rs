//! `chats relay` as a process, and native networks that meet through it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, unreachable_pub)]
#![allow(missing_docs)]

mod acme;
mod chain;
mod channels;
mod deploy;
mod device;
mod hostile;
mod meeting;
mod process;
mod program;
mod tls;
mod turn;
mod turn_client;

//! Community Chats over libp2p.
//!
//! [`Network`](network::Network) is the seam: commands go in, events come out, both through
//! bounded queues. Behind it stands one driver, shared by browsers (`browser::start`) and native
//! programs (`native::start`); the two differ in their transports alone. [`meet`] is how devices
//! find each other at a relay, `relay` is that relay.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

#[cfg(target_arch = "wasm32")]
pub mod browser;
#[cfg(not(target_arch = "wasm32"))]
pub mod native;
#[cfg(not(target_arch = "wasm32"))]
pub mod relay;
#[cfg(not(target_arch = "wasm32"))]
pub mod tls;

pub mod address;
mod backoff;
mod behaviour;
mod carry;
mod driver;
pub mod frame;
mod gossip;
pub mod identity;
mod linking;
pub mod meet;
pub mod network;
mod noise;
mod proof;
mod streams;

pub use libp2p::{Multiaddr, PeerId, multiaddr::Protocol};

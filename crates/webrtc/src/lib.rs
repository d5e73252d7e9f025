#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

pub mod address;
pub mod codec;
pub mod sdp;
pub mod state;

mod config;
mod error;

pub use config::{Answer, Config, IceServer, IceServers};
pub use error::Error;

#[cfg(any(target_arch = "wasm32", test))]
mod behaviour;
#[cfg(target_arch = "wasm32")]
mod connection;
#[cfg(target_arch = "wasm32")]
mod handshake;
#[cfg(target_arch = "wasm32")]
mod js;
#[cfg(any(target_arch = "wasm32", test))]
mod shared;
#[cfg(target_arch = "wasm32")]
mod transport;

#[cfg(any(target_arch = "wasm32", test))]
pub use {
    behaviour::Behaviour,
    shared::{Duplex, Failure, Fingerprints, SignallingStream},
};
#[cfg(target_arch = "wasm32")]
pub use {
    connection::{Connection, Stream},
    transport::{Transport, new},
};

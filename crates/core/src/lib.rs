//! The heart of Community Chats, without I/O.
//!
//! A [`node::Node`] is one device in one community. It knows no clock, no random source, no
//! network, no store and no target: whoever owns it hands it every [`node::Input`] together with
//! the time, and then drains [`node::Node::poll`] until it returns `None`. Browsers, native
//! programs and the simulation all drive the same code.
//!
//! The modules, from the bottom up:
//!
//! * [`id`], [`time`], [`hlc`], [`wire`], [`small`], [`ascending`]: who,
//!   when, how things are written down and kept;
//! * [`certificate`]: a wallet vouches for a device with one EIP-4361 signature;
//! * [`access`]: what the contract said about a wallet, and for how long that stands;
//! * [`seats`]: who had which seat at which version, replayed from the contract's changes;
//! * [`epoch`], [`seal`]: the keys of a room, and what is sealed with them;
//! * [`control`], [`wrap`]: what a community keeps besides its ops, and keys sealed to devices;
//! * [`devices`]: whose each device is and was, and what keys are sealed to it with;
//! * [`keyring`]: the keys of a room: which hold, which to send under, what is due;
//! * [`op`], [`content`]: what members of a room write, sealed, signed and ordered;
//! * [`sync`]: two devices bring what they have to the same;
//! * [`rooms`]: all of that as one machine, for one device in one community;
//! * [`hello`]: the first stream on every connection; nobody passes without it;
//! * [`gossip`]: what members tell all members, passed on from one to the next;
//! * [`presence`], [`negotiation`], [`meeting`], [`media`]: who is there, and one media link
//!   per pair;
//! * [`store`]: what lasts, behind one seam for disks;
//! * [`turn`]: what a device and a relay say about relayed sound;
//! * [`node`]: all of it behind `handle` and `poll`.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]
#![cfg_attr(not(test), deny(clippy::string_slice, clippy::panic))]

pub mod access;
pub mod ascending;
mod base32;
mod budget;
pub mod certificate;
pub mod channel;
pub mod config;
pub mod content;
pub mod control;
pub mod devices;
pub mod epoch;
#[cfg(any(test, feature = "fixtures"))]
#[allow(clippy::expect_used, clippy::indexing_slicing)]
pub mod fixtures;
pub mod gossip;
pub mod hello;
pub mod history;
pub mod hlc;
pub mod id;
pub mod keyring;
pub mod markdown;
pub mod media;
pub mod meeting;
pub mod negotiation;
pub mod node;
pub mod op;
mod peers;
pub mod presence;
mod random;
pub mod rooms;
pub mod seal;
pub mod seats;
pub mod small;
pub mod speaking;
pub mod store;
pub mod sync;
pub mod time;
pub mod timeline;
pub mod turn;
pub mod wire;
pub mod wrap;

//! Real [`chats_core::node::Node`]s on a virtual clock, over links that fail.
//!
//! One [`run`] is one seed: devices of members, of a stranger and of a banned wallet find each
//! other at a relay, ask a chain that is silent at times, and meet, while connections break, the
//! relay goes away, pages are killed and reloaded, seats are lost and clocks are set. At every
//! step, and at the end when all faults are over, the promises of `checks` are checked. Nothing
//! in here reads a clock or a random source of the machine, so the same seed gives the same run.
#![forbid(unsafe_code)]

mod chain;
mod checks;
mod faults;
mod media;
mod network;
mod queue;
pub mod rooms;
mod scene;
mod trace;
mod world;

pub use scene::Scene;
pub use world::World;

/// What to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// From which all that happens follows.
    pub seed: u64,
    /// How many devices there are, from 2. From 4 on the last one is a stranger's, from 5 on one
    /// is a second device of the first wallet, from 6 on one is a banned wallet's.
    pub nodes: usize,
    /// For how long there are faults; a time to settle follows.
    pub minutes: u64,
    /// Whether to print all that happens to standard error.
    pub verbose: bool,
}

/// What a run was like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// A digest of all inputs and outputs of all nodes.
    pub trace: u64,
    /// How many inputs there were.
    pub inputs: u64,
    /// How many outputs.
    pub outputs: u64,
    /// How many faults.
    pub faults: u64,
    /// How many media connections came to stand.
    pub connected: u64,
    /// How many devices were in the meeting at the end.
    pub meeting: usize,
}

/// A promise that did not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "after {at} ms: {what}\nreplay with: cargo run -p chats-sim -- --seed {} --nodes {} --minutes {} --verbose",
    config.seed, config.nodes, config.minutes
)]
pub struct Broken {
    /// Which run.
    pub config: Config,
    /// When, in milliseconds from its start.
    pub at: u64,
    /// What did not hold.
    pub what: String,
}

/// Runs one seed to its end.
///
/// # Errors
/// [`Broken`] at the first promise that does not hold.
pub fn run(config: Config) -> Result<Report, Broken> {
    World::new(config).run()
}

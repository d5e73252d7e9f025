//! Real [`chats_core::rooms::Rooms`] of many devices on a virtual clock, over links that fail.
//!
//! One [`run`] is one seed: members write, edit, react and take away in several rooms and in direct
//! messages, while devices are killed in the middle of what they write to disk and come back with
//! what was there, links are cut at any frame, a fifth of all gossip is lost, the community falls
//! apart three times and comes together again, clocks differ by up to five minutes, seats are lost
//! and given, the chain takes back what it said and some read it later than others, second
//! devices are approved and revoked. Then all faults end, and within a bounded time all that is
//! promised (`promises`) must be so.
//!
//! The rooms are driven on simulated links of their own, and not behind a
//! [`Node`](chats_core::node::Node) each as the page does: the nodes' part in this, who is let
//! through and who is linked with whom, is small (`links`, `gate`), has a simulation of its own
//! ([`crate::run`]), and fifty of them with all that they say about presence would take most of
//! the time and let all that is hard on rooms happen less often. What a node does to rooms is done
//! to them here too: devices come and go at either end at different times, what arrives before or
//! after that is dropped, versions are told when they rise, and those without a seat are let go
//! only when one's own reading of the chain says so.

mod chain;
mod device;
mod drive;
mod faults;
mod gate;
mod links;
mod people;
mod plan;
mod promises;
mod secrets;
mod town;

use std::collections::BTreeMap;
use std::fmt;
use town::Town;

/// What to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// From which all that happens follows.
    pub seed: u64,
    /// How many wallets there are, from 4 to 60; some have two devices, some come later.
    pub members: usize,
    /// For how long there are faults, in minutes; a time to settle follows.
    pub minutes: u64,
    /// Whether to print all that happens to standard error.
    pub verbose: bool,
}

/// What a run was like.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// A digest of all that happened.
    pub trace: u64,
    /// How many devices there were.
    pub devices: usize,
    /// How many actions were carried out.
    pub done: u64,
    /// How many were refused.
    pub refused: u64,
    /// How many rooms all who may read them show alike.
    pub rooms: usize,
    /// How many messages they show.
    pub messages: usize,
    /// How many epochs were made.
    pub epochs: usize,
    /// How often two records cut a device off at different ops.
    pub different_cuts: usize,
    /// What went wrong.
    pub faults: Faults,
    /// How many control items of each kind were made.
    pub items: BTreeMap<&'static str, u64>,
    /// How many frames of sync were sent, and how many bytes they were.
    pub sync: (u64, u64),
    /// How many ops were written by those who had lost their seat and did not know.
    pub blind: u64,
    /// How often an epoch was made without a device that had been a member's: it never got the key.
    pub withheld: usize,
    /// How long after the last fault all was well, in milliseconds.
    pub settled: u64,
}

/// What went wrong in a run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Faults {
    /// How often a device was killed.
    pub kills: u64,
    /// How often a link was cut.
    pub cuts: u64,
    /// How many messages of gossip came to a device, and how many of them were lost.
    pub gossip: (u64, u64),
    /// How many commits found no space.
    pub full: u64,
    /// How often the community fell apart.
    pub partitions: u64,
    /// How far the clocks of two devices were apart, in milliseconds.
    pub skew: u64,
    /// How often somebody lost the seat, and how often of these while the community was apart.
    pub removals: (u64, u64),
    /// How often the chain's list of changes was replaced by another, and how often of these while
    /// the community was apart.
    pub reorgs: (u64, u64),
    /// How many devices were revoked.
    pub revoked: usize,
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kills, cuts, gossip, full, partitions, skew, removals, reorgs, revoked } = self;
        write!(
            f,
            "{partitions} partitions, {} of {} seats lost in them, {} of {} reorgs in them, \
             {revoked} devices revoked, clocks up to {} s apart, {kills} kills, {cuts} links cut, \
             {} of {} messages of gossip lost, {full} commits without space",
            removals.1,
            removals.0,
            reorgs.1,
            reorgs.0,
            skew / 1000,
            gossip.1,
            gossip.0
        )
    }
}

/// A promise that did not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "after {at} ms: {what}\nreplay with: cargo run -p chats-sim -- --rooms --seed {} --nodes {} --minutes {} --verbose",
    config.seed, config.members, config.minutes
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
    Town::new(config).run()
}

//! A chain that is late, silent or wrong at times.

use crate::world::{Happening, World};
use chats_core::access::{AccessAnswer, Batch, Role, Standing};
use chats_core::id::Wallet;
use chats_core::node::Input;
use chats_core::time::Time;
use rand::Rng;
use std::collections::BTreeMap;

/// How far the block at which roles are read may be behind, in milliseconds.
const LAG: u64 = 5000;
/// After how long silence is noticed.
const TIME_OUT: u64 = 4000;

/// The contract's state over time, and how well it can be read.
#[derive(Debug, Default)]
pub(crate) struct Chain {
    roles: BTreeMap<Wallet, Vec<(u64, Role)>>,
    versions: Vec<u64>,
    /// When there was or is no answer, or a wrong one.
    pub(crate) troubles: Vec<(u64, u64)>,
}

impl Chain {
    pub(crate) fn set(&mut self, wallet: Wallet, role: Role, now: u64) {
        self.roles.entry(wallet).or_default().push((now, role));
        self.versions.push(now);
    }

    /// The role at a moment; none before the first change.
    pub(crate) fn role(&self, wallet: Wallet, at: u64) -> Role {
        let changes = self.roles.get(&wallet).into_iter().flatten();
        changes.take_while(|(since, _)| *since <= at).last().map_or(Role::None, |(_, role)| *role)
    }

    /// Whether the wallet had a seat at any time until now.
    pub(crate) fn ever_admitted(&self, wallet: Wallet) -> bool {
        self.roles.get(&wallet).into_iter().flatten().any(|(_, role)| role.admits())
    }

    fn version(&self, at: u64) -> u64 {
        self.versions.iter().filter(|since| **since <= at).count() as u64
    }

    fn in_trouble(&self, now: u64) -> bool {
        self.troubles.iter().any(|(from, to)| (*from..*to).contains(&now))
    }
}

impl World {
    pub(crate) fn check_access(&mut self, device: usize, batch: &Batch) {
        let delay = self.rng.random_range(30..800);
        let read_at = (self.now + delay).saturating_sub(self.rng.random_range(0..LAG));
        let liar = self.devices[device].hostile;
        let role = |wallet: &Wallet| {
            if liar { Role::Member } else { self.chain.role(*wallet, read_at) }
        };
        let standing = |wallet| Standing { role: role(wallet), device_cutoff: Time::default() };
        let mut standings: Vec<_> = batch.wallets.iter().map(standing).collect();
        let mut wait = delay;
        let answer = if self.chain.in_trouble(self.now) {
            if self.rng.random_bool(0.5) {
                wait = TIME_OUT;
                None
            } else {
                standings.push(Standing { role: Role::Owner, device_cutoff: Time::default() });
                Some(standings)
            }
        } else {
            Some(standings)
        };
        let answer =
            answer.map(|standings| AccessAnswer { standings, block: read_at / 250, sources: 2 });
        self.later_input(device, wait, Input::Access { request: batch.request, answer });
    }

    pub(crate) fn check_version(&mut self, device: usize) {
        if self.chain.in_trouble(self.now) {
            if self.rng.random_bool(0.2) {
                self.later_input(device, 100, Input::Version(u64::MAX));
            }
            return;
        }
        let delay = self.rng.random_range(30..500);
        let version = self.chain.version(self.now);
        self.later_input(device, delay, Input::Version(version));
    }

    /// Hands an input to a device in `wait` milliseconds, if it is still the same page then.
    pub(crate) fn later_input(&mut self, device: usize, wait: u64, input: Input) {
        let life = self.devices[device].life;
        self.queue.push(self.now + wait, Happening::Input { device, life, input });
    }
}

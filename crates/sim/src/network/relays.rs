//! Relays at which devices find each other.

use super::{Net, Via};
use crate::world::{Happening, World};
use chats_core::node::Input;
use rand::Rng;
use std::collections::BTreeSet;

/// How many there are.
pub(crate) const RELAYS: usize = 2;

/// A relay, and who is there.
#[derive(Debug, Default)]
pub(crate) struct Relay {
    down_until: u64,
    entered: BTreeSet<usize>,
}

impl World {
    pub(super) fn at_relay(&self, device: usize, relay: usize) -> bool {
        let relay = &self.network.relays[relay];
        self.now >= relay.down_until && relay.entered.contains(&device)
    }

    pub(crate) fn enter_relay(&mut self, device: usize, relay: usize, wait: u64) {
        let life = self.devices[device].life;
        self.net(wait, Net::Enter { device, life, relay });
    }

    fn told(&mut self, device: usize, relay: usize, input: Input) {
        let wait = self.rng.random_range(5..80);
        let page = &mut self.devices[device];
        page.told_at = (self.now + wait).max(page.told_at);
        let (life, at) = (page.life, page.told_at);
        self.queue.push(at, Happening::Net(Net::Told { device, life, relay, input }));
    }

    /// A device is off a relay; the others hear of it.
    pub(crate) fn off_relay(&mut self, device: usize, relay: usize) {
        if self.network.relays[relay].entered.remove(&device) {
            let key = self.devices[device].key;
            for other in self.network.relays[relay].entered.clone() {
                self.told(other, relay, Input::Left(key));
            }
        }
    }

    /// The device itself lost a relay: nobody is listed there for it any more.
    pub(crate) fn lost_relay(&mut self, device: usize, relay: usize) {
        self.off_relay(device, relay);
        for listed in self.devices[device].listing[relay].clone() {
            let key = self.devices[listed].key;
            self.told(device, relay, Input::Left(key));
        }
    }

    pub(crate) fn relay_outage(&mut self, relay: usize, length: u64) {
        let until = self.now.saturating_add(length);
        self.network.relays[relay].down_until = until;
        for device in 0..self.devices.len() {
            self.lost_relay(device, relay);
            if length < u64::MAX {
                let wait = length + self.rng.random_range(100..5000);
                self.enter_relay(device, relay, wait);
            }
        }
        for id in 0..self.network.conns.len() {
            if self.network.conns[id].circuit == Some(Via::Relay(relay)) {
                self.end_circuit(id);
            }
        }
    }

    pub(super) fn on_enter(&mut self, device: usize, life: u32, relay: usize) {
        let entered = &self.network.relays[relay].entered;
        if self.devices[device].life != life || entered.contains(&device) {
            return;
        }
        if !self.is_on(device) || self.now < self.network.relays[relay].down_until {
            if self.devices[device].node.is_some() {
                self.enter_relay(device, relay, 2000);
            }
            return;
        }
        let others = self.network.relays[relay].entered.clone();
        let devices = others.iter().map(|other| self.devices[*other].key).collect();
        self.network.relays[relay].entered.insert(device);
        let source = relay as u32;
        self.told(device, relay, Input::Present { source, devices });
        let device = self.devices[device].key;
        for other in others {
            self.told(other, relay, Input::Arrived { source, device });
        }
    }

    /// The network layer tells of arrivals and departures once, however many relays do.
    pub(super) fn on_told(&mut self, device: usize, relay: usize, input: Input) {
        let by_key = &self.by_key;
        let listing = &mut self.devices[device].listing;
        let count = |listing: &[BTreeSet<usize>], other| {
            listing.iter().filter(|listing| listing.contains(&other)).count()
        };
        let known = match &input {
            Input::Present { devices, .. } => {
                listing[relay].extend(devices.iter().filter_map(|key| by_key.get(key)));
                false
            }
            Input::Arrived { device: key, .. } => {
                listing[relay].insert(by_key[key]);
                count(listing, by_key[key]) > 1
            }
            Input::Left(key) => {
                !listing[relay].remove(&by_key[key]) || count(listing, by_key[key]) > 0
            }
            _ => false,
        };
        if !known {
            self.input(device, input);
        }
    }
}

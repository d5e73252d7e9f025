//! What goes wrong, and what people do.

use crate::checks::Check;
use crate::network::RELAYS;
use crate::world::{Happening, SETTLE, World};
use chats_core::access::Role;
use chats_core::channel::Channel;
use chats_core::gossip;
use chats_core::node::Input;
use rand::Rng;

/// One thing that goes wrong, or is done.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// A page is opened.
    Open { device: usize },
    /// It is closed without a word.
    Kill { device: usize },
    /// Its user leaves the meeting, and comes back later.
    Leave { device: usize, back: u64, close: bool },
    /// The user wants in again.
    Return { device: usize },
    /// A connection breaks.
    Connection,
    /// A direct link breaks.
    Link,
    /// Two devices cannot reach each other's media for a while.
    Media { pair: (usize, usize), length: u64 },
    /// A media connection turns out to be useless.
    Broken,
    /// A relay is away for a while.
    Relay { relay: usize, length: u64 },
    /// A device has no network for a while.
    Offline { device: usize, length: u64 },
    /// The chain is silent or wrong for a while.
    Chain { length: u64 },
    /// A seat is lost, and given back later.
    Expel { device: usize, back: u64 },
    /// It is given back.
    Readmit { device: usize },
    /// A clock is set.
    Clock { device: usize, by: i64 },
    /// A device is sent bytes that mean nothing.
    Garbage,
    /// Somebody mutes or unmutes.
    Mute { device: usize },
    /// Somebody raises or lowers their hand.
    Hand { device: usize },
    /// A device has another network, and says so.
    Network { device: usize },
    /// Paths may have come back.
    Look,
}

impl World {
    pub(crate) fn plan_faults(&mut self) {
        self.network.bad_dials = 20;
        let end = self.config.minutes * 60_000;
        let mut at = self.rng.random_range(2000..12_000);
        while at < end {
            let fault = self.some_fault();
            self.queue.push(at, Happening::Fault(fault));
            at += self.rng.random_range(200..8000);
        }
    }

    fn some_fault(&mut self) -> Fault {
        let nodes = self.config.nodes;
        let device = self.rng.random_range(0..nodes);
        let other = (device + self.rng.random_range(1..nodes)) % nodes;
        let length = self.rng.random_range(1000..40_000);
        match self.rng.random_range(0..100) {
            0..8 => Fault::Connection,
            8..15 => Fault::Link,
            15..30 => Fault::Media { pair: (device.min(other), device.max(other)), length },
            30..38 => Fault::Broken,
            38..43 => Fault::Relay { relay: self.rng.random_range(0..RELAYS), length: length / 2 },
            43..51 => Fault::Offline { device, length: length / 2 },
            51..56 => Fault::Chain { length },
            56..61 => Fault::Expel { device, back: self.rng.random_range(140_000..200_000) },
            61..66 => Fault::Clock { device, by: -self.rng.random_range(100..900_000) },
            66..68 => Fault::Clock { device, by: self.rng.random_range(100..9000) },
            68..78 => Fault::Garbage,
            78..80 => Fault::Mute { device },
            80..82 => Fault::Hand { device },
            82..84 => Fault::Network { device },
            84..92 => Fault::Kill { device },
            _ => Fault::Leave { device, back: length, close: self.rng.random_bool(0.3) },
        }
    }

    fn soon(&mut self, wait: u64, fault: Fault) {
        self.queue.push(self.now + wait, Happening::Fault(fault));
    }

    pub(crate) fn on_fault(&mut self, fault: Fault) {
        self.faults += 1;
        self.end = self.end.max(self.now + SETTLE);
        if self.config.verbose {
            eprintln!("{:>8}    {fault:?}", self.now);
        }
        if self.now >= self.config.minutes * 60_000 {
            self.network.bad_dials = 0;
        }
        match fault {
            Fault::Open { device } => self.open_page(device),
            Fault::Kill { device } => self.kill(device),
            Fault::Leave { device, back, close } => self.leave(device, back, close),
            Fault::Return { device } => self.devices[device].wants = true,
            Fault::Connection => self.cut_some_connection(),
            Fault::Link => self.cut_some_link(),
            Fault::Media { pair, length } => {
                let until = self.now + length;
                let cut = self.media.cuts.entry(pair).or_default();
                *cut = until.max(*cut);
                self.cut_link_between(pair.0, pair.1, 8000);
                self.connectivity();
                self.soon(length, Fault::Look);
            }
            Fault::Broken => self.break_some_media(),
            Fault::Relay { relay, length } => self.relay_outage(relay, length),
            Fault::Offline { device, length } => {
                if self.devices[device].node.is_some() {
                    self.go_offline(device, length);
                    self.connectivity();
                    self.soon(length, Fault::Look);
                }
            }
            Fault::Chain { length } => self.chain.troubles.push((self.now, self.now + length)),
            Fault::Expel { device, back } => self.expel(device, back),
            Fault::Readmit { device } => {
                let address = self.devices[device].address;
                self.chain.set(address, Role::Member, self.now);
            }
            Fault::Clock { device, by } => {
                self.devices[device].ahead += by;
                self.devices[device].clock_set = Some(self.now);
                self.input(device, Input::Tick);
            }
            Fault::Garbage => self.garbage(),
            Fault::Mute { device } => {
                let muted = !self.devices[device].muted;
                self.devices[device].muted = muted;
                self.input(device, Input::SetMuted(muted));
            }
            Fault::Hand { device } => {
                let hand = !self.devices[device].hand;
                self.devices[device].hand = hand;
                self.input(device, Input::SetHand(hand));
            }
            Fault::Network { device } => self.input(device, Input::NetworkChanged),
            Fault::Look => self.connectivity(),
        }
    }

    fn kill(&mut self, device: usize) {
        if self.devices[device].node.is_none() {
            return;
        }
        self.watch_kill(device);
        self.close_page(device, 8000);
        // A reload, or a while.
        let reload = self.rng.random_bool(0.5);
        let wait = self.rng.random_range(if reload { 300..4000 } else { 20_000..40_000 });
        self.soon(wait, Fault::Open { device });
    }

    fn leave(&mut self, device: usize, back: u64, close: bool) {
        if !self.devices[device].joined {
            return;
        }
        self.devices[device].wants = false;
        self.watch_leave(device);
        self.input(device, Input::Leave);
        self.soon(back.max(5000), Fault::Return { device });
        if close {
            self.soon(500, Fault::Kill { device });
        }
    }

    fn expel(&mut self, device: usize, back: u64) {
        let address = self.devices[device].address;
        // The first wallet has two devices, and the hostile have no seat to lose.
        if device == 0 || !self.chain.role(address, self.now).admits() {
            return;
        }
        if self.devices.iter().filter(|other| other.address == address).count() > 1 {
            return;
        }
        self.chain.set(address, Role::None, self.now);
        self.queue.push(self.now + 90_000, Happening::Check(Check::Expelled { device }));
        self.soon(back, Fault::Readmit { device });
    }

    fn garbage(&mut self) {
        let nodes = self.config.nodes;
        let to = self.rng.random_range(0..nodes);
        let sessions: Vec<_> = self.devices[to].sessions.iter().collect();
        if sessions.is_empty() {
            return;
        }
        let (from, session) = sessions[self.rng.random_range(0..sessions.len())];
        let (from, passed) = (*from, session.passed);
        // A garbled hello ends the connection, and no member garbles one.
        let channel = match (passed, self.devices[from].hostile) {
            (true, _) => Channel::Meeting,
            (false, true) => Channel::Hello,
            (false, false) => return,
        };
        let length = self.rng.random_range(0..200);
        let frame: Vec<u8> = (0..length).map(|_| self.rng.random()).collect();
        if passed && self.rng.random_bool(0.5) {
            self.garbage.insert(gossip::id(&frame));
            return self.deliver(to, from, frame);
        }
        let from = self.devices[from].key;
        self.input(to, Input::Received { from, channel, frame });
    }
}

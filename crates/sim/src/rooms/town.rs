//! All devices, and the loop that drives them.

use super::chain::Chain;
use super::device::Device;
use super::faults::Fault;
use super::links::{Conn, Net};
use super::promises::Promises;
use super::secrets::Secrets;
use super::{Broken, Config, Report};
use crate::queue::Queue;
use crate::trace::Trace;
use chats_core::epoch::RoomTag;
use chats_core::fixtures::NOW;
use chats_core::id::DeviceKey;
use chats_core::rooms::{Incoming, Input};
use chats_core::seats::Change;
use chats_core::time::{Duration, Time};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;

/// How long after the last fault all must be well, at the latest, in milliseconds.
const PATIENCE: u64 = 20 * 60_000;
/// How long it is left alone before anybody looks, and between two looks.
const QUIET: u64 = 120_000;

/// Something that is to happen.
#[derive(Debug)]
pub(super) enum Happening {
    /// A device's rooms wanted to be called.
    Wake { device: usize, life: u32, at: u64 },
    /// A device's store is done with what it was given first.
    Disk { device: usize, life: u32 },
    /// Something comes to a device's rooms, from the chain.
    Tell { device: usize, life: u32, incoming: Incoming },
    /// In the network.
    Net(Net),
    /// A device looks for others, and asks for the version.
    Look { device: usize, life: u32 },
    /// Its user does something.
    User { device: usize, life: u32 },
    /// Something goes wrong, or is done.
    Fault(Fault),
}

/// One run.
#[derive(Debug)]
pub(super) struct Town {
    pub(super) config: Config,
    pub(super) rng: SmallRng,
    pub(super) now: u64,
    pub(super) queue: Queue<Happening>,
    pub(super) devices: Vec<Device>,
    pub(super) by_key: BTreeMap<DeviceKey, usize>,
    pub(super) conns: Vec<Conn>,
    pub(super) chain: Chain,
    /// Changes that the chain took back and that come again.
    pub(super) owed: Vec<Change>,
    pub(super) promises: Promises,
    pub(super) secrets: Secrets,
    /// The community is in parts.
    pub(super) apart: bool,
    /// No more faults, and no more that people do.
    pub(super) quiet: bool,
    pub(super) report: Report,
    pub(super) trace: Trace,
    broken: Option<String>,
}

impl Town {
    pub(super) fn new(config: Config) -> Self {
        let mut town = Self {
            config,
            rng: SmallRng::seed_from_u64(config.seed),
            now: 0,
            queue: Queue::new(),
            devices: Vec::new(),
            by_key: BTreeMap::new(),
            conns: Vec::new(),
            chain: Chain::default(),
            owed: Vec::new(),
            promises: Promises::default(),
            secrets: Secrets::default(),
            apart: false,
            quiet: false,
            report: Report::default(),
            trace: Trace::new(),
            broken: None,
        };
        town.settle_in();
        town.plan();
        town
    }

    /// Runs it to its end.
    pub(super) fn run(mut self) -> Result<Report, Broken> {
        let end = self.config.minutes * 60_000;
        self.run_until(end)?;
        self.end_faults();
        loop {
            self.run_until(self.now + QUIET / 4)?;
            (0..self.devices.len()).for_each(|device| self.answer_devices(device));
            self.run_until(self.now + QUIET * 3 / 4)?;
            let tags = self.rooms_known();
            let mut wrong = Vec::new();
            self.report.messages = 0;
            for tag in &tags {
                self.show_all(*tag)?;
                wrong.extend(self.look(*tag));
            }
            if wrong.is_empty() {
                self.report.rooms = tags.len();
                break;
            }
            if self.config.verbose {
                eprintln!("{:>8}    {} things differ", self.now, wrong.len());
            }
            if self.now > end + PATIENCE {
                wrong.truncate(8);
                self.fail(wrong.join("\n"));
            }
            self.verdict()?;
        }
        self.report.settled = self.now - end;
        self.report.trace = self.trace.digest();
        self.report.devices = self.devices.len();
        self.report.epochs = self.secrets.len();
        self.report.different_cuts = self.secrets.different_cuts();
        self.report.withheld = self.withheld();
        let ahead = self.devices.iter().map(|device| device.ahead);
        let skew = ahead.clone().max().unwrap_or(0) - ahead.min().unwrap_or(0);
        self.report.faults.skew = skew.unsigned_abs();
        self.report.faults.revoked = self.promises.revoked.len();
        Ok(self.report)
    }

    /// Has everything happen that happens until then.
    pub(super) fn run_until(&mut self, end: u64) -> Result<(), Broken> {
        while self.queue.due().is_some_and(|at| at <= end) {
            let Some((at, happening)) = self.queue.pop() else { break };
            self.now = at;
            self.happen(happening);
            self.verdict()?;
        }
        self.now = end;
        Ok(())
    }

    fn verdict(&mut self) -> Result<(), Broken> {
        match self.broken.take() {
            Some(what) => Err(Broken { config: self.config, at: self.now, what }),
            None => Ok(()),
        }
    }

    /// Notes that a promise did not hold; the first one counts.
    pub(super) fn fail(&mut self, what: String) {
        self.broken.get_or_insert(what);
    }

    pub(super) fn happen_at(&mut self, at: u64, happening: Happening) {
        self.queue.push(at.max(self.now), happening);
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Wake { device, life, at } => {
                let page = &mut self.devices[device];
                if page.life == life && page.wake == Some(at) {
                    page.wake = None;
                    self.tick(device);
                }
            }
            Happening::Disk { device, life } => {
                if self.devices[device].life == life {
                    self.serve(device);
                }
            }
            Happening::Tell { device, life, incoming } => {
                if self.devices[device].life == life {
                    self.input(device, Input::Incoming(incoming));
                }
            }
            Happening::Net(net) => self.on_net(net),
            Happening::Look { device, life } => {
                if self.devices[device].life == life {
                    self.look_around(device);
                }
            }
            Happening::User { device, life } => {
                if self.devices[device].life == life && !self.quiet {
                    self.user(device);
                }
            }
            Happening::Fault(fault) => {
                if !self.quiet {
                    self.on_fault(fault);
                }
            }
        }
    }

    /// What a device's clock shows.
    pub(super) fn clock(&self, device: usize) -> Time {
        let real = NOW + Duration::from_secs(86_400) + Duration::from_millis(self.now);
        real.0.checked_add_signed(self.devices[device].ahead).map_or(real, Time)
    }

    /// All rooms that anybody with a seat lists: of one that a member made alone, who lost the seat
    /// before any other heard of it, nobody else can know.
    fn rooms_known(&self) -> Vec<RoomTag> {
        let seats = self.chain.now();
        let seated = self.devices.iter().filter(|it| {
            seats.admits(it.address, seats.newest()) && !self.promises.revoked.contains_key(&it.key)
        });
        let lists = seated.flat_map(|device| &device.screen.list);
        let mut tags: Vec<_> = lists.map(|room| room.tag).collect();
        tags.sort_unstable();
        tags.dedup();
        tags
    }

    /// A moment within the next so many milliseconds.
    pub(super) fn within(&mut self, from: u64, to: u64) -> u64 {
        self.now + self.rng.random_range(from..to)
    }
}

//! Devices, the people before them, and the loop that drives all.

use crate::chain::Chain;
use crate::checks::Checks;
use crate::faults::Fault;
use crate::media::{Media, Rtc};
use crate::network::{Gossip, Net, Network, RELAYS, Session};
use crate::queue::Queue;
use crate::trace::Trace;
use crate::{Broken, Config, Report};
use chats_core::access::{Role, Verdict};
use chats_core::fixtures::{COMMUNITY, NOW, TestWallet, certificate};
use chats_core::gossip::GossipId;
use chats_core::id::{DeviceKey, DeviceSecret, MeetingName, Wallet};
use chats_core::node::{Event, Input, JoinRefusal, Node, Output, Participant, ParticipantState};
use chats_core::presence;
use chats_core::time::{Duration, Time};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::collections::{BTreeMap, BTreeSet};

/// How long after the last fault all must be well, in milliseconds. The longest waits in a row:
/// a refusal stands for a minute, then the next dial is up to 64 s away, then media is tried.
pub(crate) const SETTLE: u64 = 240_000;

/// A device: a page that may be closed and opened again.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) secret: DeviceSecret,
    pub(crate) key: DeviceKey,
    wallet: TestWallet,
    pub(crate) address: Wallet,
    /// Believes itself to be a member whatever the chain says.
    pub(crate) hostile: bool,
    pub(crate) node: Option<Node>,
    /// Counts its pages.
    pub(crate) life: u32,
    /// How far its clock is ahead, in milliseconds.
    pub(crate) ahead: i64,
    /// When its clock was last set. What passed since its node was called last is lost to it.
    pub(crate) clock_set: Option<u64>,
    wake: Option<u64>,
    pub(crate) offline_until: u64,
    pub(crate) sessions: BTreeMap<usize, Session>,
    /// Whom each relay lists for it.
    pub(crate) listing: [BTreeSet<usize>; RELAYS],
    pub(crate) gossip: Gossip,
    pub(crate) told_at: u64,
    /// Whether its user wants to be in the meeting.
    pub(crate) wants: bool,
    pub(crate) muted: bool,
    pub(crate) hand: bool,
    pub(crate) joined: bool,
    pub(crate) refusal: Option<JoinRefusal>,
    pub(crate) own: Option<Verdict>,
    pub(crate) online: BTreeSet<usize>,
    pub(crate) participants: BTreeMap<usize, Participant>,
}

/// Something that is to happen.
#[derive(Debug)]
pub(crate) enum Happening {
    /// To a node, from outside.
    Input { device: usize, life: u32, input: Input },
    /// A node wanted to be called.
    Wake { device: usize, life: u32, at: u64 },
    /// In the network.
    Net(Net),
    /// In the media layer.
    Rtc(Rtc),
    /// Its user acts.
    User { device: usize, life: u32 },
    /// Something goes wrong, or is done.
    Fault(Fault),
    /// A promise is looked after.
    Check(crate::checks::Check),
}

/// One run.
#[derive(Debug)]
pub struct World {
    pub(crate) config: Config,
    pub(crate) rng: SmallRng,
    pub(crate) now: u64,
    /// When all must be well: some time after the last fault.
    pub(crate) end: u64,
    pub(crate) queue: Queue<Happening>,
    pub(crate) devices: Vec<Device>,
    pub(crate) by_key: BTreeMap<DeviceKey, usize>,
    pub(crate) network: Network,
    pub(crate) chain: Chain,
    pub(crate) media: Media,
    pub(crate) checks: Checks,
    /// Who dialled whom.
    pub(crate) dials: BTreeSet<(usize, DeviceKey)>,
    /// Gossip that honest nodes must not pass on.
    pub(crate) garbage: BTreeSet<GossipId>,
    trace: Trace,
    pub(crate) faults: u64,
    inputs: u64,
    outputs: u64,
    broken: Option<String>,
}

impl World {
    /// The world as `config` has it, before anything happened.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let mut world = Self::empty(config);
        for number in 0..config.nodes {
            world.add_device(number);
        }
        for device in 0..config.nodes {
            let wait = world.rng.random_range(0..4000);
            world.queue.push(wait, Happening::Fault(Fault::Open { device }));
        }
        world.plan_faults();
        world
    }

    /// A world of members alone, in which nothing happens by itself.
    pub(crate) fn of_members(config: Config) -> Self {
        let mut world = Self::empty(config);
        for number in 0..config.nodes {
            world.add_member(number, false);
            let role = if number == 0 { Role::Owner } else { Role::Member };
            let address = world.devices[number].address;
            world.chain.set(address, role, 0);
        }
        world
    }

    fn empty(config: Config) -> Self {
        Self {
            config,
            rng: SmallRng::seed_from_u64(config.seed),
            now: 0,
            end: config.minutes * 60_000 + SETTLE,
            queue: Queue::new(),
            devices: Vec::new(),
            by_key: BTreeMap::new(),
            network: Network::default(),
            chain: Chain::default(),
            media: Media::default(),
            checks: Checks::default(),
            dials: BTreeSet::new(),
            garbage: BTreeSet::new(),
            trace: Trace::new(),
            faults: 0,
            inputs: 0,
            outputs: 0,
            broken: None,
        }
    }

    fn add_device(&mut self, number: usize) {
        let nodes = self.config.nodes;
        let stranger = nodes >= 4 && number == nodes - 1;
        let second = nodes >= 5 && number == nodes - 2;
        let banned = nodes >= 6 && number == nodes - 3;
        self.add_member(number, second);
        let address = self.devices[number].address;
        if banned {
            self.chain.set(address, Role::Banned, 0);
        } else if !stranger && !second {
            let role = if number == 0 { Role::Owner } else { Role::Member };
            self.chain.set(address, role, 0);
        }
        self.devices[number].hostile = stranger || banned;
    }

    fn add_member(&mut self, number: usize, second: bool) {
        let wallet = TestWallet::new(if second { 1 } else { number as u8 + 1 });
        let secret = DeviceSecret::from_seed(&self.rng.random());
        self.by_key.insert(secret.device(), number);
        self.devices.push(Device {
            key: secret.device(),
            secret,
            address: wallet.address(),
            wallet,
            hostile: false,
            node: None,
            life: 0,
            ahead: self.rng.random_range(-50_000..=50_000),
            clock_set: None,
            wake: None,
            offline_until: 0,
            sessions: BTreeMap::new(),
            listing: Default::default(),
            gossip: Gossip::default(),
            told_at: 0,
            wants: true,
            muted: false,
            hand: false,
            joined: false,
            refusal: None,
            own: None,
            online: BTreeSet::new(),
            participants: BTreeMap::new(),
        });
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// [`Broken`] at the first promise that does not hold.
    pub fn run(mut self) -> Result<Report, Broken> {
        // Faults may put the end off.
        while self.now < self.end {
            self.run_until(self.end)?;
        }
        self.check_end();
        self.verdict()?;
        Ok(Report {
            trace: self.trace.digest(),
            inputs: self.inputs,
            outputs: self.outputs,
            faults: self.faults,
            connected: self.media.connected,
            meeting: self.devices.iter().filter(|d| d.joined && !d.hostile).count(),
        })
    }

    /// Has everything happen that happens until then.
    pub(crate) fn run_until(&mut self, end: u64) -> Result<(), Broken> {
        while self.queue.due().is_some_and(|at| at <= end) {
            let Some((at, happening)) = self.queue.pop() else { break };
            self.now = at;
            self.happen(happening);
            self.check_bounds();
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
    pub(crate) fn fail(&mut self, what: String) {
        self.broken.get_or_insert(what);
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Input { device, life, input } => {
                if self.devices[device].life == life {
                    self.input(device, input);
                }
            }
            Happening::Wake { device, life, at } => {
                let page = &mut self.devices[device];
                if page.life == life && page.wake == Some(at) {
                    page.wake = None;
                    self.input(device, Input::Tick);
                }
            }
            Happening::Net(net) => self.on_net(net),
            Happening::Rtc(rtc) => self.on_rtc(rtc),
            Happening::User { device, life } => {
                if self.devices[device].life == life {
                    self.user(device);
                }
            }
            Happening::Fault(fault) => self.on_fault(fault),
            Happening::Check(check) => self.on_check(check),
        }
    }

    /// What a device's clock shows.
    pub(crate) fn clock(&self, device: usize) -> Time {
        Time((NOW + Duration::from_secs(86_400)).0 + self.now)
            .0
            .checked_add_signed(self.devices[device].ahead)
            .map_or(NOW, Time)
    }

    /// Opens a device's page.
    pub(crate) fn open_page(&mut self, device: usize) {
        let now = self.clock(device);
        let page = &mut self.devices[device];
        if page.node.is_some() {
            return;
        }
        let signed = certificate(&page.wallet, &page.secret, NOW);
        page.life += 1;
        page.node = Some(Node::new(COMMUNITY, page.secret.clone(), signed, now));
        page.wake = None;
        let life = page.life;
        self.drain(device);
        for relay in 0..RELAYS {
            let wait = self.rng.random_range(50..1500);
            self.enter_relay(device, relay, wait);
        }
        self.queue.push(self.now + 500, Happening::User { device, life });
    }

    /// Closes it without a word; the others' networks notice within `notice` milliseconds.
    pub(crate) fn close_page(&mut self, device: usize, notice: u64) {
        let page = &mut self.devices[device];
        if page.node.take().is_none() {
            return;
        }
        page.life += 1;
        page.sessions.clear();
        page.listing = Default::default();
        page.gossip = Gossip::default();
        page.online.clear();
        page.participants.clear();
        (page.joined, page.refusal, page.own) = (false, None, None);
        (0..RELAYS).for_each(|relay| self.off_relay(device, relay));
        self.cut_all_of(device, notice);
        self.drop_media_of(device);
    }

    /// What the person before the device does now and then.
    pub(crate) fn user(&mut self, device: usize) {
        let life = self.devices[device].life;
        let page = &self.devices[device];
        let admitted = page.own.is_some_and(|own| own.standing.role.admits());
        if admitted && page.wants && !page.joined {
            let session = presence::Session(self.rng.random());
            let (muted, hand) = (self.devices[device].muted, self.devices[device].hand);
            self.input(device, Input::Join { meeting: meeting(), session, muted });
            self.input(device, Input::SetHand(hand));
        } else if page.joined {
            let failed = |p: &Participant| p.state == ParticipantState::Failed;
            let failed: Vec<_> = page.participants.iter().filter(|(_, p)| failed(p)).collect();
            let failed: Vec<_> = failed.into_iter().map(|(n, _)| self.devices[*n].key).collect();
            for key in failed {
                self.input(device, Input::Retry(key));
            }
        }
        let wait = self.rng.random_range(4000..12_000);
        self.queue.push(self.now + wait, Happening::User { device, life });
    }

    /// Hands a node what happened, and does what it wants.
    pub(crate) fn input(&mut self, device: usize, input: Input) {
        let clock = self.clock(device);
        let tick = input == Input::Tick;
        if self.devices[device].node.is_none() {
            return;
        }
        self.inputs += 1;
        self.checks.count(device, self.now);
        self.note(device, &input);
        if let Some(node) = self.devices[device].node.as_mut() {
            node.handle(input, clock);
        }
        self.drain(device);
        let Some(node) = &self.devices[device].node else { return };
        if tick && node.wake_at() <= clock {
            self.fail(format!("{device} wants to be called again at once"));
        }
    }

    fn note(&mut self, device: usize, what: &dyn std::fmt::Debug) {
        self.trace.add(self.now, device, what);
        if self.config.verbose {
            let mut text = format!("{what:?}");
            for (number, page) in self.devices.iter().enumerate() {
                text = text.replace(&page.key.to_string(), &format!("<{number}>"));
            }
            let text: String = text.chars().take(300).collect();
            eprintln!("{:>8} {device:>2} {text}", self.now);
        }
    }

    fn drain(&mut self, device: usize) {
        let mut dialled = false;
        while let Some(output) = self.devices[device].node.as_mut().and_then(Node::poll) {
            dialled |= matches!(output, Output::Dial(_));
            self.outputs += 1;
            self.checks.count(device, self.now);
            self.note(device, &output);
            self.carry_out(device, output);
        }
        let own = self.devices[device].own;
        if dialled && !own.is_some_and(|own| own.standing.role.admits()) {
            self.fail(format!("{device} dials before it is let in"));
        }
        let clock = self.clock(device);
        let page = &mut self.devices[device];
        let Some(node) = &page.node else { return };
        let at = self.now + u64::try_from(node.wake_at().since(clock).as_millis()).unwrap_or(0);
        if page.wake.is_none_or(|wake| at < wake) {
            page.wake = Some(at);
            let life = page.life;
            self.queue.push(at, Happening::Wake { device, life, at });
        }
    }

    fn carry_out(&mut self, device: usize, output: Output) {
        match output {
            Output::Dial(key) => {
                self.dials.insert((device, key));
                match self.by_key.get(&key) {
                    Some(to) => self.dial(device, *to),
                    // Somebody made it up.
                    None => self.later_input(device, 300, Input::DialFailed(key)),
                }
            }
            Output::Disconnect(key) => {
                let to = self.by_key[&key];
                self.disconnect(device, to);
            }
            Output::Pass(key) => {
                let to = self.by_key[&key];
                if self.never_admitted(to) && !self.devices[device].hostile {
                    self.fail(format!("{device} lets the stranger {to} pass"));
                }
                if let Some(session) = self.devices[device].sessions.get_mut(&to) {
                    session.passed = true;
                }
            }
            Output::Send { to, channel, frame } => {
                if frame.len() > channel.max_frame() {
                    self.fail(format!("{device} sends {} bytes on {channel:?}", frame.len()));
                }
                let to = self.by_key[&to];
                self.send(device, to, channel, frame);
            }
            Output::Link(key) => {
                let to = self.by_key[&key];
                self.link(device, to);
            }
            Output::Check(key) => {
                let other = self.by_key[&key];
                self.check(device, other);
            }
            Output::TakeLinks { device: key, take } => {
                let other = self.by_key[&key];
                self.take_links(device, other, take);
            }
            Output::Publish(frame) => self.publish(device, &frame),
            Output::Judge { id, source, verdict } => self.judged(device, id, source, verdict),
            Output::CheckAccess(batch) => self.check_access(device, &batch),
            Output::CheckVersion => self.check_version(device),
            // Its relays have no TURN servers.
            Output::AskForTurn => self.later_input(device, 300, Input::Turn(None)),
            Output::UseTurn(_) => self.fail(format!("{device} uses what nobody granted")),
            Output::Media(command) => self.media_command(device, command),
            Output::Rooms(_) => {}
            Output::Event(event) => self.event(device, event),
        }
    }

    fn event(&mut self, device: usize, event: Event) {
        let page = &mut self.devices[device];
        match event {
            Event::Own(verdict) => page.own = Some(verdict),
            Event::Online(key, _) => {
                let other = self.by_key[&key];
                page.online.insert(other);
                if !page.hostile && self.never_admitted(other) {
                    self.fail(format!("{device} shows the stranger {other} as online"));
                }
            }
            Event::Offline(key) => {
                page.online.remove(&self.by_key[&key]);
            }
            Event::Joined { .. } => (page.joined, page.refusal) = (true, None),
            Event::NotJoined(refusal) => (page.joined, page.refusal) = (false, Some(refusal)),
            Event::Left => page.joined = false,
            Event::Participant(key, participant) => {
                let other = self.by_key[&key];
                page.participants.insert(other, participant);
                if !page.hostile && self.never_admitted(other) {
                    self.fail(format!("{device} shows the stranger {other} in a meeting"));
                }
            }
            Event::ParticipantGone(key) => {
                page.participants.remove(&self.by_key[&key]);
            }
            Event::CertificateExpired => self.fail(format!("{device}'s certificate expired")),
            Event::Attack { device: key } => self.fail(format!("{device} sees an attack on {key}")),
            Event::Ignored { device: key } => {
                let other = self.by_key[&key];
                if self.faults == 0 && !self.devices[other].hostile {
                    self.fail(format!("{device} ignores what {other} says"));
                }
            }
            Event::Refused { .. } | Event::RefusedBy { .. } => {}
        }
    }

    /// Whether a device's wallet had no seat at any time.
    pub(crate) fn never_admitted(&self, device: usize) -> bool {
        !self.chain.ever_admitted(self.devices[device].address)
    }
}

/// The one meeting.
pub(crate) fn meeting() -> MeetingName {
    MeetingName::parse("main").expect("a name")
}

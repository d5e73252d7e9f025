//! A world in which only what a test asks for happens.

use crate::world::World;
use crate::{Broken, Config};
use chats_core::fixtures::COMMUNITY;
use chats_core::gossip::GossipMessage;
use chats_core::id::DeviceSecret;
use chats_core::node::{Input, ParticipantState};
use chats_core::presence::{Presence, Session};
use chats_core::wire;

/// Members, numbered from 0, none of whom has opened a page yet.
#[derive(Debug)]
pub struct Scene(World);

impl Scene {
    /// As many members as `nodes`; all chance follows from the seed.
    #[must_use]
    pub fn new(seed: u64, nodes: usize) -> Self {
        let mut world = World::of_members(Config { seed, nodes, minutes: 0, verbose: false });
        world.devices.iter_mut().for_each(|page| page.wants = false);
        Self(world)
    }

    /// Lets time pass, in milliseconds.
    ///
    /// # Errors
    /// [`Broken`] if a promise that must hold at every moment does not.
    pub fn wait(&mut self, millis: u64) -> Result<(), Broken> {
        self.0.run_until(self.0.now + millis)
    }

    /// Lets time pass until something is so, and says how long that took, in milliseconds.
    ///
    /// # Errors
    /// [`Broken`] as [`Self::wait`], or if it is not so within `most` milliseconds.
    pub fn until(&mut self, most: u64, so: impl Fn(&Self) -> bool) -> Result<u64, Broken> {
        let begin = self.0.now;
        while !so(self) {
            self.wait(10)?;
            if self.0.now > begin + most {
                let what = format!("still not so after {most} ms");
                return Err(Broken { config: self.0.config, at: self.0.now, what });
            }
        }
        Ok(self.0.now - begin)
    }

    /// A member opens the page, and goes into the meeting or not.
    pub fn open(&mut self, device: usize, joins: bool) {
        self.0.devices[device].wants = joins;
        self.0.open_page(device);
    }

    /// A member who is there goes into the meeting.
    pub fn join(&mut self, device: usize) {
        self.0.devices[device].wants = true;
        self.0.user(device);
    }

    /// All relays stop, for good.
    pub fn kill_relays(&mut self) {
        for relay in 0..crate::network::RELAYS {
            self.0.relay_outage(relay, u64::MAX);
        }
    }

    /// Two members find no way to each other, or do again. What stands between them breaks.
    pub fn part(&mut self, a: usize, b: usize, parted: bool) {
        let pair = (a.min(b), a.max(b));
        if parted {
            self.0.network.apart.insert(pair);
            self.0.cut_between(a, b);
        } else {
            self.0.network.apart.remove(&pair);
        }
    }

    /// No direct link can be made between two members from now on.
    pub fn unlink(&mut self, a: usize, b: usize) {
        self.0.network.unlinkable.insert((a.min(b), a.max(b)));
    }

    /// All that carries data and audio between two members breaks once.
    pub fn cut(&mut self, a: usize, b: usize, millis: u64) {
        self.0.media.cuts.insert((a.min(b), a.max(b)), self.0.now + millis);
        self.0.cut_between(a, b);
        self.0.connectivity();
        let look = crate::world::Happening::Fault(crate::faults::Fault::Look);
        self.0.queue.push(self.0.now + millis, look);
    }

    /// A member raises or lowers the hand.
    pub fn raise(&mut self, device: usize, raised: bool) {
        self.0.devices[device].hand = raised;
        self.0.input(device, Input::SetHand(raised));
    }

    /// Whether each of these hears each other one.
    #[must_use]
    pub fn hear_each_other(&self, devices: &[usize]) -> bool {
        let hears = |a: &usize, b: &usize| {
            let participant = self.0.devices[*a].participants.get(b);
            a == b || participant.is_some_and(|it| it.state == ParticipantState::Connected)
        };
        devices.iter().all(|a| devices.iter().all(|b| hears(a, b)))
    }

    /// Whether each of these has a direct link to each other one.
    #[must_use]
    pub fn are_linked(&self, devices: &[usize]) -> bool {
        devices.iter().all(|a| devices.iter().all(|b| a == b || self.0.linked(*a, *b)))
    }

    /// Whether `device` shows that the hand of `other` is raised.
    #[must_use]
    pub fn sees_hand(&self, device: usize, other: usize) -> bool {
        let participant = self.0.devices[device].participants.get(&other);
        participant.is_some_and(|participant| participant.hand.is_some())
    }

    /// Whether each of these shows each other one as online.
    #[must_use]
    pub fn are_online(&self, devices: &[usize]) -> bool {
        let online = |a: &usize, b: &usize| self.0.devices[*a].online.contains(b);
        devices.iter().all(|a| devices.iter().all(|b| a == b || online(a, b)))
    }

    /// How many circuits there were between two members so far.
    #[must_use]
    pub fn circuits(&self, a: usize, b: usize) -> usize {
        self.0.network.circuits(a, b)
    }

    /// How `device` shows `other`, if at all.
    #[must_use]
    pub fn shows(&self, device: usize, other: usize) -> Option<ParticipantState> {
        self.0.devices[device].participants.get(&other).map(|participant| participant.state)
    }

    /// `from` delivers to `to` the presences of `count` devices that do not exist.
    pub fn make_up(&mut self, from: usize, to: usize, count: u16) {
        for number in 0..count {
            let mut seed = [77; 32];
            seed[..2].copy_from_slice(&number.to_be_bytes());
            let secret = DeviceSecret::from_seed(&seed);
            let time = self.0.clock(to);
            let presence = Presence {
                community: COMMUNITY,
                meeting: crate::world::meeting(),
                session: Session([1; 8]),
                sequence: self.0.now,
                time,
                joined: time,
                muted: false,
                leaving: false,
                hand: None,
            };
            let (device, signed) = (secret.device(), presence.sign(&secret));
            let frame = wire::encode(&GossipMessage::Presence { device, signed });
            self.0.deliver(to, from, frame);
        }
    }

    /// How many devices that do not exist `device` tried to reach.
    #[must_use]
    pub fn made_up_dials(&self, device: usize) -> usize {
        let made_up = |key| !self.0.by_key.contains_key(key);
        self.0.dials.iter().filter(|(from, key)| *from == device && made_up(key)).count()
    }
}

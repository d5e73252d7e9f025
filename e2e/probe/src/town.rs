//! Honest devices of one community with their rooms, in memory and on a clock of their own: to
//! write in seconds what people would write in days.

use anyhow::{Context, Result, bail};
use chats_core::{
    certificate::DeviceCertificate,
    epoch::RoomTag,
    gossip,
    id::{Community, DeviceKey, DeviceSecret},
    rooms::{
        Action, Counts, Identity, Incoming, Input, Outgoing, Output, RoomGossip, RoomView, Rooms,
        View,
    },
    seal::SealKey,
    seats::{Change, Head},
    store::{Memory, Store},
    time::{Duration, Time},
    wire,
};
use futures::executor::block_on;
use std::collections::VecDeque;
use zeroize::Zeroizing;

/// How often time goes on while something is waited for, and how many times at most.
const STEP: (Duration, u32) = (Duration::from_millis(250), 400);

/// Within this time devices tell how much they have.
const COUNTED: Duration = Duration::from_secs(2);

/// How a frame of sync begins that says what is on disk, outside of sessions.
const STORED: u8 = 8;

/// What a device hears of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ear {
    /// All that is said.
    All,
    /// What is gossiped, and nothing by sync: what it misses, it lacks.
    Gossip,
    /// Of that only what is in the control log.
    Control,
}

pub(crate) struct Device {
    pub(crate) ear: Ear,
    /// What was written of a backup.
    pub(crate) backup: Vec<u8>,
    /// Its rooms, as it shows them.
    pub(crate) list: Vec<RoomView>,
    /// How much it has.
    pub(crate) counts: Counts,
    key: DeviceKey,
    certificate: DeviceCertificate,
    rooms: Rooms,
    store: Store<Memory>,
    out: VecDeque<Outgoing>,
    done: Option<(Option<RoomTag>, Option<String>)>,
}

impl Device {
    fn new(
        community: Community,
        secret: DeviceSecret,
        certificate: DeviceCertificate,
        seeds: [[u8; 32]; 3],
        now: Time,
    ) -> Result<Self> {
        let [key, store, rooms] = seeds.map(Zeroizing::new);
        let store = block_on(Store::open(Memory::default(), SealKey::new(key), store))?;
        let (own, shown) = (secret.device(), certificate.clone());
        let me = Identity { community, secret, certificate };
        Ok(Self {
            ear: Ear::All,
            backup: Vec::new(),
            list: Vec::new(),
            counts: Counts::default(),
            key: own,
            certificate: shown,
            rooms: Rooms::new(me, rooms, now),
            store,
            out: VecDeque::new(),
            done: None,
        })
    }

    fn tell(&mut self, input: Input, now: Time) {
        self.rooms.handle(input, now);
        self.drain(now);
    }

    fn drain(&mut self, now: Time) {
        while let Some(output) = self.rooms.poll() {
            match output {
                Output::Store { ticket, request } => {
                    let result = block_on(self.store.serve(request));
                    self.rooms.handle(Input::Stored { ticket, result }, now);
                }
                Output::Outgoing(Outgoing::Show(view)) => match *view {
                    View::Rooms(list) => self.list = list,
                    View::Counts(counts) => self.counts = counts,
                    _ => {}
                },
                Output::Outgoing(Outgoing::Backup { part, .. }) => {
                    self.backup.extend_from_slice(&part);
                }
                Output::Outgoing(Outgoing::Done { room, refused, .. }) => {
                    self.done = Some((room, refused));
                }
                Output::Outgoing(outgoing) => self.out.push_back(outgoing),
            }
        }
    }
}

pub(crate) struct Town {
    pub(crate) now: Time,
    pub(crate) devices: Vec<Device>,
    /// Whether devices compare what they have. Where nothing is lost it need not be.
    pub(crate) syncs: bool,
    community: Community,
    changes: Vec<Change>,
    head: Head,
}

impl Town {
    /// One with nobody in it. The chain says this of the community, at any time.
    pub(crate) fn new(
        community: Community,
        (changes, head): (Vec<Change>, Head),
        now: Time,
    ) -> Self {
        Self { now, devices: Vec::new(), syncs: true, community, changes, head }
    }

    /// A device comes, and is linked with all that are there; gives its number.
    pub(crate) fn join(
        &mut self,
        secret: DeviceSecret,
        certificate: DeviceCertificate,
        seeds: [[u8; 32]; 3],
    ) -> Result<usize> {
        let now = self.now;
        let mut new = Device::new(self.community, secret, certificate, seeds, now)?;
        // It hears of the others before it says what keys are to be sealed to it with, so that it
        // says so to them.
        for other in &mut self.devices {
            new.rooms.handle(passed(other), now);
            other.tell(passed(&new), now);
        }
        let version = self.head.version;
        new.tell(Input::Incoming(Incoming::Version { version }), now);
        self.devices.push(new);
        self.work();
        Ok(self.devices.len() - 1)
    }

    /// The device that came last goes.
    pub(crate) fn leave(&mut self) {
        let Some(gone) = self.devices.pop() else { return };
        for device in &mut self.devices {
            let incoming = Incoming::Gone { device: gone.key };
            device.tell(Input::Incoming(incoming), self.now);
        }
        self.work();
    }

    /// Does what devices want until nothing is left to be done now.
    pub(crate) fn work(&mut self) {
        loop {
            let all = self.devices.iter_mut().enumerate();
            let next: Vec<_> = all.filter_map(|(at, it)| Some((at, it.out.pop_front()?))).collect();
            if next.is_empty() {
                return;
            }
            for (from, outgoing) in next {
                self.carry_out(from, outgoing);
            }
        }
    }

    fn carry_out(&mut self, from: usize, outgoing: Outgoing) {
        let (now, syncs) = (self.now, self.syncs);
        let Some(device) = self.devices.get_mut(from) else { return };
        let (source, ear) = (device.key, device.ear);
        match outgoing {
            Outgoing::Send { to, frame } => {
                let heard = syncs && ear == Ear::All || frame.get(1) == Some(&STORED);
                let other = self.devices.iter_mut().find(|it| it.key == to && it.ear == Ear::All);
                if let Some(other) = other.filter(|_| heard) {
                    let incoming = Incoming::Frame { from: source, frame };
                    other.tell(Input::Incoming(incoming), now);
                }
            }
            Outgoing::Publish { message } => {
                let id = gossip::id(&message);
                let op = matches!(wire::decode("gossip", &message), Ok(RoomGossip::Op(_)));
                for (at, other) in self.devices.iter_mut().enumerate() {
                    if at != from && !(op && other.ear == Ear::Control) {
                        let message = message.clone();
                        let incoming = Incoming::Gossip { source, id, message };
                        other.tell(Input::Incoming(incoming), now);
                    }
                }
            }
            Outgoing::ReadChanges { from: version } => {
                let after = usize::try_from(version).ok().and_then(|at| self.changes.get(at..));
                let changes = after.unwrap_or_default().to_vec();
                let incoming = Incoming::Changes { from: version, changes, head: self.head };
                device.tell(Input::Incoming(incoming), now);
            }
            Outgoing::CheckAccess { wallet } => {
                let incoming = Incoming::Access { wallet, admitted: true, cutoff: 0 };
                device.tell(Input::Incoming(incoming), now);
            }
            // All are linked with all, so nothing is passed on.
            _ => {}
        }
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        let now = self.now;
        for device in self.devices.iter_mut().filter(|it| it.rooms.wake_at() <= now) {
            device.tell(Input::Tick, now);
        }
        self.work();
    }

    /// Lets time pass until something is found.
    pub(crate) fn until<T>(&mut self, what: &str, find: impl Fn(&Self) -> Option<T>) -> Result<T> {
        for _ in 0..STEP.1 {
            if let Some(found) = find(self) {
                return Ok(found);
            }
            self.pass(STEP.0);
        }
        bail!("this did not come about: {what}")
    }

    /// Lets time pass until all who hear everything have the same of the control log. What one of
    /// them is sealed keys with was said when it came: those who came later have it by sync alone,
    /// and seal nothing to it before that.
    pub(crate) fn acquaint(&mut self) -> Result<()> {
        self.pass(COUNTED);
        self.until("all know each other", |town| {
            let hearing = town.devices.iter().filter(|it| it.ear == Ear::All);
            let mut known = hearing.map(|it| it.counts.control);
            let first = known.next()?;
            known.all(|it| it == first).then_some(())
        })
    }

    /// Lets time pass until all have the first room and its key; gives the room.
    pub(crate) fn first_room(&mut self) -> Result<RoomTag> {
        self.until("all have the first room and its key", |town| {
            let mut rooms =
                town.devices.iter().map(|it| it.list.first().filter(|it| it.kind.is_some()));
            let first = rooms.next()??.tag;
            rooms.all(|it| it.is_some()).then_some(first)
        })
    }

    /// Lets time pass until all have the keys of all that they have.
    pub(crate) fn open_all(&mut self) -> Result<()> {
        self.pass(COUNTED);
        self.until("all have all keys", |town| {
            town.devices.iter().all(|it| it.counts.sealed == 0).then_some(())
        })
    }

    /// Has a device do something, and waits until it is done.
    pub(crate) fn act(&mut self, who: usize, action: Action) -> Result<()> {
        let now = self.now;
        let device = self.devices.get_mut(who).context("there is no such device")?;
        device.done = None;
        device.tell(Input::Incoming(Incoming::Act { number: 1, action }), now);
        self.work();
        let answer = |town: &Self| town.devices.get(who)?.done.clone();
        match self.until("an action was carried out", answer)? {
            (_, None) => Ok(()),
            (_, Some(why)) => bail!("an action was refused: {why}"),
        }
    }
}

fn passed(other: &Device) -> Input {
    let certificate = Box::new(other.certificate.clone());
    Input::Incoming(Incoming::Passed { device: other.key, certificate })
}

#[cfg(test)]
mod tests;

//! What goes into the rooms of a device, and what comes out of them.

use super::links::Net;
use super::town::{Happening, Town};
use chats_core::gossip::{self, GossipVerdict};
use chats_core::rooms::{Incoming, Input, Outgoing, Output, Rooms};
use chats_core::store::{Request, StoreError};
use rand::Rng;

/// Requests to the store that wait at one device: more are a queue that nothing bounds.
const MAX_WAITING: usize = 4096;
/// What may come out of one thing that went in.
const MAX_OUTPUTS: usize = 4096;
/// How many of a thousand commits fail for want of space.
const FULL: u32 = 4;

impl Town {
    /// Opens a device's page.
    pub(super) fn open_page(&mut self, device: usize) {
        if self.devices[device].is_open() {
            return;
        }
        let (clock, seeds) = (self.clock(device), (self.rng.random(), self.rng.random()));
        self.devices[device].open(seeds.0, seeds.1, clock);
        let life = self.devices[device].life;
        self.drain(device);
        let at = self.within(100, 1500);
        self.happen_at(at, Happening::Look { device, life });
        let at = self.within(2000, 8000);
        self.happen_at(at, Happening::User { device, life });
    }

    /// Closes it without a word; those who were linked notice later.
    pub(super) fn kill_page(&mut self, device: usize) {
        if self.devices[device].is_open() {
            let last = self.rng.random_bool(0.5);
            let head = self.devices[device].kill(last);
            self.note_list(device, head);
            self.cut_all_of(device);
            self.report.faults.kills += 1;
        }
    }

    pub(super) fn tick(&mut self, device: usize) {
        self.input(device, Input::Tick);
        let clock = self.clock(device);
        let rooms = self.devices[device].rooms.as_ref();
        if rooms.is_some_and(|rooms| rooms.wake_at() <= clock) {
            self.fail(format!("{device} wants to be called again at once"));
        }
    }

    pub(super) fn tell(&mut self, device: usize, incoming: Incoming) {
        self.input(device, Input::Incoming(incoming));
    }

    /// Hands a device's rooms what happened, and does what they want.
    pub(super) fn input(&mut self, device: usize, input: Input) {
        let clock = self.clock(device);
        self.note(device, &input);
        if let Some(rooms) = self.devices[device].rooms.as_mut() {
            rooms.handle(input, clock);
            self.drain(device);
        }
    }

    fn drain(&mut self, device: usize) {
        let mut count = 0;
        while let Some(output) = self.devices[device].rooms.as_mut().and_then(Rooms::poll) {
            count += 1;
            self.note(device, &output);
            self.carry_out(device, output);
        }
        if count > MAX_OUTPUTS {
            self.fail(format!("{device} wants {count} things at once"));
        }
        let clock = self.clock(device);
        let page = &mut self.devices[device];
        let Some(rooms) = &page.rooms else { return };
        let wait = u64::try_from(rooms.wake_at().since(clock).as_millis()).unwrap_or(u64::MAX);
        // Whoever is due never has time stand still.
        let at = self.now.saturating_add(wait.max(1));
        if at < u64::MAX / 2 && page.wake.is_none_or(|wake| at < wake) {
            page.wake = Some(at);
            let life = page.life;
            self.happen_at(at, Happening::Wake { device, life, at });
        }
    }

    fn carry_out(&mut self, device: usize, output: Output) {
        match output {
            Output::Store { ticket, request } => {
                self.secrets_written(device, &request);
                let disk = &mut self.devices[device].disk;
                disk.waiting.push_back((ticket, request));
                if disk.waiting.len() > MAX_WAITING {
                    self.fail(format!("{device} has {MAX_WAITING} requests to its store waiting"));
                }
                self.start_disk(device);
            }
            Output::Outgoing(Outgoing::Send { to, frame }) => {
                let to = self.by_key[&to];
                self.trace.add(self.now, device, &frame.last_chunk::<8>());
                self.send(device, to, frame.into());
            }
            Output::Outgoing(Outgoing::Publish { message }) => {
                self.trace.add(self.now, device, &message.last_chunk::<8>());
                self.publish(device, &message);
            }
            Output::Outgoing(Outgoing::Judge { id, verdict, .. }) => {
                let page = &mut self.devices[device];
                if page.judging.take() != Some(id) {
                    return self.fail(format!("{device} judges gossip that it was not given"));
                }
                page.verdict = Some(verdict);
            }
            Output::Outgoing(Outgoing::ReadChanges { from }) => self.read_changes(device, from),
            Output::Outgoing(Outgoing::CheckAccess { wallet }) => self.check_access(device, wallet),
            Output::Outgoing(Outgoing::Show(view)) => {
                self.note_seen(device, &view);
                if let Some(room) = self.devices[device].show(*view) {
                    self.fail(format!("{device} is shown {room:?}, which is not open"));
                }
            }
            Output::Outgoing(Outgoing::Seek { devices }) => self.devices[device].seeks = devices,
            Output::Outgoing(Outgoing::Done { number, room, refused }) => {
                self.on_done(device, number, room, refused);
            }
            Output::Outgoing(Outgoing::Backup { .. }) => {
                self.fail(format!("{device} makes a backup unasked"));
            }
        }
    }

    fn start_disk(&mut self, device: usize) {
        let page = &mut self.devices[device];
        let Some((_, request)) = page.disk.waiting.front() else { return };
        if std::mem::replace(&mut page.disk.busy, true) {
            return;
        }
        let most = if matches!(request, Request::Commit(_)) { 25 } else { 6 };
        let (life, at) = (page.life, self.within(1, most));
        self.happen_at(at, Happening::Disk { device, life });
    }

    /// The store carries out what waits first.
    pub(super) fn serve(&mut self, device: usize) {
        let full = !self.quiet && self.rng.random_range(0..1000) < FULL;
        let disk = &mut self.devices[device].disk;
        disk.busy = false;
        let Some((ticket, request)) = disk.waiting.pop_front() else { return };
        let result = match &request {
            Request::Commit(_) if full => {
                self.report.faults.full += 1;
                Err(StoreError::Quota)
            }
            Request::Commit(_) => {
                let items = super::promises::items_of(&request);
                let head = super::secrets::head_of(&request);
                let heard = super::secrets::items_in(&request);
                let result = self.devices[device].disk.serve(request);
                if result.is_ok() {
                    self.note_kept(device, items);
                    self.note_list(device, head);
                    heard.iter().for_each(|item| self.devices[device].kept.take(item));
                }
                result
            }
            _ => disk.serve(request),
        };
        if let Err(error) = &result
            && *error != StoreError::Quota
        {
            self.fail(format!("the store of {device} fails: {error}"));
        }
        self.input(device, Input::Stored { ticket, result });
        self.start_disk(device);
    }

    /// Gossip comes to a device: for the first time, or again.
    pub(super) fn gossip(&mut self, device: usize, from: usize, message: &[u8]) {
        let (id, source) = (gossip::id(message), self.devices[from].key);
        if !self.devices[device].is_open() || !self.devices[device].gossip.insert(id) {
            return;
        }
        self.report.faults.gossip.0 += 1;
        // Lost for good here: nobody brings it a second time.
        if self.rng.random_range(0..5) == 0 {
            self.report.faults.gossip.1 += 1;
            return;
        }
        self.devices[device].judging = Some(id);
        let message_to = message.to_vec().into();
        self.tell(device, Incoming::Gossip { source, id, message: message_to });
        match self.devices[device].verdict.take() {
            None => self.fail(format!("{device} does not say what becomes of gossip")),
            Some(GossipVerdict::Accept) => self.spread(device, Some(from), message),
            Some(GossipVerdict::Ignore) => {}
            Some(GossipVerdict::Reject) => {
                let what = super::promises::describe(message);
                self.fail(format!("{device} rejects what the honest {from} passed on: {what}"));
            }
        }
    }

    fn note(&mut self, device: usize, what: &dyn std::fmt::Debug) {
        if self.config.verbose {
            let mut text = format!("{what:?}");
            for (number, page) in self.devices.iter().enumerate() {
                text = text.replace(&page.key.to_string(), &format!("<{number}>"));
            }
            let text: String = text.chars().take(240).collect();
            eprintln!("{:>8} {device:>2} {text}", self.now);
        }
    }

    pub(super) fn net(&mut self, at: u64, net: Net) {
        self.happen_at(at, Happening::Net(net));
    }
}

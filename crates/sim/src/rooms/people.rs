//! What the people before the devices do.

use super::promises::Deed;
use super::town::{Happening, Town};
use chats_core::content::{Mentions, Pin};
use chats_core::epoch::RoomTag;
use chats_core::op::OpId;
use chats_core::rooms::{Action, Incoming, MessageView, RoomState, Standing, Words};
use rand::Rng;

/// How many things all together do in a run, for each wallet and beside that.
const ACTS: (u64, u64) = (6, 60);
/// How many rooms of direct messages there are for each wallet, of ten.
const DIRECT: usize = 2;
/// One in so many messages is too long for gossip.
const LONG: u32 = 40;

impl Town {
    /// Has a person do something.
    pub(super) fn act(&mut self, device: usize, action: Action, deed: Deed) {
        let page = &mut self.devices[device];
        if !page.is_open() {
            return;
        }
        page.acted += 1;
        let number = page.acted;
        match action {
            Action::Open { room } => {
                (page.screen.open, page.screen.more) = (Some(room), false);
                page.screen.messages.clear();
            }
            Action::Close => page.screen.open = None,
            _ => {}
        }
        page.deeds.insert(number, deed);
        self.tell(device, Incoming::Act { number, action });
    }

    /// What somebody does now and then.
    pub(super) fn user(&mut self, device: usize) {
        self.answer_devices(device);
        self.do_something(device);
        let acts = ACTS.0 * self.config.members as u64 + ACTS.1;
        let pace = self.config.minutes * 60_000 * self.devices.len() as u64 / acts;
        let (life, at) = (self.devices[device].life, self.within(pace / 2, pace * 3 / 2));
        self.happen_at(at, Happening::User { device, life });
    }

    /// Approves devices that wait for it, as far as their people know them.
    pub(super) fn answer_devices(&mut self, device: usize) {
        let own = self.devices[device].address;
        let waiting: Vec<_> = self.devices[device]
            .screen
            .devices
            .iter()
            .filter(|it| it.standing == Standing::WaitsForApproval && !it.own)
            .map(|it| (it.device, it.wallet))
            .collect();
        for (other, wallet) in waiting {
            // Whose device is its wallet's first is told by clocks that differ, so it may be any.
            let knows = wallet == own || self.quiet || self.rng.random_bool(0.2);
            if knows && !self.promises.revoked.contains_key(&other) {
                self.act(device, Action::Approve { device: other }, Deed::Other);
            }
        }
    }

    /// A room that can be written to.
    fn some_room(&mut self, device: usize) -> Option<RoomTag> {
        let open = |room: &&chats_core::rooms::RoomView| room.state == RoomState::Open;
        let rooms = self.devices[device].screen.list.iter().filter(open);
        let rooms: Vec<_> = rooms.map(|room| room.tag).collect();
        (!rooms.is_empty()).then(|| rooms[self.rng.random_range(0..rooms.len())])
    }

    /// A message that is shown, and what it says.
    fn some_message(&mut self, device: usize, own: bool) -> Option<OpId> {
        let me = self.devices[device].address;
        let said =
            |it: &&MessageView| matches!(it.words, Words::Said(_)) && (!own || it.author == me);
        let messages = self.devices[device].screen.messages.values().filter(said);
        let messages: Vec<_> = messages.map(|it| it.id).collect();
        (!messages.is_empty()).then(|| messages[self.rng.random_range(0..messages.len())])
    }

    fn do_something(&mut self, device: usize) {
        let open = self.devices[device].screen.open;
        let room = match open.filter(|_| self.rng.random_bool(0.7)) {
            Some(room) => room,
            None => {
                let Some(room) = self.some_room(device) else { return };
                self.act(device, Action::Open { room }, Deed::Other);
                room
            }
        };
        match self.rng.random_range(0..100) {
            0..50 => self.write_in(device, room, None),
            50..56 => {
                let reply = self.some_message(device, false);
                self.write_in(device, room, reply);
            }
            56..70 => self.react(device, room),
            70..78 => self.edit(device, room),
            78..83 => {
                let own = !self.moderates(device, room) || self.rng.random_bool(0.7);
                if let Some(target) = self.some_message(device, own) {
                    self.promises.touched.entry(target).or_default();
                    self.act(device, Action::Delete { room, target }, Deed::Delete { target });
                }
            }
            83..87 => {
                let name = format!("name {}", self.rng.random_range(0..1000));
                self.act(device, Action::SetName { room, name }, Deed::Other);
            }
            87..92 => self.set_room(device, room),
            92..94 => self.act(device, Action::Typing { room }, Deed::Other),
            94..96 => {
                if let Some(upto) = self.some_message(device, false) {
                    self.act(device, Action::Read { room, upto }, Deed::Other);
                }
            }
            _ => self.talk_alone(device),
        }
    }

    fn moderates(&self, device: usize, room: RoomTag) -> bool {
        self.devices[device].room(room).is_some_and(|room| room.moderated)
    }

    fn set_room(&mut self, device: usize, room: RoomTag) {
        if !self.moderates(device, room) {
            return;
        }
        let topic = Some(format!("topic {}", self.rng.random_range(0..1000)));
        let target = self.some_message(device, false);
        let pin = target.map(|target| Pin { target, set: self.rng.random_bool(0.8) });
        let action = Action::SetRoom { room, name: None, topic, pin, tighten: false };
        self.act(device, action, Deed::Other);
    }

    fn talk_alone(&mut self, device: usize) {
        let most = self.config.members * DIRECT / 10 + 1;
        if self.promises.direct.len() >= most {
            return;
        }
        let other = self.rng.random_range(0..self.config.members);
        let (one, wallet) = (self.devices[device].address, self.devices[other].address);
        if one != wallet {
            self.promises.direct.insert((one.min(wallet), one.max(wallet)));
            self.act(device, Action::Direct { wallet }, Deed::Direct);
        }
    }

    fn react(&mut self, device: usize, room: RoomTag) {
        let Some(target) = self.some_message(device, false) else { return };
        let emoji = ["+1", "heart", "eyes"][self.rng.random_range(0..3)].to_owned();
        let set = self.rng.random_bool(0.8);
        let key = (target, self.devices[device].address, emoji.clone());
        *self.promises.reactions.entry(key.clone()).or_default() += 1;
        self.act(device, Action::React { room, target, emoji, set }, Deed::React { key, set });
    }

    fn edit(&mut self, device: usize, room: RoomTag) {
        let Some(target) = self.some_message(device, true) else { return };
        let markdown = self.new_words(device);
        self.promises.touched.entry(target).or_default().insert(markdown.clone());
        let mentions = Mentions::default();
        let action = Action::Edit { room, target, markdown, mentions };
        self.act(device, action, Deed::Edit { target });
    }

    /// Words that nobody said before.
    fn new_words(&mut self, device: usize) -> String {
        self.promises.words += 1;
        let mut words = format!("words {} of {device}", self.promises.words);
        if self.rng.random_range(0..LONG) == 0 {
            words.push_str(&"ö".repeat(9000));
        }
        words
    }

    /// Somebody writes where they can.
    pub(super) fn write(&mut self, device: usize) {
        if let Some(room) = self.some_room(device) {
            self.write_in(device, room, None);
        }
    }

    fn write_in(&mut self, device: usize, room: RoomTag, reply: Option<OpId>) {
        let markdown = self.new_words(device);
        let deed = Deed::Write { room, words: markdown.clone() };
        let other = self.rng.random_range(0..self.devices.len());
        let mentions = Mentions::newest(vec![self.devices[other].address]);
        self.act(device, Action::Write { room, markdown, reply, mentions }, deed);
    }
}

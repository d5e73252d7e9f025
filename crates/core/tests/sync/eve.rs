//! A device that says whatever it likes, and one that it says it to.

use crate::device::{Device, NOW, ROOM, items};
use chats_core::epoch::RoomTag;
use chats_core::hlc::Hlc;
use chats_core::id::DeviceKey;
use chats_core::op::OpId;
use chats_core::sync::wire::{RoomOffer, Salt, TagHash};
use chats_core::sync::{End, Ending, IdSet, Input, Output, SyncMessage, Window};
use chats_core::time::{Duration, Time};
use chats_core::wire;

/// Eve's key is the larger, so that hers gives way if both begin at once.
pub(crate) const EVE: DeviceKey = DeviceKey([0xee; 32]);
pub(crate) const SALT: Salt = [5; 16];
/// The newest day, as a dialler would name it.
pub(crate) const DAY: Window =
    Window { from: Hlc((NOW.0 - 86_400_000) << 16), until: Hlc((NOW.0 + 86_400_000) << 16) };

/// Somebody honest, who has so many items.
pub(crate) fn alice(count: u64) -> Device {
    let mut alice = Device::new(1);
    alice.store.put(ROOM, items(count, NOW));
    alice
}

/// Alice, who is honest, and Eve.
pub(crate) struct Duel {
    pub(crate) alice: Device,
    pub(crate) now: Time,
}

impl Duel {
    /// With somebody who has so many items.
    pub(crate) fn over(count: u64) -> Self {
        Self::new(alice(count))
    }

    /// With somebody who has as many as a set may hold.
    pub(crate) fn over_the_largest() -> Self {
        let mut duel = Self::over(0);
        let all = (0..IdSet::MAX as u64).map(|at| {
            let mut id = [7; 32];
            id[..8].copy_from_slice(&(Hlc::at(NOW).0 - at).to_be_bytes());
            OpId(id)
        });
        duel.alice.store.sets.get_mut(&ROOM).unwrap().0 = all.collect();
        duel
    }

    pub(crate) fn new(alice: Device) -> Self {
        let mut duel = Self { alice, now: NOW };
        duel.alice.handle(Input::Passed(EVE), NOW);
        duel
    }

    /// Eve sends bytes.
    pub(crate) fn bytes(&mut self, frame: Vec<u8>) {
        self.alice.handle(Input::Frame { from: EVE, frame }, self.now);
    }

    pub(crate) fn say(&mut self, message: &SyncMessage) {
        self.bytes(wire::encode(message));
    }

    /// What Alice has said since this was asked last.
    pub(crate) fn heard(&mut self) -> Vec<SyncMessage> {
        let frames = self.alice.outbox.drain(..);
        frames.map(|(_, frame)| SyncMessage::read(&frame).unwrap()).collect()
    }

    /// Alice's store does all that it was asked to.
    pub(crate) fn work(&mut self) {
        while self.alice.work(self.now) {}
    }

    pub(crate) fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.alice.sessions.wake_at().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.alice.handle(Input::Tick, self.now);
        }
        self.now = end;
    }

    /// How the sessions that are over ended.
    pub(crate) fn endings(&self) -> Vec<Ending> {
        let ended = self.alice.told.iter().filter_map(|output| match output {
            Output::Ended { how, .. } => Some(*how),
            _ => None,
        });
        ended.collect()
    }

    /// Eve begins a session about the room that both have.
    pub(crate) fn dial(&mut self) {
        self.say(&hello(self.alice.key));
        let heard = self.heard();
        let [SyncMessage::Welcome { rooms, .. }] = &heard[..] else { panic!("{heard:?}") };
        assert_eq!(rooms.len(), 1);
    }

    /// Alice begins a session, and Eve welcomes her to the room that both have. Alice's question
    /// about the control log is the next that is heard.
    pub(crate) fn dialled(&mut self) {
        self.wait(Duration::from_secs(3));
        let heard = self.heard();
        assert!(matches!(heard[..], [SyncMessage::Hello { .. }]), "{heard:?}");
        self.say(&SyncMessage::Welcome { salt: SALT, rooms: vec![offer(EVE, self.alice.key)] });
    }

    /// As [`Self::dialled`], and the control log turns out to be the same.
    pub(crate) fn dialled_about_the_room(&mut self) {
        self.dialled();
        self.heard();
        self.say(&SyncMessage::Reconcile {
            set: 0,
            window: Window::ALL,
            negentropy: vec![0x61].into(),
        });
    }

    /// The session is over, Eve is blamed, and left for an hour.
    pub(crate) fn assert_left(&mut self) {
        assert_eq!(self.endings(), [Ending::Ours(End::Malformed)]);
        assert_eq!(self.heard().last(), Some(&SyncMessage::End { reason: End::Malformed }));
        self.wait(Duration::from_secs(3500));
        assert_eq!(self.heard(), []);
        self.say(&hello(self.alice.key));
        assert_eq!(self.heard(), [SyncMessage::End { reason: End::Spent }]);
        self.wait(Duration::from_secs(300));
        assert!(matches!(self.heard()[..], [SyncMessage::Hello { .. }, ..]));
    }
}

/// What one calls the room that both have towards the other.
pub(crate) fn offer(from: DeviceKey, to: DeviceKey) -> RoomOffer {
    RoomOffer { tag: TagHash::of(RoomTag(ROOM.0), &SALT, from, to), horizon: Hlc(0) }
}

/// Eve's hello.
pub(crate) fn hello(to: DeviceKey) -> SyncMessage {
    SyncMessage::Hello { salt: SALT, rooms: vec![offer(EVE, to)] }
}

//! What members write, as one device has it: all rooms of one community.

mod seam;
mod views;

pub use seam::{Action, Incoming, Input, Outgoing, Output};
pub use views::{
    Counts, DeviceView, Keeping, MessageView, Reply, RoomState, RoomView, Sending, Standing, View,
    Words,
};

use crate::certificate::DeviceCertificate;
use crate::id::{Community, DeviceSecret};
use crate::time::Time;
use std::collections::VecDeque;
use zeroize::Zeroizing;

/// Who has these rooms.
#[derive(Debug, Clone)]
pub struct Identity {
    /// In which community.
    pub community: Community,
    /// The device.
    pub secret: DeviceSecret,
    /// Why it may.
    pub certificate: DeviceCertificate,
}

/// All rooms of one community, as one device has them.
#[derive(Debug)]
pub struct Rooms {
    identity: Identity,
    out: VecDeque<Output>,
}

impl Rooms {
    /// The rooms of a device whose store was just opened, which are read first. `seed` is random.
    #[must_use]
    pub fn new(identity: Identity, _seed: Zeroizing<[u8; 32]>, _now: Time) -> Self {
        Self { identity, out: VecDeque::new() }
    }

    /// Takes what happened when the clock showed `now`.
    pub fn handle(&mut self, _input: Input, _now: Time) {}

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// When to tick again, at the latest. May lie in the past.
    #[must_use]
    pub fn wake_at(&self) -> Time {
        self.identity.certificate.statement.expires.min(u64::MAX).into_time()
    }
}

trait IntoTime {
    fn into_time(self) -> Time;
}
impl IntoTime for u64 {
    fn into_time(self) -> Time {
        Time::from_secs(self)
    }
}

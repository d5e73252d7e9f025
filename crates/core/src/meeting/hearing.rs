//! Who hears whom: each says it of itself, to those it has a direct link with.

use super::{Attendee, MAX_SPEAKERS, Meetings};
use crate::channel::Channel;
use crate::id::{DeviceKey, MeetingName};
use crate::node::Outbox;
use crate::peers::Peers;
use crate::presence::{Hears, MeetingMessage};
use crate::small::SmallMap;
use crate::time::{Duration, Time};
use crate::wire;

/// The shortest time between two words of it to one device.
const PACE: Duration = Duration::from_secs(1);

/// Those of a meeting whom we hear.
fn heard(others: &SmallMap<DeviceKey, Attendee>, meeting: &MeetingName) -> Vec<DeviceKey> {
    let heard = others.iter().filter(|(_, other)| other.presence.meeting == *meeting);
    heard.filter(|(_, other)| other.hears()).map(|(device, _)| *device).collect()
}

impl Attendee {
    /// When it may be told whom we hear, if that is not what it was told.
    fn tell_at(&self, hears: &[DeviceKey]) -> Option<Time> {
        match &self.told {
            Some((_, told)) if told == hears => None,
            Some((at, _)) => Some(*at + PACE),
            None => Some(Time::default()),
        }
    }
}

impl Meetings {
    /// Takes what a device says of whom it hears. Returns whether it was of use.
    pub(super) fn hears(&mut self, device: DeviceKey, hears: Hears) -> bool {
        let other = self.others.get_mut(&device);
        let other = other.filter(|other| other.presence.session == hears.session);
        let Some(other) = other.filter(|_| hears.devices.len() <= MAX_SPEAKERS) else {
            return false;
        };
        other.hearing = hears.devices;
        true
    }

    /// Tells those in our meeting whom we hear, if that changed.
    pub(super) fn tell_hearing(&mut self, now: Time, peers: &Peers, out: &mut Outbox) {
        let Some(seat) = &self.seat else { return };
        let hears = heard(&self.others, &seat.meeting);
        for (device, other) in &mut self.others {
            if !peers.is_ready(*device) || !peers.is_linked(*device) {
                other.told = None;
                continue;
            }
            let here = other.presence.meeting == seat.meeting;
            if here && other.tell_at(&hears).is_some_and(|at| at <= now) {
                let said = Hears { session: seat.session, devices: hears.clone() };
                out.send(*device, Channel::Meeting, wire::encode(&MeetingMessage::Hears(said)));
                other.told = Some((now, hears.clone()));
            }
        }
    }

    /// When [`Self::tell_hearing`] has something to say.
    pub(super) fn tell_wake(&self, peers: &Peers) -> Option<Time> {
        let seat = self.seat.as_ref()?;
        let hears = heard(&self.others, &seat.meeting);
        let here = self.others.iter().filter(|(device, other)| {
            other.presence.meeting == seat.meeting
                && peers.is_ready(**device)
                && peers.is_linked(**device)
        });
        here.filter_map(|(_, other)| other.tell_at(&hears)).min()
    }

    /// Who hears whom in our meeting.
    pub(crate) fn hearing(&self, own: DeviceKey) -> Vec<(DeviceKey, Vec<DeviceKey>)> {
        let Some(seat) = &self.seat else {
            return Vec::new();
        };
        let here = self.others.iter().filter(|(_, o)| o.presence.meeting == seat.meeting);
        let theirs = here.map(|(device, other)| (*device, other.hearing.clone()));
        std::iter::once((own, heard(&self.others, &seat.meeting))).chain(theirs).collect()
    }
}

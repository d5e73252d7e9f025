//! The device's side of `/chats/meet/1`: what one relay has told us.

use super::{MAX_PRESENT, Reply};
use chats_core::{
    id::{DeviceKey, MeetTag},
    small::SmallMap,
    wire,
};
use std::collections::BTreeSet;

/// Devices remembered per tag; a relay tells of no more.
const MAX_LISTED: usize = 4096;

/// What a reply means to us.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// We entered; these were there before us.
    Present(Vec<DeviceKey>),
    /// A device that was not listed here entered.
    Arrived(DeviceKey),
    /// A device is no longer listed here.
    Left(DeviceKey),
    /// Nothing changed.
    Nothing,
}

/// The devices listed at one relay while we are connected to it.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    tags: SmallMap<MeetTag, BTreeSet<DeviceKey>>,
}

impl Listing {
    /// Notes that we asked to enter; replies about other tags are refused.
    pub(crate) fn entered(&mut self, tag: MeetTag) {
        self.tags.entry(tag).or_default();
    }

    /// Takes in a frame; an error means that the relay does not speak the protocol, or refused us.
    pub(crate) fn read(&mut self, own: DeviceKey, frame: &[u8]) -> Result<News, String> {
        let reply =
            wire::decode::<Reply>("meet reply", frame).map_err(|error| error.to_string())?;
        let tag = match &reply {
            Reply::Present(tag, _) | Reply::Arrived(tag, _) => *tag,
            Reply::Left(tag, _) | Reply::Refused(tag, _) => *tag,
        };
        let Some(listed) = self.tags.get_mut(&tag) else {
            return Err("the relay speaks of a tag we did not enter".to_owned());
        };
        match reply {
            Reply::Refused(_, why) => Err(format!("the relay lets us meet nobody: {why}")),
            Reply::Present(_, devices) if devices.len() > MAX_PRESENT => {
                Err(format!("the relay names {} devices at once", devices.len()))
            }
            Reply::Present(_, mut devices) => {
                devices.retain(|device| *device != own);
                listed.extend(devices.iter().copied());
                if listed.len() > MAX_LISTED { Err(too_many()) } else { Ok(News::Present(devices)) }
            }
            Reply::Arrived(_, device) if device == own => Ok(News::Nothing),
            Reply::Arrived(_, device) => {
                let known = self.lists(device);
                match self.tags.get_mut(&tag) {
                    Some(listed) if listed.len() < MAX_LISTED => listed.insert(device),
                    _ => return Err(too_many()),
                };
                Ok(if known { News::Nothing } else { News::Arrived(device) })
            }
            Reply::Left(_, device) => {
                let was = listed.remove(&device);
                let gone = was && !self.lists(device);
                Ok(if gone { News::Left(device) } else { News::Nothing })
            }
        }
    }

    /// Whether the relay lists the device under any tag.
    pub(crate) fn lists(&self, device: DeviceKey) -> bool {
        self.tags.values().any(|listed| listed.contains(&device))
    }

    /// Forgets all, and returns who was listed.
    pub(crate) fn clear(&mut self) -> BTreeSet<DeviceKey> {
        std::mem::take(&mut self.tags).into_values().flatten().collect()
    }
}

fn too_many() -> String {
    "the relay names too many devices".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meet::Refusal;

    const OWN: DeviceKey = DeviceKey([0; 32]);
    const TAG: MeetTag = MeetTag([9; 32]);
    const A: DeviceKey = DeviceKey([1; 32]);
    const B: DeviceKey = DeviceKey([2; 32]);

    fn read(listing: &mut Listing, reply: &Reply) -> Result<News, String> {
        listing.read(OWN, &wire::encode(reply))
    }

    fn entered() -> Listing {
        let mut listing = Listing::default();
        listing.entered(TAG);
        listing
    }

    #[test]
    fn arrivals_and_departures_are_told_once() {
        let mut listing = entered();
        assert_eq!(
            read(&mut listing, &Reply::Present(TAG, vec![OWN, A])),
            Ok(News::Present(vec![A]))
        );
        assert_eq!(read(&mut listing, &Reply::Arrived(TAG, A)), Ok(News::Nothing));
        assert_eq!(read(&mut listing, &Reply::Arrived(TAG, B)), Ok(News::Arrived(B)));
        assert_eq!(read(&mut listing, &Reply::Left(TAG, A)), Ok(News::Left(A)));
        assert_eq!(read(&mut listing, &Reply::Left(TAG, A)), Ok(News::Nothing));
        assert_eq!(listing.clear(), BTreeSet::from([B]));
    }

    #[test]
    fn a_device_under_two_tags_is_there_until_it_left_both() {
        let mut listing = entered();
        let other = MeetTag([8; 32]);
        listing.entered(other);
        assert_eq!(read(&mut listing, &Reply::Arrived(TAG, A)), Ok(News::Arrived(A)));
        assert_eq!(read(&mut listing, &Reply::Arrived(other, A)), Ok(News::Nothing));
        assert_eq!(read(&mut listing, &Reply::Left(TAG, A)), Ok(News::Nothing));
        assert_eq!(read(&mut listing, &Reply::Left(other, A)), Ok(News::Left(A)));
    }

    #[test]
    fn lies_of_a_relay_are_errors() {
        let mut listing = entered();
        let many = (0..=MAX_PRESENT as u8).map(|n| DeviceKey([n; 32])).collect();
        assert!(read(&mut listing, &Reply::Present(TAG, many)).is_err());
        assert!(read(&mut listing, &Reply::Arrived(MeetTag([7; 32]), A)).is_err());
        assert!(listing.read(OWN, b"\xff\xff").is_err());
        let refused = read(&mut listing, &Reply::Refused(TAG, Refusal::Devices)).unwrap_err();
        assert!(refused.contains("too many devices under this tag"), "{refused}");
    }

    #[test]
    fn a_relay_names_no_more_than_so_many_in_however_many_replies() {
        let mut listing = entered();
        let device = |n: u16| {
            let mut key = [1; 32];
            key[..2].copy_from_slice(&n.to_be_bytes());
            DeviceKey(key)
        };
        let some = |from: u16| (from..from + MAX_PRESENT as u16).map(device).collect();
        for from in (0..MAX_LISTED as u16).step_by(MAX_PRESENT) {
            assert!(read(&mut listing, &Reply::Present(TAG, some(from))).is_ok());
        }
        assert!(read(&mut listing, &Reply::Present(TAG, some(0))).is_ok(), "all known");
        assert!(read(&mut listing, &Reply::Present(TAG, some(MAX_LISTED as u16))).is_err());
    }
}

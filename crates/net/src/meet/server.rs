//! The relay's side of `/chats/meet/1`: who is under which tag, without I/O.

use super::{MAX_PRESENT, MAX_TAGS, Refusal};
use chats_core::id::{DeviceKey, MeetTag};
use rand::{Rng, seq::IteratorRandom};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// Entries from one IP address. Behind a proxy every client has the proxy's address and shares
/// them, so such a relay needs one address per proxy.
pub(crate) const MAX_PER_ADDRESS: usize = 256;
/// Entries under one tag.
pub(crate) const MAX_PER_TAG: usize = 4096;

/// A connection to the relay, and whose it is.
#[derive(Debug)]
struct Client {
    device: DeviceKey,
    address: Option<IpAddr>,
    tags: BTreeSet<MeetTag>,
}

/// Devices under tags; `C` names a connection.
///
/// Entries live in memory alone. There is no way to ask which tags exist.
#[derive(Debug)]
pub(crate) struct Table<C> {
    clients: BTreeMap<C, Client>,
    tags: BTreeMap<MeetTag, BTreeMap<C, DeviceKey>>,
    addresses: BTreeMap<IpAddr, usize>,
}

/// An entry was made.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entered<C> {
    /// Others there, at most [`MAX_PRESENT`], at random.
    pub(crate) present: Vec<DeviceKey>,
    /// Connections that are to hear of the arrival.
    pub(crate) tell: Vec<C>,
}

/// A device is gone from a tag.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Gone<C> {
    pub(crate) tag: MeetTag,
    pub(crate) device: DeviceKey,
    /// Connections that are to hear of it.
    pub(crate) tell: Vec<C>,
}

impl<C> Default for Table<C> {
    fn default() -> Self {
        Self { clients: BTreeMap::new(), tags: BTreeMap::new(), addresses: BTreeMap::new() }
    }
}

impl<C: Copy + Ord> Table<C> {
    /// Enters `device` under `tag` for as long as `connection` lives.
    pub(crate) fn enter(
        &mut self,
        connection: C,
        device: DeviceKey,
        address: Option<IpAddr>,
        tag: MeetTag,
        rng: &mut impl Rng,
    ) -> Result<Entered<C>, Refusal> {
        let client = self.clients.get(&connection);
        let again = client.is_some_and(|client| client.tags.contains(&tag));
        let under = self.tags.get(&tag);
        if !again {
            if client.is_some_and(|client| client.tags.len() >= MAX_TAGS) {
                return Err(Refusal::Tags);
            }
            let used = address.and_then(|address| self.addresses.get(&address));
            if used.is_some_and(|used| *used >= MAX_PER_ADDRESS) {
                return Err(Refusal::Address);
            }
            if under.is_some_and(|under| under.len() >= MAX_PER_TAG) {
                return Err(Refusal::Devices);
            }
        }
        let others: BTreeSet<DeviceKey> =
            under.into_iter().flat_map(BTreeMap::values).copied().collect();
        let news = !others.contains(&device);
        let tell = if news { self.others(tag, device) } else { Vec::new() };
        let present =
            others.into_iter().filter(|other| *other != device).choose_multiple(rng, MAX_PRESENT);
        if !again {
            let client = self.clients.entry(connection).or_insert_with(|| Client {
                device,
                address,
                tags: BTreeSet::new(),
            });
            client.tags.insert(tag);
            self.tags.entry(tag).or_default().insert(connection, device);
            if let Some(address) = address {
                *self.addresses.entry(address).or_default() += 1;
            }
        }
        Ok(Entered { present, tell })
    }

    /// Ends all entries of `connection`; returns the tags from which its device is now gone.
    pub(crate) fn leave(&mut self, connection: C) -> Vec<Gone<C>> {
        let Some(client) = self.clients.remove(&connection) else { return Vec::new() };
        let mut gone = Vec::new();
        for tag in client.tags {
            if let Some(under) = self.tags.get_mut(&tag) {
                under.remove(&connection);
                if under.is_empty() {
                    self.tags.remove(&tag);
                } else if !under.values().any(|device| *device == client.device) {
                    let tell = self.others(tag, client.device);
                    gone.push(Gone { tag, device: client.device, tell });
                }
            }
            if let Some(address) = client.address
                && let Some(used) = self.addresses.get_mut(&address)
            {
                *used = used.saturating_sub(1);
                if *used == 0 {
                    self.addresses.remove(&address);
                }
            }
        }
        gone
    }

    fn others(&self, tag: MeetTag, device: DeviceKey) -> Vec<C> {
        let under = self.tags.get(&tag).into_iter().flatten();
        under.filter(|(_, other)| **other != device).map(|(connection, _)| *connection).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{SeedableRng, rngs::SmallRng};

    const TAG: MeetTag = MeetTag([9; 32]);

    fn device(n: usize) -> DeviceKey {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&n.to_le_bytes());
        DeviceKey(key)
    }

    fn address(n: usize) -> Option<IpAddr> {
        Some(IpAddr::from((n as u32 + 1).to_be_bytes()))
    }

    fn rng() -> SmallRng {
        SmallRng::seed_from_u64(1)
    }

    #[test]
    fn a_newcomer_learns_who_is_there_and_they_learn_of_it() {
        let mut table = Table::default();
        let first = table.enter(1, device(1), address(1), TAG, &mut rng()).unwrap();
        assert_eq!(first, Entered { present: vec![], tell: vec![] });
        let second = table.enter(2, device(2), address(2), TAG, &mut rng()).unwrap();
        assert_eq!(second, Entered { present: vec![device(1)], tell: vec![1] });
        let elsewhere = table.enter(3, device(3), address(3), MeetTag([8; 32]), &mut rng());
        assert_eq!(elsewhere, Ok(Entered { present: vec![], tell: vec![] }));
    }

    #[test]
    fn a_departure_is_told_to_those_who_stay() {
        let mut table = Table::default();
        for n in 1..=3 {
            table.enter(n, device(n), address(n), TAG, &mut rng()).unwrap();
        }
        let gone = table.leave(2);
        assert_eq!(gone, [Gone { tag: TAG, device: device(2), tell: vec![1, 3] }]);
        assert_eq!(table.leave(2), []);
    }

    #[test]
    fn a_device_with_two_connections_leaves_with_the_last() {
        let mut table = Table::default();
        table.enter(1, device(1), address(1), TAG, &mut rng()).unwrap();
        table.enter(2, device(2), address(2), TAG, &mut rng()).unwrap();
        let again = table.enter(3, device(2), address(2), TAG, &mut rng()).unwrap();
        assert_eq!(again, Entered { present: vec![device(1)], tell: vec![] });
        assert_eq!(table.leave(2), []);
        assert_eq!(table.leave(3), [Gone { tag: TAG, device: device(2), tell: vec![1] }]);
    }

    #[test]
    fn entering_again_is_answered_again_and_counts_once() {
        let mut table = Table::default();
        table.enter(1, device(1), address(1), TAG, &mut rng()).unwrap();
        for _ in 0..MAX_PER_ADDRESS * 2 {
            let again = table.enter(2, device(2), address(2), TAG, &mut rng()).unwrap();
            assert_eq!(again.present, [device(1)]);
        }
        assert_eq!(table.addresses.get(&address(2).unwrap()), Some(&1));
    }

    #[test]
    fn an_answer_names_32_of_many_at_random() {
        let mut table = Table::default();
        for n in 0..100 {
            table.enter(n, device(n), address(n), TAG, &mut rng()).unwrap();
        }
        let mut rng = rng();
        let one = table.enter(200, device(200), address(200), TAG, &mut rng).unwrap();
        let two = table.enter(201, device(201), address(201), TAG, &mut rng).unwrap();
        assert_eq!((one.present.len(), two.present.len()), (MAX_PRESENT, MAX_PRESENT));
        assert_ne!(one.present, two.present);
        assert_eq!(one.tell.len(), 100);
    }

    #[test]
    fn a_connection_enters_16_tags_and_no_more() {
        let mut table = Table::default();
        for n in 0..MAX_TAGS {
            table.enter(1, device(1), None, MeetTag([n as u8; 32]), &mut rng()).unwrap();
        }
        let more = table.enter(1, device(1), None, MeetTag([99; 32]), &mut rng());
        assert_eq!(more, Err(Refusal::Tags));
    }

    #[test]
    fn an_address_has_256_entries_and_gets_them_back() {
        let mut table = Table::default();
        for n in 0..MAX_PER_ADDRESS {
            table.enter(n, device(n), address(7), TAG, &mut rng()).unwrap();
        }
        let next =
            |table: &mut Table<_>| table.enter(999, device(999), address(7), TAG, &mut rng());
        assert_eq!(next(&mut table), Err(Refusal::Address));
        table.leave(0);
        assert!(next(&mut table).is_ok());
    }

    #[test]
    fn a_tag_holds_4096_entries() {
        let mut table = Table::default();
        for n in 0..MAX_PER_TAG {
            table.enter(n, device(n), address(n), TAG, &mut rng()).unwrap();
        }
        let more = table.enter(9999, device(9999), address(9999), TAG, &mut rng());
        assert_eq!(more, Err(Refusal::Devices));
    }

    #[test]
    fn nothing_is_kept_of_those_who_left() {
        let mut table = Table::default();
        for n in 0..20 {
            table.enter(n, device(n), address(n), TAG, &mut rng()).unwrap();
        }
        for n in 0..20 {
            table.leave(n);
        }
        assert!(table.clients.is_empty() && table.tags.is_empty() && table.addresses.is_empty());
    }
}

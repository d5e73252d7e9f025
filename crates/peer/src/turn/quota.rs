//! How much the TURN server carries for one wallet and for one address.
//!
//! Each wallet, with all its devices, and each address, with all behind it, may have
//! [`RATE`] each way at a time and [`PER_DAY`] in both ways together. What goes beyond the rate is
//! dropped, as any narrow link would; who has used up the day is let go.

use chats_core::{
    id::Wallet,
    time::{Duration, Time},
};
use chats_net::relay::site;
use std::{collections::BTreeMap, net::IpAddr};

/// Bytes a second each way: 1 Mbit/s.
const RATE: u64 = 125_000;
/// Bytes that may come at once after a pause: a second's worth.
const BURST: u64 = RATE;
/// Bytes a day.
const PER_DAY: u64 = 2_000_000_000;
const DAY: Duration = Duration::from_secs(24 * 3600);
/// Allocations of one wallet or address: 11 others in a meeting, each link with a few candidates,
/// and some that are left over from links that failed.
const MAX_EACH: usize = 64;
/// Allocations in all.
pub(super) const MAX_ALLOCATIONS: usize = 1024;
/// Wallets, or addresses, that are kept in mind.
const MAX_METERS: usize = 8192;

/// Which way a datagram goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// From the client to a peer.
    Out,
    /// From a peer to the client.
    In,
}

/// What becomes of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    /// It goes on.
    Yes,
    /// It is dropped: too fast.
    No,
    /// It is dropped, and so is its sender: the day's share is used up.
    Spent,
}

/// Why nothing is allocated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Denied {
    /// The day's share is used up.
    Spent,
    /// There are too many allocations already.
    Busy,
}

/// All meters.
#[derive(Debug, Default)]
pub(super) struct Quotas {
    wallets: BTreeMap<Wallet, Meter>,
    addresses: BTreeMap<IpAddr, Meter>,
    allocations: usize,
}

#[derive(Debug)]
struct Meter {
    allocations: usize,
    /// When its day began, and what was carried since.
    since: Time,
    carried: u64,
    out: Bucket,
    back: Bucket,
}

#[derive(Debug)]
struct Bucket {
    filled: Time,
    left: u64,
}

impl Bucket {
    const fn full(now: Time) -> Self {
        Self { filled: now, left: BURST }
    }

    fn fill(&mut self, now: Time) {
        let millis = u64::try_from(now.since(self.filled).as_millis()).unwrap_or(u64::MAX);
        self.left = millis.saturating_mul(RATE / 1000).saturating_add(self.left).min(BURST);
        self.filled = self.filled.max(now);
    }
}

impl Meter {
    const fn new(now: Time) -> Self {
        let (out, back) = (Bucket::full(now), Bucket::full(now));
        Self { allocations: 0, since: now, carried: 0, out, back }
    }

    fn settle(&mut self, now: Time) {
        if now.since(self.since) >= DAY {
            (self.since, self.carried) = (now, 0);
        }
        self.out.fill(now);
        self.back.fill(now);
    }

    const fn bucket(&mut self, way: Way) -> &mut Bucket {
        match way {
            Way::Out => &mut self.out,
            Way::In => &mut self.back,
        }
    }

    fn idle(&self, now: Time) -> bool {
        self.allocations == 0 && now.since(self.since) >= DAY
    }
}

impl Quotas {
    /// Whether the wallet or the address has used up its day.
    pub(super) fn spent(&mut self, wallet: Wallet, ip: IpAddr, now: Time) -> bool {
        let spent = |meter: &mut Meter| {
            meter.settle(now);
            meter.carried >= PER_DAY
        };
        self.wallets.get_mut(&wallet).is_some_and(spent)
            || self.addresses.get_mut(&site(ip)).is_some_and(spent)
    }

    /// Counts an allocation; [`Self::release`] ends it.
    pub(super) fn admit(&mut self, wallet: Wallet, ip: IpAddr, now: Time) -> Result<(), Denied> {
        if self.spent(wallet, ip, now) {
            return Err(Denied::Spent);
        }
        if self.allocations >= MAX_ALLOCATIONS {
            return Err(Denied::Busy);
        }
        make_room(&mut self.wallets, now);
        make_room(&mut self.addresses, now);
        let (wallets, addresses) = (self.wallets.len(), self.addresses.len());
        let (known, site) = (self.wallets.get(&wallet), site(ip));
        let (near, fits) = (self.addresses.get(&site), |meter: Option<&Meter>, count| {
            meter.map_or(count < MAX_METERS, |meter| meter.allocations < MAX_EACH)
        });
        if !fits(known, wallets) || !fits(near, addresses) {
            return Err(Denied::Busy);
        }
        self.wallets.entry(wallet).or_insert_with(|| Meter::new(now)).allocations += 1;
        self.addresses.entry(site).or_insert_with(|| Meter::new(now)).allocations += 1;
        self.allocations += 1;
        Ok(())
    }

    /// An allocation has ended. What it carried stays counted.
    pub(super) fn release(&mut self, wallet: Wallet, ip: IpAddr) {
        let meters = [self.wallets.get_mut(&wallet), self.addresses.get_mut(&site(ip))];
        for meter in meters.into_iter().flatten() {
            meter.allocations = meter.allocations.saturating_sub(1);
        }
        self.allocations = self.allocations.saturating_sub(1);
    }

    /// Counts a datagram of `bytes`, if both meters let it pass.
    pub(super) fn pass(
        &mut self,
        wallet: Wallet,
        ip: IpAddr,
        way: Way,
        bytes: usize,
        now: Time,
    ) -> Pass {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let meters = [self.wallets.get_mut(&wallet), self.addresses.get_mut(&site(ip))];
        let [Some(one), Some(two)] = meters else { return Pass::No };
        for meter in [&mut *one, &mut *two] {
            meter.settle(now);
            if meter.carried.saturating_add(bytes) > PER_DAY {
                // The rest of the day is not worth waiting for ever smaller datagrams.
                meter.carried = PER_DAY;
                return Pass::Spent;
            }
        }
        if one.bucket(way).left < bytes || two.bucket(way).left < bytes {
            return Pass::No;
        }
        for meter in [one, two] {
            meter.bucket(way).left -= bytes;
            meter.carried += bytes;
        }
        Pass::Yes
    }
}

/// Forgets those whose day is over, else the one that used least of it: many who come and go
/// quickly must not keep others out.
fn make_room<K: Ord + Copy>(meters: &mut BTreeMap<K, Meter>, now: Time) {
    if meters.len() >= MAX_METERS {
        meters.retain(|_, meter| !meter.idle(now));
    }
    if meters.len() >= MAX_METERS {
        let unused = meters.iter().filter(|(_, meter)| meter.allocations == 0);
        let least = unused.min_by_key(|(_, meter)| meter.carried).map(|(key, _)| *key);
        least.and_then(|key| meters.remove(&key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chats_core::fixtures::NOW;

    const ALICE: Wallet = Wallet([1; 20]);
    const BOB: Wallet = Wallet([2; 20]);
    const SECOND: Duration = Duration::from_secs(1);

    fn ip(n: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, n])
    }

    fn admitted(wallet: Wallet, ip: IpAddr) -> Quotas {
        let mut quotas = Quotas::default();
        assert_eq!(quotas.admit(wallet, ip, NOW), Ok(()));
        quotas
    }

    /// Bytes that pass in a second's worth of attempts beginning at `now`.
    fn passed(quotas: &mut Quotas, wallet: Wallet, ip: IpAddr, way: Way, now: Time) -> u64 {
        (0..2000)
            .filter(|n| {
                let now = now + Duration::from_millis(n / 2);
                quotas.pass(wallet, ip, way, 1000, now) == Pass::Yes
            })
            .count() as u64
            * 1000
    }

    #[test]
    fn a_wallet_gets_1_mbit_per_second_each_way_after_its_burst() {
        let mut quotas = admitted(ALICE, ip(1));
        for (way, begin) in [(Way::Out, NOW), (Way::In, NOW + SECOND * 10)] {
            let first = passed(&mut quotas, ALICE, ip(1), way, begin);
            assert!((RATE + BURST - 2000..=RATE + BURST).contains(&first), "{first}");
            for second in 1..5 {
                let next = passed(&mut quotas, ALICE, ip(1), way, begin + SECOND * second);
                assert!((RATE - 2000..=RATE + 2000).contains(&next), "{next}");
            }
        }
    }

    #[test]
    fn the_devices_of_a_wallet_share_and_so_do_the_wallets_of_an_address() {
        let mut quotas = admitted(ALICE, ip(1));
        quotas.admit(ALICE, ip(2), NOW).unwrap();
        quotas.admit(BOB, ip(1), NOW).unwrap();
        quotas.admit(BOB, ip(3), NOW).unwrap();
        let all = BURST as usize;
        assert_eq!(quotas.pass(ALICE, ip(1), Way::Out, all, NOW), Pass::Yes);
        assert_eq!(quotas.pass(ALICE, ip(2), Way::Out, 1, NOW), Pass::No, "the same wallet");
        assert_eq!(quotas.pass(BOB, ip(1), Way::Out, 1, NOW), Pass::No, "the same address");
        assert_eq!(quotas.pass(BOB, ip(3), Way::Out, all, NOW), Pass::Yes, "neither");
    }

    #[test]
    fn what_one_meter_refuses_is_not_taken_from_the_other() {
        let mut quotas = admitted(ALICE, ip(1));
        quotas.admit(BOB, ip(1), NOW).unwrap();
        quotas.admit(BOB, ip(2), NOW).unwrap();
        let all = BURST as usize;
        assert_eq!(quotas.pass(ALICE, ip(1), Way::In, all, NOW), Pass::Yes);
        assert_eq!(quotas.pass(BOB, ip(1), Way::In, 1000, NOW), Pass::No);
        assert_eq!(quotas.pass(BOB, ip(2), Way::In, all, NOW), Pass::Yes);
    }

    #[test]
    fn after_2_gb_a_wallet_is_done_until_the_next_day() {
        let mut quotas = admitted(ALICE, ip(1));
        let (mut now, mut carried) = (NOW, 0);
        loop {
            now = now + SECOND;
            match quotas.pass(ALICE, ip(1), Way::Out, BURST as usize, now) {
                Pass::Yes => carried += BURST,
                Pass::No => panic!("a second's worth passes each second"),
                Pass::Spent => break,
            }
        }
        assert_eq!(carried, PER_DAY);
        assert!(quotas.spent(ALICE, ip(9), now) && quotas.spent(BOB, ip(1), now));
        assert!(!quotas.spent(BOB, ip(9), now));
        assert_eq!(quotas.admit(ALICE, ip(9), now), Err(Denied::Spent));
        quotas.release(ALICE, ip(1));
        assert!(quotas.spent(ALICE, ip(1), now), "ending an allocation does not help");
        assert_eq!(quotas.admit(ALICE, ip(1), NOW + DAY), Ok(()));
        assert_eq!(quotas.pass(ALICE, ip(1), Way::In, 1000, NOW + DAY), Pass::Yes);
    }

    #[test]
    fn allocations_are_bounded_for_a_wallet_for_an_address_and_in_all() {
        let mut quotas = Quotas::default();
        for _ in 0..MAX_EACH {
            quotas.admit(ALICE, ip(1), NOW).unwrap();
        }
        assert_eq!(quotas.admit(ALICE, ip(2), NOW), Err(Denied::Busy));
        assert_eq!(quotas.admit(BOB, ip(1), NOW), Err(Denied::Busy));
        quotas.release(ALICE, ip(1));
        assert_eq!(quotas.admit(BOB, ip(1), NOW), Ok(()));
        for n in 0..MAX_ALLOCATIONS - MAX_EACH {
            let n = n as u32 + 1000;
            let mut wallet = Wallet([3; 20]);
            wallet.0[..4].copy_from_slice(&n.to_be_bytes());
            quotas.admit(wallet, IpAddr::from(n.to_be_bytes()), NOW).unwrap();
        }
        assert_eq!(quotas.admit(Wallet([9; 20]), ip(200), NOW), Err(Denied::Busy));
    }

    #[test]
    fn those_who_used_least_are_forgotten_first_and_all_after_a_day() {
        let mut quotas = Quotas::default();
        let numbered = |n: usize| {
            let n = n as u32;
            let mut wallet = Wallet([3; 20]);
            wallet.0[..4].copy_from_slice(&n.to_be_bytes());
            (wallet, IpAddr::from(n.to_be_bytes()))
        };
        for n in 0..MAX_METERS {
            let (wallet, ip) = numbered(n);
            quotas.admit(wallet, ip, NOW).unwrap();
            let bytes = if n == 5 { 10 } else { 1000 };
            assert_eq!(quotas.pass(wallet, ip, Way::Out, bytes, NOW), Pass::Yes);
            quotas.release(wallet, ip);
        }
        let (wallet, ip) = numbered(MAX_METERS);
        assert_eq!(quotas.admit(wallet, ip, NOW), Ok(()));
        assert_eq!(quotas.wallets.len(), MAX_METERS);
        assert!(!quotas.wallets.contains_key(&numbered(5).0));
        assert!(!quotas.addresses.contains_key(&numbered(5).1));
        let (late, far) = numbered(MAX_METERS + 1);
        assert_eq!(quotas.admit(late, far, NOW + DAY), Ok(()));
        // The new one, and the one that still has an allocation.
        assert_eq!((quotas.wallets.len(), quotas.addresses.len()), (2, 2));
    }

    #[test]
    fn an_ipv6_network_counts_as_one_address() {
        let near = |text: &str| site(text.parse().unwrap());
        assert_eq!(near("2001:db8:1:2:3::4"), near("2001:db8:1:2:ffff::1"));
        assert_ne!(near("2001:db8:1:2::"), near("2001:db8:1:3::"));
        assert_eq!(near("::ffff:192.0.2.1"), ip(1));
    }
}

use super::*;
use crate::fixtures::{self, NOW, TestWallet};
use crate::id::{DeviceSecret, DeviceSignature};
use crate::time::Duration;
use proptest::prelude::*;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn device(number: u8) -> DeviceKey {
    DeviceSecret::from_seed(&[number; 32]).device()
}

fn wallet(number: u8) -> Wallet {
    TestWallet::new(number).address()
}

/// Of 30 days.
fn certificate(wallet: u8, device: u8, issued: Time) -> ControlItem {
    let secret = DeviceSecret::from_seed(&[device; 32]);
    ControlItem::Certificate(fixtures::certificate(&TestWallet::new(wallet), &secret, issued))
}

fn revoke(by: u8, of: u8, time: Time) -> ControlItem {
    let (wallet, device, signature) = (wallet(by), device(of), [0; 65]);
    ControlItem::Revoke(Revoke { wallet, device, time, signature })
}

fn prekey(of: u8, key: u8, time: Time) -> ControlItem {
    let (device, key) = (device(of), PrekeyPublic([key; 32]));
    let signature = DeviceSignature([0; 64]);
    ControlItem::Prekey(Prekey { device, key, time, signature })
}

fn book(items: &[ControlItem]) -> Devices {
    let mut devices = Devices::default();
    for item in items {
        devices.insert(item);
    }
    devices
}

fn currents(devices: &Devices, wallet_number: u8, now: Time) -> Vec<DeviceKey> {
    devices.current(wallet(wallet_number), now).iter().map(|it| it.device).collect()
}

#[test]
fn a_device_is_its_wallets_while_a_certificate_covers_the_time() {
    let devices = book(&[certificate(1, 1, NOW), certificate(1, 1, NOW + DAY * 40)]);
    let at = |time| devices.wallet_at(device(1), time);
    assert_eq!(at(Time(NOW.0 - 5 * 60 * 1000)), Some(wallet(1)));
    assert_eq!(at(Time(NOW.0 - 5 * 60 * 1000 - 1)), None);
    assert_eq!(at(NOW + DAY * 29), Some(wallet(1)));
    assert_eq!(at(NOW + DAY * 30), None, "between two certificates");
    assert_eq!(at(NOW + DAY * 41), Some(wallet(1)));
    assert_eq!(devices.wallet(device(2)), None);
}

#[test]
fn of_two_wallets_the_first_has_the_device() {
    let items = [certificate(1, 1, NOW + DAY), certificate(2, 1, NOW)];
    for items in [items.clone(), {
        let [a, b] = items;
        [b, a]
    }] {
        let devices = book(&items);
        assert_eq!(devices.wallet(device(1)), Some(wallet(2)));
        assert_eq!(devices.wallet_at(device(1), NOW + DAY * 30), None, "not by another's word");
    }
}

#[test]
fn a_revocation_is_for_good_if_it_is_the_owners() {
    let mut devices = book(&[certificate(1, 1, NOW), revoke(2, 1, NOW)]);
    assert!(devices.stands(device(1), NOW), "nobody revokes another's device");
    let revocation = revoke(1, 1, NOW + DAY);
    devices.insert(&revocation);
    assert_eq!(devices.gone(device(1), NOW), Some(Cause::Revoked(revocation.id())));
    devices.insert(&certificate(1, 1, NOW + DAY * 2));
    assert!(!devices.stands(device(1), NOW + DAY * 2));
    assert!(devices.replays(device(1), Cause::Revoked(OpId([0; 32])), NOW));
    assert_eq!(devices.wallet_at(device(1), NOW), Some(wallet(1)), "what it wrote stays its own");
}

#[test]
fn a_cutoff_voids_what_was_issued_until_then() {
    let mut devices = book(&[certificate(1, 1, NOW)]);
    assert!(devices.cutoff(wallet(1), NOW));
    assert!(!devices.cutoff(wallet(1), Time(NOW.0 - 1000)), "it moves forward alone");
    let cause = Cause::Cutoff(NOW.secs());
    assert_eq!(devices.gone(device(1), NOW), Some(cause));
    assert!(devices.replays(device(1), cause, NOW));
    assert!(!devices.replays(device(1), Cause::Cutoff(NOW.secs() + 1), NOW), "not on the chain");
    devices.insert(&certificate(1, 1, NOW + DAY));
    assert!(devices.stands(device(1), NOW + DAY));
    assert!(!devices.replays(device(1), cause, NOW), "its wallet vouched for it again");
}

#[test]
fn an_end_is_one_until_a_later_certificate_comes() {
    let end = NOW + DAY * 30;
    let mut devices = book(&[certificate(1, 1, NOW)]);
    assert_eq!(devices.gone(device(1), Time(end.0 - 1)), None);
    let cause = Cause::Expired(end.secs());
    assert_eq!(devices.gone(device(1), end), Some(cause));
    assert!(devices.replays(device(1), cause, end));
    assert!(
        !devices.replays(device(1), cause, Time(end.0 - 24 * 3600 * 1000)),
        "said before it was so"
    );
    assert!(!devices.replays(device(1), Cause::Expired(end.secs() - 1), end), "it lasted longer");
    devices.insert(&certificate(1, 1, NOW + DAY));
    assert!(!devices.replays(device(1), cause, end));
    assert!(devices.stands(device(1), end));
}

#[test]
fn keys_are_sealed_with_the_newest_prekey_of_up_to_thirty_days() {
    let items = [prekey(1, 5, NOW + DAY), prekey(1, 9, NOW), certificate(1, 1, NOW)];
    let devices = book(&items);
    let prekey_at = |now| devices.current(wallet(1), now).first().map(|it| it.prekey);
    assert_eq!(prekey_at(NOW + DAY * 2), Some(PrekeyPublic([5; 32])));
    let mut renewed = book(&items);
    renewed.insert(&certificate(1, 1, NOW + DAY * 20));
    let last = NOW + DAY * 31;
    assert_eq!(currents(&renewed, 1, last), [device(1)]);
    assert_eq!(currents(&renewed, 1, Time(last.0 + 1)), []);
    renewed.prune(Time(last.0 + 1));
    assert!(renewed.insert(&items[1]), "what was pruned is unknown again");
}

#[test]
fn eight_devices_of_a_wallet_get_keys_the_newest_first() {
    let mut items = Vec::new();
    for number in 1..=10 {
        items.push(certificate(1, number, NOW + Duration::from_secs(u64::from(number % 9))));
        items.push(prekey(number, 5, NOW));
    }
    let devices = book(&items);
    let mut expected: Vec<_> = (1..=10_u8).collect();
    expected.sort_by_key(|number| (std::cmp::Reverse(number % 9), device(*number)));
    let expected: Vec<_> = expected.into_iter().take(8).map(device).collect();
    let later = NOW + DAY;
    assert_eq!(currents(&devices, 1, later), expected);
    let all = devices.recipients(later, |who| who == wallet(1));
    assert!(all.is_sorted_by_key(|it| it.device));
    assert_eq!(all.len(), 8);
    assert_eq!(devices.recipients(later, |_| false), []);
}

#[test]
fn strangers_prekeys_make_room_for_those_of_devices() {
    let mut devices = book(&[certificate(1, 1, NOW)]);
    for number in 0..=Devices::MAX_PREKEYS {
        let mut device = DeviceKey([9; 32]);
        device.0[..8].copy_from_slice(&number.to_be_bytes());
        let (key, signature) = (PrekeyPublic([1; 32]), DeviceSignature([0; 64]));
        devices.insert(&ControlItem::Prekey(Prekey { device, key, time: NOW, signature }));
    }
    assert!(devices.prekeys.len() <= Devices::MAX_PREKEYS);
    devices.insert(&prekey(1, 5, NOW));
    assert_eq!(currents(&devices, 1, NOW), [device(1)]);
}

fn any_item() -> impl Strategy<Value = ControlItem> {
    let (number, other, time) = (1..4_u8, 1..4_u8, 0..50_u32);
    (number, other, time, 0..3).prop_map(|(number, other, time, kind)| {
        let at = NOW + DAY * time;
        match kind {
            0 => certificate(number, other, at),
            1 => revoke(number, other, at),
            _ => prekey(number, other, at),
        }
    })
}

proptest! {
    #[test]
    fn any_order_of_arrival_ends_in_the_same_book(
        (items, shuffled) in prop::collection::vec(any_item(), 0..12)
            .prop_flat_map(|items| (Just(items.clone()), Just(items).prop_shuffle())),
        cutoffs in prop::collection::vec((1..4_u8, 0..50_u32), 0..3),
        now in 0..100_u32,
    ) {
        let (mut one, mut other) = (book(&items), Devices::default());
        for (who, at) in cutoffs.iter().rev() {
            other.cutoff(wallet(*who), NOW + DAY * *at);
        }
        for item in shuffled.iter().chain(&items) {
            other.insert(item);
        }
        for (who, at) in cutoffs {
            one.cutoff(wallet(who), NOW + DAY * at);
        }
        let now = NOW + DAY * now;
        prop_assert!(one.all().eq(other.all()));
        for number in 1..4 {
            let device = device(number);
            prop_assert_eq!(one.wallet_at(device, now), other.wallet_at(device, now));
            prop_assert_eq!(one.gone(device, now), other.gone(device, now));
            prop_assert_eq!(currents(&one, number, now), currents(&other, number, now));
            if let Some(cause) = one.gone(device, now) {
                prop_assert!(one.replays(device, cause, now), "what is gone can be cut off");
            }
        }
    }
}

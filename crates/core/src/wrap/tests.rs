use super::*;
use crate::control::ControlItem;
use crate::fixtures::{COMMUNITY, NOW};

const TAG: RoomTag = RoomTag([5; 16]);
const EPOCH: EpochId = EpochId([6; 16]);
const PLACE: (Community, RoomTag, EpochId) = (COMMUNITY, TAG, EPOCH);

/// Bytes that differ from call to call, and are the same in each run.
fn counting() -> impl FnMut(&mut [u8]) {
    let mut count = 0_u64;
    move |into| {
        count += 1;
        blake3::Hasher::new().update(&count.to_be_bytes()).finalize_xof().fill(into);
    }
}

fn prekey(number: u16) -> PrekeySecret {
    let mut bytes = Zeroizing::new([3; 32]);
    bytes[..2].copy_from_slice(&number.to_be_bytes());
    PrekeySecret::new(bytes)
}

fn device(number: u16) -> DeviceKey {
    let mut device = DeviceKey([4; 32]);
    device.0[..2].copy_from_slice(&number.to_be_bytes());
    device
}

fn devices(count: u16) -> Vec<(DeviceKey, PrekeyPublic)> {
    (0..count).map(|number| (device(number), prekey(number).public())).collect()
}

fn pages(count: u16) -> Vec<WrapPage> {
    let secret = EpochSecret::new([7; 32]);
    seal_pages(PLACE, NOW, &secret, &devices(count), &mut counting())
}

fn opened(place: (Community, RoomTag, EpochId), wrap: &Wrap, own: &[u16]) -> Option<[u8; 32]> {
    let own: Vec<_> = own.iter().copied().map(prekey).collect();
    open_wrap(place, wrap, &own).map(|secret| *secret.bytes())
}

#[test]
fn each_device_opens_its_own_wrap_with_whichever_prekey_fits() {
    let pages = pages(3);
    for number in 0..3 {
        let wrap = pages[0].wrap(device(number)).unwrap();
        assert_eq!(opened(PLACE, wrap, &[9, number, 8]), Some([7; 32]));
        assert_eq!(opened(PLACE, wrap, &[9, 8]), None);
    }
    assert_eq!(pages[0].wrap(device(3)), None);
}

#[test]
fn a_wrap_opens_for_its_epoch_and_device_alone() {
    let pages = pages(2);
    let wrap = pages[0].wraps[0];
    assert_eq!(opened((COMMUNITY, TAG, EpochId([9; 16])), &wrap, &[0]), None);
    assert_eq!(opened((COMMUNITY, RoomTag([9; 16]), EPOCH), &wrap, &[0]), None);
    assert_eq!(opened((Community { id: 9, ..COMMUNITY }, TAG, EPOCH), &wrap, &[0]), None);
    assert_eq!(opened(PLACE, &Wrap { device: device(1), ..wrap }, &[0]), None);
    let mut sealed = wrap.sealed;
    sealed[0] ^= 1;
    assert_eq!(opened(PLACE, &Wrap { sealed, ..wrap }, &[0]), None);
}

#[test]
fn many_devices_take_several_pages_of_less_than_sixty_kilobytes() {
    let pages = pages(1001);
    assert_eq!(pages.iter().map(|page| page.wraps.len()).collect::<Vec<_>>(), [500, 500, 1]);
    let all = pages.iter().flat_map(|page| &page.wraps).map(|wrap| wrap.device);
    assert!(all.eq((0..1001).map(device)));
    for page in pages {
        let size = ControlItem::Page(page).encode().len();
        assert!(size <= ControlItem::MAX_SIZE, "{size}");
    }
}

#[test]
fn a_prekey_that_is_no_key_is_passed_over() {
    let mut devices = devices(2);
    devices[0].1 = PrekeyPublic([0; 32]);
    let secret = EpochSecret::new([7; 32]);
    let pages = seal_pages(PLACE, NOW, &secret, &devices, &mut counting());
    assert_eq!(pages[0].wraps.iter().map(|wrap| wrap.device).collect::<Vec<_>>(), [device(1)]);
    let from = DeviceSecret::from_seed(&[1; 32]);
    let to = GrantTo { prekey: PrekeyPublic([0; 32]), ..grant_to() };
    assert_eq!(seal_grant(to, &[], &from, NOW, &mut counting()), None);
}

fn grant_to() -> GrantTo {
    let (device, prekey) = (device(1), prekey(1).public());
    GrantTo { community: COMMUNITY, room_tag: TAG, device, prekey }
}

#[test]
fn a_grant_opens_for_who_asked_alone_and_is_signed() {
    let from = DeviceSecret::from_seed(&[1; 32]);
    let keys = [(EPOCH, EpochSecret::new([7; 32])), (EpochId([8; 16]), EpochSecret::new([9; 32]))];
    let grant = seal_grant(grant_to(), &keys, &from, NOW, &mut counting()).unwrap();
    assert_eq!(ControlItem::Grant(grant.clone()).check(COMMUNITY, NOW), Ok(()));
    let opened = |grant: &Grant, number| {
        let keys = open_grant(grant, &[prekey(number)])?;
        Some(keys.into_iter().map(|(epoch, key)| (epoch, *key.bytes())).collect::<Vec<_>>())
    };
    assert_eq!(opened(&grant, 1), Some(vec![(EPOCH, [7; 32]), (EpochId([8; 16]), [9; 32])]));
    assert_eq!(opened(&grant, 2), None);
    assert_eq!(opened(&Grant { to: device(2), ..grant.clone() }, 1), None);
    assert_eq!(opened(&Grant { room_tag: RoomTag([9; 16]), ..grant }, 1), None);
}

#[test]
fn the_most_keys_of_a_grant_fit_into_its_size() {
    let from = DeviceSecret::from_seed(&[1; 32]);
    let keys: Vec<_> = (0..=Grant::MAX_KEYS)
        .map(|number| {
            (EpochId([u8::try_from(number % 256).unwrap(); 16]), EpochSecret::new([7; 32]))
        })
        .collect();
    let grant = seal_grant(grant_to(), &keys, &from, NOW, &mut counting()).unwrap();
    let bytes = ControlItem::Grant(grant.clone()).encode();
    assert!(ControlItem::decode(&bytes).is_ok(), "{}", bytes.len());
    assert_eq!(open_grant(&grant, &[prekey(1)]).unwrap().len(), Grant::MAX_KEYS);
}

#[test]
fn a_secret_does_not_print_itself() {
    assert_eq!(format!("{:?}", prekey(1)), "PrekeySecret(..)");
}

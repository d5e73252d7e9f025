use super::*;
use crate::ascending::Ascending;
use crate::control::record::{Cause, Charter, Cut, RoomKind};
use crate::epoch::{EpochId, Policy, RoomId, SealedRoom, WriteKey};
use crate::fixtures::{self, COMMUNITY, NOW, TestWallet};
use crate::id::{DeviceSecret, DeviceSignature, Wallet};
use crate::op::Parents;

const UNSIGNED: DeviceSignature = DeviceSignature([0; 64]);
const TAG: RoomTag = RoomTag([5; 16]);
const EPOCH: EpochId = EpochId([6; 16]);

fn secret(number: u8) -> DeviceSecret {
    DeviceSecret::from_seed(&[number; 32])
}

fn device(number: u8) -> DeviceKey {
    secret(number).device()
}

fn revoke(wallet: &TestWallet, device: DeviceKey, time: Time) -> Revoke {
    let signature = wallet.sign(&Revoke::text(wallet.address(), device, time));
    Revoke { wallet: wallet.address(), device, time, signature: signature.try_into().unwrap() }
}

fn record() -> EpochRecord {
    let heads = Ascending::newest(vec![OpId([1; 32]), OpId([2; 32])]);
    EpochRecord {
        community: COMMUNITY,
        room_tag: TAG,
        version: 7,
        rolling: [3; 32],
        generation: 2,
        parents: Ascending::newest(vec![OpId([4; 32])]),
        author: device(1),
        time: NOW,
        epoch: EPOCH,
        write_key: WriteKey([7; 32]),
        room: SealedRoom { nonce: [8; 24], sealed: [9; 48] },
        charter: None,
        cuts: vec![Cut { device: device(2), cause: Cause::Seat(7), heads }],
        pages: vec![PageRef { first: DeviceKey([0; 32]), page: OpId([5; 32]) }],
        signature: UNSIGNED,
    }
}

fn page(devices: u16) -> WrapPage {
    let wrap = |number: u16| {
        let mut device = DeviceKey([0xff; 32]);
        device.0[..2].copy_from_slice(&number.to_be_bytes());
        Wrap { device, encapsulated: [1; 32], sealed: [2; 48] }
    };
    WrapPage { epoch: EPOCH, time: NOW, wraps: (0..devices).map(wrap).collect() }
}

/// One of each kind, signed.
fn items() -> Vec<ControlItem> {
    let (community, room_tag, time, signature) = (COMMUNITY, TAG, NOW, UNSIGNED);
    let (one, two) = (device(1), device(2));
    let prekey = Prekey { device: one, key: PrekeyPublic([3; 32]), time, signature };
    let wanted = vec![EPOCH];
    let request = KeyRequest { community, room_tag, device: one, wanted, time, signature };
    let (encapsulated, sealed) = ([1; 32], vec![2; 100]);
    let (to, from) = (two, one);
    let grant = Grant { community, room_tag, to, from, time, encapsulated, sealed, signature };
    let bad = BadWrap { community, room_tag, epoch: EPOCH, device: one, time, signature };
    let (cut, head, holder) = (two, OpId([8; 32]), one);
    let cut_head = CutHead { community, room_tag, cut, head, holder, time, signature };
    let certificate = fixtures::certificate(&TestWallet::new(1), &secret(1), NOW);
    vec![
        ControlItem::Certificate(certificate),
        ControlItem::Revoke(revoke(&TestWallet::new(1), one, NOW)),
        ControlItem::Prekey(prekey.sign(&secret(1))),
        ControlItem::Record(Box::new(record().sign(&secret(1)))),
        ControlItem::Page(page(2)),
        ControlItem::Request(request.sign(&secret(1))),
        ControlItem::Grant(grant.sign(&secret(1))),
        ControlItem::BadWrap(bad.sign(&secret(1))),
        ControlItem::CutHead(cut_head.sign(&secret(1))),
    ]
}

#[test]
fn every_kind_survives_the_wire_and_passes() {
    for (kind, item) in items().into_iter().enumerate() {
        let bytes = item.encode();
        assert_eq!(bytes[..2], [0x82, u8::try_from(kind).unwrap()], "{}", item.name());
        assert_eq!(ControlItem::decode(&bytes).as_ref(), Ok(&item));
        assert_eq!(item.check(COMMUNITY, NOW), Ok(()), "{}", item.name());
        assert_eq!(item.id(), OpId::of(Hlc::at(NOW), &bytes));
    }
}

#[test]
fn every_changed_byte_is_noticed() {
    for item in items().into_iter().filter(|item| !matches!(item, ControlItem::Page(_))) {
        let bytes = item.encode();
        for index in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[index] ^= 1;
            let passes =
                ControlItem::decode(&changed).is_ok_and(|it| it.check(COMMUNITY, NOW).is_ok());
            assert!(!passes, "byte {index} of {} of a {}", bytes.len(), item.name());
        }
    }
}

#[test]
fn a_page_that_was_changed_has_another_id() {
    let (mut one, other) = (page(3), page(3));
    one.wraps[1].sealed[0] ^= 1;
    assert_ne!(ControlItem::Page(one).id(), ControlItem::Page(other).id());
}

#[test]
fn nothing_is_longer_than_allowed() {
    let full = ControlItem::Page(page(500));
    assert!(full.encode().len() <= ControlItem::MAX_SIZE, "{}", full.encode().len());
    assert_eq!(full.check(COMMUNITY, NOW), Ok(()));
    let over = ControlItem::Page(page(501));
    assert!(matches!(over.check(COMMUNITY, NOW), Err(ControlError::Form { .. })));
    let mut long = record();
    let cut =
        |number| Cut { device: device(number), cause: Cause::Seat(1), heads: Parents::default() };
    long.cuts = (0..200).map(cut).collect();
    let bytes = ControlItem::Record(Box::new(long)).encode();
    let size = ControlError::Size { what: "epoch record", size: bytes.len(), max: 4096 };
    assert_eq!(ControlItem::decode(&bytes), Err(size));
    let bytes = vec![0; ControlItem::MAX_SIZE + 1];
    assert!(matches!(ControlItem::decode(&bytes), Err(ControlError::Size { .. })));
}

#[test]
fn a_record_keeps_to_its_form() {
    let charter = Charter { kind: RoomKind::All, policy: Policy::OpenHistory };
    let (a, b) = (Wallet([1; 20]), Wallet([2; 20]));
    let wrong: [fn(&mut EpochRecord); 6] = [
        |it| it.generation = 0,
        |it| it.parents = Parents::default(),
        |it| it.cuts = vec![it.cuts[0].clone(), it.cuts[0].clone()],
        |it| it.pages = vec![it.pages[0]; 2],
        |it| {
            it.pages =
                (0..5).map(|n| PageRef { first: DeviceKey([n; 32]), ..it.pages[0] }).collect()
        },
        |it| it.charter = Some(Charter { kind: RoomKind::All, policy: Policy::OpenHistory }),
    ];
    for (rule, change) in wrong.into_iter().enumerate() {
        let mut record = record();
        change(&mut record);
        let item = ControlItem::Record(Box::new(record.sign(&secret(1))));
        assert!(matches!(item.check(COMMUNITY, NOW), Err(ControlError::Form { .. })), "{rule}");
    }
    for (kind, fits) in [(RoomKind::Direct(a, b), true), (RoomKind::Direct(b, a), false)] {
        let mut first = record();
        (first.parents, first.charter) = (Parents::default(), Some(Charter { kind, ..charter }));
        let item = ControlItem::Record(Box::new(first.sign(&secret(1))));
        assert_eq!(item.check(COMMUNITY, NOW).is_ok(), fits);
    }
    assert_eq!(RoomKind::direct(b, a), RoomKind::Direct(a, b));
}

#[test]
fn a_device_finds_its_page_by_the_first_on_each() {
    let mut record = record();
    let of = |first: u8| PageRef { first: DeviceKey([first; 32]), page: OpId([first; 32]) };
    record.pages = vec![of(10), of(20)];
    let found = [9, 10, 19, 20, 255].map(|number| record.page_of(DeviceKey([number; 32])));
    let (first, second) = (Some(OpId([10; 32])), Some(OpId([20; 32])));
    assert_eq!(found, [None, first, first, second, second]);
}

#[test]
fn nothing_from_the_future_is_taken_yet() {
    for item in items() {
        let early = Time(NOW.0 - 5 * 60 * 1000);
        assert_eq!(item.check(COMMUNITY, early), Ok(()));
        let earlier = Time(early.0 - 1);
        assert_eq!(item.check(COMMUNITY, earlier), Err(ControlError::Early(item.name())));
    }
}

#[test]
fn nothing_of_another_community_is_taken() {
    let other = Community { id: 2, ..COMMUNITY };
    for item in items() {
        let foreign = matches!(item.check(other, NOW), Err(ControlError::OtherCommunity(_)));
        let anywhere = matches!(
            item,
            ControlItem::Certificate(_)
                | ControlItem::Revoke(_)
                | ControlItem::Prekey(_)
                | ControlItem::Page(_)
        );
        assert_eq!(foreign, !anywhere, "{}", item.name());
    }
}

#[test]
fn what_handed_out_keys_is_over_after_thirty_days_and_all_else_stays() {
    let later = NOW + HANDOUT_LIFE + Duration::from_millis(1);
    let over: Vec<_> =
        items().iter().filter(|item| item.is_over(later)).map(ControlItem::name).collect();
    assert_eq!(over, ["prekey", "wrap page", "key request", "grant"]);
    assert!(!items().iter().any(|item| item.is_over(NOW + HANDOUT_LIFE)));
}

#[test]
fn an_expired_certificate_still_tells_whose_the_device_was() {
    let item = &items()[0];
    assert_eq!(item.check(COMMUNITY, NOW + Duration::from_secs(400 * 24 * 3600)), Ok(()));
}

#[test]
fn a_revocation_is_the_wallets_alone_and_can_be_written_in_one_way() {
    let wallet = TestWallet::new(1);
    let right = revoke(&wallet, device(1), NOW);
    assert!(right.is_signed());
    let text = Revoke::text(wallet.address(), device(1), NOW);
    assert!(text.contains(&device(1).did_key()) && text.contains("2026-01-01T00:00:00Z"), "{text}");
    let other = revoke(&TestWallet::new(2), device(1), NOW);
    assert!(!Revoke { wallet: wallet.address(), ..other }.is_signed());
    assert!(!revoke(&wallet, device(1), Time(NOW.0 + 1)).is_signed(), "less than a second");
    let mut again = right.clone();
    *again.signature.last_mut().unwrap() -= 27;
    assert!(!again.is_signed(), "the same signature, written in another way");
}

#[test]
fn nobody_vouches_for_its_own_ops() {
    let Some(ControlItem::CutHead(right)) = items().pop() else { unreachable!() };
    let own = CutHead { cut: right.holder, ..right }.sign(&secret(1));
    let error = ControlItem::CutHead(own).check(COMMUNITY, NOW);
    assert!(matches!(error, Err(ControlError::Form { .. })));
}

#[test]
fn the_id_of_a_room_tells_its_kind() {
    let direct = RoomKind::Direct(Wallet([1; 20]), Wallet([2; 20]));
    let room = direct.room([7; 16]);
    assert!(direct.fits(&room) && !RoomKind::All.fits(&room));
    assert!(!RoomKind::Direct(Wallet([1; 20]), Wallet([3; 20])).fits(&room));
    assert!(!direct.fits(&RoomId::new([7; 32])));
}

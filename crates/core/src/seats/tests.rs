use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

const OWNER: Wallet = wallet(1);
const ALICE: Wallet = wallet(2);
const BOB: Wallet = wallet(3);

const fn wallet(number: u8) -> Wallet {
    Wallet([number; 20])
}

fn change(account: Wallet, kind: u8) -> Change {
    Change { account, kind, time: Time::from_secs(1000) }
}

fn head(changes: &[Change]) -> Head {
    let rolling = changes
        .iter()
        .zip(1..)
        .fold([0; 32], |rolling, (change, version)| next_rolling(rolling, change, version));
    Head { version: changes.len() as u64, rolling }
}

fn replayed(changes: &[Change]) -> Seats {
    let mut seats = Seats::default();
    seats.replace(0, changes, head(changes)).unwrap();
    seats
}

fn story() -> Vec<Change> {
    [
        (OWNER, 3),
        (ALICE, 1),
        (OWNER, 16),
        (ALICE, 2),
        (OWNER, 17),
        (ALICE, 1),
        (BOB, 255),
        (ALICE, 0),
    ]
    .map(|(account, kind)| change(account, kind))
    .to_vec()
}

#[test]
fn the_digest_is_what_another_program_works_out() {
    let digest = "4421095ef252248c87c82124ba14c5b2a5177e8aa193d7272d472d17bc223696";
    let rolling = replayed(&story()[..3]).rolling(3).unwrap();
    assert_eq!(alloy_primitives::hex::encode(rolling), digest);
}

#[test]
fn a_role_is_that_of_the_last_change_until_then() {
    let seats = replayed(&story());
    let alice: Vec<_> = (0..=8).map(|version| seats.role(ALICE, version).unwrap()).collect();
    use Role::{Member, Moderator, None};
    assert_eq!(
        alice,
        [None, None, Member, Member, Moderator, Moderator, Member, Member, None],
        "and a pause changes nobody's"
    );
    assert_eq!(seats.role(ALICE, 9), Option::None);
    assert_eq!(seats.role(OWNER, 8), Some(Role::Owner));
    assert_eq!(seats.role(BOB, 8), Some(Role::Banned));
    assert_eq!((seats.lost(ALICE, 8), seats.lost(ALICE, 7)), (Some(8), Option::None));
    assert_eq!(seats.lost(BOB, 8), Option::None, "who never had a seat lost none");
    let banned = replayed(&[story(), vec![change(ALICE, 255)]].concat());
    assert_eq!(banned.lost(ALICE, 9), Some(8), "it was lost before the ban");
    assert!(seats.ever(ALICE) && !seats.ever(BOB) && !seats.ever(wallet(9)));
}

#[test]
fn losses_are_seats_and_ranks_that_were_taken() {
    let seats = replayed(&story());
    assert!(seats.losses(0).eq([(6, ALICE), (8, ALICE)]));
    assert!(seats.losses(6).eq([(8, ALICE)]));
    assert_eq!(seats.losses(8).count(), 0);
    assert!(seats.arrivals(0).eq([(1, OWNER), (2, ALICE)]));
}

#[test]
fn pages_are_taken_only_if_they_lead_to_the_digest() {
    let story = story();
    let mut seats = Seats::default();
    seats.replace(0, &story[..3], head(&story[..3])).unwrap();
    assert_eq!(seats.compare(head(&story)), Compared::Longer);
    let mut forged = story[3..].to_vec();
    forged[0].account = BOB;
    assert_eq!(seats.replace(3, &forged, head(&story)), Err(SeatsError::Digest));
    assert_eq!(
        seats.replace(4, &story[4..], head(&story)),
        Err(SeatsError::Gap { from: 4, known: 3 })
    );
    let short = SeatsError::Length { reached: 7, wanted: 8 };
    assert_eq!(seats.replace(3, &story[3..7], head(&story)), Err(short));
    assert_eq!(seats.newest(), 3, "none of these changed anything");
    seats.replace(3, &story[3..], head(&story)).unwrap();
    assert_eq!(seats.compare(head(&story)), Compared::Same);
    assert_eq!(seats.rolling(8), Some(head(&story).rolling));
    assert_eq!((seats.rolling(0), seats.rolling(9)), (Some([0; 32]), None));
}

#[test]
fn a_suffix_that_the_chain_took_back_is_replaced() {
    let mut seats = replayed(&story());
    let mut other = story()[..5].to_vec();
    other.push(change(BOB, 1));
    assert_eq!(seats.compare(head(&other)), Compared::Other);
    assert_eq!(seats.compare(head(&story()[..5])), Compared::Shorter);
    assert_eq!(seats.replace(6, &[], head(&other)), Err(SeatsError::Digest), "not far enough back");
    seats.replace(5, &other[5..], head(&other)).unwrap();
    assert_eq!(seats.newest(), 6);
    assert_eq!(seats.role(ALICE, 6), Some(Role::Moderator));
    assert_eq!(seats.role(BOB, 6), Some(Role::Member));
}

#[test]
fn a_hundred_thousand_changes_are_held_and_more_than_the_bound_are_not() {
    let account = |number: u32| {
        let mut bytes = [7; 20];
        bytes[..4].copy_from_slice(&number.wrapping_mul(0x9e37_79b1).to_be_bytes());
        Wallet(bytes)
    };
    let changes: Vec<_> =
        (0..100_000).map(|n| change(account(n % 40_000), 1 + (n % 2) as u8)).collect();
    let seats = replayed(&changes);
    assert_eq!(seats.role(account(39_999), 39_999), Some(Role::None));
    assert_eq!(seats.role(account(39_999), 40_000), Some(Role::Moderator));
    let too_many = vec![change(ALICE, 1); (Seats::MAX_CHANGES + 1) as usize];
    let head = Head { version: too_many.len() as u64, rolling: [0; 32] };
    assert!(matches!(Seats::default().replace(0, &too_many, head), Err(SeatsError::TooMany(_))));
}

fn any_change() -> impl Strategy<Value = Change> {
    let kind = prop::sample::select(vec![0, 1, 2, 3, 255, 16, 17, 40]);
    (1..6_u8, kind).prop_map(|(account, kind)| change(wallet(account), kind))
}

proptest! {
    #[test]
    fn however_the_pages_were_cut_the_roles_are_those_of_a_plain_replay(
        story in prop::collection::vec(any_change(), 0..40),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..5),
        wrong in prop::collection::vec(any_change(), 0..5),
    ) {
        let mut seats = Seats::default();
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(story.len() + 1)).collect();
        cuts.sort_unstable();
        for cut in cuts {
            let from = usize::try_from(seats.newest()).unwrap();
            seats.replace(from as u64, &story[from..cut], head(&story[..cut])).unwrap();
        }
        let from = usize::try_from(seats.newest()).unwrap();
        let other = [&story[..from], &wrong].concat();
        seats.replace(from as u64, &wrong, head(&other)).unwrap();
        seats.replace(from as u64, &story[from..], head(&story)).unwrap();

        let mut roles = BTreeMap::new();
        for version in 0..=story.len() {
            if let Some(change) = version.checked_sub(1).map(|place| &story[place])
                && let Some(role) = Role::from_contract(change.kind)
            {
                roles.insert(change.account, role);
            }
            for number in 0..7 {
                let expected = roles.get(&wallet(number)).copied().unwrap_or(Role::None);
                prop_assert_eq!(seats.role(wallet(number), version as u64), Some(expected));
            }
            prop_assert_eq!(seats.rolling(version as u64), Some(head(&story[..version]).rolling));
        }
    }
}

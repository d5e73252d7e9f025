//! Whether those in a town have what they must.

use super::*;
use chats_core::{
    content::Mentions,
    fixtures::{self, COMMUNITY, NOW, TestWallet},
    keyring::MAX_OPS,
    seats::Seats,
};

/// The owner and three moderators.
const WALLETS: u8 = 4;
/// In any order that ids may have.
const ORDERS: u8 = 4;

fn seats() -> Result<(Vec<Change>, Head)> {
    let mut seats = Seats::default();
    for number in 1..=WALLETS {
        let kind = if number == 1 { 3 } else { 2 };
        let account = TestWallet::new(number).address();
        let change = Change { account, kind, time: NOW };
        let (known, version) = (seats.newest(), seats.newest() + 1);
        let rolling = seats.rolling(known).context("no digest")?;
        let rolling = fixtures::next_rolling(rolling, &change, version);
        seats.replace(known, &[change], Head { version, rolling })?;
    }
    let version = seats.newest();
    let rolling = seats.rolling(version).context("no digest")?;
    Ok((seats.after(0).to_vec(), Head { version, rolling }))
}

#[test]
fn all_are_sealed_the_key_of_an_epoch_that_a_message_opens() -> Result<()> {
    for order in 0..ORDERS {
        let mut town = Town::new(COMMUNITY, seats()?, NOW);
        for number in 1..=WALLETS {
            let secret = DeviceSecret::from_seed(&[number * 16 + order; 32]);
            let wallet = TestWallet::new(number);
            let certificate = fixtures::certificate(&wallet, &secret, town.now);
            let seeds = [1, 2, 3].map(|seed| [number * 16 + order + seed; 32]);
            town.join(secret, certificate, seeds)?;
            town.acquaint()?;
        }
        let room = town.first_room()?;
        town.syncs = false;
        // The first op named the room, so the last of these is one too many for an epoch.
        for number in 0..MAX_OPS {
            let author = usize::try_from(number)? % usize::from(WALLETS);
            let (markdown, mentions) = (number.to_string(), Mentions::default());
            town.act(author, Action::Write { room, markdown, reply: None, mentions })?;
            town.pass(Duration::from_millis(600));
        }
        town.open_all().with_context(|| format!("order {order}"))?;
        let ops: Vec<_> = town.devices.iter().map(|it| it.counts.ops).collect();
        assert_eq!(ops, [MAX_OPS + 1; WALLETS as usize], "order {order}");
    }
    Ok(())
}

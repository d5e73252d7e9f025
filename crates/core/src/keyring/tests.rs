use super::*;
use crate::control::{BadWrap, Charter, CutHead, KeyRequest, Prekey, Revoke};
use crate::fixtures::{self, COMMUNITY, NOW, TestWallet};
use crate::hlc::Hlc;
use crate::id::{DeviceSecret, DeviceSignature, Wallet};
use crate::seats::{Change, Head};
use crate::time::Duration;
use zeroize::Zeroizing;

mod converging;
mod cutting;
mod handing;
mod making;
mod validity;

const DAY: Duration = Duration::from_secs(24 * 3600);
const ROOM: Charter = Charter { kind: RoomKind::All, policy: Policy::OpenHistory };
const UNSIGNED: DeviceSignature = DeviceSignature([0; 64]);

/// A device of the wallet with the same number, and what it knows.
struct Member {
    secret: DeviceSecret,
    prekeys: Vec<PrekeySecret>,
    devices: Devices,
    keyring: Option<Keyring>,
}

/// A community in which everything is told to everybody, unless a test says otherwise.
struct Town {
    seats: Seats,
    now: Time,
    members: Vec<Member>,
    /// All that was ever said.
    items: Vec<ControlItem>,
    random: u64,
}

fn wallet(number: u8) -> Wallet {
    TestWallet::new(number).address()
}

fn device(number: u8) -> DeviceKey {
    DeviceSecret::from_seed(&[number; 32]).device()
}

/// Random bytes that are the same in each run.
fn random(count: &mut u64) -> impl FnMut(&mut [u8]) {
    move |into| {
        *count += 1;
        blake3::Hasher::new().update(&count.to_be_bytes()).finalize_xof().fill(into);
    }
}

fn seats(changes: &[(u8, u8)]) -> Seats {
    let mut seats = Seats::default();
    changes.iter().for_each(|(account, kind)| change(&mut seats, *account, *kind));
    seats
}

fn change(seats: &mut Seats, account: u8, kind: u8) {
    let change = Change { account: wallet(account), kind, time: NOW };
    let version = seats.newest() + 1;
    let rolling = seats.rolling(version - 1).unwrap();
    let mut words = [[0; 32]; 4];
    words[0] = rolling;
    words[1][31] = kind;
    words[2][12..].copy_from_slice(&change.account.0);
    words[3][24..].copy_from_slice(&version.to_be_bytes());
    let rolling = alloy_primitives::keccak256(words.as_flattened()).0;
    seats.replace(version - 1, &[change], Head { version, rolling }).unwrap();
}

impl Member {
    fn new(number: u8) -> Self {
        Self {
            secret: DeviceSecret::from_seed(&[number; 32]),
            prekeys: vec![PrekeySecret::new(Zeroizing::new([number; 32]))],
            devices: Devices::default(),
            keyring: None,
        }
    }

    fn view<'a>(&'a self, seats: &'a Seats, now: Time) -> View<'a> {
        View { seats, devices: &self.devices, prekeys: &self.prekeys, now }
    }

    fn hear(&mut self, item: &ControlItem, tag: RoomTag) {
        self.devices.insert(item);
        let own = self.secret.device();
        let keyring = self.keyring.get_or_insert_with(|| Keyring::new(COMMUNITY, tag, own));
        keyring.insert(item.id(), item);
    }

    fn settle(&mut self, seats: &Seats, now: Time) {
        let Self { devices, prekeys, keyring, .. } = self;
        if let Some(keyring) = keyring {
            keyring.settle(View { seats, devices, prekeys, now });
        }
    }
}

impl Town {
    /// Wallets 1 (owner), 2 (moderator), 3 and on (members), each with one device.
    fn new(count: u8) -> Self {
        let role = |number| match number {
            1 => 3,
            2 => 2,
            _ => 1,
        };
        let seats = seats(&(1..=count).map(|it| (it, role(it))).collect::<Vec<_>>());
        let members = (1..=count).map(Member::new).collect();
        let mut town = Self { seats, now: NOW, members, items: Vec::new(), random: 0 };
        for number in 1..=count {
            town.vouch(number, number);
            town.prekey(number);
        }
        town
    }

    /// One in which wallet 1 has made a room.
    fn with_room(count: u8, charter: Charter) -> Self {
        let mut town = Self::new(count);
        town.found(1, charter);
        town
    }

    fn member(&mut self, number: u8) -> &mut Member {
        &mut self.members[usize::from(number) - 1]
    }

    fn ring(&self, number: u8) -> &Keyring {
        self.members[usize::from(number) - 1].keyring.as_ref().unwrap()
    }

    fn view(&self, number: u8) -> View<'_> {
        self.members[usize::from(number) - 1].view(&self.seats, self.now)
    }

    fn tag(&self) -> RoomTag {
        let tag = |member: &Member| Some(member.keyring.as_ref()?.tag());
        self.members.iter().find_map(tag).unwrap_or(RoomTag([0; 16]))
    }

    /// Tells all.
    fn say(&mut self, item: ControlItem) {
        assert_eq!(item.check(COMMUNITY, self.now), Ok(()));
        let tag = self.tag();
        for member in &mut self.members {
            member.hear(&item, tag);
        }
        self.items.push(item);
        self.settle();
    }

    fn settle(&mut self) {
        for member in &mut self.members {
            member.settle(&self.seats, self.now);
        }
    }

    fn change(&mut self, account: u8, kind: u8) {
        change(&mut self.seats, account, kind);
        self.settle();
    }

    fn wait(&mut self, duration: Duration) {
        self.now = self.now + duration;
        self.settle();
    }

    fn certificate(&self, wallet: u8, device: u8) -> ControlItem {
        let secret = DeviceSecret::from_seed(&[device; 32]);
        let wallet = TestWallet::new(wallet);
        ControlItem::Certificate(fixtures::certificate(&wallet, &secret, self.now))
    }

    fn vouch(&mut self, wallet: u8, device: u8) {
        let certificate = self.certificate(wallet, device);
        for member in &mut self.members {
            member.devices.insert(&certificate);
        }
        self.items.push(certificate);
        self.settle();
    }

    fn prekey(&mut self, number: u8) {
        let now = self.now;
        let member = self.member(number);
        let (device, key) = (member.secret.device(), member.prekeys[0].public());
        let prekey = Prekey { device, key, time: now, signature: UNSIGNED }.sign(&member.secret);
        let item = ControlItem::Prekey(prekey);
        for member in &mut self.members {
            member.devices.insert(&item);
        }
        self.items.push(item);
    }

    fn revoke(&mut self, wallet: u8, device_number: u8) {
        let (time, by) = (Time::from_secs(self.now.secs()), TestWallet::new(wallet));
        let (wallet, device) = (by.address(), device(device_number));
        let signature = by.sign(&Revoke::text(wallet, device, time)).try_into().unwrap();
        self.say(ControlItem::Revoke(Revoke { wallet, device, time, signature }));
    }

    fn found(&mut self, by: u8, charter: Charter) -> EpochId {
        let Self { seats, now, members, random: count, .. } = self;
        let member = &members[usize::from(by) - 1];
        let (me, view) = (&member.secret, member.view(seats, *now));
        let (keyring, epoch) =
            Keyring::found(COMMUNITY, charter, me, view, &mut random(count)).unwrap();
        let tag = keyring.tag();
        for member in members {
            let own = member.secret.device();
            member.keyring = Some(Keyring::new(COMMUNITY, tag, own));
        }
        self.publish(by, epoch)
    }

    /// Makes an epoch without telling the others.
    fn make(&mut self, by: u8) -> NewEpoch {
        self.try_make(by, &mut |_| Vec::new()).unwrap()
    }

    fn try_make(
        &mut self,
        by: u8,
        last_ops: &mut dyn FnMut(DeviceKey) -> Vec<OpId>,
    ) -> Result<NewEpoch, MakeError> {
        let Self { seats, now, members, random: count, .. } = self;
        let member = &members[usize::from(by) - 1];
        let (keyring, view) = (member.keyring.as_ref().unwrap(), member.view(seats, *now));
        keyring.make(&member.secret, view, last_ops, &mut random(count))
    }

    fn publish(&mut self, by: u8, new: NewEpoch) -> EpochId {
        let keyring = self.member(by).keyring.as_mut().unwrap();
        keyring.restore(new.epoch, new.secret);
        for item in new.items {
            self.say(item);
        }
        new.epoch
    }

    fn rotate(&mut self, by: u8) -> EpochId {
        let new = self.make(by);
        self.publish(by, new)
    }

    fn sending(&self, number: u8) -> Option<EpochId> {
        self.ring(number).sending().map(|record| record.epoch)
    }

    fn due(&self, number: u8) -> Option<Due> {
        self.ring(number).due(self.view(number), 0)
    }

    fn state(&self, number: u8, epoch: EpochId) -> Vec<State> {
        let records = self.ring(number).records();
        records.filter(|(_, it, _)| it.epoch == epoch).map(|(.., state)| state).collect()
    }

    /// The devices on the pages of an epoch.
    fn wrapped(&self, epoch: EpochId) -> Vec<DeviceKey> {
        let page = |item: &ControlItem| match item {
            ControlItem::Page(page) if page.epoch == epoch => Some(page.clone()),
            _ => None,
        };
        let pages = self.items.iter().filter_map(page);
        pages.flat_map(|page| page.wraps).map(|wrap| wrap.device).collect()
    }

    fn record(&self, epoch: EpochId) -> EpochRecord {
        let mut records = self.items.iter().filter_map(|item| match item {
            ControlItem::Record(record) if record.epoch == epoch => Some((**record).clone()),
            _ => None,
        });
        records.next_back().unwrap()
    }
}

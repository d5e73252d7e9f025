//! What takes in a backup: the file itself, and what an honest passphrase opens in it.

use argon2::{Algorithm, Argon2, Params, Version};
use chats_core::{
    fixtures::{self, COMMUNITY, NOW, TestWallet},
    id::{Community, DeviceSecret, Wallet},
    rooms::{Action, Identity, Incoming, Input, Outgoing, Output, Passphrase, Rooms},
    seal::SealKey,
    seats::{Change, Head},
    store::{Memory, Store},
    wire,
};
use futures::executor::block_on;
use minicbor::bytes::ByteArray;
use std::sync::OnceLock;
use zeroize::Zeroizing;

const MAGIC: &[u8] = b"community-chats backup\0";
const PASSPHRASE: &str = "correct horse";
const SALT: [u8; 16] = [7; 16];
const NONCE: [u8; 16] = [8; 16];
/// Argon2id's memory in KiB and passes: the least that there are.
const COST: (u32, u32) = (8, 1);
/// The most outputs that come of one file.
const MAX_OUTPUTS: usize = 10_000;

type Header = (u8, Community, u32, u32, ByteArray<16>, ByteArray<16>);

/// The first byte says whether the others are a file, or what is sealed in one.
pub(crate) fn read_backup(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    let file = if kind & 1 == 0 { rest.to_vec() } else { sealed(rest) };
    if !is_dear(&file) {
        take_in(file);
    }
}

/// Whether it takes more than a moment to derive the key of a file. That there is a limit to it is
/// for tests of their own.
fn is_dear(file: &[u8]) -> bool {
    let header = || {
        let (length, rest) = file.strip_prefix(MAGIC)?.split_first_chunk()?;
        let header = rest.get(..usize::from(u16::from_be_bytes(*length)))?;
        minicbor::decode::<Header>(header).ok()
    };
    header().is_some_and(|header| header.2 > COST.0 || header.3 > COST.1)
}

fn key() -> SealKey {
    static KEY: OnceLock<[u8; 32]> = OnceLock::new();
    let key = KEY.get_or_init(|| {
        let mut key = [0; 32];
        let params = Params::new(COST.0, COST.1, 1, Some(32)).expect("the least there are");
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(PASSPHRASE.as_bytes(), &SALT, &mut key)
            .expect("a passphrase and a salt");
        key
    });
    SealKey::new(Zeroizing::new(*key))
}

/// A file of one part with this in it.
fn sealed(plain: &[u8]) -> Vec<u8> {
    let header: Header =
        (1, COMMUNITY, COST.0, COST.1, ByteArray::from(SALT), ByteArray::from(NONCE));
    let header = wire::encode(&header);
    let mut nonce = [0; 24];
    nonce.iter_mut().zip(NONCE).for_each(|(to, from)| *to = from);
    let mut part = plain.to_vec();
    key().seal(&nonce, &[header.as_slice(), &[1]].concat(), &mut part);
    let lengths = (
        u16::try_from(header.len()).unwrap_or(u16::MAX).to_be_bytes(),
        u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes(),
    );
    [MAGIC, &lengths.0, &header, &lengths.1, &part].concat()
}

/// The device that takes files in, and its wallet.
fn device() -> &'static (Identity, Wallet) {
    static DEVICE: OnceLock<(Identity, Wallet)> = OnceLock::new();
    DEVICE.get_or_init(|| {
        let (secret, wallet) = (DeviceSecret::from_seed(&[1; 32]), TestWallet::new(1));
        let certificate = fixtures::certificate(&wallet, &secret, NOW);
        (Identity { community: COMMUNITY, secret, certificate }, wallet.address())
    })
}

/// Has a device take in a file, which must answer whether it did.
fn take_in(file: Vec<u8>) {
    let (me, wallet) = device();
    let seed = || Zeroizing::new([2; 32]);
    let store = block_on(Store::open(Memory::default(), SealKey::new(seed()), seed()));
    let store = store.expect("there is nothing in it yet");
    let mut rooms = Rooms::new(me.clone(), seed(), NOW);
    let mut answered = false;
    drain(&mut rooms, &store, *wallet, &mut answered);
    let passphrase = Passphrase::new(Zeroizing::new(PASSPHRASE.to_owned()));
    let action = Action::Import { passphrase, file: file.into() };
    rooms.handle(Input::Incoming(Incoming::Act { number: 1, action }), NOW);
    drain(&mut rooms, &store, *wallet, &mut answered);
    assert!(answered, "nobody says whether the backup was taken in");
}

fn drain(rooms: &mut Rooms, store: &Store<Memory>, wallet: Wallet, answered: &mut bool) {
    let mut outputs = 0;
    while let Some(output) = rooms.poll() {
        outputs += 1;
        assert!(outputs <= MAX_OUTPUTS, "it does not come to an end");
        match output {
            Output::Store { ticket, request } => {
                let result = block_on(store.serve(request));
                rooms.handle(Input::Stored { ticket, result }, NOW);
            }
            // The community has its owner.
            Output::Outgoing(Outgoing::ReadChanges { from }) => {
                let change = Change { account: wallet, kind: 3, time: NOW };
                let rolling = fixtures::next_rolling([0; 32], &change, 1);
                let changes = if from == 0 { vec![change] } else { Vec::new() };
                let head = Head { version: 1, rolling };
                let incoming = Incoming::Changes { from, changes, head };
                rooms.handle(Input::Incoming(incoming), NOW);
            }
            Output::Outgoing(Outgoing::Done { .. }) => *answered = true,
            Output::Outgoing(_) => {}
        }
    }
}

//! A backup, and what a new device has of it.

use crate::town::Town;
use chats_core::rooms::{Action, Passphrase, RoomState};
use chats_core::time::Duration;
use zeroize::Zeroizing;

const MOMENT: Duration = Duration::from_secs(2);

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(Zeroizing::new(text.to_owned()))
}

/// A community of two whose second member wrote a backup.
fn backed_up() -> (Town, chats_core::epoch::RoomTag, Vec<u8>) {
    let (mut town, room) = Town::with_room(2);
    town.open_all(room);
    town.say(0, room, "one");
    town.say(1, room, "two");
    town.act(1, Action::Export { passphrase: passphrase("correct horse") });
    let file = town.people[1].backup.clone();
    (town, room, file)
}

#[test]
fn a_new_device_reads_what_is_in_the_backup_without_anybody() {
    let (mut town, room, file) = backed_up();
    let new = town.come(2, 22);
    town.run(MOMENT);
    assert!(town.people[new].list.is_empty());
    town.act(new, Action::Import { passphrase: passphrase("correct horse"), file: file.into() });
    town.run(MOMENT);
    assert_eq!(town.people[new].list[0].state, RoomState::Open);
    town.open(new, room);
    town.run(MOMENT);
    assert_eq!(town.people[new].said(), ["one", "two"]);
    town.restart(new);
    town.open(new, room);
    town.run(MOMENT);
    assert_eq!(town.people[new].said(), ["one", "two"]);
    town.bring_back(new);
    town.run(Duration::from_secs(20));
    town.say(new, room, "three");
    town.run(MOMENT);
    town.open_all(room);
    town.all_read(&["one", "two", "three"]);
}

#[test]
fn a_backup_opens_with_its_passphrase_alone_and_whole() {
    let (mut town, _, file) = backed_up();
    let new = town.come(2, 22);
    let mut import = |passphrase, file: Vec<u8>| {
        town.try_act(new, Action::Import { passphrase, file: file.into() }).map(drop)
    };
    assert!(import(passphrase("correct horsf"), file.clone()).unwrap_err().contains("passphrase"));
    for cut in [file.len() - 1, file.len() - 30, file.len() / 2] {
        assert!(import(passphrase("correct horse"), file[..cut].to_vec()).is_err(), "{cut}");
    }
    let mut flipped = file.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    assert!(import(passphrase("correct horse"), flipped).is_err());
    assert!(import(passphrase("correct horse"), b"something else".to_vec()).is_err());
    assert!(import(passphrase("correct horse"), file).is_ok());
}

#[test]
fn a_backup_shows_neither_words_nor_the_secret_of_the_device() {
    let (mut town, _, file) = backed_up();
    let shows = |what: &[u8]| file.windows(what.len()).any(|bytes| bytes == what);
    let seed = town.people[1].secret.seed();
    assert!(!shows(b"two") && !shows(b"general") && !shows(&*seed));
    let short = Action::Export { passphrase: passphrase("short") };
    assert!(town.try_act(1, short).unwrap_err().contains("8 characters"));
}

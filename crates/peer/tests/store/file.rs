//! The file itself.

use crate::InFolder;
use chats_core::store::{
    StoreError,
    conformance::{Place, chapter, chapters, open_store},
};
use chats_peer::store::Redb;
use std::{fs, os::unix::fs::PermissionsExt};

fn mode(place: &InFolder) -> u32 {
    fs::metadata(place.file()).expect("the file").permissions().mode() & 0o7777
}

#[tokio::test]
async fn nobody_else_may_read_the_file() {
    let place = InFolder::new();
    drop(open_store(&place).await);
    assert_eq!(mode(&place), 0o600);
    fs::set_permissions(place.file(), fs::Permissions::from_mode(0o644)).expect("changed");
    drop(open_store(&place).await);
    assert_eq!(mode(&place), 0o600);
}

#[tokio::test]
async fn a_second_user_of_the_file_is_told_of_the_first() {
    let place = InFolder::new();
    let first = open_store(&place).await;
    assert_eq!(place.open().await.err(), Some(StoreError::Elsewhere));
    first.commit(chapter(1)).await.expect("committed");
    drop(first);
    assert_eq!(chapters(&open_store(&place).await).await, 1);
}

#[tokio::test]
async fn what_is_no_such_file_is_named_and_left_alone() {
    let place = InFolder::new();
    fs::write(place.file(), "a letter").expect("written");
    match place.open().await {
        Err(StoreError::Unavailable { reason }) => assert!(reason.contains("community.redb")),
        other => panic!("{other:?}"),
    }
    assert_eq!(fs::read(place.file()).expect("read"), b"a letter");
    let nowhere = place.file().join("below");
    assert!(matches!(Redb::open(&nowhere).await, Err(StoreError::Unavailable { .. })));
}

/// Whatever becomes of the file, opening and reading it end, with what was kept or with an error.
#[tokio::test]
async fn a_file_that_is_spoilt_anywhere_is_no_end_of_the_program() {
    let place = InFolder::new();
    let store = open_store(&place).await;
    for number in 1..=5 {
        store.commit(chapter(number)).await.expect("committed");
    }
    drop(store);
    let whole = fs::read(place.file()).expect("read");
    let (mut kept, mut refused) = (0, 0);
    for at in (0..whole.len()).step_by(whole.len() / 60) {
        let mut spoilt = whole.clone();
        spoilt.iter_mut().skip(at).take(64).for_each(|byte| *byte ^= 0x55);
        fs::write(place.file(), &spoilt).expect("written");
        let looked = tokio::spawn({
            let file = place.file();
            async move {
                let backend = Redb::open(&file).await?;
                let (key, seed) = ([42; 32].into(), [9; 32].into());
                let key = chats_core::seal::SealKey::new(key);
                let store = chats_core::store::Store::open(backend, key, seed).await?;
                for set in store.sets().await? {
                    let mut before = None;
                    loop {
                        let page = store.newest(set, before, 100).await?;
                        let Some(last) = page.last() else { break };
                        before = Some(last.entry.id);
                    }
                }
                Ok::<(), StoreError>(())
            }
        });
        match looked.await.expect("no panic") {
            Ok(()) => kept += 1,
            Err(_) => refused += 1,
        }
    }
    assert!(kept > 0 && refused > 0, "{kept} read, {refused} refused");
}

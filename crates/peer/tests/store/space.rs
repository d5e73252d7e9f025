//! A disk that is full.

use crate::{FILE, Given, InFolder, again};
use chats_core::store::{
    StoreError,
    conformance::{chapter, chapters, open_store},
};
use std::{io::Read, process::Command};

/// The size that the file may reach, in units of 512 B.
const BLOCKS: &str = "4000";

#[tokio::test]
async fn without_space_the_error_says_so_and_nothing_that_was_kept_is_lost() {
    let name = "space::without_space_the_error_says_so_and_nothing_that_was_kept_is_lost";
    if let Some(place) = Given::place() {
        return write_until_full(&place).await;
    }
    let place = InFolder::new();
    let test = again(name, &place);
    // The shell's limit stands for a full disk: writing beyond it fails.
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("trap '' XFSZ; ulimit -f {BLOCKS}; exec \"$0\" \"$@\"")]);
    shell.arg(test.get_program()).args(test.get_args()).env(FILE, place.file());
    let mut writer = shell.stdout(std::process::Stdio::piped()).spawn().expect("a writer");
    let mut said = String::new();
    writer.stdout.take().expect("its output").read_to_string(&mut said).expect("text");
    assert!(writer.wait().expect("its end").success(), "{said}");
    let kept = said.lines().find_map(|line| line.strip_prefix("kept ")).expect("a number");

    let store = open_store(&place).await;
    assert_eq!(chapters(&store).await.to_string(), kept);
    store.commit(chapter(kept.parse::<u64>().expect("a number") + 1)).await.expect("committed");
}

async fn write_until_full(place: &Given) {
    let store = open_store(place).await;
    let mut kept = 0;
    let refused = loop {
        match store.commit(chapter(kept + 1)).await {
            Ok(()) => kept += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(refused, StoreError::Quota);
    assert!(kept > 10, "{kept} chapters");
    // The same store can be read on. What it writes next may fit: opening the file anew, after the
    // error, puts it in order.
    assert_eq!(chapters(&store).await, kept);
    match store.commit(chapter(kept + 1)).await {
        Ok(()) => kept += 1,
        Err(error) => assert_eq!(error, StoreError::Quota),
    }
    assert_eq!(chapters(&store).await, kept);
    println!("\nkept {kept}");
}

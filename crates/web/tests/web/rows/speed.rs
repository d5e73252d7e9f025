//! How long it takes.

use super::InBrowser;
use chats_core::store::{
    SetId,
    conformance::{batch_of, open_store},
};
use wasm_bindgen_test::{console_log, wasm_bindgen_test};

const ITEMS: u64 = 10_000;
const BATCH: u64 = 512;
const SIZE: usize = 512;

fn now() -> f64 {
    web_sys::window().and_then(|window| window.performance()).expect("a clock").now()
}

#[wasm_bindgen_test]
async fn ten_thousand_items_are_kept_and_read_again() {
    let room = SetId([1; 16]);
    let place = InBrowser::new().await;
    let store = open_store(&place).await;
    let mut batches: Vec<_> = (0..ITEMS)
        .step_by(BATCH as usize)
        .map(|first| batch_of(room, first..(first + BATCH).min(ITEMS), SIZE))
        .collect();
    // The newest first, as a sync brings them.
    batches.reverse();
    let start = now();
    for batch in batches {
        store.commit(batch).await.expect("committed");
    }
    let written = now();
    drop(store);
    let reopening = now();
    let store = open_store(&place).await;
    let opened = now();
    let (mut items, mut before) = (0, None);
    loop {
        let page = store.newest(room, before, 128).await.expect("items");
        let Some(last) = page.last() else { break };
        before = Some(last.entry.id);
        items += page.len();
    }
    let read = now();
    assert_eq!(items as u64, ITEMS);
    let start_of_one = now();
    for number in 0..100 {
        store.commit(batch_of(room, [ITEMS + number], SIZE)).await.expect("committed");
    }
    let ones = now() - start_of_one;
    console_log!(
        "{ITEMS} items of {SIZE} B: {:.0} ms to commit in batches of {BATCH}, {:.0} ms to open, \
         {:.0} ms to read all; {:.1} ms to commit one",
        written - start,
        opened - reopening,
        read - opened,
        ones / 100.0
    );
    drop(store);
    chats_web::storage::delete(&place.0).await.expect("deleted");
}

//! A story in chapters, each one batch, for tests that end the writer at any moment: what is there
//! afterwards is a number of whole chapters.

use super::kit::{ROOM, all_items, item_of, value};
use crate::store::{Backend, Batch, Change, RowKind, Store};
use zeroize::Zeroizing;

/// Names the last chapter.
const LAST: &[u8] = b"last";
const SIZE: usize = 512;

/// How many items a chapter brings: many or one.
const fn length(chapter: u64) -> u64 {
    if chapter.is_multiple_of(3) { 1 } else { 40 }
}

/// The numbered chapter, from 1. It brings items, takes every other one of an earlier chapter back
/// and shortens some of the one before.
#[must_use]
pub fn chapter(number: u64) -> Batch {
    let mut batch = super::batch_of(ROOM, (0..length(number)).map(|at| number * 100 + at), SIZE);
    let items = |chapter: u64| {
        (0..length(chapter)).map(move |at| (at, item_of(chapter * 100 + at, SIZE).entry.id))
    };
    if let Some(earlier) = number.checked_sub(4).filter(|earlier| *earlier > 0) {
        for (_, id) in items(earlier).filter(|(at, _)| at % 2 == 1) {
            batch.change(ROOM, Change::Drop { id });
        }
    }
    if let Some(before) = number.checked_sub(1).filter(|before| *before > 0) {
        for (_, id) in items(before).filter(|(at, _)| *at < 10) {
            batch.change(ROOM, Change::Shrink { id, bytes: Vec::new() });
        }
    }
    batch.put(RowKind::Outbox, LAST, Zeroizing::new(number.to_string().into_bytes()));
    batch
}

/// How many chapters a store has.
///
/// # Panics
/// If it has anything else than so many whole chapters, or anything is damaged.
pub async fn chapters<B: Backend>(store: &Store<B>) -> u64 {
    let last = value(store, RowKind::Outbox, LAST).await;
    let last: u64 = last.map_or(0, |text| text.parse().expect("a number"));
    let mut expected = Vec::new();
    for number in 1..=last {
        for at in 0..length(number) {
            let mut item = item_of(number * 100 + at, SIZE);
            if at < 10 && number < last {
                item.bytes.clear();
                item.entry.size = 0;
            }
            if at % 2 == 0 || number + 4 > last {
                expected.push(item);
            }
        }
    }
    let items = all_items(store, ROOM).await;
    assert!(items == expected, "{} items of {last} chapters, not {}", items.len(), expected.len());
    assert_eq!(store.damage().await, []);
    last
}

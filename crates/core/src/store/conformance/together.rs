//! Several callers, and callers that go away.

use super::kit::{Place, ROOM, batch_of, ids_of, item_of, open_store};
use futures_util::future::{join, join_all};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

/// Items of one batch are all there or none, whenever somebody looks, and commits that are made at
/// once are all made.
pub async fn a_reader_never_sees_half_a_batch<P: Place>(place: &P) {
    let store = open_store(place).await;
    let commits = join_all((0..20).map(|batch| {
        let numbers = (0..30).map(move |number| batch * 1000 + number);
        store.commit(batch_of(ROOM, numbers, 512))
    }));
    let looks = join_all((0..40).map(|look| {
        let store = &store;
        async move {
            if look % 2 == 0 {
                ids_of(store, ROOM).await.len()
            } else {
                // One batch behind the first of its items.
                let before = Some(item_of((look / 2) * 1000 + 500, 0).entry.id);
                let page = store.newest(ROOM, before, 30).await.expect("items");
                page.len()
            }
        }
    }));
    let (commits, looks) = join(commits, looks).await;
    assert!(commits.into_iter().all(|done| done.is_ok()));
    assert!(looks.iter().all(|seen| seen % 30 == 0), "{looks:?}");
    assert_eq!(ids_of(&store, ROOM).await.len(), 600);
    drop(store);
    assert_eq!(ids_of(&open_store(place).await, ROOM).await.len(), 600);
}

/// A commit that is given up after any number of steps leaves a store that works.
pub async fn a_commit_that_nobody_waits_for_is_whole_or_not_there<P: Place>(place: &P) {
    let mut store = open_store(place).await;
    let mut sure = 0;
    for steps in 0..20 {
        // Merging reads and writes.
        let base = steps * 1000;
        for number in 0..3 {
            store.commit(batch_of(ROOM, [base + number], 512)).await.expect("committed");
        }
        {
            let mut commit = pin!(store.commit(batch_of(ROOM, base + 10..base + 140, 512)));
            for _ in 0..steps {
                let done = poll_fn(|context| Poll::Ready(commit.as_mut().poll(context))).await;
                if done.is_ready() {
                    break;
                }
                yield_now().await;
            }
        }
        store.commit(batch_of(ROOM, [base + 900], 512)).await.expect("committed");
        sure += 4;
        let ids = ids_of(&store, ROOM).await;
        assert_eq!(ids.len() % 130, sure % 130, "half a batch after {steps} steps");
        let wanted = [item_of(base + 900, 512).entry.id, item_of(base, 512).entry.id];
        assert_eq!(store.load(ROOM, &wanted).await.map(|items| items.len()), Ok(2));
        drop(store);
        store = open_store(place).await;
        assert_eq!(ids_of(&store, ROOM).await, ids);
        assert_eq!(store.damage().await, []);
    }
}

/// Lets others go first once.
async fn yield_now() {
    let mut yielded = false;
    poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

use crate::until;
use chats_web::tab::{self, TabError};
use std::{cell::Cell, rc::Rc};
use wasm_bindgen_test::wasm_bindgen_test;

#[wasm_bindgen_test]
async fn two_holds_exclude_each_other_until_the_first_is_dropped() {
    let first = tab::try_hold().await.expect("nobody else holds it");
    assert_eq!(tab::try_hold().await.err(), Some(TabError::InUse));
    drop(first);
    // The browser passes the release on to its lock manager in its own time.
    loop {
        match tab::try_hold().await {
            Ok(_hold) => break,
            Err(error) => assert_eq!(error, TabError::InUse),
        }
    }
}

#[wasm_bindgen_test]
async fn stealing_tells_the_holder_once_and_keeps_others_out() {
    let first = tab::steal().await.expect("first");
    let stolen = Rc::new(Cell::new(0));
    let count = Rc::clone(&stolen);
    let _subscription = first.on_stolen(move || count.set(count.get() + 1));
    let second = tab::steal().await.expect("second");
    until("the holder is told", || stolen.get() > 0).await;
    drop(first);
    assert_eq!(tab::try_hold().await.err(), Some(TabError::InUse));
    assert_eq!(stolen.get(), 1);
    drop(second);
}

#[wasm_bindgen_test]
async fn a_holder_that_asks_late_is_still_told() {
    let first = tab::steal().await.expect("first");
    let second = tab::steal().await.expect("second");
    until("the loss is known", || format!("{first:?}").contains("true")).await;
    let told = Rc::new(Cell::new(false));
    let seen = Rc::clone(&told);
    let _subscription = first.on_stolen(move || seen.set(true));
    assert!(!told.get(), "told from within the call");
    until("the holder is told", || told.get()).await;
    drop(second);
}

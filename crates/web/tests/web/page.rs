use crate::until;
use chats_core::time::{Duration, Time};
use chats_web::{clock, page, random, rpc::FetchError};
use std::{cell::RefCell, rc::Rc};
use wasm_bindgen_test::wasm_bindgen_test;

#[wasm_bindgen_test]
fn this_browser_lacks_nothing() {
    assert_eq!(page::missing(), vec![]);
    assert!(page::is_online());
    assert!(!page::is_https());
    assert!(page::host().starts_with("127.0.0.1:"));
    assert!(page::base_path().ends_with('/'));
}

#[wasm_bindgen_test]
async fn going_to_a_fragment_is_reported_and_replacing_it_is_not() {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let list = Rc::clone(&seen);
    let subscription = page::on_hash(move |hash| list.borrow_mut().push(hash));
    page::set_hash("#/c/1");
    until("the fragment is reported", || !seen.borrow().is_empty()).await;
    page::replace_hash("#/c/2");
    assert_eq!(page::hash(), "#/c/2");
    page::set_hash("#/c/3");
    until("the next one too", || seen.borrow().len() > 1).await;
    assert_eq!(*seen.borrow(), ["#/c/1", "#/c/3"]);
    drop(subscription);
    page::replace_hash("#");
}

#[wasm_bindgen_test]
fn a_session_flag_is_kept_and_forgotten() {
    page::set_session_flag("chats-test", Some("main"));
    assert_eq!(page::session_flag("chats-test").as_deref(), Some("main"));
    page::set_session_flag("chats-test", None);
    assert_eq!(page::session_flag("chats-test"), None);
}

#[wasm_bindgen_test]
fn a_mark_is_set_once() {
    let marks = || {
        let performance = web_sys::window().and_then(|w| w.performance()).expect("performance");
        performance.get_entries_by_name("chats:test").length()
    };
    page::mark_once("chats:test");
    page::mark_once("chats:test");
    assert_eq!(marks(), 1);
    page::mark("chats:test");
    assert_eq!(marks(), 2);
}

#[wasm_bindgen_test]
async fn files_beside_the_page_are_read_and_missing_ones_are_named() {
    let text = page::fetch_text("./").await.expect("the page itself");
    assert!(text.contains('<'));
    match page::fetch_text("no-such-file.json").await {
        Err(FetchError::Status { url, status, .. }) => {
            assert_eq!((url.as_str(), status), ("no-such-file.json", 404));
        }
        other => panic!("{other:?}"),
    }
}

#[wasm_bindgen_test]
fn randomness_fills_any_length_and_differs() {
    let mut long = vec![0; 200_000];
    random::fill(&mut long);
    assert!(long.chunks(1000).all(|part| part.iter().any(|byte| *byte != 0)));
    assert_ne!(random::bytes::<32>(), random::bytes::<32>());
}

#[wasm_bindgen_test]
async fn the_clock_is_of_this_century_and_goes_on() {
    let before = clock::now();
    clock::sleep(Duration::from_millis(20)).await;
    assert!(before > Time::from_secs(1_700_000_000));
    assert!(clock::now().since(before) >= Duration::from_millis(15));
}

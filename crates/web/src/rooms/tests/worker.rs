use super::super::messages::{ToPage, ToWorker};
use super::super::port::Port;
use super::super::{database, forget, worker};
use super::{certificate, soon};
use crate::js::Subscription;
use crate::storage::{IndexedDb, Storage};
use chats_core::fixtures::COMMUNITY;
use chats_core::id::DeviceSecret;
use chats_core::rooms::{Incoming, Keeping, Outgoing, View};
use chats_core::store::conformance::{Place, batch_of, open_store};
use chats_core::store::{SetId, StoreError};
use futures::StreamExt;
use futures::channel::mpsc;
use rexie::Rexie;
use wasm_bindgen::JsCast;
use wasm_bindgen_test::wasm_bindgen_test;
use web_sys::MessageChannel;

/// The page's end of a worker's side that runs in this window.
struct Page {
    port: Port,
    heard: mpsc::UnboundedReceiver<ToPage>,
    _ends: Subscription,
}

impl Page {
    fn new() -> Self {
        let channel = MessageChannel::new().expect("a channel");
        let (sender, heard) = mpsc::unbounded();
        channel.port1().start();
        channel.port2().start();
        let port: Port = channel.port1().unchecked_into();
        let listens = port.listen(move |message| {
            let _ = sender.unbounded_send(message);
        });
        let serves = worker::serve(channel.port2().unchecked_ref());
        Self { port, heard, _ends: listens.and(serves) }
    }

    async fn next(&mut self) -> ToPage {
        soon("the worker says something", self.heard.next()).await.expect("it lives")
    }

    /// Has it begin with this device, and gives what it says then.
    async fn begin(&mut self, secret: &DeviceSecret) -> ToPage {
        assert_eq!(self.next().await, ToPage::Here);
        let certificate = certificate(secret);
        self.port.say(&ToWorker::Begin { community: COMMUNITY, certificate });
        self.next().await
    }
}

/// A browser with a device and nothing else.
async fn device() -> DeviceSecret {
    forget(&COMMUNITY).await.expect("deleted");
    Storage::open().await.expect("open").create_device().await.expect("made")
}

struct Database;

impl Place for Database {
    type Backend = IndexedDb;

    async fn open(&self) -> Result<IndexedDb, StoreError> {
        IndexedDb::open(&database(&COMMUNITY)).await
    }
}

#[wasm_bindgen_test]
async fn the_store_is_opened_with_the_device_of_this_browser() {
    let secret = device().await;
    let mut page = Page::new();
    assert_eq!(page.begin(&secret).await, ToPage::Open);
}

#[wasm_bindgen_test]
async fn all_that_the_rooms_are_told_is_counted() {
    let secret = device().await;
    let mut page = Page::new();
    assert_eq!(page.begin(&secret).await, ToPage::Open);
    for version in 1..=200 {
        page.port.say(&ToWorker::Handle(Incoming::Version { version }));
        let mut handled = 0;
        while handled == 0 {
            if let ToPage::Did { handled: so_many, out } = page.next().await {
                handled += so_many;
                if !out.is_empty() {
                    page.port.say(&ToWorker::Took);
                }
            }
        }
        assert_eq!(handled, 1);
    }
}

#[wasm_bindgen_test]
async fn a_worker_that_waits_for_something_still_answers() {
    let mut page = Page::new();
    assert_eq!(page.next().await, ToPage::Here);
    page.port.say(&ToWorker::AreYouThere);
    assert_eq!(page.next().await, ToPage::Here);
}

#[wasm_bindgen_test]
async fn a_certificate_of_another_device_is_refused() {
    device().await;
    let mut page = Page::new();
    let ToPage::Failing(reason) = page.begin(&DeviceSecret::from_seed(&[1; 32])).await else {
        panic!("it was taken")
    };
    assert!(reason.contains("signed out"), "{reason}");
}

#[wasm_bindgen_test]
async fn what_a_newer_version_keeps_is_left_alone_and_said() {
    let secret = device().await;
    let newer = Rexie::builder(&database(&COMMUNITY)).version(9).build().await.expect("made");
    newer.close();
    let mut page = Page::new();
    let ToPage::Failing(reason) = page.begin(&secret).await else { panic!("it was opened") };
    assert!(reason.contains("newer version"), "{reason}");
    forget(&COMMUNITY).await.expect("deleted");
}

#[wasm_bindgen_test]
async fn what_cannot_be_opened_is_opened_once_it_can() {
    let secret = device().await;
    // As a tab of an older version would hold it, which does not let go.
    let older = idb::Factory::new().expect("databases");
    let older = older.open(&database(&COMMUNITY), Some(1)).expect("a request").await;
    let older = older.expect("open");
    let mut page = Page::new();
    // Without its tables, nothing can be written.
    let ToPage::Failing(_) = page.begin(&secret).await else { panic!("it was opened") };
    older.close();
    forget(&COMMUNITY).await.expect("deleted");
    loop {
        if page.next().await == ToPage::Open {
            return;
        }
    }
}

#[wasm_bindgen_test]
async fn what_was_sealed_for_a_device_that_is_gone_is_begun_anew_and_said() {
    let secret = device().await;
    // Sealed with a key of its own.
    let store = open_store(&Database).await;
    store.commit(batch_of(SetId([1; 16]), 0..3, 10)).await.expect("kept");
    drop(store);
    let mut page = Page::new();
    assert_eq!(page.begin(&secret).await, ToPage::Open);
    let damaged = Outgoing::Show(Box::new(View::Keeping(Keeping::Damaged)));
    assert_eq!(page.next().await, ToPage::Did { handled: 0, out: vec![damaged] });
}

#[wasm_bindgen_test]
async fn one_that_is_ended_lets_go_of_the_database() {
    let secret = device().await;
    let mut page = Page::new();
    assert_eq!(page.begin(&secret).await, ToPage::Open);
    drop(page);
    soon("the database is deleted", forget(&COMMUNITY)).await.expect("deleted");
}

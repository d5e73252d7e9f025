use super::super::messages::ToPage;
use super::super::{Health, RoomsWorker, State};
use super::{certificate, passed, soon};
use chats_core::fixtures::COMMUNITY;
use chats_core::id::DeviceSecret;
use chats_core::rooms::{Action, Incoming, Keeping, Outgoing, View};
use chats_core::wire;
use futures::StreamExt;
use js_sys::Array;
use std::cell::Cell;
use std::rc::Rc;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;
use wasm_bindgen_test::wasm_bindgen_test;
use web_sys::{Blob, BlobPropertyBag, Element, Url};

/// Where the page finds the worker's script.
struct Place(Element);

impl Place {
    /// A page that names a worker that says that it is here, and does this to what it hears: it
    /// knows `say`, and `data`, the bytes, whose second one is the kind.
    fn of(hears: &str) -> Self {
        let document = web_sys::window().and_then(|window| window.document()).expect("a page");
        let element = document.create_element("meta").expect("an element");
        element.set_attribute("name", "rooms-worker").expect("set");
        document.head().expect("a head").append_child(&element).expect("appended");
        let place = Self(element);
        place.change(hears);
        place
    }

    fn change(&self, hears: &str) {
        let said = |message: &ToPage| format!("{:?}", wire::encode(message));
        let text = format!(
            "const say = (bytes) => {{
               const {{ buffer }} = new Uint8Array(bytes);
               postMessage(buffer, [buffer]);
             }};
             const [here, open] = [{}, {}];
             onmessage = (event) => {{ const data = [...new Uint8Array(event.data)]; {hears} }};
             say(here);",
            said(&ToPage::Here),
            said(&ToPage::Open),
        );
        let kind = BlobPropertyBag::new();
        kind.set_type("text/javascript");
        let parts = Array::of1(&JsValue::from_str(&text));
        let blob = Blob::new_with_str_sequence_and_options(&parts, &kind).expect("a blob");
        let url = Url::create_object_url_with_blob(&blob).expect("an address");
        self.0.set_attribute("content", &url).expect("set");
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.remove();
    }
}

fn rooms() -> RoomsWorker {
    RoomsWorker::new(COMMUNITY, certificate(&DeviceSecret::from_seed(&[9; 32])))
}

/// Answers what the rooms are told by publishing it as it came, so that a test can look at it.
fn echo() -> String {
    let mut out = wire::encode(&ToPage::Did { handled: 1, out: vec![published(&[0; 200])] });
    // The bytes that it publishes come last. The test's own are shorter than 256.
    out.truncate(out.len() - 201);
    format!(
        "if (data[1] === 0) say(open);
         if (data[1] === 1) say([...{out:?}, data.length, ...data]);
         if (data[1] === 3) say(here);"
    )
}

fn published(bytes: &[u8]) -> Outgoing {
    Outgoing::Publish { message: bytes.to_vec().into() }
}

/// The next thing that the rooms want.
async fn next(rooms: &mut RoomsWorker) -> Outgoing {
    soon("the rooms want something", rooms.next()).await.expect("it goes on")
}

async fn keeping(rooms: &mut RoomsWorker) -> Keeping {
    loop {
        if let Outgoing::Show(view) = next(rooms).await
            && let View::Keeping(keeping) = *view
        {
            return keeping;
        }
    }
}

/// What the worker was told next, as [`echo`] publishes it.
async fn told(rooms: &mut RoomsWorker) -> Incoming {
    loop {
        if let Outgoing::Publish { message } = next(rooms).await {
            let super::super::messages::ToWorker::Handle(incoming) =
                minicbor::decode(&message).expect("a message")
            else {
                panic!("it is for the rooms")
            };
            return incoming;
        }
    }
}

#[wasm_bindgen_test]
async fn nothing_runs_before_it_is_started() {
    let _place = Place::of(&echo());
    let mut rooms = rooms();
    assert_eq!(rooms.health(), Health { state: State::Idle, restarts: 0 });
    rooms.tell(Incoming::Version { version: 3 });
    rooms.tell(Incoming::Act { number: 5, action: Action::Older });
    let Outgoing::Done { number: 5, refused: Some(_), .. } = next(&mut rooms).await else {
        panic!("it was done")
    };
    rooms.start();
    assert_eq!(told(&mut rooms).await, Incoming::Version { version: 3 });
    assert_eq!(rooms.health(), Health { state: State::Running, restarts: 0 });
}

#[wasm_bindgen_test]
async fn what_the_rooms_are_told_arrives_in_order_however_much_it_is() {
    let _place = Place::of(&echo());
    let mut rooms = rooms();
    rooms.start();
    for version in 0..300 {
        rooms.tell(Incoming::Version { version });
    }
    for version in 0..300 {
        assert_eq!(told(&mut rooms).await, Incoming::Version { version });
    }
}

#[wasm_bindgen_test]
async fn what_is_published_is_on_its_way_before_anything_is_shown() {
    let shown = Outgoing::Show(Box::new(View::Keeping(Keeping::Good)));
    let out = wire::encode(&ToPage::Did { handled: 1, out: vec![published(&[1]), shown.clone()] });
    let _place = Place::of(&format!(
        "if (data[1] === 0) say(open);
         if (data[1] === 1) say({out:?});"
    ));
    let mut rooms = rooms();
    rooms.start();
    rooms.tell(Incoming::Version { version: 1 });
    assert_eq!(next(&mut rooms).await, published(&[1]));
    let sent = Rc::new(Cell::new(false));
    let link = Rc::clone(&sent);
    // The network's task wakes that of a link, which sends it.
    spawn_local(async { spawn_local(async move { link.set(true) }) });
    assert_eq!(next(&mut rooms).await, shown);
    assert!(sent.get());
}

#[wasm_bindgen_test]
async fn a_worker_that_breaks_is_started_again_and_told_how_things_are() {
    let place = Place::of("if (data[1] === 0) say(open); else throw new Error('broken');");
    let mut rooms = rooms();
    rooms.start();
    rooms.tell(Incoming::Version { version: 3 });
    let Keeping::Failing(_) = keeping(&mut rooms).await else { panic!("all is well") };
    assert!(matches!(rooms.health().state, State::Failing(_)));
    place.change(&echo());
    let (_, incoming) = passed(1);
    rooms.tell(incoming);
    assert_eq!(keeping(&mut rooms).await, Keeping::Good);
    assert_eq!(told(&mut rooms).await, Incoming::Version { version: 3 });
    assert_eq!(rooms.health(), Health { state: State::Running, restarts: 1 });
}

#[wasm_bindgen_test]
async fn a_worker_that_was_ended_behind_our_back_is_missed_and_started_again() {
    let place = Place::of("if (data[1] === 0) { say(open); close(); }");
    let mut rooms = rooms();
    rooms.start();
    let Keeping::Failing(_) = keeping(&mut rooms).await else { panic!("all is well") };
    place.change(&echo());
    assert_eq!(keeping(&mut rooms).await, Keeping::Good);
}

#[wasm_bindgen_test]
async fn a_worker_that_is_nowhere_is_asked_for_again() {
    let place = Place::of(&echo());
    place.0.set_attribute("content", "no-such-file.js").expect("set");
    let mut rooms = rooms();
    rooms.start();
    let Keeping::Failing(_) = keeping(&mut rooms).await else { panic!("all is well") };
    place.change(&echo());
    assert_eq!(keeping(&mut rooms).await, Keeping::Good);
}

#[wasm_bindgen_test]
async fn what_cannot_be_opened_is_said_and_wishes_are_refused_until_it_can() {
    let failing = wire::encode(&ToPage::Failing("No space.".to_owned()));
    let place = Place::of(&format!(
        "if (data[1] === 0) say({failing:?});
         if (data[1] === 3) {{ say(here); say(open); }}"
    ));
    let mut rooms = rooms();
    rooms.start();
    assert_eq!(keeping(&mut rooms).await, Keeping::Failing("No space.".to_owned()));
    rooms.tell(Incoming::Act { number: 5, action: Action::Older });
    let refused = Some("No space.".to_owned());
    assert_eq!(next(&mut rooms).await, Outgoing::Done { number: 5, room: None, refused });
    assert_eq!(keeping(&mut rooms).await, Keeping::Good);
    assert_eq!(rooms.health().restarts, 0);
    drop(place);
}

#[wasm_bindgen_test]
async fn what_means_nothing_is_passed_over() {
    let _place = Place::of(&format!("say([255]); postMessage('text'); {}", echo()));
    let mut rooms = rooms();
    rooms.start();
    rooms.tell(Incoming::Version { version: 3 });
    assert_eq!(told(&mut rooms).await, Incoming::Version { version: 3 });
    assert_eq!(rooms.health().restarts, 0);
}

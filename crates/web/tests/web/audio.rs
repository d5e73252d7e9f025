use crate::until;
use chats_web::audio::{
    Audio,
    meter::{Heard, Level, Meter},
    microphone::{Microphone, MicrophoneError, microphones},
};
use js_sys::{Array, Function};
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};
use wasm_bindgen::JsValue;
use wasm_bindgen_test::wasm_bindgen_test;
use web_sys::{Blob, BlobPropertyBag, Event, Url};

const WORKLET: &str = include_str!("../../../../public/worklets/meter.js");

/// The page's sound, with the real worklet from a place that the test page has.
pub(crate) fn audio() -> Audio {
    let kind = BlobPropertyBag::new();
    kind.set_type("text/javascript");
    let parts = Array::of1(&JsValue::from_str(WORKLET));
    let blob = Blob::new_with_str_sequence_and_options(&parts, &kind).expect("a blob");
    Audio::with_worklet(&Url::create_object_url_with_blob(&blob).expect("a URL"))
}

/// The last reports of a meter.
#[derive(Default)]
struct Report {
    first: Cell<u32>,
    levels: RefCell<Vec<Level>>,
    broken: RefCell<Option<String>>,
}

fn measure(audio: &Audio, microphone: &Microphone) -> (Meter, Rc<Report>) {
    let report = Rc::new(Report::default());
    let seen = Rc::clone(&report);
    let meter = Meter::start(audio, microphone.stream(), move |heard| match heard {
        Heard::First => seen.first.set(seen.first.get() + 1),
        Heard::Level(level) => seen.levels.borrow_mut().push(level),
        Heard::Broken { reason } => *seen.broken.borrow_mut() = Some(reason),
    });
    (meter, report)
}

#[wasm_bindgen_test]
async fn microphones_have_names_once_one_was_allowed() {
    let microphone = Microphone::open(None).await.expect("the fake device");
    let listed = microphones().await.expect("a list");
    assert!(listed.iter().any(|info| info.label == microphone.label() && !info.id.is_empty()));
    let chosen = listed.last().expect("at least one");
    let opened = Microphone::open(Some(&chosen.id)).await.expect("the one chosen");
    assert_eq!(opened.id(), chosen.id);
}

#[wasm_bindgen_test]
async fn a_microphone_that_is_not_there_is_missing() {
    let outcome = Microphone::open(Some("no such device")).await;
    assert_eq!(outcome.err(), Some(MicrophoneError::Missing));
}

#[wasm_bindgen_test]
async fn a_dropped_microphone_is_let_go_of() {
    let microphone = Microphone::open(None).await.expect("the fake device");
    let track = Clone::clone(microphone.track());
    assert!(microphone.is_live());
    drop(microphone);
    assert_eq!(track.ready_state(), web_sys::MediaStreamTrackState::Ended);
}

#[wasm_bindgen_test]
async fn an_unplugged_microphone_is_reported() {
    let microphone = Microphone::open(None).await.expect("the fake device");
    let ended = Rc::new(Cell::new(0));
    let count = Rc::clone(&ended);
    let subscription = microphone.on_ended(move || count.set(count.get() + 1));
    let unplug = || microphone.track().dispatch_event(&Event::new("ended").expect("event"));
    unplug().expect("dispatched");
    assert_eq!(ended.get(), 1);
    drop(subscription);
    unplug().expect("dispatched");
    assert_eq!(ended.get(), 1);
}

#[wasm_bindgen_test]
async fn a_meter_hears_the_microphone_says_so_once_and_stops_when_dropped() {
    let audio = audio();
    let microphone = Microphone::open(None).await.expect("the fake device");
    let (meter, report) = measure(&audio, &microphone);
    let loud = |level: &Level| level.peak > 0.01 && level.rms > 0.0 && level.rms <= level.peak;
    until("a loud level", || report.levels.borrow().iter().any(loud)).await;
    assert_eq!(report.first.get(), 1);
    assert_eq!(*report.broken.borrow(), None);
    assert!(!audio.blocked());

    drop(meter);
    let count = report.levels.borrow().len();
    let (_other, other) = measure(&audio, &microphone);
    until("another meter runs", || other.levels.borrow().len() > 5).await;
    assert_eq!(report.levels.borrow().len(), count);
}

#[wasm_bindgen_test]
async fn a_muted_microphone_gives_silence() {
    let audio = audio();
    let microphone = Microphone::open(None).await.expect("the fake device");
    microphone.set_muted(true);
    let (_meter, report) = measure(&audio, &microphone);
    // The fake device beeps every second, and 40 levels take two.
    until("two seconds of levels", || report.levels.borrow().len() > 45).await;
    assert!(report.levels.borrow().iter().skip(5).all(|level| level.peak == 0.0));
    microphone.set_muted(false);
    until("sound again", || report.levels.borrow().iter().any(|level| level.peak > 0.01)).await;
}

#[wasm_bindgen_test]
async fn a_worklet_that_cannot_be_loaded_is_named() {
    let audio = Audio::with_worklet("no-such-worklet.js");
    let error = audio.prepare().await.expect_err("there is none");
    assert!(error.starts_with("no-such-worklet.js: "), "{error}");
    let microphone = Microphone::open(None).await.expect("the fake device");
    let (_meter, report) = measure(&audio, &microphone);
    until("the meter gives up", || report.broken.borrow().is_some()).await;
}

#[wasm_bindgen_test]
async fn a_page_without_media_devices_is_insecure() {
    let shadow = "Object.defineProperty(navigator, 'mediaDevices',
        { value: undefined, configurable: true });";
    Function::new_no_args(shadow).call0(&JsValue::UNDEFINED).expect("shadowed");
    let outcomes = (microphones().await.err(), Microphone::open(None).await.err());
    Function::new_no_args("delete navigator.mediaDevices;")
        .call0(&JsValue::UNDEFINED)
        .expect("restored");
    assert_eq!(outcomes, (Some(MicrophoneError::Insecure), Some(MicrophoneError::Insecure)));
}

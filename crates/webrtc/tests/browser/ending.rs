//! How connections end.

use crate::{lines::lines, nodes::soon};
use chats_webrtc::Error;
use futures::{AsyncReadExt, AsyncWriteExt};
use js_sys::{Function, Reflect};
use std::io;
use wasm_bindgen::JsValue;
use wasm_bindgen_test::wasm_bindgen_test;
use web_time::{Duration, Instant};

/// Counts the handlers registered on peer connections and data channels, and the errors that
/// nobody catches, from now on.
struct Page(JsValue);

impl Page {
    fn watch() -> Self {
        let watch = Function::new_no_args(
            "const page = { handlers: 0, errors: [] };
             const kinds =
                 [RTCPeerConnection, RTCDataChannel, RTCSctpTransport, RTCDtlsTransport];
             const seen = new WeakSet();
             const ours = (target) => kinds.some((kind) => target instanceof kind);
             const { addEventListener, removeEventListener } = EventTarget.prototype;
             EventTarget.prototype.addEventListener = function (...all) {
                 if (ours(this)) {
                     seen.add(this);
                     page.handlers++;
                 }
                 return addEventListener.apply(this, all);
             };
             EventTarget.prototype.removeEventListener = function (...all) {
                 if (seen.has(this)) page.handlers--;
                 return removeEventListener.apply(this, all);
             };
             const failed = (event) => page.errors.push(String(event.message ?? event.reason));
             addEventListener.call(window, 'error', failed);
             addEventListener.call(window, 'unhandledrejection', failed);
             page.stop = () => {
                 Object.assign(EventTarget.prototype, { addEventListener, removeEventListener });
                 removeEventListener.call(window, 'error', failed);
                 removeEventListener.call(window, 'unhandledrejection', failed);
             };
             return page;",
        );
        Self(watch.call0(&JsValue::NULL).unwrap())
    }

    fn get(&self, name: &str) -> JsValue {
        Reflect::get(&self.0, &name.into()).unwrap()
    }

    fn handlers(&self) -> f64 {
        self.get("handlers").as_f64().unwrap()
    }

    fn errors(&self) -> String {
        js_sys::Array::from(&self.get("errors")).join("; ").into()
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        let stop: Function = self.get("stop").into();
        stop.call0(&JsValue::NULL).unwrap();
    }
}

#[wasm_bindgen_test]
async fn the_other_end_hears_at_once_that_a_connection_is_dropped() {
    let (a, b) = lines().await;
    let start = Instant::now();
    drop(a);
    let error = b.ended().await;
    assert!(matches!(error, Error::Closed | Error::Lost), "{error}");
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}

#[wasm_bindgen_test]
async fn streams_break_with_their_connection() {
    let (a, mut b) = lines().await;
    let mut at_a = a.open().await;
    let mut at_b = b.accept().await;
    at_a.write_all(b"x").await.unwrap();
    soon("a byte", at_b.read_exact(&mut [0])).await.unwrap();
    drop(a);
    let here = soon("an error here", at_a.read(&mut [0])).await;
    assert_eq!(here.unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
    let there = soon("an error there", at_b.read(&mut [0])).await;
    assert_eq!(there.unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
}

#[wasm_bindgen_test]
async fn no_handler_is_left_and_none_is_called_when_all_is_dropped_amid_traffic() {
    let page = Page::watch();
    for dropped_first in [true, false] {
        let (a, mut b) = lines().await;
        assert!(page.handlers() > 0.0);
        let mut streams = Vec::new();
        for _ in 0..5 {
            let (mut at_a, mut at_b) = (a.open().await, b.accept().await);
            at_a.write_all(&[7; 100_000]).await.unwrap();
            at_b.write_all(&[7; 100_000]).await.unwrap();
            streams.push((at_a, at_b));
        }
        if dropped_first {
            drop(streams);
            drop(a);
            b.ended().await;
        } else {
            drop(a);
            b.ended().await;
            drop(streams);
        }
    }
    assert_eq!(page.handlers(), 0.0);
    assert_eq!(page.errors(), "");
}

//! What the other modules share in dealing with JavaScript.

use crate::Error;
use js_sys::{Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue, closure::Closure, prelude::wasm_bindgen};
use web_sys::{Event, EventTarget, RtcDataChannel, RtcPeerConnection};

/// The longest text taken from an exception, in characters.
const MAX_REASON: usize = 200;

#[wasm_bindgen]
extern "C" {
    /// Methods of `RTCPeerConnection` that web-sys does not have, or not as ones that may throw
    /// (W3C WebRTC 1.0, 4.4.2 and 6.1).
    #[wasm_bindgen(extends = RtcPeerConnection, extends = EventTarget)]
    pub(crate) type PeerConnection;

    #[wasm_bindgen(method, catch, js_name = createDataChannel)]
    pub(crate) fn create_channel(
        this: &PeerConnection,
        label: &str,
    ) -> Result<RtcDataChannel, JsValue>;

    /// Without an argument it makes the offer or answer itself.
    #[wasm_bindgen(method, catch, js_name = setLocalDescription)]
    pub(crate) fn describe(this: &PeerConnection) -> Result<Promise, JsValue>;

    /// Candidates come parsed from JSON and are checked by the browser.
    #[wasm_bindgen(method, catch, js_name = addIceCandidate)]
    pub(crate) fn add_candidate(
        this: &PeerConnection,
        candidate: &JsValue,
    ) -> Result<Promise, JsValue>;

    #[wasm_bindgen(method, getter)]
    pub(crate) fn sctp(this: &PeerConnection) -> Option<SctpTransport>;

    /// `RTCSctpTransport` (W3C WebRTC 1.0, 6.1).
    #[wasm_bindgen(extends = EventTarget)]
    pub(crate) type SctpTransport;

    #[wasm_bindgen(method, getter, js_name = state)]
    pub(crate) fn sctp_state(this: &SctpTransport) -> String;

    #[wasm_bindgen(method, getter)]
    pub(crate) fn transport(this: &SctpTransport) -> Option<DtlsTransport>;

    /// `RTCDtlsTransport` (W3C WebRTC 1.0, 5.5).
    #[wasm_bindgen(extends = EventTarget)]
    pub(crate) type DtlsTransport;

    #[wasm_bindgen(method, getter, js_name = state)]
    pub(crate) fn dtls_state(this: &DtlsTransport) -> String;
}

/// A handler that stays registered until this is dropped.
pub(crate) struct Subscription {
    target: EventTarget,
    events: &'static [&'static str],
    handler: Closure<dyn Fn(Event)>,
}

impl Subscription {
    /// Calls `handler` at each of these events.
    pub(crate) fn new(
        target: &EventTarget,
        events: &'static [&'static str],
        handler: impl Fn(Event) + 'static,
    ) -> Self {
        let handler = Closure::<dyn Fn(Event)>::new(handler);
        for event in events {
            // Only a target that is none refuses.
            let _ =
                target.add_event_listener_with_callback(event, handler.as_ref().unchecked_ref());
        }
        Self { target: target.clone(), events, handler }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        // Taken away before the closure is freed, so that nothing calls it afterwards.
        for event in self.events {
            let _ = self
                .target
                .remove_event_listener_with_callback(event, self.handler.as_ref().unchecked_ref());
        }
    }
}

impl From<JsValue> for Error {
    fn from(exception: JsValue) -> Self {
        let get = |name: &str| {
            Reflect::get(&exception, &JsValue::from_str(name))
                .ok()
                .and_then(|text| text.as_string())
        };
        let message = get("message").or_else(|| exception.as_string()).unwrap_or_default();
        let mut text = get("name").unwrap_or_default();
        text.push_str(": ");
        text.extend(message.chars().take(MAX_REASON));
        Self::Browser(text)
    }
}

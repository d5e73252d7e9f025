//! The way from the page to its worker and back.

use crate::js::{Subscription, error_text, get};
use js_sys::{Array, ArrayBuffer, Uint8Array};
use minicbor::{Decode, Encode};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::EventTarget;
use zeroize::Zeroizing;

#[wasm_bindgen]
extern "C" {
    /// One end: a `Worker`, the global scope of one, a `MessagePort`.
    #[wasm_bindgen(extends = EventTarget)]
    #[derive(Debug, Clone)]
    pub type Port;

    #[wasm_bindgen(method, catch, js_name = postMessage)]
    fn post_message(this: &Port, message: &ArrayBuffer, transferred: &Array)
    -> Result<(), JsValue>;
}

impl Port {
    /// Says something to the other end. The bytes are handed over, not copied once more.
    pub(super) fn say(&self, message: &impl Encode<()>) {
        // Erased: somebody's passphrase may be in it.
        let bytes = Zeroizing::new(chats_core::wire::encode(message));
        let bytes = Uint8Array::from(bytes.as_slice()).buffer();
        if let Err(error) = self.post_message(&bytes, &Array::of1(&bytes)) {
            log(&format!("a message of our own was refused: {}", error_text(&error)));
        }
    }

    /// Calls `hear` with each message from the other end. What is no message is a fault of this
    /// program: it is passed over, with a word in the console.
    pub(super) fn listen<T: for<'b> Decode<'b, ()>>(
        &self,
        mut hear: impl FnMut(T) + 'static,
    ) -> Subscription {
        Subscription::listen(self, "message", move |event| {
            let data = get(event, "data");
            let bytes = data.dyn_ref::<ArrayBuffer>().map(|data| Uint8Array::new(data).to_vec());
            // Both ends are of one build, so there is no other way to write it to be refused.
            match bytes.map(Zeroizing::new).map(|bytes| minicbor::decode(&bytes)) {
                Some(Ok(message)) => hear(message),
                Some(Err(error)) => log(&format!("a message of our own means nothing: {error}")),
                None => log("a message of our own is no bytes"),
            }
        })
    }
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = console, js_name = error)]
    pub(super) fn log(text: &str);
}

//! What the browser says of the state of a connection, said by the test in its place: there is no
//! network between two ends in one page that could fail.

use crate::{
    lines::lines,
    nodes::soon,
    signalling::{dial_stranger, error, quick},
};
use chats_webrtc::Error;
use futures::{AsyncReadExt, AsyncWriteExt, FutureExt};
use js_sys::{Array, Function};
use std::io;
use wasm_bindgen::JsValue;
use wasm_bindgen_test::wasm_bindgen_test;

/// The browser's state of this connection is another one from now on.
fn say(pc: &JsValue, state: &str) {
    let say = Function::new_with_args(
        "pc, state",
        "Object.defineProperty(pc, 'connectionState', { value: state, configurable: true });
         pc.dispatchEvent(new Event('connectionstatechange'));",
    );
    say.call2(&JsValue::NULL, pc, &state.into()).unwrap();
}

/// The peer connections that are given a description from now on.
struct Described(Array);

impl Described {
    fn watch() -> Self {
        let watch = Function::new_no_args(
            "const all = [];
             const own = RTCPeerConnection.prototype;
             const { setLocalDescription } = own;
             own.setLocalDescription = function (...description) {
                 all.push(this);
                 return setLocalDescription.apply(this, description);
             };
             all.stop = () => Object.assign(own, { setLocalDescription });
             return all;",
        );
        Self(watch.call0(&JsValue::NULL).unwrap().into())
    }
}

impl Drop for Described {
    fn drop(&mut self) {
        let stop: Function = js_sys::Reflect::get(&self.0, &"stop".into()).unwrap().into();
        stop.call0(&JsValue::NULL).unwrap();
    }
}

#[wasm_bindgen_test]
async fn a_path_that_fails_is_told_at_once_to_whoever_uses_the_connection() {
    let (a, mut b) = lines().await;
    let mut at_a = a.open().await;
    at_a.write_all(b"x").await.unwrap();
    let _at_b = b.accept().await;
    say(&a.pc, "failed");
    let read = at_a.read(&mut [0]).now_or_never().expect("an error without waiting");
    assert_eq!(read.unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
    assert_eq!(a.ended().await, Error::Lost);
    b.ended().await;
}

#[wasm_bindgen_test]
async fn a_path_that_does_not_come_back_is_lost_and_one_that_does_is_not() {
    let ((comes_back, _one), (stays_away, _other)) = (lines().await, lines().await);
    say(&comes_back.pc, "disconnected");
    say(&stays_away.pc, "disconnected");
    say(&comes_back.pc, "connected");
    assert_eq!(stays_away.ended().await, Error::Lost);
    assert!(comes_back.stands());
}

#[wasm_bindgen_test]
async fn where_no_path_is_found_it_is_told_at_once() {
    let described = Described::watch();
    let (mut node, mut stranger) = dial_stranger(quick());
    soon("an offer", stranger.read_exact(&mut [0])).await.unwrap();
    say(&described.0.get(0), "failed");
    assert_eq!(error(&mut node).await, Error::NoPath);
}

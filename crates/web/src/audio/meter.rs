//! How loud a stream is.

use super::Audio;
use crate::js::{error_text, get, same};
use std::{
    cell::RefCell,
    fmt,
    rc::{Rc, Weak},
};
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use wasm_bindgen_futures::spawn_local;
use web_sys::{
    AudioWorkletNode, AudioWorkletNodeOptions, MediaStream, MediaStreamAudioSourceNode,
    MessageEvent,
};

/// The name under which the worklet registers itself.
const PROCESSOR: &str = "chats-meter";

/// How loud it was in the last 50 ms; 1 is full scale.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Level {
    /// Root mean square.
    pub rms: f32,
    /// The largest sample.
    pub peak: f32,
}

/// What a meter reports.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// The first block with a sample other than zero was rendered; once.
    First,
    /// How loud it is, about 20 times a second.
    Level(Level),
    /// The meter cannot work.
    Broken {
        /// In the browser's words.
        reason: String,
    },
}

/// Measures a stream until dropped.
#[must_use = "the meter stops when this is dropped"]
pub struct Meter(#[allow(dead_code)] Rc<RefCell<Option<Running>>>);

struct Running {
    source: MediaStreamAudioSourceNode,
    node: AudioWorkletNode,
    _messages: Closure<dyn Fn(MessageEvent)>,
}

impl Meter {
    /// Starts measuring, as soon as the worklet is loaded. Chromium lets a stream of a peer
    /// connection be measured only while it is played too.
    pub fn start(audio: &Audio, stream: &MediaStream, heard: impl Fn(Heard) + 'static) -> Self {
        let running = Rc::new(RefCell::new(None));
        let weak = Rc::downgrade(&running);
        let (audio, stream) = (audio.clone(), same(stream));
        spawn_local(async move {
            let heard = Rc::new(heard);
            let ready = audio.prepare().await;
            if weak.strong_count() == 0 {
                return;
            }
            let outcome = match ready {
                Ok(()) => attach(&audio, &stream, Rc::clone(&heard)),
                Err(reason) => Err(reason),
            };
            match outcome {
                Ok(running) => keep(&weak, running),
                Err(reason) => heard(Heard::Broken { reason }),
            }
        });
        Self(running)
    }
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Meter")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Each of these fails only if it was done before.
        let _ = self.source.disconnect();
        if let Ok(port) = self.node.port() {
            port.set_onmessage(None);
            let _ = port.post_message(&JsValue::TRUE);
            port.close();
        }
    }
}

fn keep(weak: &Weak<RefCell<Option<Running>>>, running: Running) {
    if let Some(slot) = weak.upgrade() {
        *slot.borrow_mut() = Some(running);
    }
}

fn attach(
    audio: &Audio,
    stream: &MediaStream,
    heard: Rc<impl Fn(Heard) + 'static>,
) -> Result<Running, String> {
    let failed = |error: JsValue| error_text(&error);
    let context = audio.context()?;
    let options = AudioWorkletNodeOptions::new();
    options.set_number_of_outputs(0);
    let node = AudioWorkletNode::new_with_options(&context, PROCESSOR, &options).map_err(failed)?;
    let messages = Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| {
        heard(read(&event.data()));
    });
    let port = node.port().map_err(failed)?;
    port.set_onmessage(Some(messages.as_ref().unchecked_ref()));
    let source = context.create_media_stream_source(stream).map_err(failed)?;
    let running = Running { source, node, _messages: messages };
    running.source.connect_with_audio_node(&running.node).map_err(failed)?;
    Ok(running)
}

#[allow(clippy::cast_possible_truncation)]
fn read(message: &JsValue) -> Heard {
    if get(message, "first").is_truthy() {
        return Heard::First;
    }
    let number = |name| get(message, name).as_f64().unwrap_or_default() as f32;
    Heard::Level(Level { rms: number("rms"), peak: number("peak") })
}

//! What others send, made audible.

use super::Audio;
use crate::js::{error_text, window};
use std::fmt;
use wasm_bindgen::JsCast;
use web_sys::{HtmlAudioElement, MediaStream};

/// Plays a stream until dropped, by an `<audio>` element of its own at the end of the page.
/// Whether the browser lets it be heard is [`Audio::blocked`].
#[must_use = "the sound stops when this is dropped"]
pub struct Playback {
    audio: Audio,
    id: u32,
    element: HtmlAudioElement,
}

impl Playback {
    /// Starts playing.
    ///
    /// # Errors
    /// In the browser's words, if it makes no such element.
    pub fn start(audio: &Audio, stream: &MediaStream) -> Result<Self, String> {
        let document = window().document().ok_or("the page is gone")?;
        let element: HtmlAudioElement =
            document.create_element("audio").map_err(|error| error_text(&error))?.unchecked_into();
        element.set_hidden(true);
        element.set_autoplay(true);
        element.set_src_object(Some(stream));
        if let Some(body) = document.body() {
            // Safari plays streams only in elements of the page.
            body.append_child(&element).map_err(|error| error_text(&error))?;
        }
        let id = audio.add(element.clone());
        Ok(Self { audio: audio.clone(), id, element })
    }
}

impl fmt::Debug for Playback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Playback({})", self.id)
    }
}

impl Drop for Playback {
    fn drop(&mut self) {
        self.audio.remove(self.id);
        // Fails only for an element that cannot be paused because it never played.
        let _ = self.element.pause();
        self.element.set_src_object(None);
        self.element.remove();
    }
}

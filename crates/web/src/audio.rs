//! Sound in and out: the microphone, what others send, and how loud both are.
//!
//! One [`Audio`] serves the whole page: it owns the `AudioContext` that all meters share and
//! knows of all playbacks, so that one button can turn the sound on where the browser plays none
//! without a gesture.

pub mod meter;
pub mod microphone;
pub mod playback;

use crate::{
    clock,
    js::{Subscription, error_text, same},
};
use chats_core::small::SmallMap;
use chats_core::time::Duration;
use futures::{
    FutureExt,
    future::{LocalBoxFuture, Shared},
};
use std::{
    cell::{Cell, RefCell},
    fmt,
    rc::Rc,
};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{AudioContext, AudioContextState, HtmlAudioElement, MediaStreamTrack};

/// Where the meter's worklet lies, relative to the page.
const WORKLET: &str = "worklets/meter.js";
/// How long an `AudioContext` may take to start before it counts as blocked.
const STARTS_WITHIN: Duration = Duration::from_secs(1);

type OnBlocked = Rc<dyn Fn(bool)>;
type Loading = Shared<LocalBoxFuture<'static, Result<(), String>>>;

/// The page's sound. Clones are the same.
#[derive(Clone)]
pub struct Audio(Rc<Inner>);

struct Inner {
    worklet: String,
    context: RefCell<Option<AudioContext>>,
    changes: RefCell<Option<Subscription>>,
    loading: RefCell<Option<Loading>>,
    silence: RefCell<Option<MediaStreamTrack>>,
    /// The context was given its time to start.
    waited: Cell<bool>,
    elements: RefCell<SmallMap<u32, Element>>,
    next: Cell<u32>,
    told: Cell<bool>,
    on_blocked: RefCell<Option<OnBlocked>>,
}

struct Element {
    element: HtmlAudioElement,
    refused: bool,
}

impl Default for Audio {
    fn default() -> Self {
        Self::new()
    }
}

impl Audio {
    /// With the worklet at `worklets/meter.js` beside the page. Makes nothing yet: browsers start
    /// an `AudioContext` more readily after a gesture.
    #[must_use]
    pub fn new() -> Self {
        Self::with_worklet(WORKLET)
    }

    /// With the worklet at another URL.
    #[must_use]
    pub fn with_worklet(url: &str) -> Self {
        Self(Rc::new(Inner {
            worklet: url.to_owned(),
            context: RefCell::default(),
            changes: RefCell::default(),
            loading: RefCell::default(),
            silence: RefCell::default(),
            waited: Cell::new(false),
            elements: RefCell::default(),
            next: Cell::new(0),
            told: Cell::new(false),
            on_blocked: RefCell::default(),
        }))
    }

    /// Makes the `AudioContext` and loads the worklet ahead of need; meters do so by themselves.
    ///
    /// # Errors
    /// In the browser's words, if it has no `AudioContext` or cannot load the worklet.
    pub async fn prepare(&self) -> Result<(), String> {
        let context = self.context()?;
        let loading = self.0.loading.borrow().clone();
        let loading = loading.unwrap_or_else(|| {
            let url = self.0.worklet.clone();
            let loading = async move {
                let failed = |error: JsValue| format!("{url}: {}", error_text(&error));
                let worklet = context.audio_worklet().map_err(failed)?;
                let added = worklet.add_module(&url).map_err(failed)?;
                JsFuture::from(added).await.map(drop).map_err(failed)
            };
            let loading = loading.boxed_local().shared();
            *self.0.loading.borrow_mut() = Some(loading.clone());
            loading
        });
        let outcome = loading.await;
        if outcome.is_err() {
            // The next one who asks tries again.
            self.0.loading.borrow_mut().take();
        }
        outcome
    }

    /// Whether the browser waits for a gesture before it lets anything be heard.
    #[must_use]
    pub fn blocked(&self) -> bool {
        let suspended = self.0.waited.get()
            && self
                .0
                .context
                .borrow()
                .as_ref()
                .is_some_and(|context| context.state() == AudioContextState::Suspended);
        suspended || self.0.elements.borrow().values().any(|element| element.refused)
    }

    /// Calls `changed` whenever [`Audio::blocked`] changes. Only the latest callback is kept.
    pub fn on_blocked(&self, changed: impl Fn(bool) + 'static) -> Subscription {
        *self.0.on_blocked.borrow_mut() = Some(Rc::new(changed));
        let inner = Rc::downgrade(&self.0);
        Subscription::new(move || {
            if let Some(inner) = inner.upgrade() {
                inner.on_blocked.borrow_mut().take();
            }
        })
    }

    /// Lets everything be heard; to be called from the handler of a click or key.
    pub fn resume_all(&self) {
        if let Some(context) = self.0.context.borrow().as_ref() {
            start(context);
        }
        let elements: Vec<(u32, HtmlAudioElement)> =
            self.0.elements.borrow().iter().map(|(id, e)| (*id, e.element.clone())).collect();
        for (id, element) in elements {
            self.play(id, &element);
        }
    }

    /// The one context, made when first asked for.
    fn context(&self) -> Result<AudioContext, String> {
        if let Some(context) = self.0.context.borrow().as_ref() {
            return Ok(context.clone());
        }
        let context = AudioContext::new().map_err(|error| error_text(&error))?;
        *self.0.context.borrow_mut() = Some(context.clone());
        start(&context);
        let audio = self.clone();
        spawn_local(async move {
            clock::sleep(STARTS_WITHIN).await;
            audio.0.waited.set(true);
            audio.tell();
        });
        let weak = Rc::downgrade(&self.0);
        let changes = Subscription::listen(&context, "statechange", move |_| {
            if let Some(inner) = weak.upgrade() {
                Self(inner).tell();
            }
        });
        *self.0.changes.borrow_mut() = Some(changes);
        Ok(context)
    }

    /// A track of silence, for connections made while there is no microphone.
    pub(crate) fn silence(&self) -> Result<MediaStreamTrack, String> {
        if let Some(track) = self.0.silence.borrow().as_ref() {
            return Ok(same(track));
        }
        let context = self.context()?;
        let node = context.create_media_stream_destination().map_err(|error| error_text(&error))?;
        let track: MediaStreamTrack = node
            .stream()
            .get_audio_tracks()
            .get(0)
            .dyn_into()
            .map_err(|_| "an audio destination without a track".to_owned())?;
        *self.0.silence.borrow_mut() = Some(same(&track));
        Ok(track)
    }

    fn add(&self, element: HtmlAudioElement) -> u32 {
        let id = self.0.next.replace(self.0.next.get().wrapping_add(1));
        self.play(id, &element);
        self.0.elements.borrow_mut().insert(id, Element { element, refused: false });
        id
    }

    fn remove(&self, id: u32) {
        self.0.elements.borrow_mut().remove(&id);
        let audio = self.clone();
        spawn_local(async move { audio.tell() });
    }

    fn play(&self, id: u32, element: &HtmlAudioElement) {
        let Ok(started) = element.play() else { return };
        let audio = self.clone();
        spawn_local(async move {
            // Other refusals than this one (`AbortError`) come from a new source or the end.
            let refused = match JsFuture::from(started).await {
                Ok(_) => false,
                Err(error) => crate::js::error_name(&error) == "NotAllowedError",
            };
            if let Some(element) = audio.0.elements.borrow_mut().get_mut(&id) {
                element.refused = refused;
            }
            audio.tell();
        });
    }

    fn tell(&self) {
        let blocked = self.blocked();
        if self.0.told.replace(blocked) != blocked {
            let callback = self.0.on_blocked.borrow().clone();
            if let Some(callback) = callback {
                callback(blocked);
            }
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.changes.take();
        if let Some(context) = self.context.take() {
            // Already closed: nothing to do.
            let _ = context.close();
        }
    }
}

impl fmt::Debug for Audio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Audio {{ blocked: {} }}", self.blocked())
    }
}

/// Asks the context to run; the answer comes as its state.
fn start(context: &AudioContext) {
    if let Ok(started) = context.resume() {
        spawn_local(async move {
            let _ = JsFuture::from(started).await;
        });
    }
}

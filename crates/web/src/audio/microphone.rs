//! The microphone.

use crate::js::{Subscription, error_name, error_text, get, window};
use js_sys::{Array, Object, Reflect};
use std::fmt;
use thiserror::Error;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    MediaDeviceInfo, MediaDeviceKind, MediaDevices, MediaStream, MediaStreamConstraints,
    MediaStreamTrack, MediaStreamTrackState, MediaTrackConstraints,
};

/// The most microphones listed.
const MAX_DEVICES: usize = 64;

/// Why there is no microphone.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MicrophoneError {
    /// The person, the browser or the system forbids it.
    #[error("the browser may not use the microphone; allow it for this page and try again")]
    Denied,
    /// There is none, or not the one asked for.
    #[error("no microphone was found; plug one in or choose another")]
    Missing,
    /// The system would not open it, most often because another program holds it.
    #[error("the microphone cannot be opened; close other programs that use it")]
    Busy,
    /// The page did not come over a secure connection.
    #[error("browsers give the microphone only to pages from https or localhost")]
    Insecure,
    /// Anything else.
    #[error("the microphone failed: {reason}")]
    Other {
        /// In the browser's words.
        reason: String,
    },
}

impl MicrophoneError {
    fn from_js(error: &JsValue) -> Self {
        match error_name(error).as_str() {
            "NotAllowedError" | "SecurityError" => Self::Denied,
            "NotFoundError" | "OverconstrainedError" => Self::Missing,
            "NotReadableError" | "AbortError" => Self::Busy,
            _ => Self::Other { reason: error_text(error) },
        }
    }
}

/// A microphone that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MicrophoneInfo {
    /// What [`Microphone::open`] takes. Empty before the person allowed any microphone.
    pub id: String,
    /// What the system calls it. Empty before the person allowed any microphone.
    pub label: String,
}

/// The microphones there are, the default one first.
///
/// # Errors
/// [`MicrophoneError::Insecure`], or what the browser says.
pub async fn microphones() -> Result<Vec<MicrophoneInfo>, MicrophoneError> {
    let devices = devices()?;
    let listed = devices.enumerate_devices().map_err(|error| MicrophoneError::from_js(&error))?;
    let listed = JsFuture::from(listed).await.map_err(|error| MicrophoneError::from_js(&error))?;
    Ok(Array::from(&listed)
        .iter()
        .filter_map(|device| device.dyn_into::<MediaDeviceInfo>().ok())
        .filter(|device| device.kind() == MediaDeviceKind::Audioinput)
        .map(|device| MicrophoneInfo { id: device.device_id(), label: device.label() })
        .take(MAX_DEVICES)
        .collect())
}

/// Calls `changed` when devices were plugged in or out.
///
/// # Errors
/// [`MicrophoneError::Insecure`].
pub fn on_devices(changed: impl Fn() + 'static) -> Result<Subscription, MicrophoneError> {
    let devices = devices()?;
    Ok(Subscription::listen(&devices, "devicechange", move |_| changed()))
}

/// An open microphone; let go of when dropped.
#[must_use = "the microphone is let go of when this is dropped"]
pub struct Microphone {
    stream: MediaStream,
    track: MediaStreamTrack,
}

impl Microphone {
    /// Opens the microphone of this id, or the default one, with echo cancellation, noise
    /// suppression and gain control. Asks the person if need be.
    ///
    /// # Errors
    /// See [`MicrophoneError`].
    pub async fn open(id: Option<&str>) -> Result<Self, MicrophoneError> {
        let devices = devices()?;
        let wanted = MediaTrackConstraints::new();
        wanted.set_echo_cancellation(&JsValue::TRUE);
        wanted.set_noise_suppression(&JsValue::TRUE);
        wanted.set_auto_gain_control(&JsValue::TRUE);
        if let Some(id) = id {
            let exact = Object::new();
            Reflect::set(&exact, &JsValue::from_str("exact"), &JsValue::from_str(id))
                .map_err(|error| MicrophoneError::from_js(&error))?;
            wanted.set_device_id(&exact);
        }
        let constraints = MediaStreamConstraints::new();
        constraints.set_audio(&wanted);
        let opened = devices
            .get_user_media_with_constraints(&constraints)
            .map_err(|error| MicrophoneError::from_js(&error))?;
        let stream: MediaStream = JsFuture::from(opened)
            .await
            .map_err(|error| MicrophoneError::from_js(&error))?
            .unchecked_into();
        let track = stream.get_audio_tracks().get(0);
        let track = track.dyn_into().map_err(|_| MicrophoneError::Missing)?;
        Ok(Self { stream, track })
    }

    /// The id of the device behind it.
    #[must_use]
    pub fn id(&self) -> String {
        get(&self.track.get_settings(), "deviceId").as_string().unwrap_or_default()
    }

    /// What the system calls it.
    #[must_use]
    pub fn label(&self) -> String {
        self.track.label()
    }

    /// What to measure and to send.
    #[must_use]
    pub fn stream(&self) -> &MediaStream {
        &self.stream
    }

    /// The one track of it.
    #[must_use]
    pub fn track(&self) -> &MediaStreamTrack {
        &self.track
    }

    /// Gives silence to all who use it, or sound again.
    pub fn set_muted(&self, muted: bool) {
        self.track.set_enabled(!muted);
    }

    /// Whether it still gives sound; not after it was unplugged or the permission withdrawn.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.track.ready_state() == MediaStreamTrackState::Live
    }

    /// Calls `ended` when it was unplugged or the permission withdrawn.
    pub fn on_ended(&self, ended: impl Fn() + 'static) -> Subscription {
        Subscription::listen(&self.track, "ended", move |_| ended())
    }
}

impl Drop for Microphone {
    fn drop(&mut self) {
        self.track.stop();
    }
}

impl fmt::Debug for Microphone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Microphone {{ live: {} }}", self.is_live())
    }
}

fn devices() -> Result<MediaDevices, MicrophoneError> {
    // Browsers leave the property out altogether in pages that are not secure.
    let devices = get(window().navigator().unchecked_ref(), "mediaDevices");
    if devices.is_undefined() {
        return Err(MicrophoneError::Insecure);
    }
    Ok(devices.unchecked_into())
}

//! The one driver of the core: everything that happens comes here, and everything that is to be
//! done goes out from here.

use chats_core::id::DeviceKey;
use futures::channel::mpsc;

/// What a person asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Try again whatever failed: start, chain, relays.
    Retry,
    /// Take over from the other tab.
    UseHere,
    /// Sign in with the wallet of this id.
    Connect(String),
    /// Give up signing in.
    CancelConnect,
    /// Answer a test wallet's question.
    Approve(bool),
    /// Forget the device.
    SignOut,
    /// Open the microphone (the lobby is shown), with this device id; empty for the default.
    OpenMicrophone(String),
    /// Join the meeting of the current route.
    Join {
        /// Whether to begin muted.
        muted: bool,
    },
    /// Leave it.
    Leave,
    /// Mute or unmute.
    SetMuted(bool),
    /// Let sound be heard; called from a click.
    TurnOnSound,
    /// Try again to reach a participant.
    RetryParticipant(DeviceKey),
    /// Take a notice away.
    Dismiss(u32),
}

/// How pages ask for things.
#[derive(Debug, Clone)]
pub struct Actions(mpsc::UnboundedSender<Action>);

impl Actions {
    /// Asks; carried out soon after.
    pub fn send(&self, action: Action) {
        // The engine lives as long as the page; without it there is nobody to tell.
        let _ = self.0.unbounded_send(action);
    }
}

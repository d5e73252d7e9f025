//! What was heard from each device.

use chats_core::{hello::HelloMessage, wire};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Says one thing as a line of JSON.
pub(crate) fn say(event: Value) {
    println!("{event}");
}

/// All that one device showed of itself.
#[derive(Default)]
pub(crate) struct Seen {
    /// It came after us.
    pub(crate) newcomer: bool,
    /// How often it connected to us.
    pub(crate) dialled_us: u32,
    /// How often we connected to it.
    pub(crate) dialled: u32,
    /// Frames of hello, by what they say.
    pub(crate) hello: BTreeMap<String, u32>,
    /// Bytes of everything else that is not libp2p's own, by protocol.
    pub(crate) bytes: BTreeMap<String, u64>,
    /// What identify lists.
    pub(crate) protocols: BTreeSet<String>,
}

impl Seen {
    /// For the summary.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "newcomer": self.newcomer,
            "dialledUs": self.dialled_us,
            "dialled": self.dialled,
            "hello": self.hello,
            "bytes": self.bytes,
            "protocols": self.protocols,
        })
    }
}

/// What a frame of hello says.
pub(crate) fn kind(frame: &[u8]) -> String {
    match wire::decode::<HelloMessage>("hello", frame) {
        Ok(HelloMessage::Hello(_)) => "Hello".to_owned(),
        Ok(HelloMessage::Welcome) => "Welcome".to_owned(),
        Ok(HelloMessage::Refused(refusal)) => format!("{refusal:?}"),
        Err(_) => "unreadable".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chats_core::hello::Refusal;

    #[test]
    fn frames_are_named_after_what_they_say() {
        let name = |message: &HelloMessage| kind(&wire::encode(message));
        assert_eq!(name(&HelloMessage::Welcome), "Welcome");
        assert_eq!(name(&HelloMessage::Refused(Refusal::NotAMember)), "NotAMember");
        assert_eq!(kind(b"?"), "unreadable");
    }
}

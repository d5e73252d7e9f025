//! Who is in a meeting, in their own signed words, and how they set up media.

use crate::id::{Community, DeviceKey, DeviceSecret, DeviceSignature, MeetingName};
use crate::media::{Candidate, Description, DescriptionKind};
use crate::time::{Duration, Time};
use crate::wire;
use minicbor::{Decode, Encode};

/// How often presence is said again, at least.
pub const INTERVAL: Duration = Duration::from_secs(20);
/// How long a device counts as present without saying so again.
pub const EXPIRY: Duration = Duration::from_secs(75);
/// How old a message may be when it arrives.
pub const MAX_AGE: Duration = Duration::from_secs(60);

const CONTEXT: &[u8] = b"community-chats/presence/1\0";

/// One stay of a device in a meeting: 8 random bytes, made at joining.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct Session(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 8]);

/// What a device says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Presence {
    /// Where.
    #[n(0)]
    pub community: Community,
    /// In which meeting.
    #[n(1)]
    pub meeting: MeetingName,
    /// In which stay.
    #[n(2)]
    pub session: Session,
    /// Rises with every message of a session.
    #[n(3)]
    pub sequence: u64,
    /// When it says so, by its clock.
    #[n(4)]
    pub time: Time,
    /// When the stay began, by its clock.
    #[n(5)]
    pub joined: Time,
    /// Whether its microphone is muted.
    #[n(6)]
    pub muted: bool,
    /// Whether the stay ends with this.
    #[n(7)]
    pub leaving: bool,
    /// Since when its user's hand is raised, by its clock.
    #[n(8)]
    pub hand: Option<Time>,
}

/// A presence and the signature of the device it is about.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct SignedPresence {
    /// What is said.
    #[n(0)]
    pub presence: Presence,
    /// By whom.
    #[n(1)]
    pub signature: DeviceSignature,
}

impl Presence {
    /// Signs it.
    #[must_use]
    pub fn sign(self, secret: &DeviceSecret) -> SignedPresence {
        let signature = secret.sign(&signed_bytes(&self));
        SignedPresence { presence: self, signature }
    }
}

impl SignedPresence {
    /// Whether `device` signed it.
    #[must_use]
    pub fn is_by(&self, device: DeviceKey) -> bool {
        device.verifies(&signed_bytes(&self.presence), &self.signature)
    }
}

fn signed_bytes(presence: &Presence) -> Vec<u8> {
    [CONTEXT, &wire::encode(presence)].concat()
}

/// What one device tells another to connect their media; meant for one session of one device,
/// and believed only on the stream of the device that sends it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Signal {
    /// The sender's stay.
    #[n(0)]
    pub from: Session,
    /// The stay that it is meant for.
    #[n(1)]
    pub to: Session,
    /// Counts the connections tried between the two stays. A higher number replaces the
    /// connection, a lower one is late and means nothing.
    #[n(2)]
    pub attempt: u32,
    /// The message.
    #[n(3)]
    pub body: SignalBody,
}

/// A step of a negotiation.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum SignalBody {
    /// An offer or answer.
    #[n(0)]
    Description(#[n(0)] Description),
    /// A candidate.
    #[n(1)]
    Candidate(#[n(0)] Candidate),
    /// An offer is asked for by the side that makes none: the first, or one with new paths.
    #[n(2)]
    Ask,
}

impl SignalBody {
    /// Whether it proposes a connection.
    #[must_use]
    pub const fn is_offer(&self) -> bool {
        matches!(self, Self::Description(Description { kind: DescriptionKind::Offer, .. }))
    }

    /// Whether it keeps to the limits on lengths.
    #[must_use]
    pub fn fits(&self) -> bool {
        match self {
            Self::Description(description) => description.sdp.len() <= Description::MAX_SDP,
            Self::Candidate(candidate) => {
                candidate.line.len() <= Candidate::MAX_LINE
                    && candidate.mid.as_ref().is_none_or(|mid| mid.len() <= 64)
            }
            Self::Ask => true,
        }
    }
}

/// Whom a device hears in its meeting: those with whom its media connection stands.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Hears {
    /// The sender's stay.
    #[n(0)]
    pub session: Session,
    /// Whom it hears, as many as can speak at most.
    #[n(1)]
    pub devices: Vec<DeviceKey>,
}

/// A frame of `/chats/meeting/1`.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum MeetingMessage {
    /// Who is there.
    #[n(0)]
    Presence(#[n(0)] SignedPresence),
    /// How to connect.
    #[n(1)]
    Signal(#[n(0)] Signal),
    /// Whom the sender hears.
    #[n(2)]
    Hears(#[n(0)] Hears),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{COMMUNITY, NOW};

    fn presence() -> Presence {
        Presence {
            community: COMMUNITY,
            meeting: MeetingName::parse("main").unwrap(),
            session: Session([1; 8]),
            sequence: 1,
            time: NOW,
            joined: NOW,
            muted: false,
            leaving: false,
            hand: None,
        }
    }

    #[test]
    fn nobody_can_speak_for_another_or_change_a_word() {
        let (alice, bob) = (DeviceSecret::from_seed(&[1; 32]), DeviceSecret::from_seed(&[2; 32]));
        let signed = presence().sign(&alice);
        assert!(signed.is_by(alice.device()));
        assert!(!signed.is_by(bob.device()));
        let mut unmuted = signed;
        unmuted.presence.muted = true;
        assert!(!unmuted.is_by(alice.device()));
    }

    #[test]
    fn messages_survive_the_wire() {
        let secret = DeviceSecret::from_seed(&[1; 32]);
        let description = Description { kind: DescriptionKind::Offer, sdp: "v=0".to_owned() };
        let bodies = [SignalBody::Description(description), SignalBody::Ask];
        let signals = bodies.map(|body| {
            let (from, to) = (Session([1; 8]), Session([2; 8]));
            MeetingMessage::Signal(Signal { from, to, attempt: 1, body })
        });
        let presence = MeetingMessage::Presence(presence().sign(&secret));
        for message in signals.into_iter().chain([presence]) {
            assert_eq!(wire::decode("message", &wire::encode(&message)), Ok(message));
        }
    }

    #[test]
    fn oversized_descriptions_and_candidates_do_not_fit() {
        let sdp = "x".repeat(Description::MAX_SDP + 1);
        let description = Description { kind: DescriptionKind::Offer, sdp };
        assert!(!SignalBody::Description(description).fits());
        let line = "x".repeat(Candidate::MAX_LINE + 1);
        assert!(!SignalBody::Candidate(Candidate { line, mid: None, line_index: None }).fits());
    }
}

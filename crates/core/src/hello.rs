//! What two devices say to each other first (`/chats/hello/1`).
//!
//! The side that dialled says [`Hello`] at once. The other says its own only after the first has
//! passed, so whoever dials a member learns nothing from it without being a member. Each side
//! says [`HelloMessage::Welcome`] when the other has passed; both must have been said before
//! anything else is.

use crate::certificate::DeviceCertificate;
use crate::time::Time;
use minicbor::{Decode, Encode};

/// Who is here, and what it knows.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Hello {
    /// A wallet's word for the device that speaks.
    #[n(0)]
    pub certificate: DeviceCertificate,
    /// The community's number in the certificate's registry.
    #[n(1)]
    pub community: u64,
    /// The newest version of the community that it knows of.
    #[n(2)]
    pub version: u64,
    /// Its clock.
    #[n(3)]
    pub time: Time,
}

/// Why a device is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Refusal {
    /// The contract gives its wallet no seat.
    #[n(0)]
    NotAMember,
    /// Its certificate does not count: expired, cut off, tampered, or somebody else's.
    #[n(1)]
    Certificate,
    /// It came for another community.
    #[n(2)]
    OtherCommunity,
    /// The chain could not be asked in time; worth another try.
    #[n(3)]
    Undecided,
    /// It sent something that is not of this protocol.
    #[n(4)]
    Malformed,
}

/// A frame of `/chats/hello/1`.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum HelloMessage {
    /// This is me.
    #[n(0)]
    Hello(#[n(0)] Box<Hello>),
    /// You have passed.
    #[n(1)]
    Welcome,
    /// You have not, for this reason; the connection ends.
    #[n(2)]
    Refused(#[n(0)] Refusal),
}

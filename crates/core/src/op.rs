//! What members of a room write: ops, which are sealed, signed, and never change.
//!
//! An op travels and is kept as an [`Envelope`]. Those without the keys of its epoch see its room,
//! its time, its epoch and into which of five sizes it fell; they can tell that somebody with the
//! epoch's secret wrote it ([`Envelope::verify_write`]). Those with the keys open the [`Header`]
//! (who, after what, of which kind) and the [`Body`] apart from each other.

mod envelope;
mod header;
mod id;
mod seal;
mod size;

pub use envelope::{Body, Envelope, Signed};
pub use header::{Header, MAX_HEADER, MAX_PARENTS, Parents};
pub use id::OpId;
pub use seal::{Draft, SealedOp};
pub use size::SIZES;

use crate::epoch::EpochId;
use crate::wire::WireError;

/// The version of ops that is written and read.
pub const VERSION: u8 = 1;
/// How ops of this version are sealed and signed: XChaCha20-Poly1305, Ed25519, BLAKE3.
pub const SUITE: u8 = 1;

/// Why an op was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpError {
    /// Not the bytes of an op, or not the one way to write it.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// Written or sealed in a way that is not known here.
    #[error("the op has version {0} and suite {1}, this program reads {VERSION} and {SUITE}")]
    Version(u8, u8),
    /// Of another length than ops have.
    #[error("an op of {0} bytes: none is of this size")]
    Size(usize),
    /// Larger than the largest op.
    #[error("{0} bytes do not fit into an op of 64 kB: write less")]
    TooLarge(usize),
    /// Filled up with other things than zeros, or to another size than it needs.
    #[error("the op is not padded as it must be")]
    Padding,
    /// The sealed body is not the one that was signed.
    #[error("the body is not the one that was signed")]
    BodyHash,
    /// Sealed with the keys of another epoch.
    #[error("the op is of another epoch, {0:?}")]
    OtherEpoch(EpochId),
    /// Of another room.
    #[error("the op is of another room")]
    OtherRoom,
    /// The header does not open with the keys of its epoch.
    #[error("the op's header does not open")]
    Header,
    /// The body does not open with the keys of its epoch.
    #[error("the op's body does not open")]
    Body,
    /// The body was dropped.
    #[error("the op has no body any more")]
    NoBody,
    /// It names ops that are not earlier, or a first op with a previous one.
    #[error("the op names others before it that cannot be")]
    Order,
    /// The device did not sign exactly this.
    #[error("the device's signature does not match")]
    Signature,
    /// Nobody with the epoch's secret signed exactly this.
    #[error("the epoch's signature does not match")]
    WriteSignature,
}

#[cfg(test)]
mod tests;

//! What keys are sealed to a device with.

use crate::control::signed::device_signed;
use crate::id::{DeviceKey, DeviceSignature};
use crate::time::Time;
use minicbor::{Decode, Encode};

/// An X25519 public key (RFC 7748), 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct PrekeyPublic(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 32]);

/// A device says what keys are to be sealed to it with from now on.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Prekey {
    /// Whose.
    #[n(0)]
    pub device: DeviceKey,
    /// The key.
    #[n(1)]
    pub key: PrekeyPublic,
    /// Since when.
    #[n(2)]
    pub time: Time,
    /// Of `device`, context `prekey`.
    #[n(3)]
    pub signature: DeviceSignature,
}

device_signed!(Prekey, "prekey", device);

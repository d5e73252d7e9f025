//! How devices sign control items.

use crate::id::{DeviceKey, DeviceSecret, DeviceSignature};

/// Bytes that a signature takes at the end of an item: its CBOR header and 64.
const SIGNATURE: usize = 66;

/// Gives a type whose last field is `signature` the methods to sign it and to check that.
macro_rules! device_signed {
    ($item:ty, $context:literal, $signer:ident) => {
        impl $item {
            const CONTEXT: &str = concat!("community-chats/", $context, "/1\0");

            /// Signs it with the secret of the device that it names, in place of any signature that
            /// it had.
            #[must_use]
            pub fn sign(mut self, secret: &crate::id::DeviceSecret) -> Self {
                let item = crate::wire::encode(&self);
                self.signature = crate::control::signed::sign(Self::CONTEXT, &item, secret);
                self
            }

            /// Whether the device that it names signed exactly this.
            #[must_use]
            pub fn is_signed(&self) -> bool {
                let item = crate::wire::encode(self);
                let by = (self.$signer, &self.signature);
                crate::control::signed::is_signed(Self::CONTEXT, &item, by)
            }
        }
    };
}

pub(super) use device_signed;

pub(super) fn sign(context: &str, item: &[u8], secret: &DeviceSecret) -> DeviceSignature {
    secret.sign(&covered(context, item))
}

pub(super) fn is_signed(
    context: &str,
    item: &[u8],
    (device, signature): (DeviceKey, &DeviceSignature),
) -> bool {
    device.verifies(&covered(context, item), signature)
}

/// What a signature covers: the context, and the fields before the signature one after the other
/// (a CBOR sequence, RFC 8742). No item has more than 23 fields, so the array's header is one byte.
fn covered(context: &str, item: &[u8]) -> Vec<u8> {
    let fields = item.get(1..item.len().saturating_sub(SIGNATURE)).unwrap_or_default();
    [context.as_bytes(), fields].concat()
}

//! A wallet signs a device out, for good.

use crate::certificate::{rfc3339, wallet_signed};
use crate::id::{DeviceKey, Wallet};
use crate::time::Time;
use minicbor::{Decode, Encode};

/// A wallet takes back, for good and in every community, that a device speaks for it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Revoke {
    /// Whose word.
    #[n(0)]
    pub wallet: Wallet,
    /// About which device.
    #[n(1)]
    pub device: DeviceKey,
    /// Since when: whole seconds, as the text names no less.
    #[n(2)]
    pub time: Time,
    /// The wallet's, over the EIP-191 hash of [`Self::text`]: 65 bytes, the last of which is 27 or
    /// 28, so nobody can write it in another way.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub signature: [u8; 65],
}

impl Revoke {
    /// The text to sign.
    #[must_use]
    pub fn text(wallet: Wallet, device: DeviceKey, time: Time) -> String {
        let (device, time) = (device.did_key(), rfc3339(time.secs()));
        format!(
            "Sign this device out of Community Chats, for good. It costs nothing and moves no \
             money.\n\nDevice: {device}\nWallet: {wallet}\nTime: {time}"
        )
    }

    /// Whether the wallet signed exactly this. Smart accounts cannot yet.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        let text = Self::text(self.wallet, self.device, self.time);
        self.time.0.is_multiple_of(1000)
            && matches!(self.signature.last(), Some(27 | 28))
            && wallet_signed(self.wallet, &text, &self.signature)
    }
}

//! Secrets at rest: AES-256-GCM under a `CryptoKey` that cannot be extracted.

use crate::{js::crypto, random};
use js_sys::{Array, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AesGcmParams, AesKeyGenParams, CryptoKey, SubtleCrypto};
use zeroize::Zeroizing;

/// Bytes of the random IV that stands in front of what is sealed (NIST SP 800-38D, 8.2.2; each
/// key seals two secrets).
const IV: u32 = 12;
/// IV, secret, tag.
const SEALED: u32 = IV + 32 + 16;

/// What is sealed; a row of one cannot pass for the other.
#[derive(Clone, Copy)]
pub(super) enum Secret {
    /// The seed of the device.
    Device,
    /// The key that rows of stores are sealed with.
    Data,
}

impl Secret {
    const fn context(self) -> &'static [u8] {
        match self {
            Self::Device => b"community-chats/1 device",
            Self::Data => b"community-chats/1 data key",
        }
    }
}

/// A secret of random bytes.
pub(super) fn random_secret() -> Zeroizing<[u8; 32]> {
    Zeroizing::new(random::bytes())
}

/// A fresh key, as it is to be stored.
pub(super) async fn new_key() -> Result<CryptoKey, JsValue> {
    let subtle = crypto().subtle();
    let usages = Array::of2(&JsValue::from_str("encrypt"), &JsValue::from_str("decrypt"));
    let parameters = AesKeyGenParams::new("AES-GCM", 256);
    let key = subtle.generate_key_with_object(&parameters, false, &usages)?;
    Ok(JsFuture::from(key).await?.unchecked_into())
}

/// A secret sealed with a key, as it is to be stored.
pub(super) async fn seal(
    key: &CryptoKey,
    kind: Secret,
    secret: &Zeroizing<[u8; 32]>,
) -> Result<JsValue, JsValue> {
    let subtle = crypto().subtle();
    let iv = Uint8Array::from(random::bytes::<{ IV as usize }>().as_slice());
    let clear = Uint8Array::from(secret.as_slice());
    let parameters = parameters(&iv, kind);
    let encrypted = match subtle.encrypt_with_object_and_js_u8_array(&parameters, key, &clear) {
        Ok(promise) => JsFuture::from(promise).await,
        Err(error) => Err(error),
    };
    clear.fill(0, 0, clear.length());

    let row = Uint8Array::new_with_length(SEALED);
    row.set(&iv, 0);
    row.set(&Uint8Array::new(&encrypted?), IV);
    Ok(row.into())
}

/// The secret in a row, or `None` if key and row are not what [`seal`] made.
pub(super) async fn unseal(
    key: &JsValue,
    kind: Secret,
    row: &JsValue,
) -> Option<Zeroizing<[u8; 32]>> {
    let key: &CryptoKey = key.dyn_ref()?;
    let row: &Uint8Array = row.dyn_ref()?;
    if row.length() != SEALED {
        return None;
    }
    let subtle: SubtleCrypto = crypto().subtle();
    let promise = subtle
        .decrypt_with_object_and_js_u8_array(
            &parameters(&row.slice(0, IV), kind),
            key,
            &row.slice(IV, SEALED),
        )
        .ok()?;
    let clear = Uint8Array::new(&JsFuture::from(promise).await.ok()?);
    if clear.length() != 32 {
        return None;
    }
    let mut secret = Zeroizing::new([0; 32]);
    clear.copy_to(secret.as_mut_slice());
    clear.fill(0, 0, clear.length());
    Some(secret)
}

fn parameters(iv: &Uint8Array, kind: Secret) -> AesGcmParams {
    let parameters = AesGcmParams::new("AES-GCM", iv);
    parameters.set_additional_data(&Uint8Array::from(kind.context()));
    parameters
}

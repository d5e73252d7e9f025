//! The device's seed at rest: AES-256-GCM under a `CryptoKey` that cannot be extracted.

use crate::{js::window, random};
use chats_core::id::DeviceSecret;
use js_sys::{Array, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AesGcmParams, AesKeyGenParams, CryptoKey, SubtleCrypto};
use zeroize::Zeroizing;

/// Bytes of the random IV that stands in front of the sealed seed (NIST SP 800-38D, 8.2.2; each
/// key seals once).
const IV: u32 = 12;
/// IV, seed, tag.
const SEALED: u32 = IV + 32 + 16;
/// Says what is sealed, so that a row cannot pass for another kind of row.
const CONTEXT: &[u8] = b"community-chats/1 device";

pub(super) fn new_device() -> DeviceSecret {
    DeviceSecret::from_seed(&Zeroizing::new(random::bytes()))
}

/// A fresh key and the device's seed sealed with it: both as they are to be stored.
pub(super) async fn seal(device: &DeviceSecret) -> Result<(JsValue, JsValue), JsValue> {
    let subtle = window().crypto()?.subtle();
    let usages = Array::of2(&JsValue::from_str("encrypt"), &JsValue::from_str("decrypt"));
    let key: CryptoKey = JsFuture::from(subtle.generate_key_with_object(
        &AesKeyGenParams::new("AES-GCM", 256),
        false,
        &usages,
    )?)
    .await?
    .unchecked_into();

    let iv = Uint8Array::from(random::bytes::<{ IV as usize }>().as_slice());
    let seed = Uint8Array::from(device.seed().as_slice());
    let encrypted = match subtle.encrypt_with_object_and_js_u8_array(&parameters(&iv), &key, &seed)
    {
        Ok(promise) => JsFuture::from(promise).await,
        Err(error) => Err(error),
    };
    seed.fill(0, 0, seed.length());

    let row = Uint8Array::new_with_length(SEALED);
    row.set(&iv, 0);
    row.set(&Uint8Array::new(&encrypted?), IV);
    Ok((key.into(), row.into()))
}

/// The seed in a row, or `None` if key and row are not what [`seal`] made.
pub(super) async fn unseal(key: &JsValue, row: &JsValue) -> Option<Zeroizing<[u8; 32]>> {
    let key: &CryptoKey = key.dyn_ref()?;
    let row: &Uint8Array = row.dyn_ref()?;
    if row.length() != SEALED {
        return None;
    }
    let subtle: SubtleCrypto = window().crypto().ok()?.subtle();
    let promise = subtle
        .decrypt_with_object_and_js_u8_array(
            &parameters(&row.slice(0, IV)),
            key,
            &row.slice(IV, SEALED),
        )
        .ok()?;
    let clear = Uint8Array::new(&JsFuture::from(promise).await.ok()?);
    if clear.length() != 32 {
        return None;
    }
    let mut seed = Zeroizing::new([0; 32]);
    clear.copy_to(seed.as_mut_slice());
    clear.fill(0, 0, clear.length());
    Some(seed)
}

fn parameters(iv: &Uint8Array) -> AesGcmParams {
    let parameters = AesGcmParams::new("AES-GCM", iv);
    parameters.set_additional_data(&Uint8Array::from(CONTEXT));
    parameters
}

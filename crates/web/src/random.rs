//! Randomness from the browser's cryptographic generator (Web Crypto, `getRandomValues`).

use crate::js;
use wasm_bindgen::UnwrapThrowExt;

/// The most that one call of `getRandomValues` gives, in bytes.
const AT_ONCE: usize = 65_536;

/// Fills `bytes` with random ones. Throws a JavaScript exception in a browser without
/// `crypto.getRandomValues`: there is nothing sensible to go on with.
pub fn fill(bytes: &mut [u8]) {
    let crypto = js::crypto();
    for part in bytes.chunks_mut(AT_ONCE) {
        crypto.get_random_values_with_u8_array(part).expect_throw("the browser gave no randomness");
    }
}

/// `N` random bytes.
#[must_use]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill(&mut bytes);
    bytes
}

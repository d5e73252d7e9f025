//! Sealing with a key that members share: XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03).

use chacha20poly1305::{AeadInOut, KeyInit, XChaCha20Poly1305};
use std::fmt;
use zeroize::Zeroizing;

/// What is prefixed to no plaintext but appended to each: the tag, in bytes.
pub const TAG: usize = 16;

/// 24 bytes, random for each thing that is sealed.
pub type Nonce = [u8; 24];

/// A key to seal and to open with. Erased on drop, never printed.
#[derive(Clone)]
pub struct SealKey(Zeroizing<[u8; 32]>);

impl SealKey {
    /// The key with these bytes.
    #[must_use]
    pub const fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    /// Seals what stands in `buffer`, in its place, and appends the tag ([`TAG`] bytes).
    /// `context` is not sealed and must be the same when it is opened.
    pub fn seal(&self, nonce: &Nonce, context: &[u8], buffer: &mut Vec<u8>) {
        // It fails only for more than 256 GB. Nothing is what nobody can open.
        if self.cipher().encrypt_in_place(nonce.into(), context, buffer).is_err() {
            buffer.clear();
        }
    }

    /// What was sealed, or `None` if a bit of it, of the nonce or of `context` is not as it was.
    #[must_use]
    pub fn open(&self, nonce: &Nonce, context: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let mut buffer = sealed.to_vec();
        let opened = self.cipher().decrypt_in_place(nonce.into(), context, &mut buffer);
        opened.ok().map(|()| buffer)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.0).into())
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> SealKey {
        SealKey::new(Zeroizing::new([byte; 32]))
    }

    fn sealed() -> Vec<u8> {
        let mut buffer = b"a word".to_vec();
        key(1).seal(&[2; 24], b"context", &mut buffer);
        buffer
    }

    #[test]
    fn what_was_sealed_opens_again() {
        assert_eq!(sealed().len(), 6 + TAG);
        assert_eq!(key(1).open(&[2; 24], b"context", &sealed()).as_deref(), Some(&b"a word"[..]));
    }

    #[test]
    fn nothing_else_opens() {
        let sealed = sealed();
        assert_eq!(key(3).open(&[2; 24], b"context", &sealed), None);
        assert_eq!(key(1).open(&[3; 24], b"context", &sealed), None);
        assert_eq!(key(1).open(&[2; 24], b"contexT", &sealed), None);
        for at in 0..sealed.len() {
            let mut flipped = sealed.clone();
            flipped[at] ^= 1;
            assert_eq!(key(1).open(&[2; 24], b"context", &flipped), None, "byte {at}");
            assert_eq!(key(1).open(&[2; 24], b"context", &sealed[..at]), None, "{at} bytes");
        }
    }

    /// The example of draft-irtf-cfrg-xchacha-03, A.3.1.
    #[test]
    fn it_is_the_cipher_of_the_draft() {
        let key = SealKey::new(Zeroizing::new(std::array::from_fn(|at| 0x80 + at as u8)));
        let nonce: Nonce = std::array::from_fn(|at| 0x40 + at as u8);
        let context = [0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7];
        let mut buffer = b"Ladies and Gentlemen of the class of '99: If I could offer you only \
                           one tip for the future, sunscreen would be it."
            .to_vec();
        key.seal(&nonce, &context, &mut buffer);
        assert_eq!(buffer[..8], [0xbd, 0x6d, 0x17, 0x9d, 0x3e, 0x83, 0xd4, 0x3b]);
        assert_eq!(
            buffer[buffer.len() - TAG..],
            [
                0xc0, 0x87, 0x59, 0x24, 0xc1, 0xc7, 0x98, 0x79, 0x47, 0xde, 0xaf, 0xd8, 0x78, 0x0a,
                0xcf, 0x49
            ]
        );
    }
}

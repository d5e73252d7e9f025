//! Rows, sealed.

use super::Table;
use crate::random::Generator;
use crate::seal::{Nonce, SealKey};
use std::fmt;
use zeroize::Zeroizing;

/// Says what is sealed.
const CONTEXT: &[u8] = b"community-chats/1 row";
/// Bytes that sealing adds: tag and nonce.
const ADDED: usize = crate::seal::TAG + size_of::<Nonce>();

/// Seals rows and opens them.
pub(super) struct Sealer {
    key: SealKey,
    nonces: Generator,
}

impl Sealer {
    pub(super) const fn new(key: SealKey, seed: Zeroizing<[u8; 32]>) -> Self {
        Self { key, nonces: Generator::new(seed) }
    }

    /// The row that holds `plain`: it sealed, the tag, the nonce. It opens for the same format,
    /// table and key alone.
    pub(super) fn seal(&mut self, format: u32, table: Table, key: &[u8], plain: &[u8]) -> Vec<u8> {
        let nonce = self.nonces.bytes::<24>();
        let mut row = Vec::with_capacity(plain.len() + ADDED);
        row.extend_from_slice(plain);
        self.key.seal(&nonce, &context(format, table, key), &mut row);
        row.extend_from_slice(&nonce);
        row
    }

    /// What a row holds, or `None` if it is not as it was written.
    pub(super) fn open(
        &self,
        format: u32,
        table: Table,
        key: &[u8],
        row: &[u8],
    ) -> Option<Vec<u8>> {
        let (sealed, nonce) = row.split_last_chunk()?;
        self.key.open(nonce, &context(format, table, key), sealed)
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer(..)")
    }
}

fn context(format: u32, table: Table, key: &[u8]) -> Vec<u8> {
    [CONTEXT, &format.to_be_bytes(), table.name().as_bytes(), &[0], key].concat()
}

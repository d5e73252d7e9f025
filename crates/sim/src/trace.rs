//! A digest of all that happens, to compare runs by.

use std::fmt::{self, Write};

/// FNV-1a over what is written.
#[derive(Debug)]
pub(crate) struct Trace(u64);

impl Trace {
    pub(crate) const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    pub(crate) const fn digest(&self) -> u64 {
        self.0
    }

    /// Takes one thing that happened at `at` to the device numbered `device`.
    pub(crate) fn add(&mut self, at: u64, device: usize, what: &dyn fmt::Debug) {
        // Writing here cannot fail.
        let _ = writeln!(self, "{at} {device} {what:?}");
    }
}

impl Write for Trace {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Ok(())
    }
}

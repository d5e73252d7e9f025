//! How things are written down: deterministic CBOR (RFC 8949, section 4.2).
//!
//! Whatever arrives must be the one way to write what it says: it is decoded, written again and
//! compared. So no two byte strings mean the same, and unknown or trailing fields are refused.

use minicbor::{Decode, Encode};

/// Why bytes were refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// Not CBOR, or not of the expected shape.
    #[error("malformed {what}: {why}")]
    Malformed {
        /// What was expected.
        what: &'static str,
        /// What the decoder says.
        why: String,
    },
    /// Right, but not written in the deterministic form.
    #[error("{what} is not in deterministic form")]
    NotDeterministic {
        /// What was expected.
        what: &'static str,
    },
}

/// Writes `value` down.
#[must_use]
pub fn encode<T: Encode<()>>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    match minicbor::encode(value, &mut bytes) {
        Ok(()) => bytes,
        // Writing into a vector cannot fail; an empty frame would be refused by every reader.
        Err(_) => Vec::new(),
    }
}

/// Reads a value of which all of `bytes` are the only encoding; `what` names it in errors.
///
/// # Errors
/// [`WireError::Malformed`] or [`WireError::NotDeterministic`].
pub fn decode<'b, T: Encode<()> + Decode<'b, ()>>(
    what: &'static str,
    bytes: &'b [u8],
) -> Result<T, WireError> {
    let value: T = minicbor::decode(bytes)
        .map_err(|error| WireError::Malformed { what, why: error.to_string() })?;
    if encode(&value) == bytes { Ok(value) } else { Err(WireError::NotDeterministic { what }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_shortest_form_is_read() {
        assert_eq!(decode::<u64>("number", &encode(&5_u64)), Ok(5));
        assert!(matches!(
            decode::<u64>("number", &[0x18, 5]),
            Err(WireError::NotDeterministic { .. })
        ));
    }

    #[test]
    fn trailing_bytes_are_refused() {
        let mut bytes = encode(&5_u64);
        bytes.push(0);
        assert!(decode::<u64>("number", &bytes).is_err());
    }
}

//! How long ops are: as few lengths as possible, so that they tell little of what is inside.

use crate::seal::TAG;

/// The lengths of envelopes with a body, in bytes.
pub const SIZES: [usize; 5] = [512, 1024, 4096, 16_384, 65_536];

/// In a body before the content: 16 random bytes and the content's length.
pub(super) const BODY_HEAD: usize = 16 + 4;
/// An envelope but for the two byte strings in it: the array's head and the write signature.
const FRAME: usize = 1 + 2 + 64;

/// The length of a CBOR byte string's head (RFC 8949, section 3).
const fn head(length: usize) -> usize {
    match length {
        0..24 => 1,
        24..256 => 2,
        256..65_536 => 3,
        _ => 5,
    }
}

/// The length of an envelope. `signed` and `body` are the lengths of the byte strings in it.
pub(super) const fn written(signed: usize, body: Option<usize>) -> usize {
    let body = match body {
        Some(length) => head(length) + length,
        None => 1,
    };
    FRAME + head(signed) + signed + body
}

/// The smallest of the [`SIZES`] for an op with so much content.
pub(super) fn needed(signed: usize, content: usize) -> Option<usize> {
    let least = written(signed, Some(BODY_HEAD + content + TAG));
    SIZES.into_iter().find(|size| least <= *size)
}

/// The length of the sealed body that fills an envelope of `size` bytes to the last.
///
/// There is one for all lengths of `signed` that occur: it would lack a byte only where `size`
/// leaves 258 bytes for the body and its head.
pub(super) const fn filled(size: usize, signed: usize) -> usize {
    let room = size.saturating_sub(FRAME + head(signed) + signed);
    room.saturating_sub(if room < 258 { 2 } else { 3 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_can_be_filled_whatever_the_header() {
        // The shortest has no previous, no parents and a sequence below 24, in the year 1970.
        let signed = 247..=571;
        for (size, signed) in SIZES.into_iter().flat_map(|s| signed.clone().map(move |n| (s, n))) {
            let body = filled(size, signed);
            if body >= BODY_HEAD + TAG {
                assert_eq!(written(signed, Some(body)), size, "{signed} bytes are signed");
            }
        }
    }

    #[test]
    fn what_needs_a_byte_more_takes_the_next_size() {
        let most = filled(512, 300) - BODY_HEAD - TAG;
        assert_eq!(needed(300, most), Some(512));
        assert_eq!(needed(300, most + 1), Some(1024));
        let most = filled(65_536, 300) - BODY_HEAD - TAG;
        assert_eq!(needed(300, most), Some(65_536));
        assert_eq!(needed(300, most + 1), None);
    }
}

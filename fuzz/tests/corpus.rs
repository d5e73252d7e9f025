//! Replays what is known to be worth a try on every decoder: the inputs that are kept and the bytes
//! of all test vectors, whole, cut off, and changed.

use chats_fuzz::{DECODERS, corpus};

/// Of longer inputs not every place is cut or changed.
const EVERY: usize = 128;

/// An input, cut off and changed at up to [`EVERY`] places.
fn variants(input: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let step = input.len().div_ceil(EVERY).max(1);
    (0..input.len()).step_by(step).flat_map(move |at| {
        let flipped = |bits: u8| {
            let mut changed = input.to_vec();
            changed[at] ^= bits;
            changed
        };
        [input[..at].to_vec(), flipped(1), flipped(0x80), flipped(0xff)]
    })
}

#[test]
fn no_decoder_fails_on_what_is_known() {
    let vectors = corpus::vectors();
    assert!(vectors.len() > 100, "only {} vectors", vectors.len());
    for (name, decoder) in DECODERS {
        let kept = corpus::kept(name);
        for input in kept.iter().chain(&vectors) {
            decoder(input);
        }
        for input in kept.iter().flat_map(|input| variants(input)) {
            decoder(&input);
        }
    }
}

#[test]
fn every_decoder_has_inputs_that_are_kept_and_no_others_are() {
    let mut decoders: Vec<_> = DECODERS.iter().map(|(name, _)| *name).collect();
    decoders.sort_unstable();
    let mut kept = corpus::names();
    kept.sort_unstable();
    assert_eq!(kept, decoders, "`cargo xtask fuzz` leaves some for each");
    for name in decoders {
        assert!(!corpus::kept(name).is_empty(), "there are none of {name}");
    }
}

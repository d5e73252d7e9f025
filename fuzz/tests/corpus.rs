//! Replays what is known to be worth a try on every decoder: the inputs that libFuzzer found, in
//! `corpus/NAME.hex`, and the bytes of all test vectors, whole, cut off, and changed.

use chats_fuzz::DECODERS;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Of longer inputs not every place is cut or changed.
const EVERY: usize = 512;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files of a folder, which may be missing.
fn files(folder: &Path) -> Vec<Vec<u8>> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.is_file());
    paths.sort();
    paths.into_iter().map(|path| fs::read(path).unwrap()).collect()
}

/// The inputs that are kept of a decoder.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let file = root().join("corpus").join(name).with_extension("hex");
    let lines = fs::read_to_string(file).unwrap_or_default();
    let inputs = lines.lines().map(|line| bytes(line).expect("hexadecimal digits"));
    inputs.collect()
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    (0..text.len()).step_by(2).map(digits).collect()
}

/// Every string of hexadecimal digits in a value.
fn bytes_in(value: &Value, found: &mut Vec<Vec<u8>>) {
    match value {
        Value::String(text) => {
            found.extend(bytes(text).filter(|bytes| !bytes.is_empty()));
        }
        Value::Array(all) => all.iter().for_each(|one| bytes_in(one, found)),
        Value::Object(all) => all.values().for_each(|one| bytes_in(one, found)),
        _ => {}
    }
}

fn vectors() -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for file in files(&root().join("../crates/core/tests/vectors")) {
        if let Ok(value) = serde_json::from_slice(&file) {
            bytes_in(&value, &mut found);
        }
    }
    found.sort();
    found.dedup();
    found
}

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
    let vectors = vectors();
    assert!(vectors.len() > 100, "only {} vectors", vectors.len());
    for (name, decoder) in DECODERS {
        let corpus = corpus(name);
        for input in corpus.iter().chain(&vectors) {
            decoder(input);
        }
        for input in corpus.iter().flat_map(|input| variants(input)) {
            decoder(&input);
        }
    }
}

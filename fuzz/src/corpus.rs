//! What is known to be worth a try: the inputs that libFuzzer found, one a line in hexadecimal in
//! `corpus/NAME.hex`, and the bytes of all test vectors.

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The inputs that are kept of a decoder.
///
/// # Panics
/// If the file has other things in it than lines of hexadecimal digits.
#[must_use]
pub fn kept(name: &str) -> Vec<Vec<u8>> {
    let file = root().join("corpus").join(name).with_extension("hex");
    let lines = fs::read_to_string(file).unwrap_or_default();
    lines.lines().map(|line| bytes(line).expect("hexadecimal digits")).collect()
}

/// The names of all files with inputs.
///
/// # Panics
/// If they cannot be listed.
#[must_use]
pub fn names() -> Vec<String> {
    let files = files(&root().join("corpus"));
    let names = files.iter().filter_map(|file| Some(file.file_stem()?.to_str()?.to_owned()));
    names.collect()
}

/// The bytes of all test vectors.
///
/// # Panics
/// If they cannot be read.
#[must_use]
pub fn vectors() -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for file in files(&root().join("../crates/core/tests/vectors")) {
        let text = fs::read(file).expect("a file that was listed");
        if let Ok(value) = serde_json::from_slice(&text) {
            bytes_in(&value, &mut found);
        }
    }
    found.sort();
    found.dedup();
    found
}

/// All files in a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder of this repository");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("its entry").path()).collect();
    paths.retain(|path| path.is_file());
    paths.sort();
    paths
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

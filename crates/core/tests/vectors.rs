//! What another implementation can be checked with: every input and every output of the formats
//! in `docs/protocol.md`, in `tests/vectors/*.json`. Here they are written anew and compared.
//!
//! Byte strings are in hexadecimal, moments of rooms (`hlc`) too: 8 bytes, big endian.

#[path = "vectors/clock.rs"]
mod clock;
#[path = "vectors/content.rs"]
mod content;
#[path = "vectors/epoch.rs"]
mod epoch;
#[path = "vectors/gossip.rs"]
mod gossip;
#[path = "vectors/op.rs"]
mod op;
#[path = "vectors/op_id.rs"]
mod op_id;
#[path = "vectors/sync.rs"]
mod sync;

use chats_core::hlc::Hlc;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// Compares with the file of this name. What is written now is left where it can be taken from if
/// the change is meant.
fn check(name: &str, vectors: &Value) {
    let name = format!("{name}.json");
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(&name);
    let written = format!("{vectors:#}\n");
    if fs::read_to_string(&kept).ok().as_deref() != Some(&written) {
        let new = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&name);
        fs::write(&new, written).expect("the folder for it is there");
        panic!("{} is not what is written now, which is in {}", kept.display(), new.display());
    }
}

fn hex(bytes: impl AsRef<[u8]>) -> Value {
    let digits: String = bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    json!(digits)
}

fn moment(hlc: Hlc) -> Value {
    hex(hlc.0.to_be_bytes())
}

/// Bytes that look like none in particular.
fn bytes<const N: usize>(label: &str) -> [u8; N] {
    let mut bytes = [0; N];
    blake3::Hasher::new().update(label.as_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

//! Feeds libFuzzer's bytes to a decoder: the one that the environment variable `CHATS_DECODER`
//! names. With another name, or none, it lists all of them.
#![no_main]

use chats_fuzz::{DECODERS, Read, decoder};
use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;

fuzz_target!(|data: &[u8]| {
    static CHOSEN: OnceLock<Read> = OnceLock::new();
    let decoder = CHOSEN.get_or_init(|| {
        let name = std::env::var("CHATS_DECODER").unwrap_or_default();
        decoder(&name).unwrap_or_else(|| {
            DECODERS.iter().for_each(|(name, _)| println!("{name}"));
            std::process::exit(2);
        })
    });
    decoder(data);
});

//! Fuzzing of everything that reads bytes of others, with libFuzzer.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::{cache, process, tools};

/// What `cargo fuzz` passes to rustc, without a sanitizer: those need a nightly compiler, and the
/// code is safe Rust.
const FLAGS: &str = "--cfg fuzzing -Cdebug-assertions -Coverflow-checks -Ccodegen-units=1 \
                     -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
                     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
                     -Cllvm-args=-sanitizer-coverage-pc-table \
                     -Cllvm-args=-sanitizer-coverage-trace-compares";

/// Runs each decoder, or the one named so, for some seconds. What is found grows a corpus in the
/// cache.
pub(crate) fn run(decoder: Option<&str>, seconds: u32) -> Result<()> {
    let folder = cache::root()?.join("fuzz");
    let mut cargo = tools::cargo()?;
    // The flags would build everything else anew, too.
    cargo.env("CARGO_TARGET_DIR", folder.join("target")).env("RUSTFLAGS", FLAGS);
    cargo.args(["build", "--locked", "--profile", "native", "--package", "chats-fuzz"]);
    let host = host()?;
    // With a target named, the flags are not for build scripts and macros.
    process::run("building the fuzzer", cargo.args(["--target", &host]))?;
    let program = folder.join("target").join(&host).join("native/chats-fuzz");
    // Where it puts what it takes for a finding.
    let findings = format!("-artifact_prefix={}/", folder.display());
    // Without a decoder it lists all of them and ends, which it takes for one.
    let listed = Command::new(&program).args(["-runs=1", &findings]).output();
    let listed = listed.context("starting the fuzzer")?;
    let listed = String::from_utf8(listed.stdout)?;
    let decoders: Vec<&str> =
        listed.lines().filter(|name| decoder.is_none_or(|only| only == *name)).collect();
    ensure!(!decoders.is_empty(), "there is no such decoder; there are:\n{listed}");
    for name in decoders {
        let corpus = folder.join("corpus").join(name);
        std::fs::create_dir_all(&corpus)?;
        eprintln!("{name}: {seconds} s");
        let mut fuzzer = Command::new(&program);
        fuzzer
            .env("CHATS_DECODER", name)
            .arg(format!("-max_total_time={seconds}"))
            .arg("-max_len=20000")
            .arg("-timeout=10")
            .arg("-verbosity=0")
            .arg(&findings)
            .arg(&corpus);
        process::run(&format!("fuzzing {name}"), &mut fuzzer)?;
    }
    println!("nothing found");
    Ok(())
}

/// What this machine's compiler builds for.
fn host() -> Result<String> {
    let said = process::output("rustc -vV", Command::new("rustc").arg("-vV"))?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc names no host")?.to_owned())
}

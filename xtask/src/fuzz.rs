//! Fuzzing of everything that reads bytes of others, with libFuzzer.
//!
//! What it finds grows a corpus in the cache; of that a small part, which reaches as much code, is
//! left in `fuzz/corpus`, where tests replay it.

use std::fs;
use std::path::PathBuf;
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
/// The longest input that is kept in the repository, in bytes.
const MAX_KEPT: u32 = 600;
/// The most inputs of one decoder that are kept there.
const KEPT: usize = 40;

/// Runs each decoder, or the one named so, for some seconds, and keeps what it finds.
pub(crate) fn run(decoder: Option<&str>, seconds: u32) -> Result<()> {
    let fuzzer = Fuzzer::build()?;
    let mut decoders = fuzzer.decoders()?;
    let listed = decoders.join("\n");
    decoders.retain(|name| decoder.is_none_or(|only| only == *name));
    ensure!(!decoders.is_empty(), "there is no such decoder; there are:\n{listed}");
    for name in decoders {
        eprintln!("{name}: {seconds} s");
        fuzzer.run(&name, seconds)?;
        fuzzer.keep(&name)?;
    }
    println!("nothing found");
    Ok(())
}

/// The built program, and the folder in the cache where what it finds grows.
struct Fuzzer {
    folder: PathBuf,
    program: PathBuf,
}

impl Fuzzer {
    fn build() -> Result<Self> {
        let folder = cache::root()?.join("fuzz");
        let mut cargo = tools::cargo()?;
        // The flags would build everything else anew, too.
        cargo.env("CARGO_TARGET_DIR", folder.join("target")).env("RUSTFLAGS", FLAGS);
        cargo.args(["build", "--locked", "--profile", "native", "--package", "chats-fuzz"]);
        let host = host()?;
        // With a target named, the flags are not for build scripts and macros.
        cargo.args(["--features", "fuzzer", "--target", &host]);
        process::run("building the fuzzer", &mut cargo)?;
        let program = folder.join("target").join(&host).join("native/chats-fuzz");
        Ok(Self { folder, program })
    }

    /// The program for a decoder.
    fn command(&self, decoder: &str) -> Command {
        let mut command = Command::new(&self.program);
        // Where it puts what it takes for a finding.
        let findings = format!("-artifact_prefix={}/", self.folder.display());
        command.env("CHATS_DECODER", decoder).args([&findings, "-verbosity=0"]);
        command
    }

    fn decoders(&self) -> Result<Vec<String>> {
        // Without a decoder it lists all of them and ends, which it takes for a finding.
        let listed = self.command("").arg("-runs=1").output().context("starting the fuzzer")?;
        let listed = String::from_utf8(listed.stdout)?;
        Ok(listed.lines().map(str::to_owned).collect())
    }

    /// Where the inputs of a decoder grow, from those that are kept.
    fn corpus(&self, decoder: &str) -> Result<PathBuf> {
        let corpus = self.folder.join("corpus").join(decoder);
        fs::create_dir_all(&corpus)?;
        for (number, line) in
            fs::read_to_string(kept(decoder)).unwrap_or_default().lines().enumerate()
        {
            let bytes = alloy_primitives::hex::decode(line)
                .with_context(|| format!("line {} of the inputs of {decoder}", number + 1))?;
            fs::write(corpus.join(format!("kept-{number}")), bytes)?;
        }
        Ok(corpus)
    }

    fn run(&self, decoder: &str, seconds: u32) -> Result<()> {
        let mut fuzzer = self.command(decoder);
        fuzzer.arg(format!("-max_total_time={seconds}")).args(["-max_len=20000", "-timeout=10"]);
        process::run(&format!("fuzzing {decoder}"), fuzzer.arg(self.corpus(decoder)?))
    }

    /// Writes the shortest inputs that reach all that is reached, one a line in hexadecimal, to
    /// where tests replay them.
    fn keep(&self, decoder: &str) -> Result<()> {
        let chosen = self.folder.join("chosen").join(decoder);
        if chosen.exists() {
            fs::remove_dir_all(&chosen)?;
        }
        fs::create_dir_all(&chosen)?;
        let mut merge = self.command(decoder);
        merge.args(["-merge=1", &format!("-max_len={MAX_KEPT}")]);
        merge.arg(&chosen).arg(self.corpus(decoder)?);
        process::run(&format!("choosing inputs of {decoder}"), &mut merge)?;
        let mut lines = Vec::new();
        for entry in fs::read_dir(&chosen)? {
            let input = fs::read(entry?.path())?;
            lines.push(input.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        }
        lines.sort_by_key(|line| (line.len(), line.clone()));
        // Short and long ones: what is far from right is short.
        let step = lines.len().div_ceil(KEPT).max(1);
        let lines: Vec<_> = lines.into_iter().rev().step_by(step).collect();
        let file = kept(decoder);
        fs::write(&file, lines.join("\n") + "\n")
            .with_context(|| format!("cannot write {}", file.display()))
    }
}

/// The inputs of a decoder that are kept in the repository.
fn kept(decoder: &str) -> PathBuf {
    tools::repository().join("fuzz/corpus").join(decoder).with_extension("hex")
}

/// What this machine's compiler builds for.
fn host() -> Result<String> {
    let said = process::output("rustc -vV", Command::new("rustc").arg("-vV"))?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc names no host")?.to_owned())
}

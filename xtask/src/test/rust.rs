//! What cargo itself checks on native crates, and clippy for the browser.

use anyhow::Result;

use super::browser::{TESTED, programs};
use super::count::{self, Count};
use super::layering;
use crate::tools;

const SIMULATION: &str = "chats-sim";

/// The crates that run in a browser.
const BROWSER: [&str; 7] = [
    "chats-chain",
    "chats-core",
    "chats-interop",
    "chats-net",
    "chats-web",
    "chats-webrtc",
    "community-chats",
];

pub(super) fn format() -> Result<Count> {
    count::check("cargo fmt", tools::cargo()?.args(["fmt", "--all", "--check"]))
}

pub(super) fn lints() -> Result<Count> {
    tools::wasm_target()?;
    let mut total = Count::default();
    // clippy is its own wrapper, so nothing keeps clones apart: see `tools::share_builds`. It does
    // look again when its arguments change.
    let clone = format!("clone_{}", tools::clone_name());
    let mut clippy = |name: &str, arguments: &[&str]| -> Result<()> {
        let mut cargo = tools::cargo()?;
        cargo
            .args(["clippy", "--quiet", "--locked"])
            .args(arguments)
            .args(["--", "-D", "warnings", "--cfg", &clone]);
        total.add(name, count::check("clippy", &mut cargo)?);
        Ok(())
    };
    clippy("native", &["--all-targets"])?;
    let packages: Vec<&str> = BROWSER.iter().flat_map(|package| ["--package", package]).collect();
    clippy("browser", &[&["--target", tools::WASM], packages.as_slice()].concat())?;
    let tested = TESTED.map(|package| ["--package", package]);
    let tested = [&["--target", tools::WASM, "--tests"], tested.as_flattened()].concat();
    clippy("browser tests", &tested)?;
    Ok(total)
}

pub(super) fn unit(filter: Option<&str>) -> Result<Count> {
    // An ACME server and the names it asks for. The tests of certificates fail without it, and
    // say so.
    if let Err(missing) = programs(["pebble", "pebble-challtestsrv"], ["pebble", "pebble"])? {
        eprintln!("{missing}");
    }
    cargo_test(native()?, &[], filter)
}

/// Random bytes for all that reads bytes of others.
pub(super) fn fuzz() -> Result<Count> {
    // With the packages of the unit tests, so that nothing is built again with other features.
    cargo_test(native()?, &["--test", "smoke"], None)
}

pub(super) fn simulation(filter: Option<&str>) -> Result<Count> {
    cargo_test([SIMULATION.to_owned()], &[], filter)
}

fn native() -> Result<impl Iterator<Item = String>> {
    Ok(layering::default_members()?.into_iter().filter(|name| name != SIMULATION))
}

fn cargo_test(
    packages: impl IntoIterator<Item = String>,
    targets: &[&str],
    filter: Option<&str>,
) -> Result<Count> {
    let mut cargo = tools::cargo()?;
    cargo.args(["test", "--locked", "--no-fail-fast"]).args(targets);
    cargo.args(packages.into_iter().flat_map(|package| ["--package".to_owned(), package]));
    count::tests("cargo test", cargo.args(filter))
}

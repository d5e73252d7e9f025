//! Browsers, and the tests of the browser crates in one.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use super::count::{self, Count};
use crate::relay::{self, Relay};
use crate::{process, tools};

/// Chromium and its WebDriver.
pub(super) struct Chromium {
    pub(super) browser: PathBuf,
    driver: PathBuf,
}

/// Finds Chromium, installing it where that may be done; the error is why there is none.
pub(super) fn chromium() -> Result<Result<Chromium, String>> {
    let found = programs(["chromium", "chromedriver"], ["chromium", "chromium-driver"])?;
    Ok(found.map(|[browser, driver]| Chromium { browser, driver }))
}

/// Firefox, and what gives it speakers: without any it renders no sound.
pub(super) struct Firefox {
    pub(super) browser: PathBuf,
    pub(super) pulseaudio: PathBuf,
}

/// Finds Firefox, installing it where that may be done; the error is why there is none.
pub(super) fn firefox() -> Result<Result<Firefox, String>> {
    let found = programs(["firefox-esr", "pulseaudio"], ["firefox-esr", "pulseaudio"])?;
    Ok(found.map(|[browser, pulseaudio]| Firefox { browser, pulseaudio }))
}

/// Finds two programs, installing the Debian packages that hold them if need be.
pub(super) fn programs(
    names: [&str; 2],
    packages: [&str; 2],
) -> Result<Result<[PathBuf; 2], String>> {
    let found = || Some([tools::find(names[0])?, tools::find(names[1])?]);
    if let Some(found) = found() {
        return Ok(Ok(found));
    }
    let both = names.join(" with ");
    let line = format!("apt-get install -y --no-install-recommends {}", packages.join(" "));
    if !nix::unistd::geteuid().is_root() || tools::find("apt-get").is_none() {
        return Ok(Err(format!("there is no {both}; on Debian: {line}")));
    }
    eprintln!("installing {both} by apt (about 2 minutes)");
    let _lock = crate::cache::lock("apt")?;
    let mut update = Command::new("apt-get");
    process::run("apt-get update", update.args(["-qq", "update"]))?;
    let mut install = Command::new("apt-get");
    install.env("DEBIAN_FRONTEND", "noninteractive");
    install.args(["-qq", "install", "-y", "--no-install-recommends"]).args(packages);
    process::run(&format!("installing {both}"), &mut install)?;
    Ok(found().ok_or_else(|| format!("apt installed no {both}; by hand: {line}")))
}

/// The crates with tests in WebAssembly.
pub(super) const TESTED: [&str; 4] = ["community-chats", "chats-web", "chats-net", "chats-webrtc"];

pub(super) fn wasm(filter: Option<&str>) -> Result<Count> {
    let chromium = match chromium()? {
        Ok(chromium) => chromium,
        Err(why) => return Ok(Count::skip(why)),
    };
    tools::wasm_target()?;
    tools::wasm_bindgen()?;
    let folder = process::temporary_folder()?;
    let relay = Relay::start("relay", &relay::build()?, &folder)?;
    let mut cargo = tools::cargo()?;
    cargo.env("CHROMEDRIVER", &chromium.driver).env("CHATS_TEST_RELAY", &relay.address);
    cargo.args(["test", "--locked", "--no-fail-fast", "--target", tools::WASM]);
    // All at once, so that what they share is built once. The page's own tests need no browser:
    // Node runs them.
    cargo.args(TESTED.iter().flat_map(|package| ["--package", package])).args(filter);
    count::tests("the tests in WebAssembly", &mut cargo)
}

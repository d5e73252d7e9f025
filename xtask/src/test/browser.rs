//! Chromium, and the tests of the browser crates in it.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use super::count::{self, Count};
use crate::relay::{self, Relay};
use crate::{process, tools};

const PACKAGES: [&str; 2] = ["chromium", "chromium-driver"];

/// Chromium and its WebDriver.
pub(super) struct Chromium {
    pub(super) browser: PathBuf,
    driver: PathBuf,
}

/// Finds Chromium, installing it where that may be done; the error is why there is none.
pub(super) fn chromium() -> Result<Result<Chromium, String>> {
    if let Some(found) = found() {
        return Ok(Ok(found));
    }
    let line = format!("apt-get install -y --no-install-recommends {}", PACKAGES.join(" "));
    if !nix::unistd::geteuid().is_root() || tools::find("apt-get").is_none() {
        return Ok(Err(format!("there is no Chromium with chromedriver; on Debian: {line}")));
    }
    eprintln!("installing Chromium by apt (about 2 minutes)");
    let _lock = crate::cache::lock("apt")?;
    let mut update = Command::new("apt-get");
    process::run("apt-get update", update.args(["-qq", "update"]))?;
    let mut install = Command::new("apt-get");
    install.env("DEBIAN_FRONTEND", "noninteractive");
    install.args(["-qq", "install", "-y", "--no-install-recommends"]).args(PACKAGES);
    process::run("installing Chromium", &mut install)?;
    Ok(found().ok_or_else(|| format!("apt installed no Chromium; by hand: {line}")))
}

fn found() -> Option<Chromium> {
    Some(Chromium { browser: tools::find("chromium")?, driver: tools::find("chromedriver")? })
}

pub(super) fn wasm(filter: Option<&str>) -> Result<Count> {
    let chromium = match chromium()? {
        Ok(chromium) => chromium,
        Err(why) => return Ok(Count::skip(why)),
    };
    tools::wasm_target()?;
    tools::wasm_bindgen()?;
    let folder = process::temporary_folder()?;
    let relay = Relay::start("relay", &relay::build()?, &folder)?;
    let mut total = Count::default();
    // The page's own tests need no browser: Node runs them.
    for package in ["community-chats", "chats-web", "chats-net"] {
        let mut cargo = tools::cargo()?;
        cargo.env("CHROMEDRIVER", &chromium.driver).env("CHATS_TEST_RELAY", &relay.address);
        cargo.args(["test", "--locked", "--no-fail-fast", "--target", tools::WASM]);
        cargo.args(["--package", package]).args(filter);
        total.add(package, count::tests("the tests in WebAssembly", &mut cargo)?);
    }
    Ok(total)
}

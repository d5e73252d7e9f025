//! The native program `chats`, and relays made of it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::process::{self, Service};
use crate::{cache, tools};

/// Builds `chats` and gives its path.
pub(crate) fn build() -> Result<PathBuf> {
    let program = cache::target()?.join("native/chats");
    if !program.is_file() {
        eprintln!("building `chats` (2 minutes the first time, then seconds)");
    }
    native("building `chats`", &["chats-peer"])?;
    Ok(program)
}

/// Builds the program that behaves badly in the browser tests, and gives its path.
pub(crate) fn build_probe() -> Result<PathBuf> {
    // Together with `chats`, so that both come of the same builds of what they share.
    native("building `chats-probe`", &["chats-peer", "chats-probe"])?;
    Ok(cache::target()?.join("native/chats-probe"))
}

fn native(what: &str, packages: &[&str]) -> Result<()> {
    let mut cargo = tools::cargo()?;
    cargo.args(["build", "--quiet", "--profile", "native"]);
    cargo.args(packages.iter().flat_map(|package| ["--package", package]));
    process::run(what, &mut cargo)
}

/// A running relay; it stops when this is dropped.
pub(crate) struct Relay {
    /// Its address, with its peer id.
    pub(crate) address: String,
    pub(crate) service: Service,
}

impl Relay {
    /// Starts a relay on a free port of the loopback interface; `name` tells it from others in
    /// `folder`, which takes its key and its log.
    pub(crate) fn start(name: &'static str, chats: &Path, folder: &Path) -> Result<Self> {
        let mut command = Command::new(chats);
        command.args(["relay", "--listen", "/ip4/127.0.0.1/tcp/0/ws", "--key"]);
        command.arg(folder.join(format!("{name}.key")));
        let mut service = Service::start(name, &mut command, folder)?;
        let address = service.wait_for(Duration::from_secs(30), listening)?;
        Ok(Self { address, service })
    }
}

fn listening(line: &str) -> Option<String> {
    let address = line.strip_prefix("listening ")?.trim();
    address.contains("/p2p/").then(|| address.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_line_with_an_address_and_a_peer_says_that_a_relay_listens() {
        let line = "listening /ip4/127.0.0.1/tcp/9090/ws/p2p/12D3KooWA";
        assert_eq!(listening(line).unwrap(), "/ip4/127.0.0.1/tcp/9090/ws/p2p/12D3KooWA");
        assert_eq!(listening("listening on everything"), None);
        assert_eq!(listening("now listening /ip4/1.2.3.4/p2p/x"), None);
    }
}

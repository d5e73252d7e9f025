//! Which package may depend on which, as ARCHITECTURE.md draws it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde::Deserialize;

use super::count::Count;
use crate::{process, tools};

/// Each package of the workspace with the others it may use.
const ALLOWED: [(&str, &[&str]); 13] = [
    ("chats-core", &[]),
    ("chats-webrtc", &[]),
    ("chats-chain", &["chats-core"]),
    ("chats-net", &["chats-core", "chats-webrtc"]),
    ("chats-web", &["chats-chain", "chats-core", "chats-net"]),
    ("chats-peer", &["chats-chain", "chats-core", "chats-net"]),
    ("chats-sim", &["chats-core"]),
    ("chats-probe", &["chats-chain", "chats-core", "chats-net"]),
    ("chats-fuzz", &["chats-chain", "chats-core", "chats-net", "chats-peer", "chats-webrtc"]),
    ("chats-interop", &["chats-webrtc"]),
    ("chats-deploy", &["chats-chain", "chats-core"]),
    ("community-chats", &["chats-chain", "chats-core", "chats-net", "chats-web"]),
    ("xtask", &[]),
];

/// Packages that bind to a browser, and who may use them.
const BROWSER: &[&str] = &["gloo", "idb", "js-sys", "rexie", "web-sys"];
const BROWSER_USERS: &[&str] = &["chats-web", "chats-webrtc", "community-chats"];

/// What the core may not reach even through others: networks, runtimes, targets.
const NOT_IN_CORE: &[&str] = &["async-std", "gloo", "libp2p", "reqwest", "tokio", "web-sys"];
/// What the core may not name itself; a clock or random source is an argument.
const NOT_NAMED_BY_CORE: &[&str] =
    &["getrandom", "js-sys", "rand", "wasm-bindgen", "wasm-bindgen-futures", "web-time"];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_members: BTreeSet<String>,
    workspace_default_members: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// Absent for what the package itself is built with.
    kind: Option<String>,
    /// Set when only some targets have it.
    target: Option<String>,
    optional: bool,
}

fn metadata() -> Result<Metadata> {
    let mut cargo = tools::cargo()?;
    cargo.args(["metadata", "--format-version", "1", "--locked"]);
    let text = process::output("cargo metadata", &mut cargo)?;
    serde_json::from_str(&text).context("cargo metadata is not what was expected")
}

/// The names of the packages that plain cargo commands mean.
pub(super) fn default_members() -> Result<Vec<String>> {
    let metadata = metadata()?;
    let members = metadata.packages.into_iter();
    let members = members.filter(|one| metadata.workspace_default_members.contains(&one.id));
    Ok(members.map(|one| one.name).collect())
}

/// One check for each package of the workspace.
pub(super) fn run() -> Result<Count> {
    let metadata = metadata()?;
    let mut total = Count::default();
    for package in &metadata.packages {
        if !metadata.workspace_members.contains(&package.id) {
            continue;
        }
        let mut faults = faults(package, &metadata.packages);
        for fault in &faults {
            println!("{fault}");
        }
        let count = match faults.len() {
            0 => Count::success(),
            _ => Count { failed: 1, failures: std::mem::take(&mut faults), ..Count::default() },
        };
        total.add(&package.name, count);
    }
    Ok(total)
}

fn faults(package: &Package, all: &[Package]) -> Vec<String> {
    let name = package.name.as_str();
    let Some((_, allowed)) = ALLOWED.iter().find(|(known, _)| *known == name) else {
        return vec![format!("{name} has no place in the layers: xtask/src/test/layering.rs")];
    };
    let ours = |other: &str| ALLOWED.iter().any(|(known, _)| *known == other);
    let mut faults = Vec::new();
    for dependency in package.dependencies.iter().filter(|one| one.kind.is_none()) {
        let other = dependency.name.as_str();
        let wrong_layer = ours(other) && !allowed.contains(&other);
        let browser = BROWSER.contains(&other) && !BROWSER_USERS.contains(&name);
        let core = name == "chats-core" && NOT_NAMED_BY_CORE.contains(&other);
        if wrong_layer || browser || core {
            faults.push(format!("{name} may not depend on {other}"));
        }
    }
    if name == "chats-core" {
        for other in reached(package, all) {
            let related =
                |banned: &&str| other == **banned || other.starts_with(&format!("{banned}-"));
            if NOT_IN_CORE.iter().any(related) {
                faults.push(format!("{name} may not reach {other}, not even through others"));
            }
        }
    }
    faults
}

/// All packages that a build for any target surely includes: what is optional or for some targets
/// only is left out, as metadata does not say here whether it is on.
fn reached(package: &Package, all: &[Package]) -> BTreeSet<String> {
    let by_name: BTreeMap<&str, &Package> =
        all.iter().map(|one| (one.name.as_str(), one)).collect();
    let mut reached = BTreeSet::new();
    let mut open = vec![package];
    while let Some(package) = open.pop() {
        for dependency in &package.dependencies {
            let sure =
                dependency.kind.is_none() && dependency.target.is_none() && !dependency.optional;
            if sure && reached.insert(dependency.name.clone()) {
                open.extend(by_name.get(dependency.name.as_str()));
            }
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, dependencies: &[&str]) -> Package {
        let dependencies = dependencies
            .iter()
            .map(|name| Dependency {
                name: (*name).to_owned(),
                kind: None,
                target: None,
                optional: false,
            })
            .collect();
        Package { id: name.to_owned(), name: name.to_owned(), dependencies }
    }

    #[test]
    fn an_edge_against_the_layers_is_a_fault() {
        let peer = package("chats-peer", &["chats-net", "chats-core", "tokio"]);
        assert!(faults(&peer, &[]).is_empty());
        let net = package("chats-net", &["chats-web"]);
        assert_eq!(faults(&net, &[]), ["chats-net may not depend on chats-web"]);
    }

    #[test]
    fn only_browser_crates_bind_to_the_browser() {
        let net = package("chats-net", &["web-sys"]);
        assert_eq!(faults(&net, &[]), ["chats-net may not depend on web-sys"]);
        assert!(faults(&package("chats-web", &["web-sys", "rexie"]), &[]).is_empty());
    }

    #[test]
    fn the_core_reaches_no_runtime_through_others() {
        let core = package("chats-core", &["harmless"]);
        let all = [package("harmless", &["libp2p-core"]), package("libp2p-core", &[])];
        assert_eq!(
            faults(&core, &all),
            ["chats-core may not reach libp2p-core, not even through others"]
        );
    }

    #[test]
    fn a_package_without_a_place_is_a_fault() {
        assert_eq!(faults(&package("chats-new", &[]), &[]).len(), 1);
    }
}

//! Building the page into `dist/`.

mod module;
mod order;
mod pack;
pub(crate) mod worker;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use base64::Engine;
use sha2::{Digest, Sha256};

use crate::{cache, process, stamp, tools};

/// How the page is built.
#[derive(Clone, Copy)]
pub(crate) enum Profile {
    /// Fast to build, large to load.
    Debug,
    /// As it is published.
    Release,
}

impl Profile {
    /// From the presence of `--debug`.
    pub(crate) fn new(debug: bool) -> Self {
        if debug { Self::Debug } else { Self::Release }
    }

    /// Cargo's name for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Release => "release",
        }
    }
}

/// The page's package.
const PACKAGE: &str = "community-chats";

/// Top-level folders that no part of the page is made from.
const NOT_INPUT: [&str; 7] = [".git", "contracts", "deploy", "dist", "docs", "e2e", "target"];

/// The native programs, which the page does not hold either.
const NOT_INPUT_CRATES: [&str; 2] = ["peer", "sim"];

/// Builds `dist/`, unless it is fresh already, and gives its path.
pub(crate) fn build(profile: Profile) -> Result<PathBuf> {
    tools::for_page()?;
    let root = tools::repository();
    let dist = root.join("dist");
    let stamps = cache::target()?.join("page-stamps");
    let clone = tools::clone_name();
    let stamp = stamps.join(&clone);
    let _lock = cache::lock(&format!("page-{clone}"))?;

    let inputs = stamp::of_trees(&inputs(root)?, profile.name())?;
    if fs::read_to_string(&stamp).is_ok_and(|old| Some(old) == fresh(&inputs, &dist).ok()) {
        return Ok(dist);
    }
    eprintln!("building the page, {} (4 minutes the first time, then seconds)", profile.name());
    let _ = fs::remove_file(&stamp);
    // trunk calls cargo without network.
    process::run("fetching crates", tools::cargo()?.args(["fetch", "--quiet", "--locked"]))?;
    // Each spends minutes on one core alone.
    let ((), worker) = process::both(|| bundle(profile, root, &dist), || worker::build(profile))?;
    let worker = worker.put(profile, &dist)?;
    let index = dist.join("index.html");
    let html = fs::read_to_string(&index).context("trunk left no dist/index.html")?;
    fs::write(&index, allow_inline_scripts(&worker::named(&html, &worker)?)?)?;
    fs::create_dir_all(&stamps)?;
    fs::write(&stamp, fresh(&inputs, &dist)?)?;
    Ok(dist)
}

/// Builds the page's own module and all beside it.
fn bundle(profile: Profile, root: &Path, dist: &Path) -> Result<()> {
    let mut trunk = tools::command("trunk")?;
    let bin = root.join("e2e/node_modules/.bin");
    let first = [cargo_for_trunk()?, cache::tools()?.join("bin"), bin];
    trunk
        .env("PATH", tools::path(&first)?)
        // trunk takes the variable's value for that of its option, which knows only true and false.
        .env_remove("NO_COLOR")
        .env_remove("RUST_BACKTRACE")
        // That it cannot shorten all of JavaScript is no loss: that is done once it is packed.
        .args(["--log", "warn,trunk::processing::minify=off", "build"]);
    tools::share_builds(&mut trunk)?;
    if matches!(profile, Profile::Release) {
        trunk.arg("--release");
    }
    process::run("building the page", &mut trunk)?;
    if matches!(profile, Profile::Release) {
        pack::page(dist, PACKAGE)?;
    }
    Ok(())
}

/// A folder with a `cargo` that builds the page's package alone. trunk runs `cargo build` in the
/// repository and names no package, which means the default members: the native programs, whose
/// features do not build for a browser.
fn cargo_for_trunk() -> Result<PathBuf> {
    let folder = cache::target()?.join("page-cargo");
    let script = folder.join("cargo");
    let cargo = std::env::var("CARGO").context("xtask must be started by cargo")?;
    let content = format!(
        "#!/bin/sh\ncase \"$1\" in\n\
         build) exec '{cargo}' \"$@\" --package {PACKAGE} ;;\n\
         *) exec '{cargo}' \"$@\" ;;\nesac\n"
    );
    tools::write_script(&script, &content)?;
    Ok(folder)
}

/// What the stamp holds when `dist` is what these inputs give.
fn fresh(inputs: &str, dist: &Path) -> Result<String> {
    Ok(format!("{inputs} {}", stamp::of_trees(&[dist.to_owned()], "")?))
}

/// Everything that may change the page. Too much here costs a needless build, too little gives an
/// old page, so what is not known to be something else is an input.
fn inputs(root: &Path) -> Result<Vec<PathBuf>> {
    let mut inputs = listed(root, |name| {
        !NOT_INPUT.contains(&name) && !["crates", "xtask"].contains(&name) && !name.ends_with(".md")
    })?;
    inputs.extend(listed(&root.join("crates"), |name| !NOT_INPUT_CRATES.contains(&name))?);
    inputs.push(root.join("contracts/abi"));
    inputs.push(root.join("e2e/package-lock.json"));
    inputs.extend(["xtask/src/page.rs", "xtask/src/page"].map(|path| root.join(path)));
    Ok(inputs)
}

fn listed(folder: &Path, wanted: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("no folder {}", folder.display()))? {
        let entry = entry?;
        if wanted(&entry.file_name().to_string_lossy()) {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// Adds the hash of each inline script to the page's content security policy, which otherwise
/// allows none. A hash costs no request, as a loader file of its own would.
fn allow_inline_scripts(html: &str) -> Result<String> {
    const PLACE: &str = "script-src 'self'";
    if html.matches(PLACE).count() != 1 {
        bail!("index.html must have one content security policy with \"{PLACE}\"");
    }
    let mut allowed = PLACE.to_owned();
    for script in inline_scripts(html) {
        let hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(script));
        allowed.push_str(&format!(" 'sha256-{hash}'"));
    }
    Ok(html.replace(PLACE, &allowed))
}

fn inline_scripts(html: &str) -> Vec<&str> {
    let scripts = html.split("<script").skip(1).filter_map(|rest| {
        let (attributes, rest) = rest.split_once('>')?;
        let (body, _) = rest.split_once("</script>")?;
        let has_source = attributes.split_whitespace().any(|word| word.starts_with("src="));
        (!has_source).then_some(body)
    });
    scripts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = "<meta content=\"script-src 'self' 'wasm-unsafe-eval'; img-src data:\">";

    #[test]
    fn an_inline_script_is_allowed_by_its_hash() {
        let html = format!("{POLICY}<script type=\"module\">alert('Hello, world.');</script>");
        let allowed = allow_inline_scripts(&html).unwrap();
        // The example of the Content Security Policy specification, level 3, section 2.3.1.
        let hash = "'sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng='";
        assert!(
            allowed.contains(&format!("script-src 'self' {hash} 'wasm-unsafe-eval';")),
            "{allowed}"
        );
    }

    #[test]
    fn a_script_from_a_file_needs_no_hash() {
        let html = format!("{POLICY}<script src=\"./a.js\"></script>");
        assert_eq!(allow_inline_scripts(&html).unwrap(), html);
    }

    #[test]
    fn a_page_without_a_policy_is_refused() {
        assert!(allow_inline_scripts("<script>1</script>").is_err());
    }

    #[test]
    fn the_native_programs_and_the_tests_are_no_input_and_the_sources_are() {
        let root = tools::repository();
        let inputs = inputs(root).unwrap();
        for input in ["src", "index.html", "Cargo.lock", "crates/core", "public", ".cargo"] {
            assert!(inputs.contains(&root.join(input)), "{input}");
        }
        for other in ["dist", "e2e", "xtask", "crates/peer", ".git", "crates"] {
            assert!(!inputs.contains(&root.join(other)), "{other}");
        }
    }
}

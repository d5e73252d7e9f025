//! The pages of `e2e/interop`, in which js-libp2p and our own transport meet.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::page::Profile;
use crate::{cache, process, tools};

/// Builds the pages and gives their folder.
pub(crate) fn build(profile: Profile) -> Result<PathBuf> {
    let source = tools::repository().join("e2e/interop");
    let folder = cache::target()?.join("interop").join(tools::clone_name());
    fs::create_dir_all(&folder)?;
    fs::copy(source.join("page.html"), folder.join("index.html"))?;
    bundle(&source, &folder)?;
    compile(profile, &folder)?;
    Ok(folder)
}

/// The page of js-libp2p.
fn bundle(source: &Path, folder: &Path) -> Result<()> {
    let modules = tools::npm("e2e/interop")?;
    let mut esbuild = Command::new(modules.join(".bin/esbuild"));
    esbuild
        .arg(source.join("js/stranger.mjs"))
        .arg(format!("--outfile={}/js.js", folder.display()));
    esbuild.args(["--bundle", "--minify", "--format=esm", "--log-level=warning"]);
    process::run("bundling js-libp2p", &mut esbuild)
}

/// The page of our own transport.
fn compile(profile: Profile, folder: &Path) -> Result<()> {
    tools::wasm_target()?;
    tools::wasm_bindgen()?;
    let mut cargo = tools::cargo()?;
    cargo.args(["build", "--quiet", "--locked", "--package", "chats-interop"]);
    cargo.args(["--target", tools::WASM]);
    if matches!(profile, Profile::Release) {
        cargo.arg("--release");
    }
    process::run("building the page of our transport", &mut cargo)?;
    let built = cache::target()?.join(tools::WASM).join(profile.name());
    let mut bindgen = tools::command("wasm-bindgen")?;
    bindgen.args(["--target", "web", "--no-typescript", "--out-name", "ours", "--out-dir"]);
    bindgen.arg(folder).arg(built.join("chats_interop.wasm"));
    process::run("wasm-bindgen", &mut bindgen)
}

//! The pages of `e2e/interop`, in which js-libp2p and our own transport meet.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::{cache, process, tools};

/// Builds the pages and gives their folder.
pub(crate) fn build() -> Result<PathBuf> {
    let source = tools::repository().join("e2e/interop");
    let folder = cache::target()?.join("interop").join(tools::clone_name());
    fs::create_dir_all(&folder)?;
    let modules = tools::npm("e2e/interop")?;
    let mut esbuild = Command::new(modules.join(".bin/esbuild"));
    esbuild
        .arg(source.join("js/stranger.mjs"))
        .arg(format!("--outfile={}/js.js", folder.display()));
    esbuild.args(["--bundle", "--minify", "--format=esm", "--log-level=warning"]);
    process::run("bundling js-libp2p", &mut esbuild)?;
    fs::copy(source.join("page.html"), folder.join("index.html"))?;
    Ok(folder)
}

//! The page of `e2e/yjs`, to measure rooms against.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::{cache, process, tools};

/// Builds the page and gives its folder.
pub(crate) fn build() -> Result<PathBuf> {
    let source = tools::repository().join("e2e/yjs");
    let folder = cache::target()?.join("yjs").join(tools::clone_name());
    fs::create_dir_all(&folder)?;
    tools::npm("e2e/yjs")?;
    fs::copy(source.join("index.html"), folder.join("index.html"))?;
    let mut esbuild = Command::new(tools::npm("e2e")?.join(".bin/esbuild"));
    esbuild
        .arg(source.join("page.mjs"))
        .arg(format!("--outfile={}/page.js", folder.display()))
        // What it is made of was written for Node as well.
        .args(["--define:global=globalThis", "--define:process.env.NODE_ENV=\"production\""])
        .args(["--bundle", "--minify", "--format=esm", "--log-level=warning"]);
    process::run("bundling Yjs", &mut esbuild)?;
    Ok(folder)
}

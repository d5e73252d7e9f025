//! `cargo xtask doctor`: what is there and what is missing.

use std::process::ExitCode;

use anyhow::Result;

use crate::{cache, process, tools};

/// Lists each thing that the other commands need; fails if one is missing that they cannot install.
pub(crate) fn run() -> Result<ExitCode> {
    let mut blocked = false;
    println!("cache    {}", cache::root()?.display());
    println!("target   {}", cache::target()?.display());
    for program in ["cargo", "node", "npm"] {
        let found = tools::find(program).is_some();
        blocked |= !found;
        let version = if found {
            process::output(program, tools::command(program)?.arg("--version"))?.trim().to_owned()
        } else {
            "missing: install it".to_owned()
        };
        println!("{program:<24} {version}");
    }
    let wasm = if tools::has_wasm_target()? { "there" } else { "missing: installed when needed" };
    println!("{:<24} {wasm}", tools::WASM);
    for (tool, wanted, installed) in tools::versions()? {
        let state = match installed {
            Some(version) if version == wanted => version,
            Some(version) => format!("{version}, wanted {wanted}: replaced when needed"),
            None => format!("missing: {wanted} is installed when needed"),
        };
        println!("{tool:<24} {state}");
    }
    for folder in ["contracts", "e2e", "e2e/interop"] {
        let modules = tools::repository().join(folder).join("node_modules");
        let state = if modules.exists() { "there" } else { "missing: installed when needed" };
        println!("{:<24} {state}", format!("{folder}/node_modules"));
    }
    for program in ["chromium", "chromedriver", "firefox-esr", "pulseaudio"] {
        let found = tools::find(program);
        let state = found.map_or_else(
            || "missing: only tests need it".to_owned(),
            |path| path.display().to_string(),
        );
        println!("{program:<24} {state}");
    }
    Ok(if blocked { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

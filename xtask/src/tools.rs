//! What is needed beside Rust, Node and npm, installed into the per-user cache when missing.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use anyhow::{Context, Result, bail};

use crate::{cache, process, stamp};

/// The version of trunk that the toolchain of `rust-toolchain.toml` can build.
const TRUNK: &str = "0.21.14";
const TRUNK_FEATURES: &[&str] = &["--no-default-features", "--features", "rustls"];
const CARGO_DENY: &str = "0.20.2";

/// The target that browsers run.
pub(crate) const WASM: &str = "wasm32-unknown-unknown";

/// The root of the repository.
pub(crate) fn repository() -> &'static Path {
    static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
        // As cargo sees it now: the program itself may have been built from another clone.
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        manifest.parent().unwrap_or(&manifest).to_owned()
    });
    &ROOT
}

/// A short name of this clone of the repository.
pub(crate) fn clone_name() -> String {
    stamp::of_text(&repository().to_string_lossy())
}

/// A cargo command that runs in the repository and shares the cache's build output.
pub(crate) fn cargo() -> Result<Command> {
    let mut command = command("cargo")?;
    share_builds(&mut command)?;
    Ok(command)
}

/// Makes what `command` starts build into the cache, sharing with other clones what comes from
/// elsewhere, but not the crates of the repository. Cargo takes these for the same in every clone
/// and for fresh when their files are older than the last build, whatever they hold. It keeps
/// apart what was built by different wrappers, so each clone has a wrapper of its own.
pub(crate) fn share_builds(command: &mut Command) -> Result<()> {
    let wrapper = cache::root()?.join("clones").join(clone_name()).join("rustc");
    write_script(&wrapper, "#!/bin/sh\nexec \"$@\"\n")?;
    command.env("CARGO_TARGET_DIR", cache::target()?).env("RUSTC_WORKSPACE_WRAPPER", wrapper);
    Ok(())
}

/// Writes an executable script, unless it is there. It is put in place whole: another process may
/// run the old one just now.
pub(crate) fn write_script(path: &Path, content: &str) -> Result<()> {
    if fs::read_to_string(path).is_ok_and(|old| old == content) {
        return Ok(());
    }
    let new = path.with_extension(std::process::id().to_string());
    fs::create_dir_all(path.parent().context("a script without a folder")?)?;
    fs::write(&new, content)?;
    fs::set_permissions(&new, fs::Permissions::from_mode(0o755))?;
    fs::rename(&new, path).with_context(|| format!("cannot write {}", path.display()))
}

/// A command that runs in the repository and finds the cache's tools first.
pub(crate) fn command(program: &str) -> Result<Command> {
    let mut command = Command::new(program);
    command.current_dir(repository()).env("PATH", path(&[cache::tools()?.join("bin")])?);
    // Left over from `cargo run`: what is built must not depend on being built through xtask.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let package = text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_");
        if package || text == "LD_LIBRARY_PATH" && std::env::var_os("CARGO_MANIFEST_DIR").is_some()
        {
            command.env_remove(name);
        }
    }
    Ok(command)
}

/// `PATH` with these folders before all others.
pub(crate) fn path(first: &[PathBuf]) -> Result<OsString> {
    let old = std::env::var_os("PATH").unwrap_or_default();
    let all = first.iter().cloned().chain(std::env::split_paths(&old));
    std::env::join_paths(all).context("a folder in PATH holds a character that PATH cannot")
}

/// Where `program` is found on `PATH`.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Everything that building the page takes.
pub(crate) fn for_page() -> Result<()> {
    wasm_target()?;
    wasm_bindgen()?;
    let trunk = format!("trunk@{TRUNK}");
    install("trunk", "trunk", TRUNK, &[&[trunk.as_str()], TRUNK_FEATURES].concat(), "10 minutes")?;
    npm("e2e")?;
    Ok(())
}

/// The wasm target's standard library.
pub(crate) fn wasm_target() -> Result<()> {
    if has_wasm_target()? {
        return Ok(());
    }
    eprintln!("installing the Rust target {WASM} (about 10 seconds)");
    let _lock = cache::lock("rustup")?;
    let mut rustup = command("rustup")?;
    process::run("rustup", rustup.args(["target", "add", WASM]))
}

/// Whether the wasm target's standard library is there.
pub(crate) fn has_wasm_target() -> Result<bool> {
    let mut rustc = command("rustc")?;
    let folder =
        process::output("rustc", rustc.args(["--print", "target-libdir", "--target", WASM]))?;
    Ok(Path::new(folder.trim()).is_dir())
}

/// The command line programs of the wasm-bindgen version in Cargo.lock: the two must be equal.
pub(crate) fn wasm_bindgen() -> Result<()> {
    let version = wasm_bindgen_version()?;
    let package = format!("wasm-bindgen-cli@{version}");
    install("wasm-bindgen-cli", "wasm-bindgen", &version, &[&package], "3 minutes")
}

fn wasm_bindgen_version() -> Result<String> {
    let lock = fs::read_to_string(repository().join("Cargo.lock")).context("no Cargo.lock")?;
    locked_version(&lock, "wasm-bindgen").context("Cargo.lock has no package wasm-bindgen")
}

fn locked_version(lock: &str, package: &str) -> Option<String> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name).skip(1);
    Some(lines.next()?.strip_prefix("version = \"")?.strip_suffix('"')?.to_owned())
}

/// The program that checks licences, sources and banned packages.
pub(crate) fn cargo_deny() -> Result<()> {
    let package = format!("cargo-deny@{CARGO_DENY}");
    install("cargo-deny", "cargo-deny", CARGO_DENY, &[&package], "5 minutes")
}

/// Each tool of the cache with its wanted and its installed version.
pub(crate) fn versions() -> Result<Vec<(&'static str, String, Option<String>)>> {
    let bindgen = wasm_bindgen_version()?;
    let wanted = [
        ("trunk", TRUNK.to_owned()),
        ("wasm-bindgen", bindgen),
        ("cargo-deny", CARGO_DENY.to_owned()),
    ];
    wanted
        .into_iter()
        .map(|(program, version)| Ok((program, version, installed(program)?)))
        .collect()
}

fn installed(program: &str) -> Result<Option<String>> {
    let file = cache::tools()?.join("bin").join(program);
    if !file.is_file() {
        return Ok(None);
    }
    let said = process::output(program, Command::new(file).arg("--version"))?;
    Ok(said.split_whitespace().nth(1).map(str::to_owned))
}

fn install(name: &str, program: &str, version: &str, what: &[&str], takes: &str) -> Result<()> {
    if installed(program)?.as_deref() == Some(version) {
        return Ok(());
    }
    let _lock = cache::lock(name)?;
    if installed(program)?.as_deref() == Some(version) {
        return Ok(());
    }
    eprintln!("installing {name} {version} into the cache (about {takes}, once per user)");
    let mut cargo = cargo()?;
    // They are built once and run for seconds: what takes long is to optimise them.
    cargo.env("CARGO_PROFILE_DEV_DEBUG", "0").env("CARGO_PROFILE_DEV_OPT_LEVEL", "1");
    cargo.args(["install", "--debug", "--quiet", "--locked", "--root"]);
    cargo.arg(cache::tools()?).args(what);
    process::run(&format!("installing {name}"), &mut cargo)
}

/// Puts the npm packages of the repository's `folder` in place and gives their `node_modules`.
pub(crate) fn npm(folder: &str) -> Result<PathBuf> {
    for program in ["node", "npm"] {
        if find(program).is_none() {
            bail!("the program `{program}` was not found: install Node 20 or newer with npm");
        }
    }
    let package = repository().join(folder);
    let files = ["package.json", "package-lock.json"].map(|file| package.join(file));
    let hash = stamp::of_files(&files)?;
    let stored = cache::npm()?.join(hash.get(..16).unwrap_or(&hash));
    let modules = stored.join("node_modules");
    let complete = stored.join("complete");
    if !complete.is_file() {
        let _lock = cache::lock(&format!("npm-{}", folder.replace('/', "-")))?;
        if !complete.is_file() {
            eprintln!("installing the npm packages of {folder}/ (about 20 seconds, once per user)");
            if stored.exists() {
                fs::remove_dir_all(&stored)?;
            }
            fs::create_dir_all(&stored)?;
            for file in &files {
                let name = file.file_name().context("a file without a name")?;
                fs::copy(file, stored.join(name))?;
            }
            let mut npm = command("npm")?;
            npm.current_dir(&stored);
            npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
            process::run(&format!("installing the npm packages of {folder}/"), &mut npm)?;
            fs::write(&complete, "")?;
        }
    }
    link(&package.join("node_modules"), &modules)?;
    Ok(modules)
}

/// Makes `link` a symbolic link to `folder`. A real folder in its place, which `npm ci` run by
/// hand leaves, is an error: its content might be anything.
fn link(link: &Path, folder: &Path) -> Result<()> {
    if fs::read_link(link).is_ok_and(|now| now == folder) {
        return Ok(());
    }
    match fs::symlink_metadata(link) {
        Ok(found) if found.is_symlink() => fs::remove_file(link)?,
        Ok(_) => bail!(
            "{} is not the link to the shared packages that belongs there: remove it",
            link.display()
        ),
        Err(_) => {}
    }
    match std::os::unix::fs::symlink(folder, link) {
        // Another process may have made the same link meanwhile.
        Err(_) if fs::read_link(link).is_ok_and(|now| now == folder) => Ok(()),
        done => done.with_context(|| format!("cannot make the link {}", link.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locked_version_is_that_of_the_whole_name() {
        let lock = "[[package]]\nname = \"a-b\"\nversion = \"1.0.0\"\n\n[[package]]\nname = \"a\"\n\
                    version = \"2.1.3\"\nsource = \"registry\"\n";
        assert_eq!(locked_version(lock, "a").as_deref(), Some("2.1.3"));
        assert_eq!(locked_version(lock, "b"), None);
    }

    #[test]
    fn a_link_is_replaced_and_a_folder_is_not() {
        let root = std::env::temp_dir().join(format!("xtask-link-{}", std::process::id()));
        let (first, second) = (root.join("first"), root.join("second"));
        fs::create_dir_all(&first).unwrap();
        fs::create_dir_all(&second).unwrap();
        let place = root.join("node_modules");
        link(&place, &first).unwrap();
        link(&place, &second).unwrap();
        assert_eq!(fs::read_link(&place).unwrap(), second);
        assert!(link(&first, &second).unwrap_err().to_string().contains("remove it"));
        assert!(first.is_dir());
        fs::remove_dir_all(root).unwrap();
    }
}

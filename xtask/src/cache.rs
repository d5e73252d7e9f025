//! The per-user cache that all clones share: build output, tools, npm packages.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The cache's folder: `community-chats` in `$XDG_CACHE_HOME` or `~/.cache`.
pub(crate) fn root() -> Result<PathBuf> {
    let base = match std::env::var_os("XDG_CACHE_HOME").filter(|path| !path.is_empty()) {
        Some(path) => PathBuf::from(path),
        None => std::env::home_dir()
            .context("no home folder is known: set XDG_CACHE_HOME")?
            .join(".cache"),
    };
    Ok(base.join("community-chats"))
}

/// Where cargo puts what it builds: `CARGO_TARGET_DIR` if set, else in the cache.
pub(crate) fn target() -> Result<PathBuf> {
    match std::env::var_os("CARGO_TARGET_DIR").filter(|path| !path.is_empty()) {
        Some(path) => Ok(std::path::absolute(PathBuf::from(path))?),
        None => Ok(root()?.join("target")),
    }
}

/// Programs installed by cargo.
pub(crate) fn tools() -> Result<PathBuf> {
    Ok(root()?.join("tools"))
}

/// Folders of npm packages, one for each content of a package's two files.
pub(crate) fn npm() -> Result<PathBuf> {
    Ok(root()?.join("npm"))
}

/// Held while something is installed, so that two processes do not install it at once.
pub(crate) struct Lock(#[expect(dead_code, reason = "closing the file releases the lock")] File);

/// Waits until no other process holds the lock called `name`.
pub(crate) fn lock(name: &str) -> Result<Lock> {
    lock_in(&root()?.join("locks"), name)
}

fn lock_in(folder: &Path, name: &str) -> Result<Lock> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let path = folder.join(format!("{name}.lock"));
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .with_context(|| format!("cannot open {}", path.display()))?;
    if file.try_lock().is_err() {
        eprintln!("waiting for another process that installs {name}");
        file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    }
    Ok(Lock(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_waits_for_the_first() {
        let folder = std::env::temp_dir().join(format!("xtask-lock-{}", std::process::id()));
        let first = lock_in(&folder, "thing").unwrap();
        let (sender, receiver) = std::sync::mpsc::channel();
        let second = {
            let folder = folder.clone();
            std::thread::spawn(move || {
                let _lock = lock_in(&folder, "thing").unwrap();
                sender.send("second").unwrap();
            })
        };
        let path = folder.join("thing.lock");
        assert!(File::options().write(true).open(&path).unwrap().try_lock().is_err());
        assert!(receiver.try_recv().is_err());
        drop(first);
        assert_eq!(receiver.recv().unwrap(), "second");
        second.join().unwrap();
        std::fs::remove_dir_all(folder).unwrap();
    }
}

//! Hashes of files, to know whether something that was built is still fresh.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// A short hash of a text, fit for a file name.
pub(crate) fn of_text(text: &str) -> String {
    of_bytes(text.as_bytes())
}

/// A short hash of some bytes, fit for a file name.
pub(crate) fn of_bytes(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hex(hash.get(..8).unwrap_or(&hash))
}

/// The hash of the contents of `files`, in hex.
pub(crate) fn of_files(files: &[PathBuf]) -> Result<String> {
    let mut hash = Sha256::new();
    for file in files {
        add_file(&mut hash, file)?;
    }
    Ok(hex(&hash.finalize()))
}

/// The hash of all files under `paths`, with their names, and of `also`, in hex. What does not
/// exist counts as empty.
pub(crate) fn of_trees(paths: &[PathBuf], also: &str) -> Result<String> {
    let mut hash = Sha256::new();
    hash.update(also.as_bytes());
    for path in paths {
        add_tree(&mut hash, path)?;
    }
    Ok(hex(&hash.finalize()))
}

fn add_tree(hash: &mut Sha256, path: &Path) -> Result<()> {
    if path.is_dir() {
        let mut entries = fs::read_dir(path)
            .and_then(|entries| {
                entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, _>>()
            })
            .with_context(|| format!("cannot list {}", path.display()))?;
        entries.sort();
        for entry in entries {
            add_tree(hash, &entry)?;
        }
    } else if path.is_file() {
        hash.update(path.as_os_str().as_encoded_bytes());
        hash.update([0]);
        add_file(hash, path)?;
    }
    Ok(())
}

fn add_file(hash: &mut Sha256, file: &Path) -> Result<()> {
    let content = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    hash.update(content.len().to_le_bytes());
    hash.update(content);
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_s_hash_changes_with_a_name_a_content_and_a_profile() {
        let root = std::env::temp_dir().join(format!("xtask-stamp-{}", std::process::id()));
        fs::create_dir_all(root.join("inner")).unwrap();
        fs::write(root.join("inner/a"), "1").unwrap();
        let tree = [root.clone(), root.join("does-not-exist")];
        let first = of_trees(&tree, "debug").unwrap();
        assert_eq!(of_trees(&tree, "debug").unwrap(), first);
        assert_ne!(of_trees(&tree, "release").unwrap(), first);
        fs::write(root.join("inner/a"), "2").unwrap();
        let second = of_trees(&tree, "debug").unwrap();
        assert_ne!(second, first);
        fs::rename(root.join("inner/a"), root.join("inner/b")).unwrap();
        assert_ne!(of_trees(&tree, "debug").unwrap(), second);
        fs::remove_dir_all(root).unwrap();
    }
}

//! What the first load transfers, against its budget.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::count::Count;
use crate::page::{self, Profile};

/// Bytes after gzip that the first load may transfer.
const BUDGET: usize = 800_000;

/// Prints each file of the page with its size, as hosts that compress transfer it and as others
/// do. All files count: those that are not needed at first are few and small, so the sum is what a
/// first load transfers at most.
pub(super) fn run() -> Result<Count> {
    let dist = page::build(Profile::Release)?;
    let mut sizes = Vec::new();
    for file in files(&dist)? {
        let content = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let name = file.strip_prefix(&dist).unwrap_or(&file).display().to_string();
        // The module is compressed already.
        sizes.push((compressed(&content)?.min(content.len()), content.len(), name));
    }
    sizes.sort_by(|one, other| other.cmp(one));
    println!("{:>11} {:>11}  file", "gzip -9", "raw");
    for (compressed, raw, name) in &sizes {
        println!("{compressed:>11} {raw:>11}  {name}");
    }
    let sum: usize = sizes.iter().map(|(compressed, ..)| compressed).sum();
    let raw: usize = sizes.iter().map(|(_, raw, _)| raw).sum();
    println!("{sum:>11} {raw:>11}  in all; the budget is {BUDGET} after gzip");
    Ok(if sum <= BUDGET {
        Count::success()
    } else {
        Count::failure(format!("the page has {sum} bytes after gzip, {} over", sum - BUDGET))
    })
}

fn compressed(content: &[u8]) -> Result<usize> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content)?;
    Ok(encoder.finish()?.len())
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(self::files(&path)?);
        } else {
            files.push(path);
        }
    }
    Ok(files)
}

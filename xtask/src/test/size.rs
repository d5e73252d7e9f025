//! What the first load transfers, and what the worker that is loaded later does, against their
//! budgets.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::count::Count;
use crate::page::{self, Profile, worker};

/// Bytes after gzip that the first load may transfer.
const BUDGET: usize = 800_000;

/// Bytes after gzip that the worker of the rooms may, once somebody is let in.
const WORKER_BUDGET: usize = 430_000;

/// Prints each file of the page with its size, as hosts that compress transfer it and as others
/// do. All files but those of the worker count as the first load: those of them that are not needed
/// at first are few and small, so the sum is what a first load transfers at most. That no worker is
/// fetched before somebody is let in, a browser test says.
pub(super) fn run() -> Result<Count> {
    let dist = page::build(Profile::Release)?;
    let of_worker = format!("{}-", worker::NAME);
    let (later, first) = files(&dist)?.into_iter().partition(|file| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        file.parent() == Some(&dist) && name.starts_with(&of_worker)
    });
    let mut total = weigh("the first load", &dist, first, BUDGET)?;
    total.add("size", weigh("the worker", &dist, later, WORKER_BUDGET)?);
    Ok(total)
}

/// Weighs some of the files.
fn weigh(what: &str, dist: &Path, some: Vec<PathBuf>, budget: usize) -> Result<Count> {
    let mut sizes = Vec::new();
    for file in some {
        let content = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let name = file.strip_prefix(dist).unwrap_or(&file).display().to_string();
        // The module is compressed already.
        sizes.push((compressed(&content)?.min(content.len()), content.len(), name));
    }
    sizes.sort_by(|one, other| other.cmp(one));
    println!("{:>11} {:>11}  {what}", "gzip -9", "raw");
    for (compressed, raw, name) in &sizes {
        println!("{compressed:>11} {raw:>11}  {name}");
    }
    let sum: usize = sizes.iter().map(|(compressed, ..)| compressed).sum();
    let raw: usize = sizes.iter().map(|(_, raw, _)| raw).sum();
    println!("{sum:>11} {raw:>11}  in all; the budget is {budget} after gzip");
    Ok(if sum <= budget {
        Count::success()
    } else {
        Count::failure(format!("{what} has {sum} bytes after gzip, {} over", sum - budget))
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

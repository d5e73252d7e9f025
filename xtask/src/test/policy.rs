//! Licences, sources and banned packages of everything in Cargo.lock, by cargo-deny.

use anyhow::Result;

use super::count::{self, Count};
use crate::tools;

/// The advisories are left out: their database has to be fetched.
const CHECKS: [&str; 3] = ["bans", "licenses", "sources"];

pub(super) fn run() -> Result<Count> {
    tools::cargo_deny()?;
    let mut total = Count::default();
    for check in CHECKS {
        let mut cargo = tools::cargo()?;
        cargo.args(["deny", "--log-level", "error", "--locked", "check", check]);
        total.add(check, count::check("cargo deny", &mut cargo)?);
    }
    Ok(total)
}

//! The Solidity tests, and that the checked-in bytecode is that of the sources.

use anyhow::Result;

use super::count::{self, Count};
use crate::tools;

pub(super) fn run(filter: Option<&str>) -> Result<Count> {
    let modules = tools::npm("contracts")?;
    let folder = tools::repository().join("contracts");
    let mut forge = tools::command("forge")?;
    forge.env("PATH", tools::path(&[modules.join(".bin")])?).current_dir(&folder).arg("test");
    if let Some(filter) = filter {
        forge.args(["--match-test", filter]);
    }
    let mut total = count::tests("forge test", &mut forge)?;
    if filter.is_none() {
        let mut node = tools::command("node")?;
        node.current_dir(&folder).args(["compile.mjs", "--check"]);
        total.add("compile.mjs --check", count::check("the checked-in bytecode", &mut node)?);
    }
    Ok(total)
}

//! stub
use anyhow::{Result, bail};
use std::process::ExitCode;
/// A tier.
#[derive(Clone, Copy, clap::ValueEnum)]
pub(crate) enum Tier {
    /// f
    Format,
}
pub(crate) fn run(_: Option<Tier>, _: Option<&str>) -> Result<ExitCode> {
    bail!("not yet")
}

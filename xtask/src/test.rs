//! `cargo xtask test`: every tier, one after the other, cheapest first.

mod browser;
mod contracts;
mod count;
pub(crate) mod end_to_end;
mod layering;
mod policy;
mod rust;
mod size;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use clap::ValueEnum;

use count::Count;

/// A kind of check, in the order they run in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Tier {
    /// rustfmt
    Format,
    /// clippy, native and for the browser
    Lints,
    /// Tests of the native crates
    Unit,
    /// Many nodes on a virtual clock
    Simulation,
    /// Random bytes for all that reads bytes of others, 90 seconds long
    Fuzz,
    /// Which crate may depend on which
    Layering,
    /// Licences, sources and banned packages
    Deny,
    /// Solidity tests, and that the checked-in bytecode is that of the sources
    Contracts,
    /// Tests of the browser crates, in Chromium
    Wasm,
    /// The whole system: page, chain, relay, browsers
    E2e,
    /// axe on every page
    Accessibility,
    /// What the first load transfers
    Size,
}

impl Tier {
    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Whether the tier's parts are tests with names that a filter can select.
    fn has_named_tests(self) -> bool {
        matches!(
            self,
            Self::Unit
                | Self::Simulation
                | Self::Contracts
                | Self::Wasm
                | Self::E2e
                | Self::Accessibility
        )
    }

    fn run(self, filter: Option<&str>, system: &mut Option<end_to_end::System>) -> Result<Count> {
        match self {
            Self::Format => rust::format(),
            Self::Lints => rust::lints(),
            Self::Unit => rust::unit(filter),
            Self::Simulation => rust::simulation(filter),
            Self::Fuzz => rust::fuzz(),
            Self::Layering => layering::run(),
            Self::Deny => policy::run(),
            Self::Contracts => contracts::run(filter),
            Self::Wasm => browser::wasm(filter),
            Self::E2e => end_to_end::run("specs", filter, system),
            Self::Accessibility => end_to_end::run("accessibility", filter, system),
            Self::Size => size::run(),
        }
    }
}

/// Runs all tiers or one, with all tests or those whose name holds `filter`.
pub(crate) fn run(only: Option<Tier>, filter: Option<&str>) -> Result<ExitCode> {
    let tiers: Vec<Tier> = Tier::value_variants()
        .iter()
        .copied()
        .filter(|tier| only.is_none_or(|only| *tier == only))
        .filter(|tier| filter.is_none() || tier.has_named_tests())
        .collect();
    let mut total = Count::default();
    let mut seconds = Vec::new();
    let mut system = None;
    for tier in tiers {
        let name = tier.name();
        println!("\n== {name} ==");
        let started = Instant::now();
        let count = tier.run(filter, &mut system).unwrap_or_else(|error| {
            crate::process::halt_if_stopping();
            Count::failure(format!("{error:#}"))
        });
        let line = format!("{name:<14} {count}, {:.1} s", started.elapsed().as_secs_f32());
        println!("{line}");
        seconds.push(line);
        total.add(&name, count);
    }
    println!("\n== summary ==");
    for line in seconds {
        println!("{line}");
    }
    let nothing = total.is_empty();
    if nothing {
        println!("no test was selected");
    }
    for (kind, lines) in [("FAILED", &total.failures), ("skipped", &total.skips)] {
        for line in lines {
            println!("{kind} {line}");
        }
    }
    let in_ci = std::env::var("CI").is_ok_and(|value| value == "true");
    if in_ci && total.skipped > 0 {
        println!("CI=true: skipping is failing");
    }
    println!("{total}");
    let failed = nothing || total.failed > 0 || in_ci && total.skipped > 0;
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

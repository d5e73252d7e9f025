//! Runs seeds of the simulation from the command line.

use chats_sim::{Config, run};
use clap::Parser;
use std::process::ExitCode;

/// Runs Community Chats on a virtual clock over lossy links.
#[derive(Debug, Parser)]
struct Arguments {
    /// The seed from which all follows; with --runs, the first of several
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many seeds to run, one after the other
    #[arg(long, default_value_t = 1)]
    runs: u64,
    /// How many devices
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u8).range(2..=16))]
    nodes: u8,
    /// For how many minutes of virtual time there are faults
    #[arg(long, default_value_t = 3)]
    minutes: u64,
    /// Print all that happens
    #[arg(long)]
    verbose: bool,
}

fn main() -> ExitCode {
    let Arguments { seed, runs, nodes, minutes, verbose } = Arguments::parse();
    for seed in (seed..).take(usize::try_from(runs).unwrap_or(usize::MAX)) {
        match run(Config { seed, nodes: usize::from(nodes), minutes, verbose }) {
            Ok(report) => println!(
                "seed {seed}: {} inputs, {} outputs, {} faults, {} media connections, {} in the \
                 meeting at the end, trace {:016x}",
                report.inputs,
                report.outputs,
                report.faults,
                report.connected,
                report.meeting,
                report.trace
            ),
            Err(broken) => {
                eprintln!("seed {seed}, {broken}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

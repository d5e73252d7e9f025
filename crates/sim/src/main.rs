//! Runs seeds of the simulation from the command line.

use chats_sim::rooms;
use chats_sim::{Config, run};
use clap::Parser;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::process::ExitCode;

/// How many devices there may be in a meeting, and how many wallets may have rooms.
const MEETING: RangeInclusive<usize> = 2..=16;
const ROOMS: RangeInclusive<usize> = 4..=60;

/// Runs Community Chats on a virtual clock over lossy links.
#[derive(Debug, Parser)]
struct Arguments {
    /// The seed from which all follows; with --runs, the first of several
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many seeds to run, one after the other
    #[arg(long, default_value_t = 1)]
    runs: u64,
    /// Rooms and what is written in them, in place of a meeting
    #[arg(long)]
    rooms: bool,
    /// How many devices, 12 if not given; with --rooms how many wallets, 50 if not given
    #[arg(long)]
    nodes: Option<usize>,
    /// For how many minutes of virtual time there are faults; 3, with --rooms 8 if not given
    #[arg(long)]
    minutes: Option<u64>,
    /// Print all that happens
    #[arg(long)]
    verbose: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let (usual, most) = if arguments.rooms { (50, ROOMS) } else { (12, MEETING) };
    let nodes = arguments.nodes.unwrap_or(usual);
    if !most.contains(&nodes) {
        eprintln!("--nodes must be from {} to {}", most.start(), most.end());
        return ExitCode::FAILURE;
    }
    let first = arguments.seed;
    for seed in (first..).take(usize::try_from(arguments.runs).unwrap_or(usize::MAX)) {
        let outcome = if arguments.rooms {
            said(rooms_of(seed, nodes, &arguments))
        } else {
            said(meeting_of(seed, nodes, &arguments))
        };
        match outcome {
            Ok(report) => println!("seed {seed}: {report}"),
            Err(broken) => {
                eprintln!("seed {seed}, {broken}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

fn said(outcome: Result<impl Display, impl Display>) -> Result<String, String> {
    outcome.map(|report| report.to_string()).map_err(|broken| broken.to_string())
}

fn meeting_of(seed: u64, nodes: usize, it: &Arguments) -> Result<String, chats_sim::Broken> {
    let minutes = it.minutes.unwrap_or(3);
    let report = run(Config { seed, nodes, minutes, verbose: it.verbose })?;
    Ok(format!(
        "{} inputs, {} outputs, {} faults, {} media connections, {} in the meeting at the end, \
         trace {:016x}",
        report.inputs,
        report.outputs,
        report.faults,
        report.connected,
        report.meeting,
        report.trace
    ))
}

fn rooms_of(seed: u64, members: usize, it: &Arguments) -> Result<String, rooms::Broken> {
    let minutes = it.minutes.unwrap_or(8);
    let report = rooms::run(rooms::Config { seed, members, minutes, verbose: it.verbose })?;
    Ok(format!(
        "{} devices, killed {} times, {} links cut, {} of {} messages of gossip lost, {} reorgs; \
         {} actions done, {} refused, {} epochs, {} cuts that differ; {} rooms with {} messages \
         alike {} s after the last fault, trace {:016x}",
        report.devices,
        report.kills,
        report.cuts,
        report.gossip.1,
        report.gossip.0,
        report.reorgs,
        report.done,
        report.refused,
        report.epochs,
        report.different_cuts,
        report.rooms,
        report.messages,
        report.settled / 1000,
        report.trace
    ))
}

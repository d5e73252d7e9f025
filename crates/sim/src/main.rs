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
///
/// All that happens follows from the seed: the same arguments give the same run. When a promise does
/// not hold, the line that replays the run is printed.
#[derive(Debug, Parser)]
#[command(after_help = "\
Rooms of 50 wallets, 15 s or so a seed:
  cargo run -p chats-sim -- --rooms --nodes 50 --minutes 3 --seed 1 --runs 4

With --rooms, a fifth of all gossip is lost, links are cut at any frame, pages are killed while they
write, commits find no space, clocks differ by up to five minutes, the community falls apart three
times, and meanwhile seats are lost and the chain takes back blocks. In the end all who may read a
room show the same of it, nothing that was acknowledged is missing, and nobody was ever able to open
an epoch made after the seat was lost. How often each fault happened is printed.")]
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
    let items: Vec<_> = report.items.iter().map(|(name, n)| format!("{n} of {name}")).collect();
    Ok(format!(
        "{} rooms with {} messages alike {} s after the last fault, trace {:016x}\n  \
         {} devices; {}\n  \
         {} actions done, {} refused; {} epochs, {} times not for a device that had been a \
         member's; {} ops by who had lost the seat, {} cuts that differ\n  \
         control items made: {}; {} frames of sync, {} kB",
        report.rooms,
        report.messages,
        report.settled / 1000,
        report.trace,
        report.devices,
        report.faults,
        report.done,
        report.refused,
        report.epochs,
        report.withheld,
        report.blind,
        report.different_cuts,
        items.join(", "),
        report.sync.0,
        report.sync.1 / 1024
    ))
}

//! A device that does to real pages what no honest device would, and says what came of it.
//!
//! The browser tests start it with the `config.json` of the running system. It speaks libp2p
//! itself, without the bounds of `chats-net`, and prints one JSON object a line: what happened as
//! it happens, and a `summary` at the end. It ends with 1 and a reason if it could not do its
//! work; what pages did is for the tests to judge.
//!
//! For benchmarks it also plays honest devices, and writes down what they would keep.
#![forbid(unsafe_code)]

mod carrier;
mod certificates;
mod crowd;
mod history;
mod identity;
mod ledger;
mod liar;
mod lies;
mod node;
mod stranger;
mod town;

use anyhow::{Context, Result};
use chats_core::config::Config;
use clap::{Parser, Subcommand};
use identity::Wallets;
use std::{path::PathBuf, process::ExitCode, time::Duration};

#[derive(Parser)]
struct Arguments {
    /// The system's `config.json`.
    #[arg(long)]
    config: PathBuf,
    /// The number of the local chain's account that vouches for this device.
    #[arg(long)]
    wallet: usize,
    #[command(subcommand)]
    scenario: Scenario,
}

#[derive(Subcommand)]
enum Scenario {
    /// No member, but says everything a member could.
    Stranger {
        #[arg(long, default_value_t = 30)]
        seconds: u64,
    },
    /// A member who passes hello and then lies.
    Liar,
    /// The same member, who speaks more than anybody needs.
    Flood,
    /// Shows one certificate after the other that must not count.
    Certificates,
    /// Writes backups of a room with a long history, by the owner and others.
    History(history::Plan),
    /// Gives many wallets a seat, and writes a backup that knows of their devices.
    Crowd(crowd::Plan),
    /// No device, but a relay that tampers with what it carries.
    Carrier {
        /// What it does to circuits.
        #[arg(long, value_enum)]
        fault: carrier::Fault,
        /// From the byte on that comes after so many.
        #[arg(long, default_value_t = 300)]
        after: usize,
    },
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let file = &arguments.config;
    let text =
        std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let config = Config::parse(&text)?;
    let wallets = Wallets::new(&config)?;
    let wallet = wallets.get(arguments.wallet)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match &arguments.scenario {
            Scenario::Stranger { seconds } => {
                stranger::run(&config, &wallets, wallet, Duration::from_secs(*seconds)).await
            }
            Scenario::Liar => liar::run(&config, &wallets, wallet).await,
            Scenario::Flood => liar::flood(&config, &wallets, wallet).await,
            Scenario::Certificates => certificates::run(&config, &wallets, wallet).await,
            Scenario::History(plan) => history::run(&config, &wallets, plan).await,
            Scenario::Crowd(plan) => crowd::run(&config, &wallets, plan).await,
            Scenario::Carrier { fault, after } => carrier::run(*fault, *after).await,
        }
    })
}

//! `chats`: the native program of Community Chats.
//!
//! Standard output holds what other programs read, standard error holds the log. Exit codes: 0
//! done, 1 failed with a reason on standard error, 2 wrong usage.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

mod key;
mod log;
mod relay;
mod tls;
mod turn;

use clap::{CommandFactory, Parser, Subcommand, error::ErrorKind};
use std::process::ExitCode;

/// Community Chats without a browser.
#[derive(Debug, Parser)]
#[command(name = "chats", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Help devices find and reach each other; sees only ciphertext.
    Relay(relay::Options),
}

fn main() -> ExitCode {
    let Cli { command: Command::Relay(options) } = Cli::parse();
    if let Some(fault) = options.fault() {
        let mut command = Cli::command();
        command.build();
        let relay = command.find_subcommand_mut("relay");
        relay
            .unwrap_or(&mut Cli::command())
            .error(ErrorKind::MissingRequiredArgument, fault)
            .exit();
    }
    match relay::run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chats relay: {error}");
            ExitCode::FAILURE
        }
    }
}

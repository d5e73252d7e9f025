//! `chats`: the native program of Community Chats.
//!
//! Standard output holds what other programs read, standard error holds the log. Exit codes: 0
//! done, 1 failed with a reason on standard error, 2 wrong usage.
#![forbid(unsafe_code)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod key;
mod log;
mod relay;

use clap::{Parser, Subcommand};
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
    match relay::run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chats relay: {error}");
            ExitCode::FAILURE
        }
    }
}

//! The only place with build logic: builds the page, runs the whole system on this machine and
//! runs every tier of tests. CI and people call the same commands.

mod cache;
mod chain;
mod dev;
mod doctor;
mod fuzz;
mod interop;
mod page;
mod process;
mod relay;
mod serve;
mod stack;
mod stamp;
mod test;
mod tools;
mod yjs;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Builds, runs and tests Community Chats.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the whole system here: page, local chain with a demo community, relay
    Dev {
        /// Port of the page on 127.0.0.1
        #[arg(long, default_value_t = 8080)]
        port: u16,
        /// Build the page without optimisation: faster to build, larger to load
        #[arg(long)]
        debug: bool,
    },
    /// Build the page into dist/
    Build {
        /// Without optimisation: faster to build, larger to load
        #[arg(long)]
        debug: bool,
    },
    /// Run every tier of tests
    Test {
        /// Run this tier alone
        #[arg(long, value_name = "TIER")]
        only: Option<test::Tier>,
        /// Run only tests whose name holds this text
        filter: Option<String>,
    },
    /// Measure in browsers
    Bench {
        /// What
        #[arg(value_enum, default_value = "page")]
        what: test::end_to_end::Bench,
    },
    /// Feed random bytes to everything that reads bytes of others
    Fuzz {
        /// This decoder alone
        decoder: Option<String>,
        /// How long to try each
        #[arg(long, default_value_t = 10)]
        seconds: u32,
    },
    /// List what is installed and what is missing
    Doctor,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = process::stop_on_signals().and_then(|()| match arguments.command {
        Command::Dev { port, debug } => dev::run(port, page::Profile::new(debug)),
        Command::Build { debug } => {
            page::build(page::Profile::new(debug)).map(|_| ExitCode::SUCCESS)
        }
        Command::Test { only, filter } => test::run(only, filter.as_deref()),
        Command::Bench { what } => test::end_to_end::bench(what).map(|()| ExitCode::SUCCESS),
        Command::Fuzz { decoder, seconds } => {
            fuzz::run(decoder.as_deref(), seconds).map(|()| ExitCode::SUCCESS)
        }
        Command::Doctor => doctor::run(),
    });
    process::halt_if_stopping();
    let code = done.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    });
    process::stop_all();
    code
}

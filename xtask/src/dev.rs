//! `cargo xtask dev`: the whole system on this machine.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;

use crate::page::{self, Profile};
use crate::stack::Stack;
use crate::{process, serve};

/// Builds and starts everything and serves the page until told to stop.
pub(crate) fn run(port: u16, profile: Profile) -> Result<ExitCode> {
    // First of all: a busy port should not be found after minutes of building.
    let listener = serve::listen(port)?;
    let dist = page::build(profile)?;
    let mut stack = Stack::start(&dist)?;
    let config = stack.config.clone();
    let address = serve::address(&listener)?;
    process::stopping_is_success();
    eprintln!("chain {}", stack.chain.rpc);
    for relay in &stack.relays {
        eprintln!("relay {}", relay.address);
    }
    eprintln!("logs in {}; Ctrl-C stops everything", stack.folder.display());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        println!("ready {address}");
        tokio::select! {
            ended = serve::serve(listener, &dist, &config) => ended,
            ended = watch(&mut stack) => ended,
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Ends with an error once a part of the stack has ended.
async fn watch(stack: &mut Stack) -> Result<()> {
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        stack.check()?;
    }
}

//! Browsers against the whole system: the page as published, a chain, two relays.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use clap::ValueEnum;

use super::browser::{self, Chromium};
use super::count::{self, Count};
use crate::page::{self, Profile};
use crate::stack::Stack;
use crate::{interop, process, relay, serve, tools, yjs};

/// The running system, shared by the tiers that need it.
pub(crate) struct System {
    dist: PathBuf,
    stack: Stack,
    /// The program that behaves badly.
    probe: PathBuf,
    /// The pages with nothing but a libp2p node.
    interop: PathBuf,
    /// The page's address.
    url: String,
}

impl System {
    /// Builds and starts it; `interop` is how the pages of that are built.
    fn start(interop: Profile) -> Result<Self> {
        let programs = || Ok((relay::build_probe()?, interop::build(interop)?));
        let (dist, (probe, interop)) = process::both(|| page::build(Profile::Release), programs)?;
        let stack = Stack::start(&dist)?;
        let listener = serve::listen(0)?;
        let url = serve::address(&listener)?;
        let config = stack.config.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let folder = dist.clone();
        // The server ends with this process; a test that misses it fails and says what it missed.
        std::thread::spawn(move || {
            if let Err(error) = runtime.block_on(serve::serve(listener, &folder, &config)) {
                eprintln!("error: {error:#}");
            }
        });
        Ok(Self { dist, stack, probe, interop, url })
    }

    /// Node, told where everything is.
    fn node(&self, chromium: &Chromium) -> Result<Command> {
        let stack = &self.stack;
        let config = stack.folder.join("config.json");
        fs::write(&config, serde_json::to_string_pretty(&stack.config)?)?;
        let mut node = tools::command("node")?;
        node.env("E2E_BROWSER", &chromium.browser)
            .env("E2E_CHATS_BIN", &stack.chats)
            .env("E2E_CONFIG", &config)
            .env("E2E_DIST", &self.dist)
            .env("E2E_FOLDER", &stack.folder)
            .env("E2E_INTEROP", &self.interop)
            .env("E2E_PROBE", &self.probe)
            .env("E2E_RPC", &stack.chain.rpc)
            .env("E2E_URL", &self.url);
        match browser::firefox()? {
            Ok(firefox) => {
                node.env("E2E_FIREFOX", firefox.browser).env("E2E_PULSEAUDIO", firefox.pulseaudio)
            }
            // Tests that need it are skipped, and say so.
            Err(why) => node.env("E2E_NO_FIREFOX", why),
        };
        Ok(node)
    }
}

/// Runs the browser tests of one folder of `e2e/`.
pub(super) fn run(
    folder: &str,
    filter: Option<&str>,
    system: &mut Option<System>,
) -> Result<Count> {
    let chromium = match browser::chromium()? {
        Ok(chromium) => chromium,
        Err(why) => return Ok(Count::skip(why)),
    };
    tools::npm("e2e")?;
    let system = match system {
        Some(system) => system,
        None => system.insert(System::start(Profile::Debug)?),
    };
    let mut node = system.node(&chromium)?;
    node.args(["e2e/run.mjs", folder]).args(filter);
    let mut count = count::tests("the browser tests", &mut node)?;
    if let Err(error) = system.stack.check() {
        count.add("system", Count::failure(format!("{error:#}")));
    }
    Ok(count)
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Bench {
    /// Joining, loading, what is transferred
    Page,
    /// Direct links, requests and gossip, beside js-libp2p
    Net,
    /// Sound on the data link's connection or on one of its own
    Audio,
    /// Messages and sync between members, beside Yjs
    Chat,
}

/// Measures in browsers and prints the figures.
pub(crate) fn bench(what: Bench) -> Result<()> {
    let chromium = browser::chromium()?.map_err(anyhow::Error::msg)?;
    tools::npm("e2e")?;
    let system = System::start(Profile::Release)?;
    let mut node = system.node(&chromium)?;
    let script = match what {
        Bench::Page => "e2e/bench/page.mjs",
        Bench::Net => "e2e/bench/net.mjs",
        Bench::Audio => "e2e/bench/audio.mjs",
        Bench::Chat => {
            node.env("E2E_YJS", yjs::build()?);
            "e2e/bench/chat.mjs"
        }
    };
    process::run("the benchmark", node.arg(script))
}

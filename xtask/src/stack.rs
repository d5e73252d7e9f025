//! All parts that the page meets, running on this machine.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::chain::{CHAIN_ID, COMMUNITY_NAME, Chain};
use crate::relay::Relay;
use crate::{process, relay};

/// The names of the relays: when one is lost, another takes over.
const RELAYS: [&str; 2] = ["relay-1", "relay-2"];

/// A chain with the demo community, relays, and the configuration that names them.
pub(crate) struct Stack {
    pub(crate) chain: Chain,
    pub(crate) relays: Vec<Relay>,
    /// The program the relays were started from.
    pub(crate) chats: PathBuf,
    /// What to serve as the page's `config.json`.
    pub(crate) config: Value,
    /// Logs, keys and the like; removed at the end.
    pub(crate) folder: PathBuf,
}

impl Stack {
    /// Starts everything; `dist` gives the parts of the configuration that stay as published.
    pub(crate) fn start(dist: &Path) -> Result<Self> {
        let chats = relay::build()?;
        let folder = process::temporary_folder()?;
        let chain = Chain::start(&folder)?;
        let relays = RELAYS
            .into_iter()
            .map(|name| Relay::start(name, &chats, &folder))
            .collect::<Result<Vec<_>>>()?;
        let config = configuration(published(dist)?, &chain, &relays);
        Ok(Self { chain, relays, chats, config, folder })
    }

    /// An error once one of the parts has ended.
    pub(crate) fn check(&mut self) -> Result<()> {
        self.chain.service.check()?;
        self.relays.iter_mut().try_for_each(|relay| relay.service.check())
    }
}

fn published(dist: &Path) -> Result<Value> {
    let file = dist.join("config.json");
    if !file.exists() {
        return Ok(json!({}));
    }
    let text = fs::read_to_string(&file)?;
    serde_json::from_str(&text).with_context(|| format!("{} is not JSON", file.display()))
}

/// The published configuration with everything that points to this machine in its place, and
/// nothing that points elsewhere: a local run needs no other network.
fn configuration(mut config: Value, chain: &Chain, relays: &[Relay]) -> Value {
    config["version"] = json!(1);
    config["name"] = json!(COMMUNITY_NAME);
    config["community"] = json!("1");
    config["chain"] =
        json!({ "id": CHAIN_ID, "communities": chain.communities, "rpc": [chain.rpc] });
    if let Some(ens) = config.get_mut("ens") {
        ens["rpc"] = json!([]);
    }
    config["relays"] = relays.iter().map(|relay| relay.address.as_str()).collect();
    config["ice"] = json!([]);
    config
}

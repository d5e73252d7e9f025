//! A local chain with the contracts and the demo community of INTERFACES.md.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use alloy_primitives::{Address, hex};
use alloy_sol_types::{SolCall, sol};
use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Value, json};

use crate::process::Service;
use crate::tools;

/// The chain id that marks a chain as local; the page offers test wallets on it.
pub(crate) const CHAIN_ID: u64 = 31_337;

/// The name of community 1.
pub(crate) const COMMUNITY_NAME: &str = "Demo community";

/// A reader takes the state of some blocks ago: after set-up at least as many must have passed.
const SETTLING_BLOCKS: u64 = 8;

sol! {
    function create(string name, string profile) external returns (uint64 id);
    function setRoles(uint64 id, address[] accounts, uint8 role) external;
}

const MEMBER: u8 = 1;
const MODERATOR: u8 = 2;

/// A running chain; it stops when this is dropped.
pub(crate) struct Chain {
    /// The address for JSON-RPC.
    pub(crate) rpc: String,
    /// The `Communities` contract.
    pub(crate) communities: Address,
    pub(crate) service: Service,
}

impl Chain {
    /// Starts anvil, deploys the contract and makes community 1: account 0 its owner, 1 a
    /// moderator, 2 to 5 members.
    pub(crate) fn start(folder: &Path) -> Result<Self> {
        let modules = tools::npm("contracts")?;
        let mut anvil = Command::new(modules.join(platform_package()?).join("bin/anvil"));
        anvil.args(["--host", "127.0.0.1", "--port", "0", "--chain-id", &CHAIN_ID.to_string()]);
        // A transaction is mined soon, and a block a second besides, so that a reader who looks
        // some blocks behind the head sees a change soon, as on a real chain.
        anvil.args(["--block-time", "1", "--mixed-mining"]);
        let mut service = Service::start("anvil", &mut anvil, folder)?;
        let rpc = service.wait_for(Duration::from_secs(30), |line| {
            Some(format!("http://{}", line.strip_prefix("Listening on ")?.trim()))
        })?;
        let client = Client { agent: ureq::agent(), rpc: rpc.clone() };
        let communities = client.set_up().context("setting up the local chain failed")?;
        Ok(Self { rpc, communities, service })
    }
}

/// The npm package that holds anvil's program for this machine.
fn platform_package() -> Result<String> {
    let system = match std::env::consts::OS {
        "linux" => "linux",
        "macos" => "darwin",
        other => bail!("there is no anvil for {other}"),
    };
    let machine = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => bail!("there is no anvil for {other}"),
    };
    Ok(format!("@foundry-rs/anvil-{system}-{machine}"))
}

struct Client {
    agent: ureq::Agent,
    rpc: String,
}

impl Client {
    fn set_up(&self) -> Result<Address> {
        let accounts: Vec<Address> = serde_json::from_value(self.call("eth_accounts", json!([]))?)?;
        let [owner, moderator, members @ ..] = accounts.as_slice() else {
            bail!("the chain has {} accounts and 10 are needed", accounts.len());
        };
        let members = members.get(..4).context("the chain has fewer than 10 accounts")?;
        let receipt = self.transact(*owner, None, &creation_code()?)?;
        let contract: Address = serde_json::from_value(receipt["contractAddress"].clone())
            .context("the deployment's receipt names no contract")?;
        let create = createCall { name: COMMUNITY_NAME.to_owned(), profile: String::new() };
        self.transact(*owner, Some(contract), &create.abi_encode())?;
        for (accounts, role) in [(vec![*moderator], MODERATOR), (members.to_vec(), MEMBER)] {
            let call = setRolesCall { id: 1, accounts, role };
            self.transact(*owner, Some(contract), &call.abi_encode())?;
        }
        self.call("anvil_mine", json!([format!("{SETTLING_BLOCKS:#x}")]))?;
        Ok(contract)
    }

    /// Sends a transaction from one of the chain's unlocked accounts and gives its receipt.
    fn transact(&self, from: Address, to: Option<Address>, data: &[u8]) -> Result<Value> {
        let mut transaction = json!({ "from": from, "data": hex::encode_prefixed(data) });
        if let Some(to) = to {
            transaction["to"] = json!(to);
        }
        let hash = self.call("eth_sendTransaction", json!([transaction]))?;
        let deadline = Instant::now() + Duration::from_secs(10);
        let receipt = loop {
            let receipt = self.call("eth_getTransactionReceipt", json!([hash]))?;
            if !receipt.is_null() || Instant::now() > deadline {
                break receipt;
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        if receipt["status"] != "0x1" {
            bail!("the transaction {hash} did not succeed: {receipt}");
        }
        Ok(receipt)
    }

    fn call(&self, method: &str, params: Value) -> Result<Value> {
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let answer: Value = self
            .agent
            .post(&self.rpc)
            .send_json(request)
            .and_then(|mut answer| answer.body_mut().read_json())
            .with_context(|| format!("{method} got no answer from {}", self.rpc))?;
        result(&answer).with_context(|| format!("{method} failed"))
    }
}

fn result(answer: &Value) -> Result<Value> {
    match (answer.get("result"), answer.get("error")) {
        (Some(result), None) => Ok(result.clone()),
        (_, Some(error)) => {
            Err(anyhow!("{}", error["message"].as_str().unwrap_or("unnamed error")))
        }
        (None, None) => bail!("neither a result nor an error: {answer}"),
    }
}

fn creation_code() -> Result<Vec<u8>> {
    let file = tools::repository().join("contracts/abi/Communities.json");
    let text =
        fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let contract: Value = serde_json::from_str(&text)?;
    let code = contract["bytecode"].as_str().context("Communities.json has no \"bytecode\"")?;
    hex::decode(code).context("\"bytecode\" in Communities.json is not hexadecimal")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_answer_gives_its_message() {
        let answer =
            json!({ "jsonrpc": "2.0", "id": 1, "error": { "code": -32000, "message": "no" } });
        assert_eq!(result(&answer).unwrap_err().to_string(), "no");
        assert_eq!(result(&json!({ "result": null })).unwrap(), Value::Null);
        assert!(result(&json!({})).is_err());
    }

    #[test]
    fn the_calls_match_the_checked_in_abi() {
        let file = tools::repository().join("contracts/abi/Communities.json");
        let contract: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
        let signatures: Vec<String> = contract["abi"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|entry| entry["type"] == "function")
            .map(|entry| {
                let inputs = entry["inputs"].as_array().unwrap();
                let types: Vec<_> =
                    inputs.iter().map(|one| one["type"].as_str().unwrap()).collect();
                format!("{}({})", entry["name"].as_str().unwrap(), types.join(","))
            })
            .collect();
        for call in [createCall::SIGNATURE, setRolesCall::SIGNATURE] {
            assert!(signatures.iter().any(|one| one == call), "{call} is not in {signatures:?}");
        }
    }

    #[test]
    fn the_creation_code_is_there() {
        assert!(creation_code().unwrap().len() > 100);
    }
}

//! Wallets for trying things out: the unlocked accounts of a local chain.
//!
//! Neither keys nor addresses are known here. The chain signs by itself for accounts that it has
//! unlocked, so these wallets can do nothing on any other chain.

use super::{WalletError, parse_quantity, parse_signature};
use crate::rpc::{FetchError, RpcError, json_rpc};
use alloy_primitives::hex;
use chats_core::id::Wallet;
use futures::future::LocalBoxFuture;
use serde_json::{Value, json};
use std::{fmt, rc::Rc};

/// The EIP-155 id of local chains (anvil, hardhat).
pub const LOCAL_CHAIN: u64 = 31337;

/// Asks the person whether to sign this text.
pub type Approve = Rc<dyn Fn(String) -> LocalBoxFuture<'static, bool>>;

/// An unlocked account of a local chain.
#[derive(Clone)]
pub struct TestWallet {
    index: usize,
    name: Rc<str>,
    rpc: Rc<str>,
    approve: Approve,
}

impl TestWallet {
    /// The test wallets of a chain: none unless `chain` is [`LOCAL_CHAIN`].
    ///
    /// `rpc` is the chain's endpoint; `approve` is asked before each signature.
    #[must_use]
    pub fn all(chain: u64, rpc: &str, approve: &Approve) -> Vec<Self> {
        if chain != LOCAL_CHAIN {
            return Vec::new();
        }
        let wallet = |index| Self {
            index,
            name: name(index).into(),
            rpc: rpc.into(),
            approve: Rc::clone(approve),
        };
        (0..10).map(wallet).collect()
    }

    /// Its name, which says its part in the demo community.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Fails unless the chain is a local one, whatever the configuration says.
    pub(super) async fn chain_id(&self) -> Result<u64, WalletError> {
        let method = "eth_chainId";
        let answer = self.call(method, json!([])).await?;
        answer
            .as_str()
            .and_then(parse_quantity)
            .filter(|id| *id == LOCAL_CHAIN)
            .ok_or(WalletError::Malformed { method, expected: "id of a local chain (0x7a69)" })
    }

    pub(super) async fn request_accounts(&self) -> Result<Wallet, WalletError> {
        self.chain_id().await?;
        let method = "eth_accounts";
        let answer = self.call(method, json!([])).await?;
        answer
            .get(self.index)
            .and_then(Value::as_str)
            .and_then(Wallet::parse)
            .ok_or(WalletError::Malformed { method, expected: "list of ten unlocked accounts" })
    }

    pub(super) async fn personal_sign(
        &self,
        text: &str,
        wallet: Wallet,
    ) -> Result<Vec<u8>, WalletError> {
        if !(self.approve)(text.to_owned()).await {
            return Err(WalletError::Rejected);
        }
        self.chain_id().await?;
        let method = "personal_sign";
        let params = json!([hex::encode_prefixed(text), wallet.to_string()]);
        let answer = self.call(method, params).await?;
        answer
            .as_str()
            .and_then(parse_signature)
            .ok_or(WalletError::Malformed { method, expected: "signature" })
    }

    async fn call(&self, method: &str, params: Value) -> Result<Value, WalletError> {
        json_rpc(&self.rpc, method, params).await.map_err(|error| match error {
            RpcError::Fetch(FetchError::Unreachable { .. } | FetchError::TimedOut { .. }) => {
                WalletError::Disconnected
            }
            RpcError::Fetch(error) => WalletError::Other { code: 0, message: error.to_string() },
            RpcError::Refused { code, message, .. } => WalletError::Other { code, message },
        })
    }
}

impl fmt::Debug for TestWallet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TestWallet({})", self.index)
    }
}

/// As the demo community of `cargo xtask dev` has them.
fn name(index: usize) -> String {
    match index {
        0 => "Test wallet 0 (owner)".to_owned(),
        1 => "Test wallet 1 (moderator)".to_owned(),
        9 => "Test wallet 9 (not a member)".to_owned(),
        index => format!("Test wallet {index}"),
    }
}

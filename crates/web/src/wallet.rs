//! Wallets: those that the browser has (EIP-6963, EIP-1193) and, on a local chain, test wallets.

pub mod discovery;
pub mod provider;
pub mod test_wallet;

use crate::js::Subscription;
use chats_core::id::Wallet;
use provider::Provider;
use test_wallet::TestWallet;
use thiserror::Error;

/// Why a wallet did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WalletError {
    /// The person said no (EIP-1193, 4001).
    #[error("the request was rejected in the wallet")]
    Rejected,
    /// An earlier request still waits for an answer in the wallet (-32002).
    #[error("the wallet is still asking about an earlier request; open it and answer there")]
    Pending,
    /// The wallet has not been connected to this page (EIP-1193, 4100).
    #[error("the wallet is not connected to this page; connect it again")]
    Unauthorized,
    /// The wallet has no connection to its chain (EIP-1193, 4900 and 4901).
    #[error("the wallet is disconnected from its network")]
    Disconnected,
    /// Any other refusal.
    #[error("the wallet refused: {message} (code {code})")]
    Other {
        /// The code, 0 if there was none.
        code: i64,
        /// In the wallet's words, shortened.
        message: String,
    },
    /// The wallet answered with something that cannot be read.
    #[error("the wallet answered {method} with something that is no {expected}")]
    Malformed {
        /// What was asked.
        method: &'static str,
        /// What the answer should have been.
        expected: &'static str,
    },
}

/// What a wallet reports by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WalletEvent {
    /// The accounts that this page may use are now these, the chosen one first.
    AccountsChanged(Vec<Wallet>),
    /// The wallet is now on the chain of this EIP-155 id.
    ChainChanged(u64),
    /// The wallet lost its connection to all chains.
    Disconnected,
}

/// A wallet that the person can choose.
#[derive(Debug, Clone)]
pub enum BrowserWallet {
    /// A wallet of the browser.
    Provider(Provider),
    /// An unlocked account of a local chain.
    Test(TestWallet),
}

impl BrowserWallet {
    /// Tells this wallet from others for as long as the page lives.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Provider(provider) => provider.id(),
            Self::Test(wallet) => wallet.name(),
        }
    }

    /// What the wallet calls itself.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Provider(provider) => provider.name(),
            Self::Test(wallet) => wallet.name(),
        }
    }

    /// A `data:image/` URL, to be shown by `<img>` only: it comes from elsewhere.
    #[must_use]
    pub fn icon(&self) -> Option<&str> {
        match self {
            Self::Provider(provider) => provider.icon(),
            Self::Test(_) => None,
        }
    }

    /// Connects, asking the person if need be, and gives the account chosen.
    ///
    /// # Errors
    /// The wallet's refusal.
    pub async fn request_accounts(&self) -> Result<Wallet, WalletError> {
        match self {
            Self::Provider(provider) => provider.request_accounts().await,
            Self::Test(wallet) => wallet.request_accounts().await,
        }
    }

    /// The EIP-155 id of the chain the wallet is on.
    ///
    /// # Errors
    /// The wallet's refusal.
    pub async fn chain_id(&self) -> Result<u64, WalletError> {
        match self {
            Self::Provider(provider) => provider.chain_id().await,
            Self::Test(wallet) => wallet.chain_id().await,
        }
    }

    /// Has `wallet` sign `text` (EIP-191, version 0x45), asking the person. A contract's
    /// signature can be of any length up to 4 kB.
    ///
    /// # Errors
    /// The wallet's refusal, or the person's.
    pub async fn personal_sign(&self, text: &str, wallet: Wallet) -> Result<Vec<u8>, WalletError> {
        match self {
            Self::Provider(provider) => provider.personal_sign(text, wallet).await,
            Self::Test(test) => test.personal_sign(text, wallet).await,
        }
    }

    /// Calls `handler` at what the wallet reports. Test wallets report nothing.
    pub fn on_event(&self, handler: impl Fn(WalletEvent) + 'static) -> Option<Subscription> {
        match self {
            Self::Provider(provider) => Some(provider.on_event(handler)),
            Self::Test(_) => None,
        }
    }
}

/// Reads a quantity as JSON-RPC writes it (`0x7a69`).
fn parse_quantity(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

/// The longest signature accepted, in bytes.
const MAX_SIGNATURE: usize = 4096;

/// Reads a signature as wallets write it (`0x` and hexadecimal digits).
fn parse_signature(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("0x").filter(|digits| digits.len() <= 2 * MAX_SIGNATURE)?;
    let bytes = alloy_primitives::hex::decode(digits).ok()?;
    (!bytes.is_empty()).then_some(bytes)
}

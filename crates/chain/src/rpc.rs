//! One chain endpoint.

use alloy_primitives::{Address, B256, Bytes};
use chats_core::time::Time;

/// The longest text of an endpoint that is passed on, in characters.
const MAX_WORDS: usize = 160;

/// The block that a question is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// The newest block the endpoint knows.
    Latest,
    /// The block of this number.
    Number(u64),
}

/// A block, as far as freshness and agreement need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Its number.
    pub number: u64,
    /// When it was made, by its own account (whole seconds).
    pub timestamp: Time,
    /// Its hash.
    pub hash: B256,
}

/// An endpoint that answers Ethereum JSON-RPC questions.
///
/// Implementations end every request within a time of their own (a few seconds) with
/// [`RpcError::Timeout`]: the quorum waits for all endpoints. Futures need not be `Send`, since in
/// a browser none is.
#[allow(async_fn_in_trait)]
pub trait Rpc {
    /// What people know the endpoint by: its URL without credentials, such as its origin. Of
    /// several with one name a quorum asks only the first.
    fn name(&self) -> &str;

    /// The EIP-155 id of its chain (`eth_chainId`).
    async fn chain_id(&self) -> Result<u64, RpcError>;

    /// A block (`eth_getBlockByNumber`). One that the endpoint does not know is
    /// [`RpcError::Malformed`].
    async fn block(&self, at: At) -> Result<Head, RpcError>;

    /// Runs a read of a contract (`eth_call`) and returns what it returned; empty if there is no
    /// contract at `to`.
    async fn call(&self, to: Address, data: &Bytes, at: At) -> Result<Bytes, RpcError>;

    /// The newest block.
    async fn head(&self) -> Result<Head, RpcError> {
        self.block(At::Latest).await
    }
}

/// Why an endpoint gave no answer. Each text follows the endpoint's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RpcError {
    /// No connection, or it broke.
    #[error("cannot be reached ({0})")]
    Unreachable(String),
    /// Nothing came in time.
    #[error("did not answer in time")]
    Timeout,
    /// The endpoint will not answer: an HTTP status of 400 and above, or a JSON-RPC error.
    #[error("refused to answer: {message} ({code})")]
    Refused {
        /// HTTP status or JSON-RPC error code.
        code: i64,
        /// The endpoint's words, shortened.
        message: String,
    },
    /// The contract itself reverted; not the endpoint's fault.
    #[error("says that the contract refuses the question")]
    Reverted {
        /// The encoded error (selector and arguments), or empty.
        data: Bytes,
    },
    /// Something came that is no answer to the question.
    #[error("gave an answer that makes no sense ({0})")]
    Malformed(String),
}

/// An endpoint's words, without control characters and of bounded length.
pub(crate) fn shorten(words: &str) -> String {
    let mut chars = words.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut short: String = chars.by_ref().take(MAX_WORDS).collect();
    if chars.next().is_some() {
        short.push('…');
    }
    short
}

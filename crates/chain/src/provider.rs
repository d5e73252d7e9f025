//! An endpoint reached through alloy, over any of its transports.

use crate::rpc::{At, Head, Rpc, RpcError, shorten};
use alloy_primitives::{Address, B256, Bytes, U64};
use alloy_rpc_client::RpcClient;
use alloy_transport::{TransportError, TransportErrorKind};
use chats_core::time::Time;
use serde::{Deserialize, Serialize};

/// What a transport reports, inside [`TransportErrorKind::custom`], when its time is up. It
/// becomes [`RpcError::Timeout`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no answer in time")]
pub struct TimedOut;

/// An [`Rpc`] made of one alloy client: the three questions need no more of alloy than this, and
/// a provider would make the page a tenth larger (`docs/adr/0004-client-without-provider.md`).
#[derive(Debug, Clone)]
pub struct AlloyRpc {
    name: String,
    client: RpcClient,
}

/// The parameter of `eth_call`. Older endpoints read `data`, newer ones `input`.
#[derive(Debug, Clone, Serialize)]
struct Call<'a> {
    to: Address,
    data: &'a Bytes,
    input: &'a Bytes,
}

/// The part of a block that is read; whatever else a chain puts into its blocks is of no concern.
#[derive(Debug, Deserialize)]
struct Block {
    number: U64,
    timestamp: U64,
    hash: B256,
}

impl AlloyRpc {
    /// An endpoint over `client`, called `name` in messages to people. The client's transport
    /// limits the time and size of its answers, and reports [`TimedOut`].
    #[must_use]
    pub fn new(name: impl Into<String>, client: RpcClient) -> Self {
        Self { name: name.into(), client }
    }

    /// An endpoint at an `http` URL, whose requests end after `timeout`. It is called by the URL's
    /// origin alone, since paths and queries often carry a key.
    ///
    /// # Errors
    /// [`RpcError::Malformed`] if `url` is none.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn http(url: &str, timeout: chats_core::time::Duration) -> Result<Self, RpcError> {
        use alloy_transport_http::Http;
        // The client asks for what the process has agreed on; it is no error if it has before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let parsed: reqwest::Url = url
            .parse()
            .map_err(|error| RpcError::Malformed(format!("the endpoint is not a URL: {error}")))?;
        let client = reqwest::Client::builder()
            .timeout(timeout)
            .build()
            .map_err(|error| RpcError::Unreachable(error.to_string()))?;
        let name = parsed.origin().ascii_serialization();
        let transport = Http::with_client(client, parsed);
        Ok(Self::new(name, RpcClient::new(transport, false)))
    }
}

impl Rpc for AlloyRpc {
    fn name(&self) -> &str {
        &self.name
    }

    async fn chain_id(&self) -> Result<u64, RpcError> {
        let id: U64 = self.client.request_noparams("eth_chainId").await.map_err(read_error)?;
        Ok(id.to())
    }

    async fn block(&self, at: At) -> Result<Head, RpcError> {
        let at = parameter(at);
        let block: Option<Block> =
            self.client.request("eth_getBlockByNumber", (&at, false)).await.map_err(read_error)?;
        let unknown = || RpcError::Malformed(format!("it does not know block {at}"));
        let Block { number, timestamp, hash } = block.ok_or_else(unknown)?;
        Ok(Head { number: number.to(), timestamp: Time::from_secs(timestamp.to()), hash })
    }

    async fn call(&self, to: Address, data: &Bytes, at: At) -> Result<Bytes, RpcError> {
        let call = Call { to, data, input: data };
        self.client.request("eth_call", (call, parameter(at))).await.map_err(read_error)
    }
}

/// A block as JSON-RPC names it.
fn parameter(at: At) -> String {
    match at {
        At::Latest => "latest".to_owned(),
        At::Number(number) => format!("{number:#x}"),
    }
}

fn read_error(error: TransportError) -> RpcError {
    match error {
        TransportError::ErrorResp(payload) => match payload.as_revert_data() {
            Some(data) => RpcError::Reverted { data },
            None => RpcError::Refused { code: payload.code, message: shorten(&payload.message) },
        },
        TransportError::Transport(kind) => read_transport_error(&kind),
        TransportError::NullResp => RpcError::Malformed("null".to_owned()),
        TransportError::DeserError { err, .. } => RpcError::Malformed(shorten(&err.to_string())),
        other => RpcError::Malformed(shorten(&other.to_string())),
    }
}

fn read_transport_error(kind: &TransportErrorKind) -> RpcError {
    let http = |error: &alloy_transport::HttpError| RpcError::Refused {
        code: error.status.into(),
        message: shorten(&error.body),
    };
    match kind {
        TransportErrorKind::HttpError(error)
        | TransportErrorKind::HttpErrorWithRetryAfter { error, .. } => http(error),
        TransportErrorKind::Custom(error) if timed_out(error.as_ref()) => RpcError::Timeout,
        TransportErrorKind::Custom(error) => {
            RpcError::Unreachable(shorten(&innermost(error.as_ref()).to_string()))
        }
        other => RpcError::Unreachable(shorten(&other.to_string())),
    }
}

fn timed_out(error: &(dyn std::error::Error + 'static)) -> bool {
    #[cfg(not(target_arch = "wasm32"))]
    if let Some(error) = error.downcast_ref::<alloy_transport_http::reqwest::Error>() {
        return error.is_timeout();
    }
    error.is::<TimedOut>()
}

/// The first cause: it is the most telling, and the outer layers of an HTTP client quote the URL.
fn innermost<'a>(
    mut error: &'a (dyn std::error::Error + 'static),
) -> &'a (dyn std::error::Error + 'static) {
    while let Some(cause) = error.source() {
        error = cause;
    }
    error
}

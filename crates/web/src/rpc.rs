//! JSON-RPC over `fetch`, as an alloy transport.

use crate::js::{error_name, error_text, get, shorten, window};
use alloy_json_rpc::{RequestPacket, ResponsePacket};
use alloy_rpc_client::RpcClient;
use alloy_transport::{TransportError, TransportErrorKind, TransportFut};
use chats_chain::{AlloyRpc, provider::TimedOut};
use gloo::timers::callback::Timeout;
use js_sys::Uint8Array;
use serde_json::{Value, json};
use std::{
    cell::Cell,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
};
use thiserror::Error;
use tower::Service;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    AbortController, Headers, ReadableStreamDefaultReader, ReferrerPolicy, RequestCredentials,
    RequestInit, Response, Url,
};

/// How long a request may take, headers and body together, in milliseconds.
pub const TIMEOUT_MILLIS: u32 = 5_000;
/// The largest answer that is read, in bytes.
pub const MAX_ANSWER: usize = 1024 * 1024;

/// Why nothing could be fetched.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FetchError {
    /// No whole answer within [`TIMEOUT_MILLIS`].
    #[error("{url} did not answer within 5 s")]
    TimedOut {
        /// What was asked.
        url: String,
    },
    /// No connection, or the host does not let other pages read it (CORS).
    #[error("{url} cannot be reached: {reason}")]
    Unreachable {
        /// What was asked.
        url: String,
        /// In the browser's words.
        reason: String,
    },
    /// An answer other than 200 to 299.
    #[error("{url} answered with status {status}: {body}")]
    Status {
        /// What was asked.
        url: String,
        /// The HTTP status.
        status: u16,
        /// How the answer begins.
        body: String,
    },
    /// An answer larger than [`MAX_ANSWER`].
    #[error("{url} answered with more than 1 MiB")]
    TooLarge {
        /// What was asked.
        url: String,
    },
    /// An answer that is not UTF-8, or not the JSON that was asked for.
    #[error("{url} answered with something that cannot be read: {reason}")]
    Unreadable {
        /// What was asked.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// Why a JSON-RPC call failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RpcError {
    /// There was no answer to read.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The endpoint refused (JSON-RPC 2.0, section 5.1).
    #[error("{url} refused: {message} (code {code})")]
    Refused {
        /// Who refused.
        url: String,
        /// The JSON-RPC error code.
        code: i64,
        /// In the endpoint's words.
        message: String,
    },
}

/// Posts JSON-RPC packets to one endpoint with `fetch`: no cookies, no referrer, 5 s, 1 MiB.
#[derive(Debug, Clone)]
pub struct FetchTransport {
    url: Arc<str>,
}

impl FetchTransport {
    /// A transport to the endpoint at this URL; nothing is asked of it yet.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self { url: url.into() }
    }

    /// Where it posts to.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    async fn send(self, packet: RequestPacket) -> Result<ResponsePacket, TransportError> {
        let body = packet.serialize().map_err(TransportError::ser_err)?;
        let text = match post(&self.url, body.get()).await {
            Ok(text) => text,
            Err(FetchError::Status { status, body, .. }) => {
                return Err(TransportErrorKind::http_error(status, body));
            }
            Err(FetchError::TimedOut { .. }) => return Err(TransportErrorKind::custom(TimedOut)),
            // Whoever reads this knows the endpoint by its name; the URL may hold an API key.
            Err(FetchError::Unreachable { reason, .. } | FetchError::Unreadable { reason, .. }) => {
                return Err(TransportErrorKind::custom_str(&reason));
            }
            Err(FetchError::TooLarge { .. }) => {
                return Err(TransportErrorKind::custom_str("it answered with more than 1 MiB"));
            }
        };
        serde_json::from_str(&text).map_err(|error| TransportError::deser_err(error, text))
    }
}

impl Service<RequestPacket> for FetchTransport {
    type Response = ResponsePacket;
    type Error = TransportError;
    type Future = TransportFut<'static>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, packet: RequestPacket) -> Self::Future {
        Box::pin(self.clone().send(packet))
    }
}

/// The chain endpoint at this URL, called by its origin: paths often hold the user's API key.
#[must_use]
pub fn endpoint(url: &str) -> AlloyRpc {
    let origin = Url::new(url).map_or_else(|_| url.to_owned(), |url| url.origin());
    AlloyRpc::new(origin, RpcClient::new(FetchTransport::new(url), false))
}

/// One JSON-RPC call outside alloy, for methods that it has no types for.
///
/// # Errors
/// The endpoint gave no readable answer, or refused.
pub async fn json_rpc(url: &str, method: &str, params: Value) -> Result<Value, RpcError> {
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let text = post(url, &request.to_string()).await?;
    let unreadable = |reason: String| FetchError::Unreadable { url: url.to_owned(), reason };
    let mut answer: Value =
        serde_json::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
    if let Some(error) = answer.get("error").filter(|error| !error.is_null()) {
        let message = error.get("message").and_then(Value::as_str).unwrap_or("no reason given");
        return Err(RpcError::Refused {
            url: url.to_owned(),
            code: error.get("code").and_then(Value::as_i64).unwrap_or_default(),
            message: shorten(message),
        });
    }
    match answer.get_mut("result") {
        Some(result) => Ok(result.take()),
        None => Err(unreadable("neither a result nor an error".to_owned()).into()),
    }
}

async fn post(url: &str, body: &str) -> Result<String, FetchError> {
    let headers = Headers::new().and_then(|headers| {
        headers.set("content-type", "application/json")?;
        Ok(headers)
    });
    fetch(url, |init| {
        init.set_method("POST");
        init.set_body(&JsValue::from_str(body));
        if let Ok(headers) = &headers {
            init.set_headers(headers);
        }
    })
    .await
}

/// Aborts what it belongs to when dropped, be it done (no effect), timed out or given up.
struct Abort(AbortController);

impl Drop for Abort {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Fetches a text; `adjust` may set method, body and the like.
pub(crate) async fn fetch(
    url: &str,
    adjust: impl FnOnce(&RequestInit),
) -> Result<String, FetchError> {
    let timed_out = Rc::new(Cell::new(false));
    let unreachable = |error: &JsValue| {
        let url = url.to_owned();
        // A body that breaks off by our own abort says so in more ways than one.
        if timed_out.get() || error_name(error) == "AbortError" {
            FetchError::TimedOut { url }
        } else {
            FetchError::Unreachable { url, reason: error_text(error) }
        }
    };
    let abort = Abort(AbortController::new().map_err(|error| unreachable(&error))?);
    let _timeout = {
        let (controller, timed_out) = (abort.0.clone(), Rc::clone(&timed_out));
        Timeout::new(TIMEOUT_MILLIS, move || {
            timed_out.set(true);
            controller.abort();
        })
    };

    let init = RequestInit::new();
    init.set_credentials(RequestCredentials::Omit);
    init.set_referrer_policy(ReferrerPolicy::NoReferrer);
    init.set_signal(Some(&abort.0.signal()));
    adjust(&init);
    let response: Response = JsFuture::from(window().fetch_with_str_and_init(url, &init))
        .await
        .map_err(|error| unreachable(&error))?
        .unchecked_into();

    let mut bytes = Vec::new();
    if let Some(body) = response.body() {
        let reader: ReadableStreamDefaultReader = body.get_reader().unchecked_into();
        loop {
            let chunk = JsFuture::from(reader.read()).await.map_err(|error| unreachable(&error))?;
            if get(&chunk, "done").is_truthy() {
                break;
            }
            let part = Uint8Array::new(&get(&chunk, "value"));
            if bytes.len() + part.length() as usize > MAX_ANSWER {
                return Err(FetchError::TooLarge { url: url.to_owned() });
            }
            bytes.extend_from_slice(&part.to_vec());
        }
    }
    if !response.ok() {
        return Err(FetchError::Status {
            url: url.to_owned(),
            status: response.status(),
            body: shorten(&String::from_utf8_lossy(&bytes)),
        });
    }
    String::from_utf8(bytes)
        .map_err(|error| FetchError::Unreadable { url: url.to_owned(), reason: error.to_string() })
}

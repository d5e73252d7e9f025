//! A static file server for `dist/`, with a `config.json` of its own.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::Response;
use axum::routing::get;
use serde_json::Value;
use tower_http::services::ServeDir;

/// Takes a port of the loopback interface, 0 for any free one.
pub(crate) fn listen(port: u16) -> Result<TcpListener> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|error| {
        if error.kind() == std::io::ErrorKind::AddrInUse {
            anyhow!(
                "port {port} of 127.0.0.1 is in use: stop what uses it or give another with --port"
            )
        } else {
            anyhow!("cannot listen on port {port} of 127.0.0.1: {error}")
        }
    })?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// The page's address on this listener.
pub(crate) fn address(listener: &TcpListener) -> Result<String> {
    Ok(format!("http://127.0.0.1:{}/", listener.local_addr()?.port()))
}

/// Serves `dist` with `config` in place of its own until the task is dropped.
pub(crate) async fn serve(listener: TcpListener, dist: &Path, config: &Value) -> Result<()> {
    let config = serde_json::to_string_pretty(config)?;
    let json = HeaderValue::from_static("application/json");
    let app = Router::new()
        .route("/config.json", get(async || ([(CONTENT_TYPE, json)], config)))
        .fallback_service(ServeDir::new(dist))
        .layer(axum::middleware::map_response(ask_again));
    let listener = tokio::net::TcpListener::from_std(listener)?;
    axum::serve(listener, app).await.context("the page's server ended")
}

/// The same address gives another page after each build: a browser must ask whether it changed.
async fn ask_again<B>(mut response: Response<B>) -> Response<B> {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

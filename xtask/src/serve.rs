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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_served_as_they_are_but_the_configuration() {
        let dist = std::env::temp_dir().join(format!("xtask-serve-{}", std::process::id()));
        std::fs::create_dir_all(&dist).unwrap();
        std::fs::write(dist.join("index.html"), "<h1>Hello</h1>").unwrap();
        std::fs::write(dist.join("a_bg.wasm"), b"\0asm").unwrap();
        std::fs::write(dist.join("config.json"), "{}").unwrap();
        let listener = listen(0).unwrap();
        let url = address(&listener).unwrap();
        let config = serde_json::json!({ "name": "Here" });
        let folder = dist.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(serve(listener, &folder, &config)).unwrap();
        });
        let get = |path: &str| {
            let mut answer = ureq::get(format!("{url}{path}")).call().unwrap();
            let header = |name| answer.headers().get(name).unwrap().to_str().unwrap().to_owned();
            let (kind, cache) = (header(CONTENT_TYPE), header(CACHE_CONTROL));
            (kind, cache, answer.body_mut().read_to_string().unwrap())
        };
        let (kind, cache, body) = get("");
        assert_eq!((kind.as_str(), cache.as_str()), ("text/html", "no-cache"));
        assert_eq!(body, "<h1>Hello</h1>");
        assert_eq!(get("a_bg.wasm").0, "application/wasm");
        let (kind, _, body) = get("config.json");
        assert_eq!(kind, "application/json");
        assert!(body.contains("Here"), "{body}");
        let missing = ureq::get(format!("{url}none.js")).call();
        assert!(matches!(missing, Err(ureq::Error::StatusCode(404))), "{missing:?}");
        std::fs::remove_dir_all(dist).unwrap();
    }

    #[test]
    fn a_busy_port_is_named() {
        let first = listen(0).unwrap();
        let port = first.local_addr().unwrap().port();
        let error = listen(port).unwrap_err().to_string();
        assert!(error.starts_with(&format!("port {port} of 127.0.0.1 is in use")), "{error}");
    }
}

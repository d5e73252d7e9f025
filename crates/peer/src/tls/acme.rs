//! A certificate from an ACME server (RFC 8555), proven by TLS-ALPN-01 (RFC 8737) on the relay's
//! own port, and renewed after two thirds of its life.

use super::{TlsError, Upkeep};
use chats_net::tls::rustls::{ClientConfig, crypto::ring, server::ResolvesServerCert};
use futures::StreamExt;
use rustls_acme::{AcmeConfig, EventOk, caches::DirCache};
use rustls_platform_verifier::BuilderVerifierExt;
use std::{
    fs::{self, DirBuilder, Permissions},
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

/// The directory of Let's Encrypt.
pub(super) const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// Gives what answers handshakes, and what fetches and renews; both at once, since the certificate
/// is proven by a handshake. `key` is the relay's key file.
pub(super) fn start(
    domain: &str,
    directory: &str,
    contact: Option<&str>,
    key: &Path,
) -> Result<(Arc<dyn ResolvesServerCert>, Upkeep), TlsError> {
    let roots = |error: chats_net::tls::rustls::Error| TlsError::Roots(error.to_string());
    let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_platform_verifier()
        .map_err(roots)?
        .with_no_client_auth();
    let mut state = AcmeConfig::new_with_client_config([domain], Arc::new(client))
        .directory(directory)
        .contact(contact.map(|mail| format!("mailto:{mail}")))
        .cache(DirCache::new(folder(key)?))
        .state();
    let resolver = state.resolver();
    let renew = async move {
        while let Some(event) = state.next().await {
            match event {
                Ok(EventOk::DeployedCachedCert) => tracing::info!("the certificate is in place"),
                Ok(EventOk::DeployedNewCert) => tracing::info!("a new certificate is in place"),
                Ok(EventOk::CertCacheStore | EventOk::AccountCacheStore) => {}
                Err(error) => tracing::warn!(%error, "no certificate; it is tried again"),
            }
        }
    };
    Ok((resolver, Box::pin(renew)))
}

/// Where account and certificate are kept, with their keys: for the owner alone.
fn folder(key: &Path) -> Result<PathBuf, TlsError> {
    let mut name = key.as_os_str().to_owned();
    name.push(".acme");
    let path = PathBuf::from(name);
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&path)
        .and_then(|()| fs::set_permissions(&path, Permissions::from_mode(0o700)))
        .map_err(|error| TlsError::Io { path: path.clone(), error })?;
    Ok(path)
}

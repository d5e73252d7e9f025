//! Where the certificate for `wss` comes from: files, or an ACME server.

mod acme;
mod files;

use chats_net::{
    Multiaddr,
    tls::{Tls, rustls::server::ResolvesServerCert},
};
use clap::Args;
use std::{
    future::Future,
    io,
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
};

/// Certificates for addresses that end in `/tls/ws`.
#[derive(Debug, Args)]
pub(crate) struct TlsOptions {
    /// PEM file with the certificate and its chain, for addresses that end in `/tls/ws`. It is
    /// read again when it changes.
    #[arg(long, value_name = "FILE", requires = "tls_key", conflicts_with = "domain")]
    tls_cert: Option<PathBuf>,
    /// PEM file with the key of that certificate.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Public name of this machine, for which a certificate is fetched and renewed by ACME. The
    /// ACME server connects to port 443 of that name, which must lead to an address that ends in
    /// `/tls/ws`. Using it means agreeing to the terms of the ACME server.
    #[arg(long, value_name = "NAME", requires = "key")]
    pub(crate) domain: Option<String>,
    /// ACME directory: Let's Encrypt, unless another is given.
    #[arg(long, value_name = "URL", requires = "domain", default_value = acme::LETS_ENCRYPT)]
    acme_directory: String,
    /// Mail address that the ACME server may write to.
    #[arg(long, value_name = "MAIL", requires = "domain")]
    acme_contact: Option<String>,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    /// A file cannot be read.
    #[error("{path}: {error}")]
    Io { path: PathBuf, error: io::Error },
    /// A file holds something else.
    #[error("{path} holds no {expected} in PEM form{reason}")]
    Malformed { path: PathBuf, expected: &'static str, reason: String },
    /// The two files are of different certificates, or of a kind that TLS cannot use.
    #[error("the certificate in {cert} and the key in {key} cannot be used together: {reason}")]
    Pair { cert: PathBuf, key: PathBuf, reason: String },
    /// No ACME server can be believed.
    #[error("no root certificates: install the package ca-certificates or set SSL_CERT_FILE ({0})")]
    Roots(String),
    /// TLS itself.
    #[error("TLS: {0}")]
    Tls(#[from] chats_net::tls::rustls::Error),
}

/// What keeps the certificate fresh; it never ends.
pub(crate) type Upkeep = Pin<Box<dyn Future<Output = ()> + Send>>;

impl TlsOptions {
    /// Whether there is a certificate for `addr`, if it needs one.
    pub(crate) fn serves(&self, addr: &Multiaddr) -> bool {
        let text = addr.to_string();
        let secure = text.ends_with("/tls/ws") || text.ends_with("/wss");
        !secure || self.tls_cert.is_some() || self.domain.is_some()
    }

    /// The certificate's source, and what has to run beside the relay. `key` is the relay's key
    /// file; what an ACME server gives is kept beside it.
    pub(crate) fn start(&self, key: Option<&Path>) -> Result<Option<(Tls, Upkeep)>, TlsError> {
        if let (Some(cert), Some(key)) = (&self.tls_cert, &self.tls_key) {
            let files = Arc::new(files::Files::open(cert, key)?);
            let tls = Tls::new(Arc::clone(&files) as Arc<dyn ResolvesServerCert>)?;
            return Ok(Some((tls, Box::pin(files.watch()))));
        }
        if let (Some(domain), Some(key)) = (&self.domain, key) {
            let contact = self.acme_contact.as_deref();
            let (resolver, renew) = acme::start(domain, &self.acme_directory, contact, key)?;
            return Ok(Some((Tls::new(resolver)?, renew)));
        }
        Ok(None)
    }
}

//! A certificate and its key in two PEM files, read again when they change.

use super::TlsError;
use chats_net::tls::rustls::{
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The pair that is in use, and where it came from.
#[derive(Debug)]
pub(super) struct Files {
    cert: PathBuf,
    key: PathBuf,
    current: RwLock<Arc<CertifiedKey>>,
    /// How the files looked before they were first read.
    first: [Option<Stamp>; 2],
}

/// What of a file changes when its content does: device, inode, size, time of the last change.
type Stamp = [u64; 5];

impl Files {
    pub(super) fn open(cert: &Path, key: &Path) -> Result<Self, TlsError> {
        let first = [cert, key].map(stamp);
        let current = RwLock::new(Arc::new(read(cert, key)?));
        Ok(Self { cert: cert.to_owned(), key: key.to_owned(), current, first })
    }

    /// Takes up what is put into the files, and keeps what it has while they hold nothing usable.
    pub(super) async fn watch(self: Arc<Self>) {
        let mut seen = self.first;
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        loop {
            ticks.tick().await;
            let now = [&self.cert, &self.key].map(|path| stamp(path));
            if now == seen {
                continue;
            }
            // Taken before the files are read: a change during that is another change.
            seen = now;
            match read(&self.cert, &self.key) {
                Ok(new) => {
                    *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(new);
                    tracing::info!("the certificate was replaced");
                }
                Err(error) => tracing::warn!(%error, "the old certificate stays in use"),
            }
        }
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let meta = fs::metadata(path).ok()?;
    let (seconds, nanos) = (meta.mtime().cast_unsigned(), meta.mtime_nsec().cast_unsigned());
    Some([meta.dev(), meta.ino(), meta.size(), seconds, nanos])
}

impl ResolvesServerCert for Files {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn read(cert: &Path, key: &Path) -> Result<CertifiedKey, TlsError> {
    let malformed = |path: &Path, expected, reason| {
        let path = path.to_owned();
        TlsError::Malformed { path, expected, reason }
    };
    let bytes = |path: &Path| {
        fs::read(path).map_err(|error: io::Error| TlsError::Io { path: path.to_owned(), error })
    };
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&bytes(cert)?)
        .collect::<Result<_, _>>()
        .map_err(|error| malformed(cert, "certificate", format!(": {error}")))?;
    if chain.is_empty() {
        return Err(malformed(cert, "certificate", String::new()));
    }
    let secret = PrivateKeyDer::from_pem_slice(&bytes(key)?)
        .map_err(|error| malformed(key, "private key", format!(": {error}")))?;
    CertifiedKey::from_der(chain, secret, &ring::default_provider()).map_err(|error| {
        TlsError::Pair { cert: cert.to_owned(), key: key.to_owned(), reason: error.to_string() }
    })
}

//! Opening what the worker needs: the device, its data key, the store of the community.

use super::database;
use crate::random;
use crate::storage::{self, IndexedDb, Storage, StorageError};
use chats_core::certificate::DeviceCertificate;
use chats_core::id::{Community, DeviceSecret};
use chats_core::rooms::Identity;
use chats_core::store::{Store, StoreError};
use zeroize::Zeroizing;

/// What was opened.
pub(super) struct Opened {
    pub(super) identity: Identity,
    pub(super) store: Store<IndexedDb>,
    /// Whether what had been kept was of no use, and is gone.
    pub(super) anew: bool,
}

/// Why something was not.
pub(super) struct Trouble {
    /// For people.
    pub(super) reason: String,
    /// Whether it may go better without anybody loading the page anew.
    pub(super) passes: bool,
}

impl From<StorageError> for Trouble {
    fn from(error: StorageError) -> Self {
        let passes = !matches!(error, StorageError::Corrupt { .. });
        Self { reason: format!("{error}."), passes }
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        let passes = !matches!(error, StoreError::TooNew { .. });
        Self { reason: format!("{error}."), passes }
    }
}

/// Opens all of it. No secret comes from the page: whoever can read its messages learns none.
pub(super) async fn open(
    community: Community,
    certificate: &DeviceCertificate,
) -> Result<Opened, Trouble> {
    let storage = Storage::open().await?;
    let secret = device(&storage, certificate).await?;
    let key = storage.data_key().await?;
    let name = database(&community);
    let seed = || Zeroizing::new(random::bytes());
    let (store, anew) = match Store::open(IndexedDb::open(&name).await?, key.clone(), seed()).await
    {
        // The key that it was sealed with was this browser's and is gone, with the device that had
        // it: nobody can ever read it.
        Err(StoreError::WrongKey) => {
            storage::delete(&name).await?;
            (Store::open(IndexedDb::open(&name).await?, key, seed()).await?, true)
        }
        opened => (opened?, false),
    };
    let identity = Identity { community, secret, certificate: certificate.clone() };
    Ok(Opened { identity, store, anew })
}

async fn device(
    storage: &Storage,
    certificate: &DeviceCertificate,
) -> Result<DeviceSecret, Trouble> {
    let secret = storage.load_device().await?;
    secret.filter(|secret| secret.device() == certificate.statement.device).ok_or_else(|| Trouble {
        reason: "This browser was signed out. Load the page again.".to_owned(),
        passes: false,
    })
}

//! What is kept between visits: the device, its certificates, settings, and in databases of their
//! own the rows of stores ([`IndexedDb`]). In IndexedDB.
//!
//! The device's seed and the key to its stores are sealed with AES-256-GCM under a key of Web
//! Crypto that cannot be extracted: it is stored as a `CryptoKey`, and what can be copied out of
//! the database without running in this origin is of no use. Commits have the browser's default durability (`idb`
//! offers no other): after a crash of the machine the last one may be missing, as if it had not
//! been made. All rows of a device are written in one transaction.

mod rows;
mod seal;
mod usage;

use crate::js::{self, error_text};
use chats_core::{id::DeviceSecret, seal::SealKey};
use js_sys::Uint8Array;
use rexie::{ObjectStore, Rexie, Transaction, TransactionMode, TransactionResult};
pub use rows::{IndexedDb, delete};
use seal::Secret;
use thiserror::Error;
pub use usage::{Usage, persist, usage};
use wasm_bindgen::{JsCast, JsValue};

const DATABASE: &str = "community-chats";
const VERSION: u32 = 1;
/// One row, [`CURRENT`]: the `CryptoKey`.
const KEYS: &str = "keys";
/// Two rows: the sealed seed, [`CURRENT`], and the sealed [`DATA_KEY`].
const DEVICE: &str = "device";
/// Certificates of that device, by registry.
const CERTIFICATES: &str = "certificates";
/// Texts, by name.
const SETTINGS: &str = "settings";
const CURRENT: &str = "current";
const DATA_KEY: &str = "data key";
/// The largest certificate kept, in bytes.
const MAX_CERTIFICATE: u32 = 16 * 1024;

/// Why something cannot be kept or read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StorageError {
    /// The browser has no IndexedDB, or refuses it, as some do in private windows, or cannot open
    /// what it kept.
    #[error(
        "this browser keeps nothing for this page ({reason}); leave the private window, or delete this site's data in the browser's settings, and try again"
    )]
    Unavailable {
        /// In the browser's words.
        reason: String,
    },
    /// A row is not what was written. The way on is [`Storage::forget_device`].
    #[error("the {what} kept in this browser is damaged; start over to make a new one")]
    Corrupt {
        /// Which row.
        what: &'static str,
    },
    /// The browser's space for this page is used up.
    #[error("the browser has no more space for this page; free some and try again")]
    Quota,
    /// Anything else.
    #[error("the browser's storage failed: {reason}")]
    Other {
        /// In the browser's words.
        reason: String,
    },
}

impl From<rexie::Error> for StorageError {
    fn from(error: rexie::Error) -> Self {
        let reason = match &error {
            rexie::Error::IdbError(error) => error.to_string(),
            other => other.to_string(),
        };
        if reason.contains("QuotaExceeded") {
            Self::Quota
        } else {
            Self::Other { reason: crate::js::shorten(&reason) }
        }
    }
}

/// The browser's storage for this page.
#[derive(Debug)]
pub struct Storage {
    database: Rexie,
}

impl Storage {
    /// Opens the storage, making it if there is none.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] if the browser has none for this page.
    pub async fn open() -> Result<Self, StorageError> {
        let unavailable = |reason: String| StorageError::Unavailable { reason };
        if !js::has("indexedDB") {
            return Err(unavailable("no IndexedDB".to_owned()));
        }
        let database = [KEYS, DEVICE, CERTIFICATES, SETTINGS]
            .into_iter()
            .fold(Rexie::builder(DATABASE).version(VERSION), |builder, store| {
                builder.add_object_store(ObjectStore::new(store))
            })
            .build()
            .await
            .map_err(|error| match StorageError::from(error) {
                StorageError::Other { reason } => unavailable(reason),
                other => other,
            })?;
        Ok(Self { database })
    }

    /// The device of this browser, if one was made.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] if its rows are not whole or cannot be unsealed.
    pub async fn load_device(&self) -> Result<Option<DeviceSecret>, StorageError> {
        let transaction = self.begin(&[KEYS, DEVICE], TransactionMode::ReadOnly)?;
        let key = read(&transaction, KEYS, CURRENT).await?;
        let sealed = read(&transaction, DEVICE, CURRENT).await?;
        let (key, sealed) = match (key, sealed) {
            (None, None) => return Ok(None),
            (Some(key), Some(sealed)) => (key, sealed),
            _ => return Err(StorageError::Corrupt { what: "device" }),
        };
        let seed = seal::unseal(&key, Secret::Device, &sealed)
            .await
            .ok_or(StorageError::Corrupt { what: "device" })?;
        Ok(Some(DeviceSecret::from_seed(&seed)))
    }

    /// Makes a new device in place of any that was there; certificates and the data key of that
    /// one go with it.
    ///
    /// # Errors
    /// The browser could not make or keep the key.
    pub async fn create_device(&self) -> Result<DeviceSecret, StorageError> {
        let seed = seal::random_secret();
        let key = seal::new_key().await.map_err(|error| failed(&error))?;
        let sealed =
            seal::seal(&key, Secret::Device, &seed).await.map_err(|error| failed(&error))?;
        let transaction = self.begin(&[KEYS, DEVICE, CERTIFICATES], TransactionMode::ReadWrite)?;
        transaction.store(CERTIFICATES)?.clear().await?;
        transaction.store(DEVICE)?.clear().await?;
        write(&transaction, KEYS, CURRENT, &key).await?;
        write(&transaction, DEVICE, CURRENT, &sealed).await?;
        finish(transaction).await?;
        Ok(DeviceSecret::from_seed(&seed))
    }

    /// The key that this device seals the rows of its stores with; made when it is first asked
    /// for. Another device has another one: what was sealed before cannot be read any more.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] if there is no device, or its rows cannot be unsealed.
    pub async fn data_key(&self) -> Result<SealKey, StorageError> {
        const CORRUPT: StorageError = StorageError::Corrupt { what: "data key" };
        for _ in 0..2 {
            let transaction = self.begin(&[KEYS, DEVICE], TransactionMode::ReadOnly)?;
            let key = read(&transaction, KEYS, CURRENT).await?.ok_or(CORRUPT)?;
            if let Some(sealed) = read(&transaction, DEVICE, DATA_KEY).await? {
                let data_key = seal::unseal(&key, Secret::Data, &sealed).await.ok_or(CORRUPT)?;
                return Ok(SealKey::new(data_key));
            }
            let key = key.dyn_into().map_err(|_| CORRUPT)?;
            let sealed = seal::seal(&key, Secret::Data, &seal::random_secret()).await;
            let sealed = sealed.map_err(|error| failed(&error))?;
            let transaction = self.begin(&[DEVICE], TransactionMode::ReadWrite)?;
            // Should another tab have made one meanwhile, that stands and this fails; what stands
            // is read in the next round.
            if transaction.store(DEVICE)?.add(&sealed, Some(&DATA_KEY.into())).await.is_ok() {
                finish(transaction).await?;
            }
        }
        Err(CORRUPT)
    }

    /// Deletes the device, its certificates and its data key, without which its stores cannot be
    /// read any more; settings stay.
    ///
    /// # Errors
    /// The browser could not delete them.
    pub async fn forget_device(&self) -> Result<(), StorageError> {
        let stores = [KEYS, DEVICE, CERTIFICATES];
        let transaction = self.begin(&stores, TransactionMode::ReadWrite)?;
        for store in stores {
            transaction.store(store)?.clear().await?;
        }
        finish(transaction).await
    }

    /// Keeps the device's certificate for a registry (its text form), in place of any earlier.
    ///
    /// # Errors
    /// The browser could not keep it.
    pub async fn save_certificate(
        &self,
        registry: &str,
        certificate: &[u8],
    ) -> Result<(), StorageError> {
        let transaction = self.begin(&[CERTIFICATES], TransactionMode::ReadWrite)?;
        write(&transaction, CERTIFICATES, registry, &Uint8Array::from(certificate)).await?;
        finish(transaction).await
    }

    /// The device's certificate for a registry, unchecked.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] if the row holds no bytes or more than 16 kB.
    pub async fn load_certificate(&self, registry: &str) -> Result<Option<Vec<u8>>, StorageError> {
        let transaction = self.begin(&[CERTIFICATES], TransactionMode::ReadOnly)?;
        let Some(row) = read(&transaction, CERTIFICATES, registry).await? else {
            return Ok(None);
        };
        match row.dyn_into::<Uint8Array>() {
            Ok(bytes) if bytes.length() <= MAX_CERTIFICATE => Ok(Some(bytes.to_vec())),
            _ => Err(StorageError::Corrupt { what: "certificate" }),
        }
    }

    /// A setting, as it was kept (JSON by convention).
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] if the row holds no text.
    pub async fn setting(&self, name: &str) -> Result<Option<String>, StorageError> {
        let transaction = self.begin(&[SETTINGS], TransactionMode::ReadOnly)?;
        match read(&transaction, SETTINGS, name).await? {
            None => Ok(None),
            Some(row) => match row.as_string() {
                Some(text) => Ok(Some(text)),
                None => Err(StorageError::Corrupt { what: "setting" }),
            },
        }
    }

    /// Keeps a setting, in place of any earlier one of that name.
    ///
    /// # Errors
    /// The browser could not keep it.
    pub async fn set_setting(&self, name: &str, value: &str) -> Result<(), StorageError> {
        let transaction = self.begin(&[SETTINGS], TransactionMode::ReadWrite)?;
        write(&transaction, SETTINGS, name, &JsValue::from_str(value)).await?;
        finish(transaction).await
    }

    fn begin(&self, stores: &[&str], mode: TransactionMode) -> Result<Transaction, StorageError> {
        Ok(self.database.transaction(stores, mode)?)
    }
}

fn failed(exception: &JsValue) -> StorageError {
    StorageError::Other { reason: error_text(exception) }
}

async fn read(
    transaction: &Transaction,
    store: &str,
    key: &str,
) -> Result<Option<JsValue>, StorageError> {
    Ok(transaction.store(store)?.get(JsValue::from_str(key)).await?)
}

async fn write(
    transaction: &Transaction,
    store: &str,
    key: &str,
    value: &JsValue,
) -> Result<(), StorageError> {
    transaction.store(store)?.put(value, Some(&JsValue::from_str(key))).await?;
    Ok(())
}

/// Waits for the commit.
async fn finish(transaction: Transaction) -> Result<(), StorageError> {
    match transaction.done().await? {
        TransactionResult::Committed => Ok(()),
        // All requests went well, so what is left to fail is the writing itself.
        TransactionResult::Aborted => Err(StorageError::Quota),
    }
}

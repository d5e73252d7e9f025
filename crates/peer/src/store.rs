//! A store's rows in a file, by redb.

use chats_core::store::{Backend, Durability, StoreError, Table, Write};
use redb::{Database, ReadableDatabase, TableDefinition};
use std::{
    fmt,
    fs::{File, OpenOptions, Permissions},
    io,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};
use tokio::task::spawn_blocking;

type Rows = TableDefinition<'static, &'static [u8], &'static [u8]>;

/// The most bytes of rows that are kept in memory.
const CACHE: usize = 32 * 1024 * 1024;

/// Rows in a file that only its owner can read.
///
/// Every write is on disk when it is done, even if the machine loses its power. Runs within tokio.
/// One process at a time can open the file.
pub struct Redb {
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    /// `None` after an error: what redb knows of the file may be wrong then, so it is opened anew.
    database: Mutex<Option<Database>>,
}

impl Redb {
    /// Opens the file, making it if there is none. Its mode is 0600 from then on.
    ///
    /// # Errors
    /// [`StoreError::Elsewhere`] if another process has it open, [`StoreError::Unavailable`] if it
    /// cannot be made or is no such file.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let shared = Arc::new(Shared { path: path.to_owned(), database: Mutex::new(None) });
        let opening = Arc::clone(&shared);
        blocking(move || opening.use_database(|_| Ok(()))).await?;
        Ok(Self { shared })
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, redb::Error> + Send + 'static,
    ) -> Result<T, StoreError> {
        let shared = Arc::clone(&self.shared);
        blocking(move || shared.use_database(work)).await
    }
}

impl fmt::Debug for Redb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redb({})", self.shared.path.display())
    }
}

/// Waits for something that blocks. A panic of redb, over a file that was spoilt, is an error.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(StoreError::Other { reason: error.to_string() }),
    }
}

impl Shared {
    fn use_database<T>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, redb::Error>,
    ) -> Result<T, StoreError> {
        // A call whose future was dropped may still be at work: wait for it.
        let mut place = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        // Should the work panic, the next call finds nothing here and opens the file anew.
        let database = match place.take() {
            Some(database) => database,
            None => open(&self.path)?,
        };
        let done = work(&database).map_err(store_error)?;
        *place = Some(database);
        Ok(done)
    }
}

fn open(path: &Path) -> Result<Database, StoreError> {
    let unavailable = |error: &dyn fmt::Display| StoreError::Unavailable {
        reason: format!("{}: {error}", path.display()),
    };
    let file = private_file(path).map_err(|error| unavailable(&error))?;
    let opened = redb::Builder::new().set_cache_size(CACHE).create_file(file);
    let database = match opened.map_err(redb::Error::from).map_err(store_error) {
        Err(StoreError::Other { reason }) => return Err(unavailable(&reason)),
        other => other?,
    };
    let make = || -> Result<(), redb::Error> {
        let transaction = database.begin_write()?;
        for table in Table::ALL {
            transaction.open_table(definition(table))?;
        }
        transaction.commit()?;
        Ok(())
    };
    make().map_err(store_error)?;
    Ok(database)
}

fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let file =
        options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    // It may have been there before, with another mode.
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}

const fn definition(table: Table) -> Rows {
    TableDefinition::new(table.name())
}

fn store_error(error: redb::Error) -> StoreError {
    match error {
        redb::Error::DatabaseAlreadyOpen => StoreError::Elsewhere,
        redb::Error::Io(error)
            if matches!(
                error.kind(),
                io::ErrorKind::StorageFull
                    | io::ErrorKind::QuotaExceeded
                    | io::ErrorKind::FileTooLarge
            ) =>
        {
            StoreError::Quota
        }
        other => StoreError::Other { reason: other.to_string() },
    }
}

impl Backend for Redb {
    async fn get(
        &self,
        table: Table,
        keys: Vec<Vec<u8>>,
    ) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        self.with(move |database| {
            let rows = database.begin_read()?.open_table(definition(table))?;
            keys.iter()
                .map(|key| Ok(rows.get(key.as_slice())?.map(|row| row.value().to_vec())))
                .collect()
        })
        .await
    }

    async fn scan(
        &self,
        table: Table,
        from: &[u8],
        until: &[u8],
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
        let (from, until) = (from.to_vec(), until.to_vec());
        self.with(move |database| {
            let rows = database.begin_read()?.open_table(definition(table))?;
            rows.range(from.as_slice()..until.as_slice())?
                .take(limit)
                .map(|row| {
                    let (key, value) = row?;
                    Ok((key.value().to_vec(), value.value().to_vec()))
                })
                .collect()
        })
        .await
    }

    async fn write(&self, writes: Vec<Write>, _: Durability) -> Result<(), StoreError> {
        self.with(move |database| {
            // Its default is the strictest durability.
            let transaction = database.begin_write()?;
            for Write { table, key, value } in &writes {
                let mut rows = transaction.open_table(definition(*table))?;
                match value {
                    Some(value) => drop(rows.insert(key.as_slice(), value.as_slice())?),
                    None => drop(rows.remove(key.as_slice())?),
                }
            }
            transaction.commit()?;
            Ok(())
        })
        .await
    }
}

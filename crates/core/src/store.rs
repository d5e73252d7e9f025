//! What lasts: ops, control items, keys, marks. Written all or nothing, sealed, read in pages.
//!
//! A [`Store`] keeps what one device knows of one community. It stands on a [`Backend`], which
//! knows tables of rows and nothing of what they mean: in memory, IndexedDB or redb. All else is
//! here and the same on all of them:
//!
//! * **Sets.** The control log is one set, each room another. A set holds items by [`OpId`], each
//!   with its bytes and a small local [`Entry`]. They lie in segments, up to [`SEGMENT_ITEMS`]
//!   or [`SEGMENT_BYTES`] in one row, because databases in browsers take their time for each row
//!   and not for each byte. New ones begin as small segments, which are merged when they together
//!   would fill a large one.
//! * **Rows.** Keys, marks and the like, by kind and name.
//! * **Sealing.** Every row is sealed with the data key, bound to its place. A row that was
//!   damaged, moved or cut is told from others, reported as [`Damage`] and dropped; what it held
//!   can be fetched from other members again, and no other row is affected.
//!
//! What [`Store::commit`] has answered to with `Ok` survives the end of the page or process at any
//! moment. A batch is kept whole or not at all, and no reader sees half of one.

mod backend;
mod commit;
#[cfg(any(test, feature = "fixtures"))]
#[allow(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used, clippy::panic)]
pub mod conformance;
mod memory;
mod read;
mod request;
mod schema;
mod sealed;
mod segment;
#[cfg(test)]
mod tests;

use crate::epoch::RoomTag;
use crate::op::OpId;
use crate::seal::SealKey;
use crate::small::SmallMap;
use crate::time::Time;
pub use backend::{Backend, Durability, Table, Write};
use futures_util::lock::{Mutex, MutexGuard};
pub use memory::Memory;
pub use request::{Reply, Request};
use sealed::Sealer;
use segment::Set;
use std::fmt;
use zeroize::Zeroizing;

/// The most items in a segment.
pub const SEGMENT_ITEMS: usize = 128;
/// The most bytes of items in a segment.
pub const SEGMENT_BYTES: usize = 65_536;
/// The most bytes of one item.
pub const MAX_ITEM: usize = 65_536;
/// The most changes in a batch, of items and rows together.
pub const MAX_CHANGES: usize = 4096;
/// The most bytes that a batch may bring.
pub const MAX_BATCH: usize = 8 * 1024 * 1024;
/// The most entries or rows in a page.
pub const MAX_PAGE: usize = 1024;
/// The most items in a page, with their bytes.
pub const MAX_LOAD: usize = 128;
/// The most bytes of a row's value.
pub const MAX_VALUE: usize = 65_536;
/// The most bytes of a row's name.
pub const MAX_NAME: usize = 64;
/// The most items in all sets together. Each takes about 50 bytes of memory.
pub const MAX_ITEMS: usize = 1_000_000;
/// The most reports of damage that wait for somebody to ask for them.
const MAX_DAMAGE: usize = 1024;

/// Which set: the control log or a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SetId(pub [u8; 16]);

impl SetId {
    /// The control log of the community.
    pub const CONTROL: Self = Self([0; 16]);
}

impl From<RoomTag> for SetId {
    fn from(room: RoomTag) -> Self {
        Self(room.0)
    }
}

/// How far an item has come on its way from here to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// It came from another device.
    Received,
    /// It was made here and handed to nobody yet.
    Queued,
    /// It was handed to a link.
    Sent,
    /// Another device or keeper has it on disk.
    Delivered,
}

/// What is known of an item without its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Which.
    pub id: OpId,
    /// When it was received or made, by the clock here.
    pub received: Time,
    /// How far it has come.
    pub state: State,
    /// How many bytes are kept of it. Of one with 0 only this entry is left.
    pub size: u32,
}

/// An item.
#[derive(Clone, PartialEq, Eq)]
pub struct Item {
    /// What is known of it.
    pub entry: Entry,
    /// The item itself; empty if only the entry is left.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.entry.fmt(f)
    }
}

/// A change to a set. Of a batch, what is appended comes first, then the rest in its order.
#[derive(Clone, PartialEq, Eq)]
pub enum Change {
    /// An item to keep. One that is kept already stays as it is; where only the entry was left,
    /// the item is whole again.
    Append {
        /// Which.
        id: OpId,
        /// It, at most [`MAX_ITEM`] bytes; none to keep an entry alone.
        bytes: Vec<u8>,
        /// How far it has come.
        state: State,
        /// When it came, by the clock here.
        received: Time,
    },
    /// An item has come further. Unknown ones are passed over.
    State {
        /// Which.
        id: OpId,
        /// How far.
        state: State,
    },
    /// An item loses its body: these bytes stand in place of those that were kept, or none, and
    /// then the entry alone is left. Items of which no bytes are kept are passed over.
    Shrink {
        /// Which.
        id: OpId,
        /// What is left of it.
        bytes: Vec<u8>,
    },
    /// An item to forget, with its entry.
    Drop {
        /// Which.
        id: OpId,
    },
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, id) = match self {
            Self::Append { id, .. } => ("Append", id),
            Self::State { id, .. } => ("State", id),
            Self::Shrink { id, .. } => ("Shrink", id),
            Self::Drop { id } => ("Drop", id),
        };
        write!(f, "{name}({id})")
    }
}

/// What a row is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowKind {
    /// Horizons, read marks and the like.
    Meta,
    /// Secrets: of epochs, prekeys, rooms.
    Key,
    /// What waits to be sealed and sent.
    Outbox,
}

/// A change to a row. Its `Debug` form shows no value.
#[derive(Clone)]
pub struct RowChange {
    /// What it is for.
    pub kind: RowKind,
    /// Which, at most [`MAX_NAME`] bytes. It is kept in clear: let it say nothing.
    pub name: Vec<u8>,
    /// What it holds from now on, at most [`MAX_VALUE`] bytes; `None` to remove it.
    pub value: Option<Zeroizing<Vec<u8>>>,
}

impl fmt::Debug for RowChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RowChange({:?}, {})", self.kind, self.value.is_some())
    }
}

/// A row. Its `Debug` form shows no value.
#[derive(Clone, PartialEq, Eq)]
pub struct Row {
    /// Which.
    pub name: Vec<u8>,
    /// What it holds.
    pub value: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Row(..)")
    }
}

/// Changes that are made together or not at all. Made by the core, committed by its owner.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// To sets.
    pub changes: Vec<(SetId, Change)>,
    /// To rows.
    pub rows: Vec<RowChange>,
}

impl Batch {
    /// Whether there is nothing to do.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.rows.is_empty()
    }

    /// Adds a change to a set.
    pub fn change(&mut self, set: impl Into<SetId>, change: Change) {
        self.changes.push((set.into(), change));
    }

    /// Adds a row, or replaces what it holds.
    pub fn put(&mut self, kind: RowKind, name: &[u8], value: Zeroizing<Vec<u8>>) {
        self.rows.push(RowChange { kind, name: name.to_vec(), value: Some(value) });
    }

    /// Removes a row.
    pub fn remove(&mut self, kind: RowKind, name: &[u8]) {
        self.rows.push(RowChange { kind, name: name.to_vec(), value: None });
    }
}

/// A row that could not be read as it was written. It is dropped with the next commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Damage {
    /// These items are lost here; fetch them again.
    Items {
        /// Of which set.
        set: SetId,
        /// Which.
        ids: Vec<OpId>,
    },
    /// Up to [`SEGMENT_ITEMS`] items are lost here, and which is not known; the next sync finds
    /// out.
    Segment {
        /// Of which set.
        set: SetId,
    },
    /// A row is lost here.
    Row {
        /// What it was for.
        kind: RowKind,
        /// Which.
        name: Vec<u8>,
    },
}

/// Why something is not kept or cannot be read. After each of these the store can be used on:
/// what had been committed before still is, unless the error says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no more space. Nothing of the batch was kept.
    #[error("there is no more space to keep messages in; free some and try again")]
    Quota,
    /// A newer version of the program wrote what is kept.
    #[error(
        "what is kept here was written by a newer version of this program (format {found}, known \
         here {known}); update it"
    )]
    TooNew {
        /// The format that was found.
        found: u32,
        /// The newest that is known here.
        known: u32,
    },
    /// The rows were sealed with another data key: nothing can be read, nothing was touched.
    #[error("what is kept here was sealed with another key; forget it to start over")]
    WrongKey,
    /// Somebody else has taken over what is kept here: another tab or process. Nothing was kept.
    #[error("another tab or program of yours uses what is kept here")]
    Elsewhere,
    /// What was kept is gone: somebody deleted the database. The store is empty and works.
    #[error("what was kept here has been deleted")]
    Gone,
    /// A batch, or what was asked for, is too large. Nothing was done.
    #[error("more than {limit} {what} at once; ask for less")]
    TooMuch {
        /// What there is too much of.
        what: &'static str,
        /// The most.
        limit: usize,
    },
    /// [`MAX_ITEMS`] are kept. Nothing of the batch was.
    #[error("{MAX_ITEMS} messages are kept here, which is the most; drop old ones first")]
    Full,
    /// There is no place to keep anything.
    #[error("nothing can be kept here: {reason}")]
    Unavailable {
        /// In the words of the system.
        reason: String,
    },
    /// Anything else. Whether a batch was kept is not known.
    #[error("keeping or reading failed: {reason}")]
    Other {
        /// In the words of the system.
        reason: String,
    },
}

/// What a device keeps of a community.
///
/// Calls may be made at any time and from several places: they are carried out one after the
/// other. A call whose future is dropped may or may not have been carried out.
#[derive(Debug)]
pub struct Store<B> {
    inner: Mutex<Inner<B>>,
}

/// Everything behind the lock.
#[derive(Debug)]
struct Inner<B> {
    backend: B,
    sealer: Sealer,
    steps: &'static [schema::Step],
    sets: SmallMap<SetId, Set>,
    /// What puts damaged rows right, to be written with the next batch.
    repairs: Vec<Write>,
    damage: Vec<Damage>,
    /// Whether what is in memory may differ from what is on disk.
    stale: bool,
}

impl<B: Backend> Store<B> {
    /// Opens what `backend` keeps, or begins with nothing. All rows are sealed with `key`; `seed`
    /// is 32 random bytes, other ones each time, from which come the nonces.
    ///
    /// # Errors
    /// [`StoreError::TooNew`] or [`StoreError::WrongKey`], and then nothing was changed; or the
    /// backend failed.
    pub async fn open(
        backend: B,
        key: SealKey,
        seed: Zeroizing<[u8; 32]>,
    ) -> Result<Self, StoreError> {
        Self::open_with(backend, key, seed, schema::STEPS).await
    }

    async fn open_with(
        backend: B,
        key: SealKey,
        seed: Zeroizing<[u8; 32]>,
        steps: &'static [schema::Step],
    ) -> Result<Self, StoreError> {
        let mut inner = Inner {
            backend,
            sealer: Sealer::new(key, seed),
            steps,
            sets: SmallMap::new(),
            repairs: Vec::new(),
            damage: Vec::new(),
            stale: true,
        };
        inner.reload().await?;
        Ok(Self { inner: Mutex::new(inner) })
    }

    /// Makes all changes of a batch, or none. `Ok` means that they are on disk. Batches with
    /// something that nobody else has yet, items in [`State::Queued`], keys or rows of the outbox,
    /// are on disk even if the machine loses its power the moment after.
    ///
    /// # Errors
    /// See [`StoreError`]; what had been committed before stays as it was.
    pub async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        self.inner().await?.commit(batch).await
    }

    /// The sets in which something is kept.
    ///
    /// # Errors
    /// The backend failed.
    pub async fn sets(&self) -> Result<Vec<SetId>, StoreError> {
        let inner = self.inner().await?;
        let kept = inner.sets.iter().filter(|(_, set)| set.len() > 0);
        Ok(kept.map(|(id, _)| *id).collect())
    }

    /// Up to `limit` entries of a set behind `after`, in the order of their ids; at most
    /// [`MAX_PAGE`]. None means that there are no more.
    ///
    /// # Errors
    /// The backend failed.
    pub async fn entries(
        &self,
        set: SetId,
        after: Option<OpId>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        Ok(self.inner().await?.entries(set, after, limit.min(MAX_PAGE)))
    }

    /// Those of these items that are kept, at most [`MAX_LOAD`] at once.
    ///
    /// # Errors
    /// [`StoreError::TooMuch`], or the backend failed.
    pub async fn load(&self, set: SetId, ids: &[OpId]) -> Result<Vec<Item>, StoreError> {
        if ids.len() > MAX_LOAD {
            return Err(StoreError::TooMuch { what: "items", limit: MAX_LOAD });
        }
        self.inner().await?.load(set, ids).await
    }

    /// Up to `limit` items of a set before `before`, newest first; at most [`MAX_LOAD`]. None
    /// means that there are no more.
    ///
    /// # Errors
    /// The backend failed.
    pub async fn newest(
        &self,
        set: SetId,
        before: Option<OpId>,
        limit: usize,
    ) -> Result<Vec<Item>, StoreError> {
        self.inner().await?.newest(set, before, limit.min(MAX_LOAD)).await
    }

    /// What a row holds, if it is kept.
    ///
    /// # Errors
    /// The backend failed.
    pub async fn row(
        &self,
        kind: RowKind,
        name: &[u8],
    ) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        self.inner().await?.row(kind, name).await
    }

    /// Up to `limit` rows of a kind behind the name `after`, in the order of their names; at most
    /// [`MAX_PAGE`]. None means that there are no more.
    ///
    /// # Errors
    /// The backend failed.
    pub async fn rows(
        &self,
        kind: RowKind,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        self.inner().await?.rows(kind, after, limit.min(MAX_PAGE)).await
    }

    /// What was found damaged since this was last asked.
    pub async fn damage(&self) -> Vec<Damage> {
        std::mem::take(&mut self.inner.lock().await.damage)
    }

    async fn inner(&self) -> Result<MutexGuard<'_, Inner<B>>, StoreError> {
        let mut inner = self.inner.lock().await;
        if inner.stale {
            inner.reload().await?;
        }
        Ok(inner)
    }
}

impl<B: Backend> Inner<B> {
    /// Takes note of an error of the backend: what it has now must be read anew.
    fn failed(&mut self, error: StoreError) -> StoreError {
        self.stale = true;
        error
    }

    async fn get(
        &mut self,
        table: Table,
        keys: Vec<Vec<u8>>,
    ) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        match self.backend.get(table, keys).await {
            Ok(rows) => Ok(rows),
            Err(error) => Err(self.failed(error)),
        }
    }

    async fn scan(
        &mut self,
        table: Table,
        from: &[u8],
        until: &[u8],
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
        match self.backend.scan(table, from, until, limit).await {
            Ok(rows) => Ok(rows),
            Err(error) => Err(self.failed(error)),
        }
    }

    fn report(&mut self, damage: Damage) {
        if self.damage.len() < MAX_DAMAGE {
            self.damage.push(damage);
        }
    }
}

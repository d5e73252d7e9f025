//! What a store stands on: tables of rows.

use super::StoreError;

/// A table. Rows are told apart by keys of 1 to 65 bytes, and are in the order of their bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// Keys, marks and the like.
    Rows,
    /// What is in a segment.
    Index,
    /// The items of a segment, one after the other.
    Bodies,
}

impl Table {
    /// All tables.
    pub const ALL: [Self; 3] = [Self::Rows, Self::Index, Self::Bodies];

    /// What databases call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rows => "rows",
            Self::Index => "index",
            Self::Bodies => "bodies",
        }
    }
}

/// A change to a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// In which table.
    pub table: Table,
    /// Which row.
    pub key: Vec<u8>,
    /// What it holds from now on, at most about 72 kB; `None` if it is to be no more.
    pub value: Option<Vec<u8>>,
}

/// How safe a write must be before it counts as done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// It survives the end of the process, and with luck a loss of power: others have it too.
    Relaxed,
    /// It survives a loss of power.
    Strict,
}

/// Rows on a disk, or somewhere like it.
///
/// A store makes one call after the other. A call whose future is dropped may or may not take
/// effect, but never in part.
#[allow(
    async_fn_in_trait,
    reason = "futures of the page need not be `Send`; others' are if they can"
)]
pub trait Backend {
    /// The values of rows in the order of `keys`, as they are at one moment.
    ///
    /// # Errors
    /// They cannot be read. A row that holds anything but bytes is no error: it is an empty one.
    async fn get(
        &self,
        table: Table,
        keys: Vec<Vec<u8>>,
    ) -> Result<Vec<Option<Vec<u8>>>, StoreError>;

    /// The first rows, up to `limit`, with keys from `from` on and below `until`, in the order of
    /// the keys.
    ///
    /// # Errors
    /// They cannot be read.
    async fn scan(
        &self,
        table: Table,
        from: &[u8],
        until: &[u8],
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError>;

    /// Makes all these changes in their order, or none of them.
    ///
    /// # Errors
    /// None was made; with [`StoreError::Other`] all may have been.
    async fn write(&self, writes: Vec<Write>, durability: Durability) -> Result<(), StoreError>;
}

//! What a store can be asked for, as values: for owners that do not wait for it.

use super::{Backend, Batch, Damage, Entry, Item, Row, RowKind, SetId, Store, StoreError};
use crate::op::OpId;

/// A question or an order; see the method of [`Store`] of the same name.
#[derive(Debug)]
pub enum Request {
    /// Make changes.
    Commit(Batch),
    /// Which sets there are.
    Sets,
    /// A page of the entries of a set.
    Entries {
        /// Of which.
        set: SetId,
        /// Behind which.
        after: Option<OpId>,
        /// How many.
        limit: usize,
    },
    /// Items by their ids.
    Load {
        /// Of which set.
        set: SetId,
        /// Which.
        ids: Vec<OpId>,
    },
    /// A page of items, newest first.
    Newest {
        /// Of which set.
        set: SetId,
        /// Before which.
        before: Option<OpId>,
        /// How many.
        limit: usize,
    },
    /// A page of rows.
    Rows {
        /// Of which kind.
        kind: RowKind,
        /// Behind which name.
        after: Option<Vec<u8>>,
        /// How many.
        limit: usize,
    },
    /// What was found damaged.
    Damage,
}

/// What came of a [`Request`].
#[derive(Debug)]
pub enum Reply {
    /// The changes are on disk.
    Committed,
    /// To [`Request::Sets`].
    Sets(Vec<SetId>),
    /// To [`Request::Entries`].
    Entries(Vec<Entry>),
    /// To [`Request::Load`] and [`Request::Newest`].
    Items(Vec<Item>),
    /// To [`Request::Rows`].
    Rows(Vec<Row>),
    /// To [`Request::Damage`].
    Damage(Vec<Damage>),
}

impl<B: Backend> Store<B> {
    /// Carries out a request.
    ///
    /// # Errors
    /// Those of the method of the same name.
    pub async fn serve(&self, request: Request) -> Result<Reply, StoreError> {
        Ok(match request {
            Request::Commit(batch) => {
                self.commit(batch).await?;
                Reply::Committed
            }
            Request::Sets => Reply::Sets(self.sets().await?),
            Request::Entries { set, after, limit } => {
                Reply::Entries(self.entries(set, after, limit).await?)
            }
            Request::Load { set, ids } => Reply::Items(self.load(set, &ids).await?),
            Request::Newest { set, before, limit } => {
                Reply::Items(self.newest(set, before, limit).await?)
            }
            Request::Rows { kind, after, limit } => {
                Reply::Rows(self.rows(kind, after.as_deref(), limit).await?)
            }
            Request::Damage => Reply::Damage(self.damage().await),
        })
    }
}

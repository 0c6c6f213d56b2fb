//! The seam that callers see. `LocalStore` implements it on this machine's disk; an etcd client can implement it too.

use std::fmt;
use std::sync::Arc;

use crate::clock::Tick;
use crate::completion::Completion;
use crate::error::Error;
use crate::key::{Key, Scope};
use crate::replica::{Entry, Snapshot, Watcher};
use crate::txn::{Committed, Txn};

/// A point in the store's history. One counter runs across all kinds, it only grows, and no number is given out twice,
/// also not after a power cut. Clients must treat its text as opaque.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Revision(u64);

/// Reads from a replica in memory, writes by transaction.
///
/// `watch(scope, snapshot.revision())` continues a snapshot without gap or repetition: the snapshot plus the watched
/// events equals every later snapshot.
pub trait Store: Send + Sync + fmt::Debug {
    /// The newest state.
    fn snapshot(&self) -> Snapshot;

    /// The state at a past revision that is still kept.
    ///
    /// # Errors
    /// [`Error::Compacted`] and [`Error::Future`] for a revision outside the kept history.
    fn snapshot_at(&self, revision: Revision) -> Result<Snapshot, Error>;

    /// Resolves with a revision that covers every write acknowledged before the call, by any client of the store:
    /// a snapshot taken then is a consistent read. On one machine it resolves at once.
    fn barrier(&self) -> Completion<Revision>;

    /// Decides a transaction. It resolves when all its writes have the durability that they ask for.
    ///
    /// The completion answers [`Error::Conflict`] when a condition does not hold, [`Error::Full`],
    /// [`Error::Poisoned`], [`Error::Overloaded`] or [`Error::Closed`] when nothing can be written, and
    /// [`Error::TooLarge`], [`Error::InvalidTransaction`] or [`Error::ClassMismatch`] when the request is wrong.
    fn commit(&self, txn: Txn) -> Completion<Committed>;

    /// Follows the changes after a revision.
    ///
    /// # Errors
    /// [`Error::Compacted`] and [`Error::Future`] for a revision outside the kept history.
    fn watch(&self, scope: Scope, from: Revision) -> Result<Watcher, Error>;

    /// Drops the history before a revision; reads and watches before it answer [`Error::Compacted`].
    ///
    /// # Errors
    /// [`Error::Future`] for a revision that has not been issued.
    fn compact(&self, before: Revision) -> Result<(), Error>;

    /// The time now, by the clock of the entries.
    fn now(&self) -> Tick;

    /// When this process opened the store. An entry restored from disk was [observed](Entry::observed) then.
    fn opened_at(&self) -> Tick;

    /// The newest entry of a key.
    fn get(&self, key: &Key) -> Option<Arc<Entry>> {
        self.snapshot().get(key).cloned()
    }

    /// The newest revision.
    fn revision(&self) -> Revision {
        self.snapshot().revision()
    }
}

impl Revision {
    /// The revision of a number that a client sent.
    #[must_use]
    pub fn from_u64(number: u64) -> Self {
        Self(number)
    }

    /// The number, for the text of a resourceVersion.
    #[must_use]
    pub fn as_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

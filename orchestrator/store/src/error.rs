//! One error type: what was attempted, on what, and why it failed.

use std::io;
use std::sync::Arc;

use crate::key::Key;
use crate::replica::Entry;
use crate::store::Revision;

/// Why a store operation failed. Cheap to clone, because one failed batch answers many writers.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A condition of the transaction does not hold; nothing was written.
    #[error("condition on {key} does not hold: {reason}")]
    Conflict {
        /// The key whose condition failed.
        key: Key,
        /// What was expected and what was found, in words.
        reason: String,
        /// The entry as it is now, or `None` when the key is absent.
        found: Option<Arc<Entry>>,
    },
    /// The history before `oldest` is gone (HTTP 410): list again and watch from there.
    #[error("revision {requested} is too old: the oldest one kept is {oldest}")]
    Compacted {
        /// The revision that was asked for.
        requested: Revision,
        /// The oldest revision that can still be read or watched from.
        oldest: Revision,
    },
    /// The revision has not been issued yet.
    #[error("revision {requested} is in the future: the current one is {current}")]
    Future {
        /// The revision that was asked for.
        requested: Revision,
        /// The newest revision.
        current: Revision,
    },
    /// No room: writes that grow the store are refused, deletes and [`reclaiming`](crate::Txn::reclaiming)
    /// transactions still work.
    #[error("the store is full ({reason}); only deletes are accepted")]
    Full {
        /// Which limit was met.
        reason: &'static str,
    },
    /// A write or sync of the log failed. Nothing is written any more until the store is opened again; whether the
    /// batch that met the error survives is known only then.
    #[error("the store stopped writing after an error: {reason}")]
    Poisoned {
        /// The first error, in words.
        reason: Arc<str>,
    },
    /// Too many bytes wait for the writer; try again later.
    #[error("too many writes are waiting")]
    Overloaded,
    /// The store has been closed.
    #[error("the store is closed")]
    Closed,
    /// A key, value or transaction is larger than the format allows.
    #[error("{what} has {size} bytes, the limit is {limit}")]
    TooLarge {
        /// What was measured.
        what: &'static str,
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The text is not a store key.
    #[error("{text:?} is not a store key: {reason}")]
    InvalidKey {
        /// The rejected text.
        text: String,
        /// The rule it breaks.
        reason: &'static str,
    },
    /// The bytes are not a stored value.
    #[error("stored value cannot be read: {reason}")]
    InvalidValue {
        /// The rule they break.
        reason: String,
    },
    /// The transaction contradicts itself.
    #[error("transaction refused: {reason}")]
    InvalidTransaction {
        /// The rule it breaks.
        reason: &'static str,
    },
    /// The options of a new store contradict the format.
    #[error("options refused: {reason}")]
    InvalidOptions {
        /// The rule they break.
        reason: &'static str,
    },
    /// A volatile key was written as a stored one, or the other way round.
    #[error("{key} was created {}, and keeps that class until it is deleted", if *.volatile { "volatile" } else { "stored" })]
    ClassMismatch {
        /// The key.
        key: Key,
        /// Whether the existing entry is volatile.
        volatile: bool,
    },
    /// The data was written by a newer release. Nothing has been written.
    #[error("{subject} has format {found}, this release reads formats {oldest} to {newest}")]
    UnsupportedFormat {
        /// The file or record.
        subject: String,
        /// The format that was found.
        found: u32,
        /// The oldest format that this release reads.
        oldest: u32,
        /// The newest format that this release reads.
        newest: u32,
    },
    /// A record of a type that this release does not know. It may be essential, so the store is not opened.
    #[error("{file} holds a record of unknown type {record_type} at byte {offset}")]
    UnknownRecord {
        /// The log file.
        file: String,
        /// Where the record begins, in bytes.
        offset: u64,
        /// The type byte.
        record_type: u8,
    },
    /// The bytes on disk cannot be what this program wrote.
    #[error("{file} is damaged: {reason}")]
    Corrupt {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The operating system refused an operation on a file.
    #[error("cannot {operation} {file}")]
    Io {
        /// What was attempted.
        operation: &'static str,
        /// The file.
        file: String,
        /// The cause.
        #[source]
        source: Arc<io::Error>,
    },
    /// The checkpoint engine failed.
    #[error("checkpoint engine cannot {operation}: {reason}")]
    Engine {
        /// What was attempted.
        operation: &'static str,
        /// The engine's own words.
        reason: String,
        /// True when the cause is a full disk.
        no_space: bool,
    },
}

impl Error {
    /// An I/O error with its operation and file.
    pub(crate) fn io(operation: &'static str, file: &str, source: io::Error) -> Self {
        Self::Io { operation, file: file.to_owned(), source: Arc::new(source) }
    }

    pub(crate) fn corrupt(file: &str, reason: impl Into<String>) -> Self {
        Self::Corrupt { file: file.to_owned(), reason: reason.into() }
    }

    /// Whether the cause is a full disk, which deleting can cure; any other I/O error is not curable.
    #[must_use]
    pub fn is_no_space(&self) -> bool {
        match self {
            Self::Io { source, .. } => is_no_space(source),
            Self::Engine { no_space, .. } => *no_space,
            Self::Full { .. } => true,
            _ => false,
        }
    }
}

/// Whether the operating system says that the disk or the quota is full.
pub(crate) fn is_no_space(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

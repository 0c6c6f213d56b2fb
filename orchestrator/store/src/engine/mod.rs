//! The seam under the local store: where checkpoints go.
//!
//! An engine keeps the latest value of each key and nothing else. It is not on the path of a commit: it receives the
//! changes of a whole log segment at once, and only what it has proven durable may disappear from the log. Every
//! engine runs the same power-cut suite; one that fails it is not offered.

mod redb;

use std::fmt::Debug;

pub use redb::RedbEngine;

use crate::error::Error;
use crate::key::Key;
use crate::log::ChangeSet;
use crate::store::Revision;
use crate::value::Value;

/// How far the log has been taken over, stored in the same atomic batch as the changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Applied {
    /// The last log record whose changes the engine holds; 0 for none.
    pub sequence: u64,
    /// The revision mark of that record.
    pub mark: u64,
}

/// The newest change of each key since the previous checkpoint.
#[derive(Debug, Clone, Default)]
pub struct Changes(pub(crate) ChangeSet);

/// One object as an engine holds it.
#[derive(Debug)]
pub struct Stored {
    /// The key.
    pub key: Key,
    /// The revision of its last change.
    pub revision: Revision,
    /// The value with its envelope.
    pub value: Value,
}

/// Keeps the latest value of each key.
pub trait Engine: Debug + Send {
    /// The name that FORMAT records: another engine cannot read these files.
    fn name(&self) -> &'static str;

    /// Makes an empty engine. Nothing of it has to be durable before the store syncs its directory, but its content is.
    ///
    /// # Errors
    /// [`Error::Io`] and [`Error::Engine`].
    fn create(&mut self) -> Result<(), Error>;

    /// Whether the engine's files are there.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn exists(&self) -> Result<bool, Error>;

    /// Gives every object once, in any order.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for bytes that this release cannot have written, [`Error::UnsupportedFormat`] for newer ones,
    /// [`Error::Io`] and [`Error::Engine`] when they cannot be read, and whatever `each` answers.
    fn load(&mut self, each: &mut dyn FnMut(Stored) -> Result<(), Error>) -> Result<Applied, Error>;

    /// Takes over changes as one batch: after a crash either all of them are there, and `applied`, or none. Durable
    /// when it returns.
    ///
    /// # Errors
    /// [`Error::Io`] and [`Error::Engine`]; the state before the call is kept.
    fn append(&mut self, changes: &Changes, applied: Applied) -> Result<(), Error>;

    /// Proves that the engine, opened anew from its files, holds what `append` was given last.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when it does not; [`Error::Io`] and [`Error::Engine`] when it cannot be read.
    fn checkpoint(&mut self, changes: &Changes, applied: Applied) -> Result<(), Error>;

    /// Gives unused space back to the file system.
    ///
    /// # Errors
    /// [`Error::Io`] and [`Error::Engine`]; no object is lost.
    fn shrink(&mut self) -> Result<(), Error>;
}

impl Changes {
    /// The deletions alone.
    #[must_use]
    pub fn deletions(&self) -> Self {
        let gone = self.0.iter().filter(|(_, entry)| entry.is_none());
        Self(gone.map(|(key, _)| (key.clone(), None)).collect())
    }

    /// The key and its new state, in key order; `None` is a deletion.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, Option<(Revision, &Value)>)> {
        self.0.iter().map(|(key, entry)| (key, entry.as_ref().map(|entry| (entry.revision(), entry.value()))))
    }
}

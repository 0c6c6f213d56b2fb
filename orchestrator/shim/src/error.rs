//! What can go wrong in the shim itself, with what it was done to.

use std::io;
use std::path::Path;

/// An error that names its subject.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// A call of the kernel failed.
    #[error("cannot {operation} {subject}: {source}")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On what.
        subject: String,
        /// Why not.
        source: io::Error,
    },
    /// Something was found that must not be.
    #[error("{0}")]
    Found(String),
}

/// Results of this crate.
pub(super) type Result<T> = std::result::Result<T, Error>;

/// Adds operation and subject to an error.
pub(super) trait Attempt<T> {
    /// `cannot OPERATION SUBJECT: …`
    fn attempt(self, operation: &'static str, subject: &Path) -> Result<T>;
}

impl<T, E: Into<io::Error>> Attempt<T> for std::result::Result<T, E> {
    fn attempt(self, operation: &'static str, subject: &Path) -> Result<T> {
        self.map_err(|source| Error::Io { operation, subject: subject.display().to_string(), source: source.into() })
    }
}

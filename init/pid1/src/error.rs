//! One error type: the operation that failed, its subject, and the cause.

use std::error::Error as StdError;
use std::fmt::Write as _;

/// Why a stage could not do its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A system call or file operation failed.
    #[error("{operation} {subject}")]
    Io {
        /// What was tried, as a verb.
        operation: &'static str,
        /// The file, device or program it was tried on.
        subject: String,
        /// What the kernel answered.
        #[source]
        source: std::io::Error,
    },
    /// Something on disk is not as it has to be.
    #[error("{operation} {subject}")]
    Invalid {
        /// What was tried, as a verb.
        operation: &'static str,
        /// The thing that is wrong.
        subject: String,
        /// Its own explanation.
        #[source]
        source: Box<dyn StdError>,
    },
    /// A finding that has no deeper cause.
    #[error("{0}")]
    Found(String),
}

/// Result of this crate.
pub(crate) type Result<T> = std::result::Result<T, Error>;

/// Names operation and subject of a failure.
pub(crate) trait Attempt<T> {
    /// Turns a failure into [`Error::Io`].
    fn attempt(self, operation: &'static str, subject: impl AsRef<std::path::Path>) -> Result<T>;
}

impl<T, E: Into<std::io::Error>> Attempt<T> for std::result::Result<T, E> {
    fn attempt(self, operation: &'static str, subject: impl AsRef<std::path::Path>) -> Result<T> {
        self.map_err(|source| Error::Io {
            operation,
            subject: subject.as_ref().display().to_string(),
            source: source.into(),
        })
    }
}

/// Turns another module's error into [`Error::Invalid`].
pub(crate) fn invalid(operation: &'static str, subject: impl Into<String>) -> impl FnOnce(Box<dyn StdError>) -> Error {
    let subject = subject.into();
    move |source| Error::Invalid { operation, subject, source }
}

/// An error and all its causes in one line, for the console.
pub(crate) fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing to a String cannot fail.
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_names_operation_subject_and_cause() {
        let failed: Result<()> = Err(std::io::Error::from_raw_os_error(2)).attempt("open", "/dev/vda");
        let text = chain(&failed.unwrap_err());
        assert!(text.starts_with("open /dev/vda: No such file"), "{text}");
    }
}

//! Why a run fails.

use std::io;
use std::path::{Path, PathBuf};

/// Result of this program.
pub(crate) type Result<T> = std::result::Result<T, Error>;

/// A measurement that could not be made. There is no partial table: a missing peer or reading fails the run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A file could not be read or written.
    #[error("{operation} {path}")]
    File {
        /// What was tried.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A file or an answer is not in the expected form.
    #[error("{subject}: {problem}")]
    Format {
        /// File, process or answer.
        subject: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A real program could not be built, started, asked or ended.
    #[error("the real control plane")]
    Oracle(#[from] oracle::Error),
    /// A request of a measurement failed.
    #[error("{request} of {server}: {problem}")]
    Request {
        /// Who was asked.
        server: String,
        /// What was asked.
        request: String,
        /// What went wrong.
        problem: String,
    },
    /// A file of another command is missing.
    #[error("{path} is not there; `{command}` makes it (--host-only leaves its figures out)")]
    Missing {
        /// The file.
        path: PathBuf,
        /// The command that makes it.
        command: &'static str,
    },
    /// A group gave other figures than the table has.
    #[error("the figure {0} has no reading")]
    Unread(&'static str),
    /// Worse than promised, and nobody has found out why.
    #[error("worse than its direction and without a named cause in causes.toml: {0}")]
    WithoutCause(String),
    /// The section of the document is not what the table asks for.
    #[error("{path}: {problems}")]
    Section {
        /// The document.
        path: PathBuf,
        /// All that is wrong, one a line.
        problems: String,
    },
}

impl Error {
    /// An [`Error::Format`].
    pub(crate) fn format(subject: impl Into<String>, problem: impl std::fmt::Display) -> Self {
        Self::Format { subject: subject.into(), problem: problem.to_string() }
    }

    /// Wraps an I/O error on `path`; for `map_err`.
    pub(crate) fn file(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { operation, path, source }
    }
}

//! What can fail while recording, named by operation and subject.

use std::io;
use std::path::PathBuf;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// A failure of the tool itself. A server that answers differently is no error but a [`Difference`](crate::Difference).
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or directory could not be read, made or written.
    #[error("{operation} {path}")]
    File {
        /// What was tried: read, write, create.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A program could not be started or waited for.
    #[error("start {program}")]
    Start {
        /// The program.
        program: String,
        /// Why it failed.
        source: io::Error,
    },
    /// A program ended without success.
    #[error("{command} ended with {status}: {messages}")]
    Program {
        /// The command line.
        command: String,
        /// Its exit status.
        status: String,
        /// What it wrote to its error output.
        messages: String,
    },
    /// Committed data, or what a server sent, is not in the expected form.
    #[error("{subject}: {problem}")]
    Format {
        /// File, step or answer.
        subject: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A request got no answer.
    #[error("{request}: {problem}")]
    Request {
        /// Method and path.
        request: String,
        /// What went wrong on the way.
        problem: String,
    },
    /// A certificate could not be made.
    #[error("make the certificate of {subject}")]
    Certificate {
        /// Common name.
        subject: String,
        /// Why it failed.
        source: rcgen::Error,
    },
    /// Credentials cannot be used for TLS.
    #[error("TLS credentials of {identity}: {problem}")]
    Credentials {
        /// Name of the identity.
        identity: String,
        /// What is wrong with them.
        problem: String,
    },
    /// A server did not get ready in time.
    #[error("{program} was not ready after {seconds} s; its messages: {messages}")]
    NotReady {
        /// The program.
        program: &'static str,
        /// The bound.
        seconds: u64,
        /// The end of its messages.
        messages: String,
    },
    /// The real server gave two answers that differ after normalisation.
    #[error("the real server is not deterministic here:\n{0}")]
    NotDeterministic(String),
}

impl Error {
    /// A [`Error::Format`] of `subject`.
    pub(crate) fn format(subject: impl Into<String>, problem: impl std::fmt::Display) -> Self {
        Self::Format { subject: subject.into(), problem: problem.to_string() }
    }

    /// Wraps an I/O error on `path`; for `map_err`.
    pub(crate) fn file(operation: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { operation, path, source }
    }
}

/// The error and everything that caused it, as one line.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

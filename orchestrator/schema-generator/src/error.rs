//! The one error type of the tool: what it was doing, and on what.

use std::path::PathBuf;

/// Why the tables could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of the tree or the cache could not be read or written.
    #[error("{operation} {}", path.display())]
    File {
        /// What was tried, in the infinitive.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A program could not be run or failed.
    #[error("run `{command}`: {detail}")]
    Program {
        /// The command line.
        command: String,
        /// Exit status or start failure, with what it wrote.
        detail: String,
    },
    /// A module is missing from the cache or is not the locked one.
    #[error("module {module}: {detail}")]
    Module {
        /// Module path and version.
        module: String,
        /// What is wrong, and which command repairs it.
        detail: String,
    },
    /// A source file does not have the form that the readers know.
    #[error("read {subject}: {detail}")]
    Source {
        /// The file, type or field.
        subject: String,
        /// What was not understood.
        detail: String,
    },
    /// The committed tables are not what the modules say.
    #[error("the committed tables differ: {0}")]
    Differs(String),
}

impl Error {
    /// Shorthand for a source file that does not have the expected form.
    pub fn source(subject: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Source { subject: subject.into(), detail: detail.into() }
    }
}

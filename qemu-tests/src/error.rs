//! What can go wrong around a guest. The text is for the person who reads a failed test, so it carries the console's
//! end where there is one.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// A failed operation and its subject.
#[derive(thiserror::Error)]
pub enum Error {
    /// A file operation.
    #[error("{operation} {}", path.display())]
    File {
        /// Verb of the operation.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// A program could not be started or awaited.
    #[error("start {program}{}", remedy(program))]
    Start {
        /// Its name.
        program: String,
        /// Cause.
        source: io::Error,
    },
    /// A program ended with an error.
    #[error("{program} {arguments} ended with {status}: {stderr}")]
    Program {
        /// Its name.
        program: String,
        /// Its arguments, joined.
        arguments: String,
        /// Exit status.
        status: String,
        /// What it wrote.
        stderr: String,
    },
    /// QEMU is older than the tests need, or does not say its version.
    #[error(
        "{program} is {found}, but QEMU {} or newer is needed: guests of 7.2 panic and reset at random under TCG. \
         `make setup` installs one; on Debian 12 it comes from bookworm-backports: {}",
        crate::version::NEEDED,
        crate::version::INSTALL
    )]
    Version {
        /// The program asked.
        program: String,
        /// Its answer.
        found: String,
    },
    /// A program was still running at its bound, and was ended.
    #[error("{program} {arguments} had not ended after {bound:?}: {stderr}")]
    Endless {
        /// Its name.
        program: String,
        /// Its arguments, joined.
        arguments: String,
        /// The bound.
        bound: Duration,
        /// What it wrote.
        stderr: String,
    },
    /// An environment variable has a value that means nothing.
    #[error("{variable}={value} is not understood; {allowed}")]
    Setting {
        /// Name.
        variable: &'static str,
        /// Value found.
        value: String,
        /// What would be understood.
        allowed: &'static str,
    },
    /// A disk image that a test needs has not been built.
    #[error("{} is missing: build it with `make images` (or only this one with `{command}`), or say where the images are with CORACLE_IMAGES", path.display())]
    MissingImage {
        /// Where it was looked for.
        path: PathBuf,
        /// The command that makes it.
        command: String,
    },
    /// Firmware of a machine kind is not installed.
    #[error("firmware {} is missing; it is installed by: {}", path.display(), crate::version::INSTALL)]
    MissingFirmware {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The bound of a wait passed.
    #[error("{wanted} did not come within {bound:?}\n{console}")]
    Timeout {
        /// Description of the pattern.
        wanted: String,
        /// The bound.
        bound: Duration,
        /// End of the console.
        console: String,
    },
    /// Something came that the wait forbids.
    #[error("{seen} came, where {wanted} was expected\n{console}")]
    Forbidden {
        /// Description of the pattern waited for.
        wanted: String,
        /// Description of what came.
        seen: String,
        /// End of the console.
        console: String,
    },
    /// QEMU ended while a test waited.
    #[error("QEMU ended while {wanted} was expected; it wrote: {stderr}\n{console}")]
    Exited {
        /// Description of the pattern.
        wanted: String,
        /// QEMU's own messages.
        stderr: String,
        /// End of the console.
        console: String,
    },
    /// A KVM guest printed nothing for so long that the accelerator is suspected.
    #[error("the guest was silent for {silence:?} under KVM while {wanted} was expected\n{console}")]
    SilentUnderKvm {
        /// Description of the pattern.
        wanted: String,
        /// Length of the silence.
        silence: Duration,
        /// End of the console.
        console: String,
    },
    /// QEMU's control socket answered with an error or not at all.
    #[error("QMP {command}: {message}")]
    Qmp {
        /// The command.
        command: String,
        /// The answer.
        message: String,
    },
    /// A disk or a guest is not as a test needs it.
    #[error("{subject}: {message}")]
    Unexpected {
        /// Disk, partition, marker.
        subject: String,
        /// What is wrong.
        message: String,
    },
}

impl Error {
    /// A failed file operation.
    pub(crate) fn file(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { operation, path, source }
    }

    /// True when the accelerator, not the guest, is the likely culprit.
    #[must_use]
    pub const fn suspects_kvm(&self) -> bool {
        matches!(self, Self::SilentUnderKvm { .. })
    }
}

/// What installs the program, when it is one of QEMU's.
fn remedy(program: &str) -> String {
    let name = program.rsplit('/').next().unwrap_or(program);
    if name.starts_with("qemu") {
        format!("; QEMU is installed by: {}", crate::version::INSTALL)
    } else {
        String::new()
    }
}

/// The test harness prints `Debug`; a person reads it.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        let mut cause = std::error::Error::source(self);
        while let Some(next) = cause {
            write!(f, ": {next}")?;
            cause = next.source();
        }
        Ok(())
    }
}

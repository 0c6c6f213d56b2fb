//! The one error type. Each text says what was tried, where, and what can be done about it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::hierarchy::Fault;

/// Why something about a group could not be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A system call or a file of the kernel failed.
    #[error("{operation} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        operation: &'static str,
        /// The file or group it was tried on.
        path: PathBuf,
        /// What the kernel answered.
        source: io::Error,
    },
    /// The machine's hierarchy cannot be used.
    #[error(transparent)]
    Hierarchy(#[from] Fault),
    /// A limit in a mode that has none.
    #[error(
        "{file} = {value} is refused: this node runs with --cgroup-mode=group-only, where cgroups hold no limits; \
         use --cgroup-mode=full on a machine whose cgroup v2 tree has controllers, or a pod without limits"
    )]
    GroupOnly {
        /// The file that would have to be written.
        file: String,
        /// What would have to be written.
        value: String,
    },
    /// A limit whose controller this kernel does not offer.
    #[error("{file} = {value} is refused: the controller {controller} is not available in this cgroup v2 tree")]
    NoController {
        /// The file that would have to be written.
        file: String,
        /// What would have to be written.
        value: String,
        /// The controller that is missing.
        controller: String,
    },
    /// A limit that this kernel's controller does not have: huge pages of a size that the machine lacks, an older kernel.
    #[error("{file} = {value} is refused: this kernel has the controller, but no such file")]
    NoFile {
        /// The file that would have to be written.
        file: String,
        /// What would have to be written.
        value: String,
    },
    /// A limit that no kernel takes.
    #[error("{file}: {reason}")]
    BadLimit {
        /// The file that would have to be written.
        file: String,
        /// What is wrong with the value.
        reason: String,
    },
    /// A name that may not become a folder.
    #[error("{kind} {name:?} cannot name a cgroup: {reason}")]
    BadName {
        /// What was named.
        kind: &'static str,
        /// The name.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Something did not happen in time.
    #[error("{} did not become {state} within {within:?}", path.display())]
    Late {
        /// The group.
        path: PathBuf,
        /// What was waited for.
        state: &'static str,
        /// How long.
        within: Duration,
    },
    /// More nested groups than a payload is allowed to make.
    #[error("{}: more than {limit} nested cgroups or {depth} levels; not removed", path.display())]
    TooMany {
        /// The group.
        path: PathBuf,
        /// Groups that are removed at most.
        limit: usize,
        /// Levels below the group.
        depth: usize,
    },
    /// A process joined nothing because its group passes controllers on.
    #[error(
        "process {pid} cannot join {}: the kernel lets no process into a group that passes controllers on to others",
        path.display()
    )]
    NotALeaf {
        /// The process.
        pid: u32,
        /// The group.
        path: PathBuf,
    },
    /// The device program could not be put in force.
    #[error("devices of {} are not guarded: {operation}: {source}{hint}", path.display())]
    Devices {
        /// The group.
        path: PathBuf,
        /// The step of bpf(2) that failed.
        operation: &'static str,
        /// What the kernel answered.
        source: io::Error,
        /// What can be done about it, or what the verifier said.
        hint: String,
    },
}

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Names operation and path of a failure.
pub(crate) trait Attempt<T> {
    /// Turns a failure into [`Error::Io`].
    fn attempt(self, operation: &'static str, path: &Path) -> Result<T>;
}

impl<T, E: Into<io::Error>> Attempt<T> for std::result::Result<T, E> {
    fn attempt(self, operation: &'static str, path: &Path) -> Result<T> {
        self.map_err(|source| Error::Io { operation, path: path.to_owned(), source: source.into() })
    }
}

impl Error {
    /// The number of the kernel's answer, if there was one.
    #[must_use]
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Io { source, .. } | Self::Devices { source, .. } => source.raw_os_error(),
            _ => None,
        }
    }
}

//! Between the shim and the runtime helper: `coracle-runtime operate`, one short-lived process for each operation.
//!
//! The shim starts it from the sealed memory file that it got with its own start ([`crate::process::start`]), through a
//! descriptor that is close-on-exec: neither the helper nor what it starts has it.
//!
//! The helper is a child of the shim. It has an empty environment, `/` as its folder, an empty signal mask, and these
//! descriptors; all others are closed.
//!
//! | Number | create | start, delete | exec | What |
//! |---|---|---|---|---|
//! | 0 | yes | yes | yes | a memory file at its start: the JSON of one [`Request`] (no frame) |
//! | 1 | null | null | null | `/dev/null` |
//! | 2 | yes | yes | yes | a memory file; what is written there is quoted if the helper dies without a report |
//! | 3 | yes | yes | yes | pipe: one frame with a [`Report`], at most [`MAXIMUM_REPORT`] bytes; read when the helper has ended |
//! | 4 | yes | no | no | pipe that the container's first process keeps until its execve, see below |
//! | 5–7 | not tty | no | not tty | input, output and errors of the process |
//! | 8 | tty | no | tty | stream socket: the controlling end of the terminal is sent here with one byte (SCM_RIGHTS) |
//!
//! *The process must become a child of the shim* (`as_sibling`, `CLONE_PARENT`), and must not keep 3 and 8 over its
//! execve. Its id in the report is the one that the shim sees. It may have ended, and been reaped, before the report.
//!
//! *Signals*: the helper is a Rust program and so ignores SIGPIPE; the process must get SIGPIPE's default action back
//! before its execve. Its rank for the out-of-memory killer is 0, not the shim's, until the specification sets it.
//!
//! *Descriptor 4*: if execve (or anything between `start` and execve) fails in the container's first process, that
//! writes one frame with [`Report::Failed`] (reason `StartError`, errno of execve) there and exits. If execve succeeds,
//! the kernel closes it (close-on-exec must be set), and the shim reads the end: the container has started.
//!
//! *exec* reports after the execve succeeded or failed; the helper has its own pipe for that.
//!
//! *delete* succeeds if nothing is left, also of a container that is half made or unknown (`force`).
//!
//! Exit codes: 0 a report of success was written; 1 a report of failure was written; 2 the request could not be read.
//! Everything else (a signal, the deadline's SIGKILL) is a failure without a report; after a failed create the shim
//! calls delete.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::message::{Failure, Size};

/// Name of the executable.
pub const NAME: &str = "coracle-runtime";
/// First argument of the executable.
pub const ARGUMENT: &str = "operate";
/// Descriptor of the request.
pub const REQUEST: i32 = 0;
/// Descriptor of diagnostics.
pub const DIAGNOSTICS: i32 = 2;
/// Descriptor of the report.
pub const REPORT: i32 = 3;
/// Descriptor that tells about the container's execve.
pub const STARTED: i32 = 4;
/// Descriptor of the process' input.
pub const STDIN: i32 = 5;
/// Descriptor of the process' output.
pub const STDOUT: i32 = 6;
/// Descriptor of the process' errors.
pub const STDERR: i32 = 7;
/// Descriptor of the socket for the terminal.
pub const CONSOLE: i32 = 8;
/// The most bytes of a report's frame: it fits into a pipe, so that writing it never waits.
pub const MAXIMUM_REPORT: usize = 32 << 10;

/// What the helper is to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Request {
    /// libcontainer's create. Report: [`Report::Process`].
    Create {
        /// The container.
        id: String,
        /// Folder with `config.json`.
        bundle: PathBuf,
        /// Folder of libcontainer's state.
        state: PathBuf,
        /// Whether it has a terminal.
        tty: bool,
    },
    /// libcontainer's start. Report: [`Report::Done`].
    Start {
        /// The container.
        id: String,
        /// Folder of libcontainer's state.
        state: PathBuf,
    },
    /// libcontainer's delete with force. Report: [`Report::Done`].
    Delete {
        /// The container.
        id: String,
        /// Folder of libcontainer's state.
        state: PathBuf,
    },
    /// Our own exec. Report: [`Report::Process`].
    Exec {
        /// The container.
        id: String,
        /// Its folder with `config.json` (namespaces, seccomp).
        bundle: PathBuf,
        /// Folder of libcontainer's state.
        state: PathBuf,
        /// First process of the container. The shim has not reaped it, so the number cannot name another process.
        pid: i32,
        /// Folder of the container's control group.
        cgroup: Option<PathBuf>,
        /// The OCI process.
        process: serde_json::Value,
        /// Whether it has a terminal.
        tty: bool,
        /// First size of the terminal.
        size: Option<Size>,
    },
}

/// What the helper says at its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Report {
    /// A process was made.
    Process {
        /// Its id.
        pid: i32,
    },
    /// Done.
    Done,
    /// It failed; a long message is cut by the writer.
    Failed(Failure),
}

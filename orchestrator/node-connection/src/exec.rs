//! A command in a container that runs already.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use tokio::sync::watch;

use crate::{Bytes, Error, Pod, Sink};

/// What is to run, and which of its streams are wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExecRequest {
    /// The pod.
    pub pod: Pod,
    /// Name of the container.
    pub container: String,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// The client sends input.
    pub stdin: bool,
    /// The client takes output.
    pub stdout: bool,
    /// The client takes errors; never together with `tty`, where both are one.
    pub stderr: bool,
    /// Run it at a terminal.
    pub tty: bool,
}

/// Size of a terminal in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Size {
    /// Width.
    pub columns: u16,
    /// Height.
    pub rows: u16,
}

/// The end of a command: its exit code, 128 and the signal's number if a signal ended it.
pub type Exit = Pin<Box<dyn Future<Output = Result<i32, Error>> + Send>>;

/// A command that runs. Dropping all of it ends the command.
pub struct ExecSession {
    /// Its input, if the client sends any. Shutting it down is the end of the input.
    pub stdin: Option<Sink>,
    /// Its output, if the client takes it. It ends when nobody holds the other end any more.
    pub stdout: Option<Bytes>,
    /// Its errors, if the client takes them.
    pub stderr: Option<Bytes>,
    /// The size of its terminal, if it has one. Only the last size counts.
    pub resize: Option<watch::Sender<Size>>,
    /// Resolves when it has ended. What it has written by then is still to be read.
    pub exit: Exit,
}

impl fmt::Debug for ExecSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecSession")
            .field("stdin", &self.stdin.is_some())
            .field("stdout", &self.stdout.is_some())
            .field("stderr", &self.stderr.is_some())
            .field("resize", &self.resize.is_some())
            .finish_non_exhaustive()
    }
}

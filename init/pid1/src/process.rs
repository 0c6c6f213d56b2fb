//! Starting programs. Every start goes through here, so that each child has an owner who reaps it.

use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, WaitStatus, pidfd_open, pidfd_send_signal, waitpid};

use crate::error::{Attempt as _, Error, Result};
use crate::sys;
use crate::wait::{self, Moment};
use crate::watchdog::Watchdog;

/// The environment of every program; nothing is inherited.
const ENVIRONMENT: [(&str, &str); 4] =
    [("PATH", "/usr/bin:/usr/sbin:/bin:/sbin"), ("HOME", "/"), ("TERM", "linux"), ("LANG", "C.UTF-8")];

/// A program to start.
#[derive(Debug)]
pub(crate) struct Program {
    path: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    cgroup: Option<PathBuf>,
    keep: Option<OwnedFd>,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It exited with a code.
    Code(i32),
    /// A signal ended it.
    Signal(i32),
}

impl Program {
    /// A program without arguments.
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), arguments: Vec::new(), environment: Vec::new(), cgroup: None, keep: None }
    }

    /// More arguments.
    pub(crate) fn arguments<A: Into<String>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// One more environment variable.
    pub(crate) fn environment(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// The cgroup directory to run in.
    pub(crate) fn cgroup(mut self, directory: impl Into<PathBuf>) -> Self {
        self.cgroup = Some(directory.into());
        self
    }

    /// A descriptor that stays open in the program, with its number in the environment variable `name`.
    pub(crate) fn keep(mut self, name: &str, descriptor: OwnedFd) -> Self {
        self.environment.push((name.to_owned(), sys::number_in_child(&descriptor).to_string()));
        self.keep = Some(descriptor);
        self
    }

    /// Starts it. The caller owns the process and must reap it.
    pub(crate) fn start(self) -> Result<Pid> {
        let path = self.path.clone();
        let cgroup = match &self.cgroup {
            None => None,
            Some(directory) => {
                let procs = directory.join("cgroup.procs");
                let file = std::fs::File::options().write(true).open(&procs).attempt("open", &procs)?;
                Some(OwnedFd::from(file))
            }
        };
        let mut command = self.command();
        sys::prepare_child(&mut command, cgroup, self.keep);
        let child = command.stdin(Stdio::null()).spawn().attempt("start", &path)?;
        i32::try_from(child.id())
            .ok()
            .and_then(Pid::from_raw)
            .ok_or_else(|| Error::Found(format!("{} has no process id", path.display())))
    }

    /// Runs it to its end, at most until `deadline`, feeding the watchdog. It is killed at the deadline.
    pub(crate) fn run(self, deadline: Moment, watchdog: &mut Watchdog) -> Result<Ended> {
        let path = self.path.clone();
        let pid = self.start()?;
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).attempt("open pidfd of", &path)?;
        let ready = wait::readable_feeding(&[pidfd.as_fd()], deadline, watchdog)?;
        let overdue = !ready.contains(&true);
        if overdue {
            pidfd_send_signal(&pidfd, Signal::KILL).attempt("kill", &path)?;
        }
        let status = waitpid(Some(pid), WaitOptions::empty()).attempt("wait for", &path)?;
        match status.and_then(|(_, status)| Ended::from_status(status)) {
            Some(ended) if !overdue => Ok(ended),
            _ => Err(Error::Found(format!("{} did not end in time and was killed", path.display()))),
        }
    }

    /// Becomes this program. Returns only on failure.
    pub(crate) fn exec(self) -> Error {
        let path = self.path.clone();
        let source = self.command().exec();
        Error::Io { operation: "execute", subject: path.display().to_string(), source }
    }

    #[expect(clippy::disallowed_methods, reason = "this is the module that starts programs")]
    fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.args(&self.arguments).env_clear().envs(ENVIRONMENT).current_dir(Path::new("/"));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

impl Ended {
    /// The end that a wait status describes; `None` for stops and continues.
    pub(crate) fn from_status(status: WaitStatus) -> Option<Self> {
        status.exit_status().map(Self::Code).or_else(|| status.terminating_signal().map(Self::Signal))
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "code-{code}"),
            Self::Signal(signal) => write!(f, "signal-{signal}"),
        }
    }
}

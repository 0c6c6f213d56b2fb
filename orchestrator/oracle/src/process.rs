//! The only module that starts programs. Each child has one owner, who ends and reaps it.

use crate::error::{Error, Result};
use crate::sys;
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// How long a server may take to end after SIGTERM before it is killed.
const GRACE: Duration = Duration::from_secs(20);

/// How much of a log is shown when its program fails, in bytes.
const SHOWN: usize = 4_000;

/// A program to run.
#[derive(Debug)]
pub struct Program<'a> {
    /// The executable; a bare name is looked up in PATH.
    pub path: &'a Path,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Where it runs.
    pub directory: &'a Path,
    /// The whole environment, or additions to this process's own.
    pub environment: Environment,
}

/// The environment of a program.
#[derive(Debug)]
pub enum Environment {
    /// Nothing but these variables.
    Only(Vec<(&'static str, OsString)>),
    /// This process's own and these.
    With(Vec<(&'static str, OsString)>),
}

/// What a program that ran to its end left.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code.
    pub exit: i32,
    /// What it wrote to its standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to its error output.
    pub stderr: Vec<u8>,
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Program<'_> {
    fn command(&self) -> Command {
        let mut command = Command::new(self.path);
        command.args(&self.arguments).current_dir(self.directory).kill_on_drop(true);
        let variables = match &self.environment {
            Environment::Only(variables) => {
                command.env_clear();
                variables
            }
            Environment::With(variables) => variables,
        };
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        sys::die_with_parent(&mut command);
        command
    }

    fn failed(&self) -> impl FnOnce(std::io::Error) -> Error {
        let program = self.path.display().to_string();
        move |source| Error::Start { program, source }
    }

    /// The command line as a person would type it.
    pub(crate) fn shown(&self) -> String {
        let words = std::iter::once(self.path.as_os_str()).chain(self.arguments.iter().map(OsString::as_os_str));
        words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
    }

    /// Runs to the end with its messages on this process's own error output. Success is expected.
    pub(crate) async fn run(&self) -> Result<()> {
        let mut command = self.command();
        let status = command.stdin(Stdio::null()).status().await.map_err(self.failed())?;
        if status.success() {
            return Ok(());
        }
        Err(Error::Program { command: self.shown(), status: status.to_string(), messages: "see above".to_owned() })
    }

    /// Runs to the end with `input` on its standard input; killed when `bound` passes.
    ///
    /// # Errors
    /// It cannot be started, or did not end by itself in time.
    pub async fn output(&self, input: &str, bound: Duration) -> Result<Ended> {
        let mut command = self.command();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(self.failed())?;
        if let Some(mut stdin) = child.stdin.take() {
            // A program that does not read its input closes the pipe; its exit status tells more than this error.
            stdin.write_all(input.as_bytes()).await.unwrap_or_default();
        }
        // When the bound passes the child is dropped, which kills it; the runtime reaps it.
        let output = timeout(bound, child.wait_with_output()).await;
        let Ok(output) = output else {
            let messages = format!("killed after {} s", bound.as_secs());
            return Err(Error::Program { command: self.shown(), status: "no status".to_owned(), messages });
        };
        let output = output.map_err(self.failed())?;
        let Some(exit) = output.status.code() else {
            let (status, messages) = (output.status.to_string(), String::from_utf8_lossy(&output.stderr).into_owned());
            return Err(Error::Program { command: self.shown(), status, messages });
        };
        Ok(Ended { exit, stdout: output.stdout, stderr: output.stderr })
    }

    /// Starts a server that logs into `log`.
    ///
    /// # Errors
    /// The log cannot be made or the program cannot be started.
    pub fn serve(&self, name: &'static str, log: &Path) -> Result<Server> {
        let file = fs::File::create(log).map_err(Error::file("create", log))?;
        let copy = file.try_clone().map_err(Error::file("create", log))?;
        let child = self.command().stdin(Stdio::null()).stdout(copy).stderr(file).spawn().map_err(self.failed())?;
        Ok(Server { name, child, log: log.to_owned() })
    }
}

impl Server {
    /// What it is called, and its process id as long as it has not been reaped.
    #[must_use]
    pub fn process(&self) -> (&'static str, Option<u32>) {
        (self.name, self.child.id())
    }

    /// Fails when the server has ended by itself.
    ///
    /// # Errors
    /// It has ended; the end of its messages says why.
    pub fn check(&mut self) -> Result<()> {
        let failed = |source| Error::Start { program: self.name.to_owned(), source };
        match self.child.try_wait().map_err(failed)? {
            None => Ok(()),
            Some(status) => Err(Error::Program {
                command: self.name.to_owned(),
                status: status.to_string(),
                messages: self.messages(),
            }),
        }
    }

    /// The end of its log.
    #[must_use]
    pub fn messages(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        let start = log.len().saturating_sub(SHOWN);
        String::from_utf8_lossy(log.get(start..).unwrap_or_default()).into_owned()
    }

    /// Asks the server to end, kills it when it does not within 20 s, and reaps it.
    ///
    /// # Errors
    /// It could not be told to end.
    pub async fn stop(mut self) -> Result<()> {
        let failed = |source| Error::Start { program: self.name.to_owned(), source };
        let id = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(id) = id {
            kill_process(id, Signal::TERM).map_err(|source| failed(source.into()))?;
            if timeout(GRACE, self.child.wait()).await.is_err() {
                self.child.kill().await.map_err(failed)?;
            }
        }
        Ok(())
    }
}

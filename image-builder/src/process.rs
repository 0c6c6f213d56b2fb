//! The only module that starts programs: apt on the host, and the tools of the package lock.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// One program run to its end, with an environment that is stated in full.
#[derive(Debug, Clone)]
pub struct Program {
    executable: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(&'static str, OsString)>,
    directory: Option<PathBuf>,
}

/// A program that did not start or did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The program could not be started.
    #[error("cannot start {program}")]
    Start {
        /// Its path.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// The program ended with a failure.
    #[error("{} ended with {}:\n{}", .0.program, .0.status, .0.message)]
    Failed(Box<Failure>),
}

/// How a program failed.
#[derive(Debug)]
pub struct Failure {
    /// Its path.
    pub program: String,
    /// Its exit status in words.
    pub status: String,
    /// The last lines of what it said.
    pub message: String,
    /// Its standard output up to there.
    pub output: Vec<u8>,
}

/// How much of a failed program's output goes into the error.
const SHOWN_LINES: usize = 20;

impl Program {
    /// A program with no arguments and `LC_ALL=C` as its whole environment, so that neither the caller's locale nor
    /// its time zone reaches a tool that writes image bytes.
    #[must_use]
    pub fn new(executable: &Path) -> Self {
        Self {
            executable: executable.to_owned(),
            arguments: Vec::new(),
            environment: vec![("LC_ALL", "C".into())],
            directory: None,
        }
    }

    /// Adds one argument.
    #[must_use]
    pub fn argument(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn arguments<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// Sets one environment variable.
    #[must_use]
    pub fn variable(mut self, name: &'static str, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name, value.as_ref().to_owned()));
        self
    }

    /// Passes a variable of the builder's own environment on, when it is set.
    #[must_use]
    pub fn inherit(self, name: &'static str) -> Self {
        match std::env::var_os(name) {
            Some(value) => self.variable(name, value),
            None => self,
        }
    }

    /// Sets the working directory.
    #[must_use]
    pub fn directory(mut self, directory: &Path) -> Self {
        self.directory = Some(directory.to_owned());
        self
    }

    /// Runs the program to its end and returns its standard output.
    ///
    /// # Errors
    /// It does not start, or does not end with status 0.
    #[expect(clippy::disallowed_methods, reason = "this is the builder's only place that starts programs")]
    pub fn run(&self) -> Result<Vec<u8>, Error> {
        let program = self.executable.display().to_string();
        let mut command = Command::new(&self.executable);
        command.args(&self.arguments).env_clear().envs(self.environment.iter().map(|(name, value)| (name, value)));
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        let output = command
            .stdin(Stdio::null())
            .output()
            .map_err(|source| Error::Start { program: program.clone(), source })?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let lines: Vec<&str> = text.lines().collect();
        let message = lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n");
        Err(Error::Failed(Box::new(Failure {
            program,
            status: output.status.to_string(),
            message,
            output: output.stdout,
        })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_is_exactly_what_was_stated() {
        let printed = Program::new(Path::new("/usr/bin/env")).variable("A", "1").run().unwrap();
        assert_eq!(String::from_utf8(printed).unwrap(), "A=1\nLC_ALL=C\n");
    }

    #[test]
    fn a_failure_carries_the_programs_last_words() {
        let error = Program::new(Path::new("/bin/sh")).arguments(["-c", "echo reason >&2; exit 3"]).run().unwrap_err();
        let Error::Failed(failure) = error else { panic!("{error}") };
        assert_eq!((failure.status.as_str(), failure.message.as_str()), ("exit status: 3", "reason"));
    }
}

//! The only module that starts programs. Each child has one owner, who kills and reaps it.

use crate::error::{Error, Result};
use crate::sys;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// A running program that ends with its owner.
#[derive(Debug)]
pub(crate) struct Owned {
    program: String,
    child: Child,
    ended: OwnedFd,
}

/// Starts a program with its messages going to a file and nothing on its input.
pub(crate) fn start(program: &str, arguments: &[String], messages: File) -> Result<Owned> {
    let failed = |source: io::Error| Error::Start { program: program.to_owned(), source };
    let mut command = new(program);
    let output = messages.try_clone().map_err(failed)?;
    command.args(arguments).stdin(Stdio::null()).stdout(output).stderr(messages);
    own(program, command)
}

fn own(program: &str, mut command: Command) -> Result<Owned> {
    let failed = |source: io::Error| Error::Start { program: program.to_owned(), source };
    let mut child = command.spawn().map_err(failed)?;
    match pidfd(&child) {
        Ok(ended) => Ok(Owned { program: program.to_owned(), child, ended }),
        Err(source) => {
            child.kill().and_then(|()| child.wait()).map_err(failed)?;
            Err(failed(source))
        }
    }
}

/// Runs a program to its end, but not beyond a bound, and gives its standard output.
pub(crate) fn bounded(program: &str, arguments: &[String], bound: Duration) -> Result<Vec<u8>> {
    let failed = |source: io::Error| Error::Start { program: program.to_owned(), source };
    let (mut output, mut messages) = (tempfile::tempfile().map_err(failed)?, tempfile::tempfile().map_err(failed)?);
    let mut command = new(program);
    command.args(arguments).stdin(Stdio::null());
    command.stdout(output.try_clone().map_err(failed)?).stderr(messages.try_clone().map_err(failed)?);
    let mut running = own(program, command)?;
    let ended = running.wait(bound)?;
    drop(running);
    let read = |file: &mut File| {
        let mut bytes = Vec::new();
        file.rewind().and_then(|()| file.read_to_end(&mut bytes)).map(|_| bytes)
    };
    let (output, messages) = (read(&mut output).map_err(failed)?, read(&mut messages).map_err(failed)?);
    let said = || String::from_utf8_lossy(&[output.as_slice(), &messages].concat()).trim().to_owned();
    let (program, arguments) = (program.to_owned(), arguments.join(" "));
    match ended {
        Some(status) if status.success() => Ok(output),
        Some(status) => Err(Error::Program { program, arguments, status: status.to_string(), stderr: said() }),
        None => Err(Error::Endless { program, arguments, bound, stderr: said() }),
    }
}

/// Runs a program to its end and gives its standard output.
pub(crate) fn output(program: &str, arguments: &[String]) -> Result<Vec<u8>> {
    output_in(Path::new("."), program, arguments)
}

/// The same in a folder.
pub(crate) fn output_in(folder: &Path, program: &str, arguments: &[String]) -> Result<Vec<u8>> {
    let run = new(program).args(arguments).current_dir(folder).stdin(Stdio::null()).output();
    let done = run.map_err(|source| Error::Start { program: program.to_owned(), source })?;
    if done.status.success() {
        return Ok(done.stdout);
    }
    let text = [done.stdout, done.stderr].concat();
    Err(Error::Program {
        program: program.to_owned(),
        arguments: arguments.join(" "),
        status: done.status.to_string(),
        stderr: String::from_utf8_lossy(&text).trim().to_owned(),
    })
}

#[expect(clippy::disallowed_methods, reason = "this module is the owner of every child of the crate")]
fn new(program: &str) -> Command {
    let mut command = Command::new(program);
    sys::die_with_parent(&mut command);
    command
}

fn pidfd(child: &Child) -> io::Result<OwnedFd> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| io::Error::other("child without a process id"))?;
    Ok(pidfd_open(pid, PidfdFlags::empty())?)
}

/// Waits until the process behind a descriptor has ended; false when it still runs after the bound.
pub(crate) fn ended(process: &OwnedFd, bound: Duration) -> Result<bool> {
    ready(process, None, bound).map_err(|source| Error::Start { program: "a process".to_owned(), source })
}

impl Owned {
    /// A descriptor that is readable when the program has ended.
    #[cfg(test)]
    pub(crate) fn ended(&self) -> io::Result<OwnedFd> {
        self.ended.try_clone()
    }

    /// Waits until the program has ended, at most `bound`; `None` when it still runs.
    pub(crate) fn wait(&mut self, bound: Duration) -> Result<Option<ExitStatus>> {
        let failed = |source: io::Error| Error::Start { program: self.program.clone(), source };
        if ready(self.ended.as_fd(), None, bound).map_err(failed)? {
            return self.child.wait().map(Some).map_err(failed);
        }
        Ok(None)
    }

    /// Waits until a descriptor is readable. False when the program ended first or the bound passed.
    pub(crate) fn readable(&self, descriptor: impl AsFd, bound: Duration) -> Result<bool> {
        let failed = |source: io::Error| Error::Start { program: self.program.clone(), source };
        ready(descriptor.as_fd(), Some(self.ended.as_fd()), bound).map_err(failed)
    }

    /// SIGKILL, then reap: for the guest this is a power cut.
    pub(crate) fn kill(&mut self) -> Result<()> {
        let end = self.child.kill().and_then(|()| self.child.wait());
        end.map(|_| ()).map_err(|source| Error::Start { program: self.program.clone(), source })
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // An error means that it is already reaped, which is what is wanted.
        let _already_gone = self.kill();
    }
}

/// True when the first descriptor becomes readable within the bound and before the second does.
fn ready(first: impl AsFd, second: Option<std::os::fd::BorrowedFd<'_>>, bound: Duration) -> io::Result<bool> {
    let first = first.as_fd();
    let mut watched = vec![PollFd::from_borrowed_fd(first, PollFlags::IN)];
    watched.extend(second.map(|descriptor| PollFd::from_borrowed_fd(descriptor, PollFlags::IN)));
    let deadline = std::time::Instant::now() + bound;
    loop {
        let left = deadline.saturating_duration_since(std::time::Instant::now());
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        match poll(&mut watched, Some(&left)) {
            Ok(_) => return Ok(watched.first().is_some_and(|entry| !entry.revents().is_empty())),
            Err(rustix::io::Errno::INTR) => {}
            Err(other) => return Err(other.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_fails_is_quoted() {
        let failed = output("sh", &["-c".into(), "echo no disk >&2; exit 3".into()]).unwrap_err();
        assert!(failed.to_string().contains("no disk"), "{failed}");
        assert!(output("no-such-program", &[]).unwrap_err().to_string().contains("no-such-program"));
    }

    #[test]
    fn a_program_that_does_not_end_is_ended() {
        let script = |text: &str| ["-c".to_owned(), text.to_owned()];
        assert_eq!(bounded("sh", &script("echo yes"), Duration::from_secs(60)).unwrap(), b"yes\n");
        let failed = bounded("sh", &script("echo no node >&2; exit 1"), Duration::from_secs(60)).unwrap_err();
        assert!(failed.to_string().contains("no node"), "{failed}");
        let endless = bounded("sh", &script("echo waiting; exec sleep 1000"), Duration::from_millis(300)).unwrap_err();
        assert!(matches!(endless, Error::Endless { .. }), "{endless}");
    }

    #[test]
    fn a_dropped_program_is_gone() {
        let null = || File::options().write(true).open("/dev/null").unwrap();
        let mut program = start("sleep", &["1000".into()], null()).unwrap();
        let watch = program.ended.try_clone().unwrap();
        assert!(program.wait(Duration::from_millis(1)).unwrap().is_none());
        drop(program);
        assert!(ready(&watch, None, Duration::ZERO).unwrap(), "the process has ended");
    }
}

//! `exec`: a further process in a running container.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;

use coracle_seccomp::Program;
use coracle_shim_protocol::frame;
use coracle_shim_protocol::helper::{CONSOLE, MAXIMUM_REPORT, Report};
use coracle_shim_protocol::message::{Failure, Reason, Size};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{DumpableBehavior, Pid, set_dumpable_behavior, setsid};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};

use super::create::{adjust_score, inherit, streams};
use super::failure::{EXEC, Problem, exit_code};
use super::namespaces::Namespaces;
use super::process::{self, Process};
use super::sys::{Cloned, clone_sibling};
use super::{cgroup, identity, limits, program, settle, sys, terminal};

/// What is asked for.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    /// The container.
    pub(super) id: &'a str,
    /// Folder with its configuration.
    pub(super) bundle: &'a Path,
    /// Its first process.
    pub(super) pid: i32,
    /// Its control group.
    pub(super) cgroup: Option<&'a Path>,
    /// The OCI process.
    pub(super) process: serde_json::Value,
    /// Whether it has a terminal.
    pub(super) tty: bool,
    /// Size of the terminal.
    pub(super) size: Option<Size>,
}

/// Where the process' input and output come from.
enum Streams {
    Pipes([OwnedFd; 3]),
    Terminal(OwnedFd, Option<Size>),
}

/// Starts the process.
pub(super) fn exec(wanted: &Wanted<'_>) -> Result<Report, Failure> {
    run(wanted).map_err(|problem| match Errno::from_raw_os_error(problem.errno.unwrap_or_default()) {
        Errno::SRCH => problem.failure(Reason::FailedPrecondition, &format!("container {:?}: ", wanted.id)),
        _ => problem.failure(Reason::ExecError, EXEC),
    })
}

fn run(wanted: &Wanted<'_>) -> Result<Report, Problem> {
    let process = process::process(&wanted.process)?;
    let filter = process::filter(&process::load(wanted.bundle)?)?;
    let first = if wanted.pid > 0 { Pid::from_raw(wanted.pid) } else { None };
    let first = first.ok_or_else(|| Problem::new(format!("invalid process id {}", wanted.pid)))?;
    let streams = if wanted.tty {
        let size = wanted.size.or_else(|| process.console_size.map(terminal::size));
        Streams::Terminal(inherit(CONSOLE)?, size)
    } else {
        Streams::Pipes(streams()?)
    };
    let namespaces = Namespaces::of(first)?;
    limits::lift(&process.rlimits)?;
    adjust_score(&process)?;
    // Until its own program runs, nobody in the container shall look into the new process.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(|errno| Problem::step("set dumpable", errno))?;
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).map_err(|errno| Problem::step("pipe", errno))?;
    namespaces.join_for_children()?;
    match born_in(wanted.cgroup, first)? {
        Cloned::Child => {
            drop(reader);
            let problem = inside(&namespaces, &process, filter.as_ref(), streams);
            sys::exit(tell(writer, problem))
        }
        Cloned::Parent(pid) => {
            drop(writer);
            outcome(reader, pid.as_raw_nonzero().get())
        }
    }
}

/// Makes the new process in the control group. If that group has groups below that got controllers, no process may live
/// in it any more; then it is born where the first process has moved to.
fn born_in(group: Option<&Path>, first: Pid) -> Result<Cloned, Problem> {
    let failed = |errno| Problem::step("clone3", errno);
    let Some(group) = group else { return clone_sibling(None).map_err(failed) };
    let descriptor = cgroup::at(group)?;
    match clone_sibling(Some(descriptor.as_fd())) {
        Err(Errno::BUSY) => {
            let descriptor = cgroup::at(&cgroup::of(first)?)?;
            clone_sibling(Some(descriptor.as_fd())).map_err(failed)
        }
        outcome => outcome.map_err(failed),
    }
}

/// In the new process; comes back only if something failed.
fn inside(namespaces: &Namespaces, process: &Process, filter: Option<&Program>, streams: Streams) -> Problem {
    let prepared = || {
        setsid().map_err(|errno| Problem::step("setsid", errno))?;
        namespaces.join_others()?;
        if namespaces.has_user() {
            identity::become_root()?;
        }
        match streams {
            Streams::Terminal(console, size) => drop(terminal::attach(&console, size)?),
            Streams::Pipes([input, output, errors]) => {
                let failed = |errno| Problem::step("standard streams", errno);
                dup2_stdin(&input).map_err(failed)?;
                dup2_stdout(&output).map_err(failed)?;
                dup2_stderr(&errors).map_err(failed)?;
            }
        }
        settle::settle(process, filter)
    };
    match prepared() {
        Err(problem) => problem,
        Ok(()) => program::execute(process, filter.filter(|_| process.no_new_privileges)),
    }
}

/// Tells the helper what failed and gives the exit code.
fn tell(writer: OwnedFd, problem: Problem) -> i32 {
    let code = exit_code(&problem);
    let mut failure = problem.failure(Reason::ExecError, EXEC);
    super::failure::shorten(&mut failure, MAXIMUM_REPORT / 8);
    if let Ok(bytes) = frame::encode(&failure) {
        // If nobody listens, the exit code has to do.
        let _ = File::from(writer).write_all(&bytes);
    }
    code
}

/// The end of the pipe without a word is execve's.
fn outcome(reader: OwnedFd, pid: i32) -> Result<Report, Problem> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(MAXIMUM_REPORT).unwrap_or(u64::MAX);
    File::from(reader).take(limit).read_to_end(&mut bytes).map_err(|error| Problem::io("read the outcome", &error))?;
    if bytes.is_empty() {
        return Ok(Report::Process { pid });
    }
    match frame::read::<Failure>(&mut bytes.as_slice()) {
        Ok(Some(failure)) => Ok(Report::Failed(failure)),
        _ => Err(Problem::new("the new process ended before it could say why")),
    }
}

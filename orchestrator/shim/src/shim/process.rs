//! Starting programs, always this one again: the shim itself, the first process of a namespace, the helper. All are
//! reaped by the loop, which reaps every child.

use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd, RawFd};
use std::path::Path;
use std::process::{Command, Stdio};

use coracle_shim_protocol::helper;
use coracle_shim_protocol::process::{PAUSE, SHIM};
use rustix::fs::{MemfdFlags, Mode, OFlags, memfd_create};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::Pid;

use super::STAY;
use super::sys::{self, Child};

/// Works for a memory file too, and after the file was replaced by an update.
const SELF: &str = "/proc/self/exe";

/// A helper that was started.
#[derive(Debug)]
pub(super) struct Helper {
    /// Its process.
    pub(super) pid: Pid,
    /// Where its report is read; does not block.
    pub(super) report: File,
    /// What it wrote to its errors.
    pub(super) diagnostics: File,
}

/// Starts the shim that stays. Its standard output is this process'.
pub(super) fn start_again(folder: &Path) -> io::Result<()> {
    let mut command = program(SHIM);
    command.arg(folder).arg(STAY).stdin(Stdio::null()).stderr(Stdio::null());
    start(command, Child { session: true, ..Child::default() }).map(drop)
}

/// Lets go of the starter's pipe.
pub(super) fn detach_output() -> io::Result<()> {
    Ok(rustix::stdio::dup2_stdout(null()?)?)
}

/// Starts the first process of the process namespace that children are made in.
pub(super) fn pause(cgroup: Option<OwnedFd>) -> io::Result<Pid> {
    let mut command = program(PAUSE);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    start(command, Child { cgroup, session: true, ..Child::default() })
}

/// Starts the helper.
pub(super) fn helper(request: &helper::Request, mut descriptors: Vec<(OwnedFd, RawFd)>) -> io::Result<Helper> {
    let mut input = File::from(memfd_create("request", MemfdFlags::CLOEXEC)?);
    input.write_all(&serde_json::to_vec(request)?)?;
    input.rewind()?;
    let diagnostics = File::from(memfd_create("diagnostics", MemfdFlags::CLOEXEC)?);
    let (report, writer) = pipe_with(PipeFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&report, true)?;
    descriptors.push((writer, helper::REPORT));
    let mut command = program(helper::ARGUMENT);
    command.stdin(input).stdout(Stdio::null()).stderr(diagnostics.try_clone()?);
    let pid = start(command, Child { descriptors, ordinary: true, ..Child::default() })?;
    Ok(Helper { pid, report: File::from(report), diagnostics })
}

/// `/dev/null` for reading and writing.
pub(super) fn null() -> io::Result<OwnedFd> {
    Ok(rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?)
}

/// A pipe whose end of the shim does not block: `(shim's, child's)`.
pub(super) fn output_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(reader.as_fd(), true)?;
    Ok((reader, writer))
}

#[expect(clippy::disallowed_methods, reason = "this is the module that starts programs")]
fn program(duty: &str) -> Command {
    let mut command = Command::new(SELF);
    command.arg(duty).env_clear().current_dir("/");
    command
}

fn start(mut command: Command, child: Child) -> io::Result<Pid> {
    sys::prepare(&mut command, child)?;
    let id = command.spawn()?.id();
    i32::try_from(id).ok().and_then(Pid::from_raw).ok_or_else(|| io::Error::other("a child without a process id"))
}

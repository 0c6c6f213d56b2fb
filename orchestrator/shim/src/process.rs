//! Starting programs: this one again as the shim itself and as the first process of a namespace, and the runtime helper.
//! All are reaped by the loop, which reaps every child.

use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd, RawFd};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use coracle_shim_protocol::process::{PAUSE, SHIM};
use coracle_shim_protocol::{executable, helper};
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

/// Starts the shim that stays. Its standard input and output are this process'.
pub(super) fn start_again(folder: &Path) -> io::Result<()> {
    let mut command = program(SELF, SHIM);
    command.arg(folder).arg(STAY).stdin(Stdio::inherit()).stderr(Stdio::null());
    start(command, Child { session: true, ..Child::default() }).map(drop)
}

/// Takes the runtime helper's executable from the standard input, where the starter put it, and leaves `null` there. It
/// lies where no child gets descriptors under numbers of its own. Only a sealed one is taken: helpers work in containers,
/// whose processes must not be able to change what the next helper is.
pub(super) fn take_helper(null: &OwnedFd) -> io::Result<OwnedFd> {
    executable::check_sealed(rustix::stdio::stdin())?;
    let helper = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), sys::FREE)?;
    rustix::stdio::dup2_stdin(null)?;
    Ok(helper)
}

/// Lets go of the starter's pipe.
pub(super) fn detach_output() -> io::Result<()> {
    Ok(rustix::stdio::dup2_stdout(null()?)?)
}

/// Starts the first process of the process namespace that children are made in.
pub(super) fn pause(cgroup: Option<OwnedFd>) -> io::Result<Pid> {
    let mut command = program(SELF, PAUSE);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    start(command, Child { cgroup, session: true, ..Child::default() })
}

/// Starts the helper from its executable. That descriptor is close-on-exec and still open when the kernel opens the
/// program, so that the child finds it and the helper has it no more.
pub(super) fn helper(
    executable: &OwnedFd,
    request: &helper::Request,
    mut descriptors: Vec<(OwnedFd, RawFd)>,
) -> io::Result<Helper> {
    let mut input = File::from(memfd_create("request", MemfdFlags::CLOEXEC)?);
    input.write_all(&serde_json::to_vec(request)?)?;
    input.rewind()?;
    let diagnostics = File::from(memfd_create("diagnostics", MemfdFlags::CLOEXEC)?);
    let (report, writer) = pipe_with(PipeFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&report, true)?;
    descriptors.push((writer, helper::REPORT));
    let mut command = program(&format!("/proc/self/fd/{}", executable.as_raw_fd()), helper::ARGUMENT);
    command.arg0(helper::NAME).stdin(input).stdout(Stdio::null()).stderr(diagnostics.try_clone()?);
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
fn program(path: &str, duty: &str) -> Command {
    let mut command = Command::new(path);
    command.arg(duty).env_clear().current_dir("/");
    command
}

fn start(mut command: Command, child: Child) -> io::Result<Pid> {
    sys::prepare(&mut command, child)?;
    let id = command.spawn()?.id();
    i32::try_from(id).ok().and_then(Pid::from_raw).ok_or_else(|| io::Error::other("a child without a process id"))
}

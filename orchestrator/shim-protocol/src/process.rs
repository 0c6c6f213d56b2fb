//! The orchestrator's side of a shim's start.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};

use crate::files::Ready;
use crate::frame;

/// First argument of the executable for a pod's shim; the second is the pod's folder.
pub const SHIM: &str = "shim";
/// First argument of the executable for the first process of a shared process namespace.
pub const PAUSE: &str = "pause";
/// How long a shim may take until it is ready.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What a shim tells its starter over its standard output, as one frame.
pub type Told = Result<Ready, String>;

/// Starts the shim of the pod whose folder (with `pod.json`) is given and waits until it is ready. `executable` is
/// coracle-init: a path, or `/proc/self/fd/N` of a memory file (which may be close-on-exec). `helper` is the runtime
/// helper's executable, [sealed](crate::executable::sealed); the shim keeps a descriptor of it, so that it can start
/// helpers whatever becomes of this process.
///
/// Blocks, at most [`PATIENCE`]. The process that it starts and waits for ends at once; the shim is its child and
/// becomes the child of the next subreaper.
pub fn start(pod: &Path, executable: &Path, helper: BorrowedFd<'_>) -> io::Result<Ready> {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
    #[expect(clippy::disallowed_methods, reason = "this is the module that starts shims; the child is reaped below")]
    let mut command = Command::new(executable);
    command.arg(SHIM).arg(pod).env_clear().current_dir("/");
    // A shim reads nothing: its standard input is how the executable of its helpers comes to it.
    command.stdin(helper.try_clone_to_owned()?).stdout(writer).stderr(Stdio::null());
    let mut child = command.spawn()?;
    // The command holds a copy of the pipe's other end.
    drop(command);
    let told = wait(&reader).and_then(|()| {
        let mut reader = File::from(reader);
        frame::read::<Told>(&mut reader).map_err(io::Error::other)
    });
    if told.is_err() {
        // It has ended long ago, unless it hangs; then nothing else ends it.
        child.kill()?;
    }
    child.wait()?;
    match told? {
        Some(Ok(ready)) => Ok(ready),
        Some(Err(message)) => Err(io::Error::other(message)),
        None => Err(io::Error::other("the shim ended before it was ready")),
    }
}

/// Waits until the pipe has data or was closed.
fn wait(reader: &OwnedFd) -> io::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec { tv_sec: left.as_secs().try_into().unwrap_or(0), tv_nsec: left.subsec_nanos().into() };
        match poll(&mut [PollFd::from_borrowed_fd(reader.as_fd(), PollFlags::IN)], Some(&timeout)) {
            Ok(0) => return Err(io::Error::new(io::ErrorKind::TimedOut, "the shim was not ready in time")),
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_no_shim_is_an_error() {
        let helper = File::open("/dev/null").unwrap();
        let error = start(Path::new("/nowhere"), Path::new("/bin/true"), helper.as_fd()).unwrap_err();
        assert!(error.to_string().contains("ended before"), "{error}");
        assert!(start(Path::new("/nowhere"), Path::new("/nowhere"), helper.as_fd()).is_err());
    }
}

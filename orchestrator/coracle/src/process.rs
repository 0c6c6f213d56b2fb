//! The one place where `coracle` starts a program: its own embedded executables, to ask them something.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::process::{Command, Output};

/// Runs an embedded executable to its end and returns what it printed. The child is reaped here.
///
/// # Errors
/// The program could not be started.
pub(crate) fn run(executable: &File, arguments: &[&str]) -> io::Result<Output> {
    // The descriptor is close-on-exec: the kernel opens the program before it closes it, and nothing leaks into the child.
    let path = format!("/proc/self/fd/{}", executable.as_raw_fd());
    #[expect(clippy::disallowed_methods, reason = "this module owns the processes that coracle starts")]
    let mut command = Command::new(path);
    command.args(arguments).output()
}

//! The one unsafe call of this crate: work between fork and exec.
#![expect(unsafe_code, reason = "std offers nothing safe that runs in the child before exec")]

use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal};
use std::io;

/// Makes the kernel kill the child when the thread that started it ends for whatever reason, SIGKILL included. The tool
/// runs on its main thread only, so that this is the end of the tool.
pub(crate) fn die_with_parent(command: &mut tokio::process::Command) {
    let parent = getpid();
    let in_child = move || {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // A parent that died before the line above would never be noticed.
        if getppid() == Some(parent) { Ok(()) } else { Err(io::Error::from(rustix::io::Errno::SRCH)) }
    };
    // SAFETY: the closure makes two system calls without allocating or locking, so it is sound after a fork.
    unsafe { command.pre_exec(in_child) };
}

//! The unsafe parts of the fake helper: descriptors by number, a process that is a sibling.
#![expect(unsafe_code, reason = "leaf module of a test: inherited descriptors and clone with CLONE_PARENT")]

use std::os::fd::{FromRawFd as _, OwnedFd};

use nix::libc;

/// Owns a descriptor that this process was started with.
pub(crate) fn inherited(number: i32) -> OwnedFd {
    // SAFETY: the helper is started with it, and asks for each number once.
    unsafe { OwnedFd::from_raw_fd(number) }
}

/// As fork, but the child is a sibling. 0 in the child.
pub(crate) fn fork_sibling() -> i32 {
    let flags = libc::c_long::from(libc::CLONE_PARENT | libc::SIGCHLD);
    // SAFETY: the process has one thread; without a stack and pointers the call is a fork.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) };
    assert!(pid >= 0, "clone: {}", std::io::Error::last_os_error());
    pid.try_into().unwrap()
}

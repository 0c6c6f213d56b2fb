//! A raw clone for the program in the container, which no safe interface has.
#![expect(unsafe_code, reason = "a raw clone with flags that only a test of filters asks for")]

use nix::libc;

/// Tries to make a process in a new user namespace; the error number, 0 if it worked.
pub(crate) fn clone_new_user() -> i32 {
    let flags = libc::c_long::from(libc::CLONE_NEWUSER | libc::SIGCHLD);
    // SAFETY: as fork; the child ends at once.
    let result = unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) };
    match result {
        // SAFETY: no precondition.
        0 => unsafe { libc::_exit(0) },
        -1 => std::io::Error::last_os_error().raw_os_error().unwrap_or(-1),
        _ => 0,
    }
}

//! The only unsafe code of the helper: descriptors that cross its start, `clone3`, `seccomp`, session keyrings and
//! signal dispositions. rustix and nix have no safe form of these.
#![expect(unsafe_code, reason = "leaf module: raw system calls and inherited descriptors; each block states its proof")]

use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};

use coracle_seccomp::{Instruction, Program};
use nix::libc;
use rustix::io::{Errno, FdFlags};
use rustix::process::Pid;

/// Flag of `clone3` that is above the 32 bits that libc's constants for `clone` have.
const INTO_CGROUP: u64 = 0x2_0000_0000;

/// The kernel's last signal.
const LAST_SIGNAL: i32 = 64;

/// `SECCOMP_SET_MODE_FILTER`.
const SET_FILTER: libc::c_uint = 1;

/// `KEYCTL_JOIN_SESSION_KEYRING`.
const JOIN_SESSION: libc::c_int = 1;

/// What a clone returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cloned {
    /// In the new process.
    Child,
    /// In the old one, with the new one's id.
    Parent(Pid),
}

/// Takes over a descriptor that the starter of this process left open, and makes it close-on-exec.
pub(super) fn inherit(number: RawFd) -> Result<OwnedFd, Errno> {
    // SAFETY: the borrow lives for this function only, and fcntl answers EBADF if nothing is open at this number.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    rustix::io::fcntl_setfd(borrowed, FdFlags::CLOEXEC)?;
    // SAFETY: it is open, as fcntl just said; by the helper's contract nobody else in this process owns the number, and
    // each number is taken once.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Makes all descriptors but the standard ones close-on-exec: none of ours, or of whoever started the shim, is to come
/// into a container.
pub(super) fn keep_from_programs() -> Result<(), Errno> {
    let first: libc::c_uint = 3;
    // SAFETY: no pointer is passed, and with this flag nothing is closed now.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if result == 0 { Ok(()) } else { Err(last()) }
}

/// Closes a descriptor that a copy of this process got by cloning and that is owned by code which never runs there.
pub(super) fn close(number: RawFd) {
    // SAFETY: called only in the container's first process for numbers whose owners (in the helper's main function)
    // are frames that this process, a copy, never returns to.
    unsafe { rustix::io::close(number) };
}

/// A new process that is a child of this process' parent, in the control group `cgroup` if one is given.
pub(super) fn clone_sibling(cgroup: Option<BorrowedFd<'_>>) -> Result<Cloned, Errno> {
    let parent = u64::try_from(libc::CLONE_PARENT).unwrap_or_default();
    let group = cgroup.and_then(|descriptor| u64::try_from(descriptor.as_raw_fd()).ok());
    let arguments = libc::clone_args {
        flags: parent | group.map_or(0, |_| INTO_CGROUP),
        pidfd: 0,
        child_tid: 0,
        parent_tid: 0,
        // With CLONE_PARENT the signal is that of this process, which is SIGCHLD.
        exit_signal: 0,
        stack: 0,
        stack_size: 0,
        tls: 0,
        set_tid: 0,
        set_tid_size: 0,
        cgroup: group.unwrap_or(0),
    };
    // SAFETY: as fork: memory is copied, not shared, and no stack is given. This process has one thread, so that no lock
    // of the C library is held by somebody who does not exist in the copy.
    let result = unsafe { libc::syscall(libc::SYS_clone3, &raw const arguments, size_of::<libc::clone_args>()) };
    match i32::try_from(result) {
        Ok(0) => Ok(Cloned::Child),
        Ok(id) if id > 0 => Pid::from_raw(id).map(Cloned::Parent).ok_or(Errno::INVAL),
        _ => Err(last()),
    }
}

/// Puts a filter on this process, for ever.
pub(super) fn install_filter(program: &Program) -> Result<(), Errno> {
    #[repr(C)]
    struct Fprog {
        length: libc::c_ushort,
        instructions: *const Instruction,
    }
    let length = libc::c_ushort::try_from(program.instructions.len()).map_err(|_| Errno::INVAL)?;
    let fprog = Fprog { length, instructions: program.instructions.as_ptr() };
    // SAFETY: the structure has the layout of `struct sock_fprog`, `Instruction` that of `struct sock_filter`, the length
    // is that of the slice, and the kernel copies both during the call.
    let result = unsafe { libc::syscall(libc::SYS_seccomp, SET_FILTER, program.flags, &raw const fprog) };
    if result == 0 { Ok(()) } else { Err(last()) }
}

/// A session keyring of its own, so that the keys of whoever started the container are out of reach. Kernels without
/// keyrings have none to protect.
pub(super) fn new_session_keyring() {
    // SAFETY: no name is given, and the kernel takes no other pointer with this operation.
    unsafe { libc::syscall(libc::SYS_keyctl, JOIN_SESSION, std::ptr::null::<libc::c_char>()) };
}

/// All signals as the kernel starts a program: Rust ignores SIGPIPE, and others may have been ignored before; a program
/// would inherit that. The C library's own function leaves out the signals that it uses itself.
pub(super) fn default_signals() {
    // Zeros are SIG_DFL, no flags and an empty mask, in the layout of every architecture.
    let default = [0_u64; 4];
    for number in 1..=LAST_SIGNAL {
        if matches!(number, libc::SIGKILL | libc::SIGSTOP) {
            continue;
        }
        let old = std::ptr::null_mut::<libc::c_void>();
        // SAFETY: the kernel reads its structure, which has 32 bytes or less, from the array; the default disposition
        // has no handler whose safety would have to be shown; 8 is the size of the kernel's set of signals.
        unsafe { libc::syscall(libc::SYS_rt_sigaction, number, default.as_ptr(), old, size_of::<u64>()) };
    }
}

/// Ends this process at once: a copy of the helper must not run what the helper does at its end.
pub(super) fn exit(code: i32) -> ! {
    // SAFETY: `_exit` has no precondition; it runs nothing of this process any more.
    unsafe { libc::_exit(code) }
}

fn last() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::INVAL)
}

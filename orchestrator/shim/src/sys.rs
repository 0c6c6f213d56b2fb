//! The only unsafe code of the shim: what a child does between fork and exec, descriptors by number, namespaces, and
//! signals that have no name. rustix, nix and std have no safe form of these.
#![expect(unsafe_code, reason = "leaf module: pre_exec, inherited descriptors, unshare; each block states its proof")]

use std::ffi::CStr;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd as _, AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use rustix::fs::{Mode, OFlags};
use rustix::process::Signal;
use rustix::thread::UnshareFlags;

/// The first number that is not one of the helper's.
pub(super) const FREE: RawFd = 16;

/// File of the calling process' rank among the victims of an out-of-memory kill.
const OOM: &CStr = c"/proc/self/oom_score_adj";

/// Closes everything but input, output and errors, and fills the helper's numbers with `null`: nothing of the shim then
/// ever lies where a child finds its own descriptors, std's pipe between fork and exec included.
pub(super) fn close_inherited(null: &OwnedFd) -> io::Result<()> {
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir("/proc/self/fd")? {
        numbers.extend(entry?.file_name().to_str().and_then(|name| name.parse::<RawFd>().ok()));
    }
    let kept = null.as_fd().as_raw_fd();
    // The folder's own descriptor is closed by now.
    numbers.retain(|number| std::fs::symlink_metadata(format!("/proc/self/fd/{number}")).is_ok());
    for number in numbers.into_iter().filter(|number| *number > 2 && *number != kept) {
        // SAFETY: the number is open, and nobody in this process owns it: this runs at the start of a process with one
        // thread that has opened nothing but `null`.
        unsafe { rustix::io::close(number) };
    }
    loop {
        let placeholder = rustix::io::fcntl_dupfd_cloexec(null, 3)?;
        if placeholder.as_raw_fd() >= FREE {
            return Ok(());
        }
        // Held for the life of the process.
        let _ = std::os::fd::IntoRawFd::into_raw_fd(placeholder);
    }
}

/// What a child gets.
#[derive(Debug, Default)]
pub(super) struct Child {
    /// Descriptors and the numbers under which it finds them, below [`FREE`].
    pub(super) descriptors: Vec<(OwnedFd, RawFd)>,
    /// An open `cgroup.procs` to enter.
    pub(super) cgroup: Option<OwnedFd>,
    /// Whether it leads a session of its own.
    pub(super) session: bool,
    /// Whether it is as good a victim of an out-of-memory kill as any other process.
    pub(super) ordinary: bool,
}

/// Lets the child of `command` have an empty signal mask and what `child` says.
pub(super) fn prepare(command: &mut Command, child: Child) -> io::Result<()> {
    let mut descriptors = Vec::new();
    for (descriptor, number) in child.descriptors {
        descriptors.push((rustix::io::fcntl_dupfd_cloexec(&descriptor, FREE)?, number));
    }
    let in_child = move || {
        for (descriptor, number) in &descriptors {
            // SAFETY: the number is one of the placeholders of `close_inherited` (or unused), owned by nobody else;
            // ManuallyDrop keeps it open for the program.
            let mut target = ManuallyDrop::new(unsafe { OwnedFd::from_raw_fd(*number) });
            rustix::io::dup2(descriptor, &mut target)?;
        }
        if child.ordinary {
            // Forbidden only where the shim could not lower it either.
            if let Ok(file) = rustix::fs::open(OOM, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty()) {
                let _ = rustix::io::write(&file, b"0");
            }
        }
        if let Some(procs) = &child.cgroup {
            rustix::io::write(procs, b"0")?;
        }
        nix::sys::signal::SigSet::empty().thread_set_mask()?;
        if child.session {
            rustix::process::setsid()?;
        }
        Ok(())
    };
    // SAFETY: between fork and exec the closure makes only system calls on descriptors it owns; it neither allocates
    // nor takes locks, and this process has one thread.
    unsafe { command.pre_exec(in_child) };
    Ok(())
}

/// Leaves namespaces for new ones.
pub(super) fn unshare(flags: UnshareFlags) -> io::Result<()> {
    // SAFETY: unsafe only for CLONE_FILES, with which threads would no longer agree on descriptors; it is never given.
    unsafe { rustix::thread::unshare_unsafe(flags.difference(UnshareFlags::FILES)) }.map_err(io::Error::from)
}

/// The signal of this number, real-time signals too.
pub(super) fn signal(number: i32) -> Option<Signal> {
    // SAFETY: the value is only passed on to the kernel, which knows all of these numbers; what must not be done with
    // the C library's own signals (to handle or block them) is not done with this one.
    (1..=64).contains(&number).then(|| unsafe { Signal::from_raw_unchecked(number) })
}

//! Namespaces of a running container, joined through its first process.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags, open, stat};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, chroot, fchdir, pidfd_open};
use rustix::thread::{ThreadNameSpaceType, move_into_thread_name_spaces};

use super::failure::Problem;

/// Names below `/proc/PID/ns` and what the kernel calls them when they are joined.
const KINDS: [(&str, ThreadNameSpaceType); 8] = [
    ("user", ThreadNameSpaceType::USER),
    ("mnt", ThreadNameSpaceType::MOUNT),
    ("uts", ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME),
    ("ipc", ThreadNameSpaceType::INTER_PROCESS_COMMUNICATION),
    ("net", ThreadNameSpaceType::NETWORK),
    ("cgroup", ThreadNameSpaceType::CONTROL_GROUP),
    ("time", ThreadNameSpaceType::TIME),
    ("pid", ThreadNameSpaceType::PROCESS_ID),
];

/// What has to be joined.
#[derive(Debug)]
pub(super) struct Namespaces {
    process: OwnedFd,
    root: OwnedFd,
    differing: ThreadNameSpaceType,
}

impl Namespaces {
    /// Those in which process `pid` lives and this one does not.
    pub(super) fn of(pid: Pid) -> Result<Self, Problem> {
        let process = pidfd_open(pid, PidfdFlags::empty()).map_err(|errno| match errno {
            Errno::SRCH => Problem::step("cannot exec in a stopped container", errno),
            _ => Problem::step("pidfd_open", errno),
        })?;
        let number = pid.as_raw_nonzero();
        let mut differing = ThreadNameSpaceType::empty();
        for (name, kind) in KINDS {
            let own = stat(format!("/proc/self/ns/{name}"));
            let other = stat(format!("/proc/{number}/ns/{name}"));
            match (own, other) {
                (Ok(own), Ok(other)) if (own.st_dev, own.st_ino) == (other.st_dev, other.st_ino) => {}
                (Ok(_), Ok(_)) => differing |= kind,
                // A kernel without this kind.
                (Err(Errno::NOENT), _) => {}
                (Err(errno), _) => return Err(Problem::step(&format!("namespace {name}"), errno)),
                (_, Err(_)) => return Err(Problem::step("cannot exec in a stopped container", Errno::SRCH)),
            }
        }
        let root =
            open(format!("/proc/{number}/root"), OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
                .map_err(|errno| Problem::step("open the container's root", errno))?;
        Ok(Self { process, root, differing })
    }

    /// Joins the process namespace, which is for processes that are made from now on.
    pub(super) fn join_for_children(&self) -> Result<(), Problem> {
        self.join(self.differing & ThreadNameSpaceType::PROCESS_ID)
    }

    /// Joins all others and the container's root. The kernel takes the user namespace first, and checks the right to
    /// join the others with the rights from before.
    pub(super) fn join_others(&self) -> Result<(), Problem> {
        self.join(self.differing - ThreadNameSpaceType::PROCESS_ID)?;
        let failed = |errno| Problem::step("enter the container's root", errno);
        fchdir(&self.root).map_err(failed)?;
        chroot(".").map_err(failed)
    }

    /// Whether the container has a user namespace.
    pub(super) fn has_user(&self) -> bool {
        self.differing.contains(ThreadNameSpaceType::USER)
    }

    fn join(&self, kinds: ThreadNameSpaceType) -> Result<(), Problem> {
        if kinds.is_empty() {
            return Ok(());
        }
        move_into_thread_name_spaces(self.process.as_fd(), kinds).map_err(|errno| match errno {
            Errno::SRCH => Problem::step("cannot exec in a stopped container", errno),
            _ => Problem::step("join the container's namespaces", errno),
        })
    }
}

//! Processes of a group: joining, killing, freezing, and waiting for them.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _};
use std::os::fd::OwnedFd;
use std::path::{Component, Path};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode as FileMode, OFlags};
use rustix::io::Errno;

use crate::error::{Attempt as _, Error, Result};
use crate::events::GroupEvents;
use crate::files;
use crate::group::Group;
use crate::watch::timespec;

impl Group {
    /// Moves a process, with all its threads, into the group.
    ///
    /// # Errors
    /// [`Error::NotALeaf`] when the group passes controllers on; [`Error::Io`] when process or group are gone.
    pub fn join(&self, pid: u32) -> Result<()> {
        join(self.path(), pid)
    }

    /// Moves a process to where a payload's first process is now, which may be in a group that the payload made: once it
    /// passes controllers on (systemd, docker), the container's own group takes no processes.
    ///
    /// # Errors
    /// As [`Self::join`]; or the first process is outside this group.
    pub fn join_beside(&self, pid: u32, first: u32) -> Result<()> {
        match self.join(pid) {
            Err(Error::NotALeaf { .. }) => {}
            outcome => return outcome,
        }
        let membership = format!("/proc/{first}/cgroup");
        let text = files::read(Path::new(&membership))?.unwrap_or_default();
        let path = self.path();
        let outside = || Error::Io {
            operation: "find the group of the first process below",
            path: path.to_owned(),
            source: io::Error::from(io::ErrorKind::NotFound),
        };
        let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(outside)?;
        let nested = nested_part(&text, name).ok_or_else(outside)?;
        join(&path.join(nested), pid)
    }

    /// The group's `cgroup.procs`, open for writing: a child that writes `0` to it before it executes moves itself.
    ///
    /// # Errors
    /// The group is gone.
    pub fn open_procs(&self) -> Result<File> {
        let path = self.path().join("cgroup.procs");
        OpenOptions::new().write(true).open(&path).attempt("open", &path)
    }

    /// The group's folder, for `clone3` with `CLONE_INTO_CGROUP`.
    ///
    /// # Errors
    /// The group is gone.
    pub fn open(&self) -> Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        rustix::fs::open(self.path(), flags, FileMode::empty()).attempt("open", self.path())
    }

    /// Processes directly in the group, not below it.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub fn processes(&self) -> Result<Vec<u32>> {
        let text = files::read(&self.path().join("cgroup.procs"))?.unwrap_or_default();
        Ok(text.lines().filter_map(|line| line.parse().ok()).collect())
    }

    /// Sends SIGKILL to every process in the group and below, also to frozen ones and to those that are just being
    /// forked. A group that is gone has no processes.
    ///
    /// # Errors
    /// The kernel refuses; `cgroup.kill` is there from Linux 5.14 on.
    pub fn kill(&self) -> Result<()> {
        let path = self.path().join("cgroup.kill");
        match files::try_write(&path, "1") {
            Err(error) if gone(&error) && !self.exists() => Ok(()),
            outcome => outcome.attempt("kill by", &path),
        }
    }

    /// Stops every process in the group and below, and waits until all stand.
    ///
    /// # Errors
    /// The kernel refuses, or they do not stand in time; the request stays in force then.
    pub fn freeze(&self, within: Duration) -> Result<()> {
        self.set_frozen("1")?;
        self.wait_for("frozen", within, |events| events.frozen)
    }

    /// Lets the processes run again.
    ///
    /// # Errors
    /// As [`Self::freeze`].
    pub fn thaw(&self, within: Duration) -> Result<()> {
        self.set_frozen("0")?;
        self.wait_for("thawed", within, |events| !events.frozen)
    }

    /// Waits until no live process is in the group or below. Dead ones that nobody reaped do not count.
    ///
    /// # Errors
    /// There are still some after `within`.
    pub fn wait_empty(&self, within: Duration) -> Result<()> {
        self.wait_for("empty", within, |events| !events.populated)
    }

    /// Waits for an announced state; a group that is gone has every state.
    ///
    /// By poll(2) on the file itself and not by inotify: payloads that run as root could use up root's inotify instances,
    /// and then nothing could be removed any more.
    fn wait_for(&self, state: &'static str, within: Duration, reached: fn(&GroupEvents) -> bool) -> Result<()> {
        let path = self.path().join("cgroup.events");
        let begun = Instant::now();
        let mut file = match File::open(&path) {
            Err(error) if gone(&error) => return Ok(()),
            outcome => outcome.attempt("open", &path)?,
        };
        loop {
            // Reading takes note of the present; poll tells of changes after the last reading.
            let mut text = String::new();
            match file.rewind().and_then(|()| file.read_to_string(&mut text)) {
                Err(error) if gone(&error) => return Ok(()),
                outcome => outcome.attempt("read", &path)?,
            };
            if reached(&GroupEvents::parse(&text)) {
                return Ok(());
            }
            let left = within.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return Err(Error::Late { path: self.path().to_owned(), state, within });
            }
            let mut polled = [PollFd::new(&file, PollFlags::PRI)];
            match poll(&mut polled, Some(&timespec(left))) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error).attempt("poll", &path),
            }
        }
    }

    fn set_frozen(&self, value: &str) -> Result<()> {
        files::write(&self.path().join("cgroup.freeze"), value)
    }
}

fn join(group: &Path, pid: u32) -> Result<()> {
    let path = group.join("cgroup.procs");
    match files::try_write(&path, &pid.to_string()) {
        Err(error) if is_no_leaf(&error) => Err(Error::NotALeaf { pid, path: group.to_owned() }),
        outcome => outcome.attempt("join", &path),
    }
}

/// A group that passes controllers on answers EBUSY; one that became part of a threaded group EOPNOTSUPP.
fn is_no_leaf(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::BUSY | Errno::OPNOTSUPP))
}

fn gone(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::NOENT | Errno::NODEV))
}

/// What stands behind the group's own name in a process's line of version 2: `0::/kubepods/podX/ID/nested`. The part in
/// front depends on the reader's cgroup namespace, so only the name counts; ids are unique on a node.
fn nested_part<'a>(membership: &'a str, name: &str) -> Option<&'a Path> {
    let path = Path::new(membership.lines().find_map(|line| line.strip_prefix("0::"))?);
    let mut parts = path.components();
    parts.by_ref().find(|part| *part == Component::Normal(name.as_ref()))?;
    let rest = parts.as_path();
    rest.components().all(|part| matches!(part, Component::Normal(_))).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nested_group_is_found_behind_the_containers_name() {
        for (text, want) in [
            ("0::/kubepods/podx/abc/init.scope\n", Some("init.scope")),
            ("9:memory:/abc/x\n0::/kubepods/podx/abc/a/b\n", Some("a/b")),
            ("0::/kubepods/podx/abc\n", Some("")),
            ("0::/../../abc/deep\n", Some("deep")),
            ("0::/kubepods/podx/abc/../other\n", None),
            ("0::/kubepods/podx/other\n", None),
            ("9:memory:/abc/x\n", None),
            ("", None),
        ] {
            assert_eq!(nested_part(text, "abc"), want.map(Path::new), "{text:?}");
        }
    }
}

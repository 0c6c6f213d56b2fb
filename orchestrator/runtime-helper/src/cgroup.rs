//! Control groups: opened for a new process, emptied and removed.

use std::fs;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::process::Pid;

use super::failure::Problem;

/// Where the second version is mounted.
const MOUNT: &str = "/sys/fs/cgroup";

/// How long the processes of a group may take to die after SIGKILL. A process that sleeps in the kernel takes as long
/// as its device does.
const PATIENCE: Duration = Duration::from_secs(10);

/// How deep groups of a container may be nested when they are removed.
const DEPTH: usize = 64;

/// Opens a group, so that a process can be born in it.
pub(super) fn at(folder: &Path) -> Result<OwnedFd, Problem> {
    open(folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|errno| Problem::step(&format!("open control group {}", folder.display()), errno))
}

/// The group in which a process is now.
pub(super) fn of(pid: Pid) -> Result<PathBuf, Problem> {
    let path = format!("/proc/{}/cgroup", pid.as_raw_nonzero());
    let text = fs::read_to_string(&path).map_err(|error| Problem::io(&path, &error))?;
    let found = text.lines().find_map(|line| line.strip_prefix("0::/"));
    found.map(|path| Path::new(MOUNT).join(path)).ok_or_else(|| Problem::new(format!("{path} names no group")))
}

/// Folder of the group that a configuration names. It must not be the root of all groups, or lead out of it: what is
/// in the group dies when the container is deleted.
pub(super) fn folder(path: &str) -> Result<PathBuf, Problem> {
    let below = path.strip_prefix('/').map(Path::new);
    let plain = |below: &&Path| {
        below.components().count() > 0 && below.components().all(|part| matches!(part, Component::Normal(_)))
    };
    let below =
        below.filter(plain).ok_or_else(|| Problem::new(format!("linux.cgroupsPath {path:?} names no group")))?;
    Ok(Path::new(MOUNT).join(below))
}

/// Kills everything in a group and removes it with all groups below; a group that is not there is removed.
pub(super) fn remove(folder: &Path) -> Result<(), Problem> {
    match fs::write(folder.join("cgroup.kill"), "1") {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Problem::io("kill the control group", &error)),
    }
    await_empty(folder)?;
    remove_below(folder, DEPTH).map_err(|error| Problem::io(&format!("remove {}", folder.display()), &error))
}

/// Waits until no process is left in the group and those below: the kernel marks the file when that changes.
fn await_empty(folder: &Path) -> Result<(), Problem> {
    let deadline = Instant::now() + PATIENCE;
    let path = folder.join("cgroup.events");
    let events = fs::File::open(&path).map_err(|error| Problem::io("open cgroup.events", &error))?;
    loop {
        // Reading it through another descriptor would leave the mark of this one set.
        let text = io::read_to_string(&events).map_err(|error| Problem::io("read cgroup.events", &error))?;
        if text.lines().any(|line| line == "populated 0") {
            return Ok(());
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Problem::new(format!("processes in {} do not end", folder.display())));
        }
        let timeout = Timespec { tv_sec: left.as_secs().try_into().unwrap_or(0), tv_nsec: left.subsec_nanos().into() };
        match poll(&mut [PollFd::from_borrowed_fd(events.as_fd(), PollFlags::PRI)], Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(Problem::step("wait for the control group", errno)),
        }
        rustix::fs::seek(&events, rustix::fs::SeekFrom::Start(0))
            .map_err(|errno| Problem::step("read cgroup.events", errno))?;
    }
}

fn remove_below(folder: &Path, depth: usize) -> io::Result<()> {
    let Some(depth) = depth.checked_sub(1) else { return Err(io::Error::other("groups are nested too deeply")) };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_below(&entry.path(), depth)?;
        }
    }
    match fs::remove_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_groups_below_the_root_belong_to_containers() {
        for (path, want) in [
            ("/kubepods/pod1/c", Some("/sys/fs/cgroup/kubepods/pod1/c")),
            ("/a", Some("/sys/fs/cgroup/a")),
            ("/", None),
            ("", None),
            ("a", None),
            ("//a", None),
            ("/a/../..", None),
            ("/..", None),
        ] {
            assert_eq!(folder(path).ok().as_deref(), want.map(Path::new), "{path}");
        }
    }
}

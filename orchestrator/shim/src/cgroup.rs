//! What the shim does with control groups: it enters one, kills them, signals their members and counts OOM kills. They
//! are made, limited and removed by the orchestrator.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// Moves the calling process.
pub(super) fn enter(group: &Path) -> io::Result<()> {
    File::options().write(true).open(group.join("cgroup.procs"))?.write_all(b"0")
}

/// For a child that enters the group itself.
pub(super) fn open_procs(group: &Path) -> io::Result<OwnedFd> {
    Ok(OwnedFd::from(File::options().write(true).open(group.join("cgroup.procs"))?))
}

/// Sends a signal to all members, sub-groups included for SIGKILL.
pub(super) fn signal(group: &Path, signal: Signal) -> io::Result<()> {
    if signal == Signal::KILL {
        match File::options().write(true).open(group.join("cgroup.kill")) {
            Ok(mut file) => return file.write_all(b"1"),
            // Version 1 has no such file.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    for member in members(group)? {
        match pidfd_open(member, PidfdFlags::empty()).and_then(|process| pidfd_send_signal(process, signal)) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Whether the kernel killed a member for want of memory. False where it does not say (no memory controller).
pub(super) fn had_oom_kill(group: &Path) -> bool {
    fs::read_to_string(group.join("memory.events")).is_ok_and(|events| oom_kills(&events) > 0)
}

fn members(group: &Path) -> io::Result<Vec<Pid>> {
    let text = fs::read_to_string(group.join("cgroup.procs"))?;
    Ok(text.lines().filter_map(|line| line.parse().ok()).filter_map(Pid::from_raw).collect())
}

fn oom_kills(events: &str) -> u64 {
    events
        .lines()
        .find_map(|line| line.strip_prefix("oom_kill "))
        .and_then(|count| count.trim().parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oom_kills_are_counted() {
        for (events, want) in [
            ("low 0\nhigh 0\nmax 31\noom 2\noom_kill 1\noom_group_kill 0\n", 1),
            ("oom 2\noom_kill 0\n", 0),
            ("oom_kill x\n", 0),
            ("", 0),
        ] {
            assert_eq!(oom_kills(events), want, "{events}");
        }
        assert!(!had_oom_kill(Path::new("/nowhere")));
    }
}

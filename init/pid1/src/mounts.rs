//! Mounts as data, and the one function that makes them.

use std::ffi::CString;
use std::fs;
use std::path::Path;

use rustix::io::Errno;
use rustix::mount::{MountFlags, mount};

use crate::error::{Attempt as _, Error, Result};

/// One mount.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// Mount point; made when it is missing.
    pub(crate) target: &'static str,
    /// File system type and name of the source.
    pub(crate) kind: &'static str,
    /// Generic flags.
    pub(crate) flags: MountFlags,
    /// Options of the file system.
    pub(crate) options: &'static str,
}

const NO_PROGRAMS: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV).union(MountFlags::NOEXEC);
const NO_DEVICES: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV);

/// Made by the initrd stage and moved into the root.
pub(crate) const EARLY: [Row; 4] = [
    Row { target: "/proc", kind: "proc", flags: NO_PROGRAMS, options: "" },
    Row { target: "/sys", kind: "sysfs", flags: NO_PROGRAMS, options: "" },
    Row { target: "/dev", kind: "devtmpfs", flags: MountFlags::NOSUID, options: "mode=0755,size=4m" },
    Row { target: "/run", kind: "tmpfs", flags: NO_DEVICES, options: "mode=0755,size=64m" },
];

/// Made by the system stage.
pub(crate) const SYSTEM: [Row; 7] = [
    Row {
        target: "/dev/pts",
        kind: "devpts",
        flags: MountFlags::NOSUID.union(MountFlags::NOEXEC),
        options: "mode=0620,gid=5,ptmxmode=0666",
    },
    Row { target: "/dev/shm", kind: "tmpfs", flags: NO_DEVICES, options: "mode=1777" },
    Row { target: "/dev/mqueue", kind: "mqueue", flags: NO_PROGRAMS, options: "" },
    Row { target: "/sys/fs/cgroup", kind: "cgroup2", flags: NO_PROGRAMS, options: "nsdelegate,memory_recursiveprot" },
    Row { target: "/sys/fs/bpf", kind: "bpf", flags: NO_PROGRAMS, options: "mode=0700" },
    Row { target: "/sys/kernel/security", kind: "securityfs", flags: NO_PROGRAMS, options: "" },
    Row { target: "/tmp", kind: "tmpfs", flags: NO_DEVICES, options: "mode=1777,size=10%" },
];

/// Kernel file systems that a kernel may lack; their absence is no reason to stop.
const OPTIONAL: [&str; 3] = ["mqueue", "bpf", "securityfs"];

/// Links that programs expect in `/dev`.
const DEVICE_LINKS: [(&str, &str); 4] = [
    ("/proc/self/fd", "/dev/fd"),
    ("/proc/self/fd/0", "/dev/stdin"),
    ("/proc/self/fd/1", "/dev/stdout"),
    ("/proc/self/fd/2", "/dev/stderr"),
];

/// Makes all mounts of a table. One that exists already is kept.
pub(crate) fn mount_all(rows: &[Row]) -> Result<()> {
    for row in rows {
        // The root is read-only and has its mount points; in the initrd and below /dev they are made here.
        let _ = fs::create_dir_all(row.target);
        let outcome = mount_file_system(row.kind, row.target, row.kind, row.flags, row.options);
        if outcome.is_err() && !OPTIONAL.contains(&row.kind) {
            outcome?;
        }
    }
    Ok(())
}

/// Mounts one file system; a target that already has it (`EBUSY`) is success.
pub(crate) fn mount_file_system(
    source: impl AsRef<Path>,
    target: impl AsRef<Path>,
    kind: &str,
    flags: MountFlags,
    options: &str,
) -> Result<()> {
    let target = target.as_ref();
    let options = CString::new(options).map_err(|_| Error::Found(format!("mount options of {kind} contain NUL")))?;
    match mount(source.as_ref(), target, kind, flags, Some(options.as_c_str())) {
        Ok(()) | Err(Errno::BUSY) => Ok(()),
        Err(errno) => Err(errno).attempt("mount", target),
    }
}

/// Makes the links of `/dev`.
pub(crate) fn link_devices() {
    for (target, link) in DEVICE_LINKS {
        // Present already after a restart of the stage.
        let _ = std::os::unix::fs::symlink(target, link);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_the_root_may_give_privileges() {
        for row in EARLY.iter().chain(&SYSTEM) {
            assert!(row.flags.contains(MountFlags::NOSUID), "{}", row.target);
        }
    }

    #[test]
    fn a_mount_point_comes_after_its_parent() {
        let targets: Vec<&str> = EARLY.iter().chain(&SYSTEM).map(|row| row.target).collect();
        for (index, target) in targets.iter().enumerate() {
            for later in &targets[index..] {
                assert!(!target.starts_with(&format!("{later}/")), "{later} would hide {target}");
            }
        }
    }
}

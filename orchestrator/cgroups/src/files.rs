//! Files of the kernel: short texts, read whole and written by one write(2).

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use rustix::io::Errno;

use crate::error::{Attempt as _, Result};

/// Longest file that is read. `io.stat` of a machine with thousands of disks and `cgroup.procs` of a fork bomb are the
/// long ones; what lies behind the bound is cut.
const LONGEST: u64 = 1 << 20;

/// Text of a file, or nothing when the kernel does not have it: the controller is off, the feature was not built
/// (`EOPNOTSUPP` of pressure files with `psi=0`), or the group is gone (`ENODEV`).
pub(crate) fn read(path: &Path) -> Result<Option<String>> {
    let outcome = File::open(path).and_then(|file| {
        let mut bytes = Vec::new();
        file.take(LONGEST).read_to_end(&mut bytes)?;
        Ok(bytes)
    });
    match outcome {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if is_absence(&error) => Ok(None),
        Err(error) => Err(error).attempt("read", path),
    }
}

/// Writes `value` in one piece. The file must exist: cgroupfs makes its files itself.
pub(crate) fn write(path: &Path, value: &str) -> Result<()> {
    try_write(path, value).attempt("write", path)
}

/// As [`write`], with the bare answer of the kernel.
pub(crate) fn try_write(path: &Path, value: &str) -> io::Result<()> {
    OpenOptions::new().write(true).open(path)?.write_all(value.as_bytes())
}

fn is_absence(error: &io::Error) -> bool {
    let absent = [Errno::NOENT, Errno::NODEV, Errno::OPNOTSUPP];
    Errno::from_io_error(error).is_some_and(|errno| absent.contains(&errno))
}

/// The value of `key` in a file of lines `KEY VALUE`.
pub(crate) fn keyed(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once(' ')?;
        (name == key).then(|| value.trim().parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_file_is_an_absent_value() {
        assert!(read(Path::new("/proc/self/no-such-file")).unwrap().is_none());
        assert!(read(Path::new("/proc/self/comm")).unwrap().is_some());
        assert!(read(Path::new("/proc")).is_err(), "a folder is no absent file");
        assert!(write(Path::new("/proc/self/no-such-file"), "1").is_err(), "nothing is created");
    }

    #[test]
    fn keys_are_whole_words() {
        let text = "oom 1\noom_kill 2\noom_group_kill x\nlonely\n";
        assert_eq!(keyed(text, "oom"), Some(1));
        assert_eq!(keyed(text, "oom_kill"), Some(2));
        assert_eq!(keyed(text, "oom_group_kill"), None);
        assert_eq!(keyed(text, "lonely"), None);
    }
}

//! What volumes need of the kernel's mounts.

use std::fmt::Debug;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, UnmountFlags, mount, mount_bind_recursive, unmount};

/// Mounts, or pretends to.
pub trait Mounter: Debug + Send + Sync {
    /// Mounts a file system in memory on a folder, at most of so many bytes.
    ///
    /// # Errors
    /// The kernel's.
    fn memory(&self, at: &Path, bytes: Option<u64>, mode: u32) -> io::Result<()>;

    /// Mounts an open file or folder on another.
    ///
    /// # Errors
    /// The kernel's.
    fn bind(&self, from: &OwnedFd, at: &Path) -> io::Result<()>;

    /// Whether something is mounted on a path.
    ///
    /// # Errors
    /// The table of mounts cannot be read.
    fn is_mounted(&self, at: &Path) -> io::Result<bool>;

    /// Takes away all that is mounted on a folder or below it, innermost first.
    ///
    /// # Errors
    /// The kernel's.
    fn unmount_below(&self, folder: &Path) -> io::Result<()>;
}

/// Mounts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Kernel;

impl Mounter for Kernel {
    fn memory(&self, at: &Path, bytes: Option<u64>, mode: u32) -> io::Result<()> {
        let size = bytes.map(|bytes| format!(",size={bytes}")).unwrap_or_default();
        let options = format!("mode={mode:04o}{size}\0");
        let options = std::ffi::CStr::from_bytes_with_nul(options.as_bytes()).map_err(io::Error::other)?;
        Ok(mount("tmpfs", at, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, options)?)
    }

    fn bind(&self, from: &OwnedFd, at: &Path) -> io::Result<()> {
        // The path of the descriptor leads to what was opened, whatever its name leads to by now.
        Ok(mount_bind_recursive(format!("/proc/self/fd/{}", from.as_raw_fd()), at)?)
    }

    fn is_mounted(&self, at: &Path) -> io::Result<bool> {
        Ok(mounted_below(&fs::read("/proc/self/mountinfo")?, at).iter().any(|mounted| mounted == at))
    }

    fn unmount_below(&self, folder: &Path) -> io::Result<()> {
        let mut all = mounted_below(&fs::read("/proc/self/mountinfo")?, folder);
        // The table stands in the order of mounting.
        while let Some(at) = all.pop() {
            match unmount(&at, UnmountFlags::NOFOLLOW) {
                // Somebody still has a file open: the mount goes when they close it.
                Err(rustix::io::Errno::BUSY) => unmount(&at, UnmountFlags::NOFOLLOW | UnmountFlags::DETACH)?,
                Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOENT) => {}
                outcome => outcome?,
            }
        }
        Ok(())
    }
}

/// The mount points on or below a folder, from the text of `mountinfo`.
fn mounted_below(table: &[u8], folder: &Path) -> Vec<PathBuf> {
    let points = table.split(|byte| *byte == b'\n').filter_map(|line| line.split(|byte| *byte == b' ').nth(4));
    points.map(unescape).filter(|point| point.starts_with(folder)).collect()
}

/// White space and backslashes stand as three octal digits.
fn unescape(field: &[u8]) -> PathBuf {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, behind)) = rest.split_first() {
        let code = behind.get(..3).filter(|_| *first == b'\\').and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                out.push(byte);
                rest = behind.get(3..).unwrap_or_default();
            }
            None => {
                out.push(*first);
                rest = behind;
            }
        }
    }
    PathBuf::from(<std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(out))
}

#[cfg(test)]
pub(crate) mod double {
    use super::*;
    use std::sync::Mutex;

    /// Remembers what it was asked for.
    #[derive(Debug, Default)]
    pub(crate) struct Double(pub(crate) Mutex<Vec<String>>);

    impl Double {
        pub(crate) fn told(&self) -> Vec<String> {
            std::mem::take(&mut *self.0.lock().unwrap())
        }

        fn tell(&self, text: String) -> io::Result<()> {
            self.0.lock().unwrap().push(text);
            Ok(())
        }
    }

    impl Mounter for Double {
        fn memory(&self, at: &Path, bytes: Option<u64>, mode: u32) -> io::Result<()> {
            self.tell(format!("memory {} {bytes:?} {mode:o}", at.file_name().unwrap().display()))
        }

        fn bind(&self, from: &OwnedFd, at: &Path) -> io::Result<()> {
            let from = fs::read_link(format!("/proc/self/fd/{}", from.as_raw_fd()))?;
            self.tell(format!("bind {} {}", from.file_name().unwrap().display(), at.file_name().unwrap().display()))
        }

        fn is_mounted(&self, at: &Path) -> io::Result<bool> {
            let name = format!("memory {} ", at.file_name().unwrap().display());
            Ok(self.0.lock().unwrap().iter().any(|told| told.starts_with(&name)))
        }

        fn unmount_below(&self, _: &Path) -> io::Result<()> {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_are_read() {
        let table = b"22 1 0:21 / /a rw - tmpfs tmpfs rw\n23 1 0:21 / /a/b\\040c rw\n24 1 0:1 / /ab rw\nbroken\n";
        let found = mounted_below(table, Path::new("/a"));
        assert_eq!(found, [PathBuf::from("/a"), PathBuf::from("/a/b c")]);
    }
}

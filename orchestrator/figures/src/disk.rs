//! A disk with one user: a file system in a file, mounted in this program's own mount namespace. Its block device counts
//! what is really written, metadata and journal included. What the kernel counts for a process does not tell: for one
//! dirty page it adds the whole folio of the page cache, up to 256 KiB.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use oracle::process::{Environment, Program};
use rustix::mount::{UnmountFlags, unmount};

use crate::error::{Error, Result};

/// Size of the file system; its blocks come into being when they are written.
const BYTES: u64 = 4 << 30;

/// How long making or mounting it may take.
const BOUND: Duration = Duration::from_secs(60);

const SECTOR: u64 = 512;

/// A mounted disk; it is unmounted and removed with its owner.
#[derive(Debug)]
pub(crate) struct Disk {
    mounted: PathBuf,
    // Removed after the file system is gone.
    _folder: tempfile::TempDir,
}

impl Disk {
    /// Makes one below `parent` and mounts it.
    ///
    /// # Errors
    /// This program is not alone in its mount namespace, is not root, or the kernel has no loop devices.
    pub(crate) async fn make(parent: &Path) -> Result<Self> {
        own_namespace()?;
        let folder = tempfile::Builder::new().prefix("disk-").tempdir_in(parent);
        let folder = folder.map_err(Error::file("create a folder in", parent))?;
        let (image, mounted) = (folder.path().join("image"), folder.path().join("mounted"));
        let file = File::create(&image).map_err(Error::file("create", &image))?;
        file.set_len(BYTES).map_err(Error::file("size", &image))?;
        fs::create_dir(&mounted).map_err(Error::file("create", &mounted))?;
        // Nothing is left to be initialised while somebody measures.
        run(folder.path(), "mkfs.ext4", &["-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", "image"]).await?;
        run(folder.path(), "mount", &["-o", "loop,noatime", "image", "mounted"]).await?;
        Ok(Self { mounted, _folder: folder })
    }

    /// Where it is mounted.
    pub(crate) fn path(&self) -> &Path {
        &self.mounted
    }

    /// Bytes that have reached it since it was made, after everything owed to it has been written.
    ///
    /// # Errors
    /// It cannot be synced or the kernel does not count.
    pub(crate) fn written(&self) -> Result<u64> {
        let path = self.path();
        let folder = File::open(path).map_err(Error::file("open", path))?;
        rustix::fs::syncfs(&folder).map_err(|error| Error::file("sync", path)(error.into()))?;
        let device = folder.metadata().map_err(Error::file("look at", path))?.dev();
        let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
        let path = PathBuf::from(format!("/sys/dev/block/{major}:{minor}/stat"));
        let stat = fs::read_to_string(&path).map_err(Error::file("read", &path))?;
        sectors_written(&stat)
            .map(|sectors| sectors * SECTOR)
            .ok_or_else(|| Error::format(path.display().to_string(), "not in the known form"))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Err(error) = unmount(&self.mounted, UnmountFlags::DETACH) {
            eprintln!("figures: unmount {}: {error}", self.mounted.display());
        }
    }
}

/// The seventh number of a block device's statistics.
fn sectors_written(stat: &str) -> Option<u64> {
    stat.split_ascii_whitespace().nth(6)?.parse().ok()
}

/// Mounts must not show on the machine, and must go with this program: whoever started it lives in another namespace.
fn own_namespace() -> Result<()> {
    let namespace = |process: &str| {
        let path = PathBuf::from(format!("/proc/{process}/ns/mnt"));
        fs::read_link(&path).map_err(Error::file("read", &path))
    };
    let parent = rustix::process::getppid().map_or(1, |parent| parent.as_raw_pid());
    if namespace("self")? == namespace(&parent.to_string())? {
        return Err(Error::format("disks", "they need a mount namespace of their own; `make figures` gives one"));
    }
    Ok(())
}

async fn run(directory: &Path, name: &str, arguments: &[&str]) -> Result<()> {
    let arguments = arguments.iter().map(Into::into).collect();
    let environment = Environment::Only(vec![("PATH", "/usr/sbin:/usr/bin:/sbin:/bin".into())]);
    let program = Program { path: Path::new(name), arguments, directory, environment };
    let ended = program.output("", BOUND).await?;
    let messages = String::from_utf8_lossy(&ended.stderr);
    if ended.exit == 0 { Ok(()) } else { Err(Error::format(name, messages.trim_end())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_sectors_are_the_seventh_number() {
        let stat = "       5       0       40       1     1234        9    98765       77        0        5        9\n";
        assert_eq!(sectors_written(stat), Some(98_765));
        assert_eq!(sectors_written("1 2 3"), None);
    }
}

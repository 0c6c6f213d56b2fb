//! Small files: bounded reads, plain writes to the kernel, and writes that survive a power cut.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::error::{Attempt as _, Error, Result};

/// Reads a file of at most `limit` bytes.
pub(crate) fn read(path: impl AsRef<Path>, limit: u64) -> Result<Vec<u8>> {
    let path = path.as_ref();
    let file = File::open(path).attempt("open", path)?;
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).attempt("read", path)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
        return Err(Error::Found(format!("{} is longer than {limit} bytes", path.display())));
    }
    Ok(bytes)
}

/// Reads a text file of at most `limit` bytes; bytes that are not UTF-8 become U+FFFD.
pub(crate) fn read_text(path: impl AsRef<Path>, limit: u64) -> Result<String> {
    Ok(String::from_utf8_lossy(&read(path, limit)?).into_owned())
}

/// Writes to a file of proc or sysfs: one write, no truncation.
pub(crate) fn write_kernel(path: impl AsRef<Path>, text: &str) -> Result<()> {
    let path = path.as_ref();
    let mut file = File::options().write(true).open(path).attempt("open", path)?;
    file.write_all(text.as_bytes()).attempt("write", path)
}

/// Writes a whole file on a memory file system.
pub(crate) fn write(path: impl AsRef<Path>, bytes: &[u8]) -> Result<()> {
    let path = path.as_ref();
    fs::write(path, bytes).attempt("write", path)
}

/// Writes a whole file on a memory file system that only root may read.
pub(crate) fn write_private(path: impl AsRef<Path>, bytes: &[u8]) -> Result<()> {
    let path = path.as_ref();
    let mut options = File::options();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(path);
    file.attempt("create", path)?.write_all(bytes).attempt("write", path)
}

/// Replaces a file so that a power cut leaves the old or the new content: temporary file, sync, rename, sync of the
/// directory.
pub(crate) fn replace_durably(path: impl AsRef<Path>, bytes: &[u8]) -> Result<()> {
    let path = path.as_ref();
    let directory = path.parent().unwrap_or_else(|| Path::new("/"));
    let temporary = path.with_extension("new");
    let mut file = File::create(&temporary).attempt("create", &temporary)?;
    file.write_all(bytes).attempt("write", &temporary)?;
    file.sync_all().attempt("sync", &temporary)?;
    fs::rename(&temporary, path).attempt("rename to", path)?;
    File::open(directory).and_then(|directory| directory.sync_all()).attempt("sync", directory)
}

/// Makes a directory and its parents.
pub(crate) fn make_directory(path: impl AsRef<Path>) -> Result<()> {
    fs::create_dir_all(path.as_ref()).attempt("make directory", path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_are_bounded() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        write(&path, b"12345").unwrap();
        assert_eq!(read(&path, 5).unwrap(), b"12345");
        assert!(read(&path, 4).is_err());
    }

    #[test]
    fn a_replaced_file_has_the_new_content_and_no_left_over() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        replace_durably(&path, b"one").unwrap();
        replace_durably(&path, b"two").unwrap();
        assert_eq!(read(&path, 9).unwrap(), b"two");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}

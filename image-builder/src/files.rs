//! File access with errors that name the operation and the path.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// A failed operation on one path.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} {}", path.display())]
pub struct Error {
    operation: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl Error {
    /// Names what was tried on which path.
    #[must_use]
    pub fn new(operation: &'static str, path: &Path, source: io::Error) -> Self {
        Self { operation, path: path.to_owned(), source }
    }
}

/// Reads a whole file.
///
/// # Errors
/// The file cannot be read.
pub fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|source| Error::new("read", path, source))
}

/// Reads a whole file of UTF-8 text.
///
/// # Errors
/// The file cannot be read or is not UTF-8.
pub fn read_text(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|source| Error::new("read", path, source))
}

/// Creates or replaces a file.
///
/// # Errors
/// The file cannot be written.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    fs::write(path, bytes).map_err(|source| Error::new("write", path, source))
}

/// Creates a file that only its owner may read; refuses to replace one.
///
/// # Errors
/// The file exists or cannot be written.
pub fn create_private(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let error = |source| Error::new("create", path, source);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(error)?;
    file.write_all(bytes).map_err(error)?;
    file.sync_all().map_err(error)
}

/// Creates a directory and its parents.
///
/// # Errors
/// A directory cannot be created.
pub fn create_dirs(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(|source| Error::new("create directory", path, source))
}

/// Sets permission bits, whatever the umask was.
///
/// # Errors
/// The permissions cannot be changed.
pub fn set_mode(path: &Path, mode: u32) -> Result<(), Error> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .map_err(|source| Error::new("set permissions of", path, source))
}

/// A directory that no other builder uses until this is dropped.
#[derive(Debug)]
pub struct Locked(#[expect(dead_code, reason = "the open file is the lock")] fs::File);

/// Waits until no other builder uses `directory`, which must exist.
///
/// # Errors
/// The lock file cannot be made or locked.
pub fn lock(directory: &Path) -> Result<Locked, Error> {
    let path = directory.join(".lock");
    let error = |source| Error::new("lock", &path, source);
    let file = fs::File::create(&path).map_err(error)?;
    file.lock().map_err(error)?;
    Ok(Locked(file))
}

/// The sorted paths in a directory.
///
/// # Errors
/// The directory cannot be read.
pub fn list(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let error = |source| Error::new("list", path, source);
    let mut paths = fs::read_dir(path)
        .map_err(error)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<_>>>()
        .map_err(error)?;
    paths.sort();
    Ok(paths)
}

//! Files of a machine that are nobody else's business: tokens, keys, configurations.

use crate::error::{Error, Result};
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

/// Makes a folder that only its owner may look into.
///
/// # Errors
/// It cannot be made, or is somebody else's.
pub fn folder(path: &Path) -> Result<()> {
    let made = std::fs::create_dir_all(path);
    let closed = made.and_then(|()| std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)));
    closed.map_err(Error::file("make", path))
}

/// Text of a file, `None` when there is no such file.
///
/// # Errors
/// It cannot be read.
pub fn read(path: &Path) -> Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::file("read", path)(error)),
    }
}

/// Replaces a file in one step; only its owner may read it.
///
/// # Errors
/// It cannot be written.
pub fn replace(path: &Path, text: &str) -> Result<()> {
    let new = path.with_extension("new");
    let written = || {
        let mut options = File::options();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(text.as_bytes())?;
        std::fs::rename(&new, path)
    };
    written().map_err(Error::file("write", path))
}

/// Removes a file that may be there.
///
/// # Errors
/// It cannot be removed.
pub fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::file("remove", path)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_for_its_owner_only() {
        let directory = tempfile::tempdir().unwrap();
        let inner = directory.path().join("a/run");
        folder(&inner).unwrap();
        let path = inner.join("token");
        assert_eq!(read(&path).unwrap(), None);
        std::fs::write(&path, "open to all").unwrap();
        replace(&path, "one").unwrap();
        replace(&path, "two").unwrap();
        assert_eq!(read(&path).unwrap().as_deref(), Some("two"));
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&inner)), (0o600, 0o700));
        remove(&path).unwrap();
        remove(&path).unwrap();
        assert_eq!(read(&path).unwrap(), None);
    }
}

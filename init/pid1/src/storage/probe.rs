//! Whether a mounted file system takes a write.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::path::Path;

use crate::error::{Attempt as _, Result};

/// Name of the file that is written and removed again. One that a power cut left behind is written over.
const NAME: &str = ".write-probe";

/// Writes a small file below `mount_point`, durably, and removes it. A full file system passes: it is whole, and what
/// is on it must stay reachable.
pub(crate) fn takes_writes(mount_point: &Path) -> Result<()> {
    let path = mount_point.join(NAME);
    match write(&path) {
        Err(error) if !matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
            Err(error).attempt("write", &path)
        }
        _ => Ok(()),
    }
}

fn write(path: &Path) -> io::Result<()> {
    let mut file = File::create(path)?;
    let written = file.write_all(b"1").and_then(|()| file.sync_all());
    fs::remove_file(path)?;
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_takes_writes_and_a_file_does_not() {
        let directory = tempfile::tempdir().unwrap();
        takes_writes(directory.path()).unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0, "nothing is left behind");
        let file = directory.path().join("file");
        File::create(&file).unwrap();
        assert!(takes_writes(&file).is_err());
    }
}

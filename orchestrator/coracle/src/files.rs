//! Files that are replaced as a whole.

use std::fs;
use std::io;
use std::path::Path;

/// Replaces a file. What is in it can be had again, so nothing waits for the disk.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    fs::write(&beside, content)?;
    fs::rename(&beside, path)
}

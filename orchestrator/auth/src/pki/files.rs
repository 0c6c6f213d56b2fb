//! Files that are either there as a whole or not at all.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use super::Error;

/// Mode of a file that anybody may read.
pub(super) const PUBLIC: u32 = 0o644;
/// Mode of a file with a private key.
pub(super) const SECRET: u32 = 0o600;
/// Largest file that is read; the real ones have a few kilobytes.
const MAX_BYTES: u64 = 1 << 20;

/// Makes a directory and its parents; only the owner may enter those that are new.
pub(super) fn make_directory(path: &Path) -> Result<(), Error> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed("create", path))?;
    // Each name on the way must be on the disk before a file below it counts as written.
    for directory in path.ancestors().skip(1).take(2).filter(|path| !path.as_os_str().is_empty()) {
        sync_directory(directory)?;
    }
    Ok(())
}

/// The text of a file, or nothing if there is none.
pub(super) fn read(path: &Path) -> Result<Option<String>, Error> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("open", path)(error)),
    };
    let mut text = String::new();
    file.take(MAX_BYTES).read_to_string(&mut text).map_err(failed("read", path))?;
    Ok(Some(text))
}

/// Writes `directory/name`: whatever happens in the middle, a reader finds the old file or the new one.
pub(super) fn write(directory: &Path, name: &str, bytes: &[u8], mode: u32) -> Result<(), Error> {
    let path = directory.join(name);
    let temporary = directory.join(format!(".{name}.tmp"));
    // A left-over of a crash may have any content and mode, so it is not reused.
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed("remove", &temporary)(error)),
        _ => {}
    }
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, &path)
    };
    write().map_err(failed("write", &path))?;
    sync_directory(directory)
}

/// Whether `directory/name` could be written; leaves nothing behind.
pub(super) fn try_write(directory: &Path, name: &str) -> Result<(), Error> {
    let temporary = directory.join(format!(".{name}.tmp"));
    let attempt = OpenOptions::new().write(true).create(true).truncate(false).mode(SECRET).open(&temporary);
    attempt.and_then(|_| fs::remove_file(&temporary)).map_err(failed("write", &directory.join(name)))
}

fn sync_directory(path: &Path) -> Result<(), Error> {
    File::open(path).and_then(|directory| directory.sync_all()).map_err(failed("sync", path))
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::File { action, path, source }
}

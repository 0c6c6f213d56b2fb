//! Writing so that a power cut leaves either the old or the new.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use crate::fault::Faults;

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Replaces a file by content under a temporary name.
pub(crate) fn replace(path: &Path, content: &[u8], faults: &Faults) -> io::Result<()> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    };
    let mut temporary = name.to_owned();
    temporary.push(".new");
    let temporary = folder.join(temporary);
    faults.point()?;
    let mut file = File::create(&temporary)?;
    faults.point()?;
    file.write_all(content)?;
    faults.point()?;
    file.sync_all()?;
    faults.point()?;
    std::fs::rename(&temporary, path)?;
    faults.point()?;
    sync_folder(folder)
}

/// The error with the path it is about.
pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> io::Error + '_ {
    move |error| io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

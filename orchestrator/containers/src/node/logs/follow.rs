//! What is written to a log from now on, across its rotations.

use std::fs::{self, File};
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{self, CreateFlags, Reader, WatchFlags};
use rustix::io::Errno;

use crate::node::sys::Watched;

/// Rings when something changes in the folder of a log.
#[derive(Debug)]
pub(super) struct Watch(Watched);

impl Watch {
    pub(super) fn new(log: &Path) -> io::Result<Self> {
        let folder = log.parent().ok_or(io::ErrorKind::InvalidInput)?;
        let watch = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let flags = WatchFlags::CREATE | WatchFlags::MODIFY | WatchFlags::MOVED_FROM | WatchFlags::MOVED_TO;
        inotify::add_watch(&watch, folder, flags | WatchFlags::DELETE_SELF)?;
        Ok(Self(Watched::new(watch)?))
    }

    /// Waits for the next change; all changes until then are one.
    pub(super) async fn rung(&mut self) -> io::Result<()> {
        let mut ready = self.0.readable().await?;
        let mut space = [MaybeUninit::uninit(); 4096];
        let mut events = Reader::new(ready.get_inner(), &mut space);
        loop {
            match events.next() {
                Ok(_) => {}
                Err(Errno::AGAIN) => break,
                Err(error) => return Err(error.into()),
            }
        }
        ready.clear_ready();
        Ok(())
    }
}

/// The file that follows on `present`, if the log was rotated since: the next younger one.
pub(super) fn next(log: &Path, present: Option<&File>) -> io::Result<Option<File>> {
    let identity = |metadata: &fs::Metadata| (metadata.dev(), metadata.ino());
    let own = present.map(File::metadata).transpose()?.as_ref().map(identity);
    let is_own = |path: &Path| fs::metadata(path).is_ok_and(|metadata| Some(identity(&metadata)) == own);
    if own.is_some() && is_own(log) {
        return Ok(None);
    }
    let rotated = rotated(log)?;
    let behind = match rotated.iter().position(|path| is_own(path)) {
        Some(at) => rotated.get(at.saturating_add(1)),
        // The present file is gone already, with it perhaps some of the next ones: the oldest is what is left.
        None if own.is_some() => rotated.first(),
        None => None,
    };
    match File::open(behind.map_or(log, PathBuf::as_path)) {
        Ok(file) => Ok(Some(file)),
        // Between a rotation and the first write there is none; its making rings.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// What a log was rotated to, the oldest first. Packed files are not read.
fn rotated(log: &Path) -> io::Result<Vec<PathBuf>> {
    let (Some(folder), Some(name)) = (log.parent(), log.file_name().and_then(|name| name.to_str())) else {
        return Ok(Vec::new());
    };
    let mut found: Vec<PathBuf> = fs::read_dir(folder)?
        .flatten()
        .filter(|entry| {
            let own = entry.file_name();
            let rest = own.to_str().and_then(|own| own.strip_prefix(name)).and_then(|rest| rest.strip_prefix('.'));
            rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()) && !rest.ends_with(".gz"))
        })
        .map(|entry| entry.path())
        .collect();
    found.sort();
    Ok(found)
}

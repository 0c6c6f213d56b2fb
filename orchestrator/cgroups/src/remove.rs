//! Removal, from the deepest group up, bounded in groups, levels and time.

use std::ffi::CStr;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, openat, unlinkat};
use rustix::io::Errno;

use crate::error::{Attempt as _, Error, Result};
use crate::group::Group;
use crate::tree::{NESTED, NESTED_LEVELS};

/// Groups removed at most: those that the kernel lets a pod have, and the pod.
const MOST: usize = NESTED + 1;

/// Passes over a tree in which nobody lives and which still is not gone: somebody else makes groups in it.
const PASSES: usize = 8;

/// How a pass ended.
#[derive(Debug, PartialEq, Eq)]
enum Pass {
    /// Nothing is left.
    Gone,
    /// Some group could not be removed now.
    Busy,
}

impl Group {
    /// Kills everything in the group, waits for the end of the last process, and removes the group with all groups that
    /// the payload made below it. A group that is gone is fine. Read [`Group::memory_events`] before.
    ///
    /// # Errors
    /// Processes do not die within `within` (they hang in the kernel), or [`Group::remove`] fails.
    pub fn destroy(&self, within: Duration) -> Result<()> {
        let begun = Instant::now();
        self.kill()?;
        self.wait_empty(within)?;
        self.remove(within.saturating_sub(begun.elapsed()))
    }

    /// Removes the group and all groups below it, waiting for processes to end but killing none.
    ///
    /// # Errors
    /// There are processes after `within`, or more groups than a payload may have made.
    pub fn remove(&self, within: Duration) -> Result<()> {
        let begun = Instant::now();
        for _ in 0..PASSES {
            if remove_below(self.path())? == Pass::Gone {
                return Ok(());
            }
            self.wait_empty(within.saturating_sub(begun.elapsed()))?;
        }
        Err(Errno::BUSY).attempt("remove", self.path())
    }
}

fn remove_below(path: &Path) -> Result<Pass> {
    let mut left = MOST;
    if let Some(folder) = open(CWD, path).attempt("open", path)? {
        empty(folder.as_fd(), path, NESTED_LEVELS + 1, &mut left)?;
    }
    remove_one(CWD, path).attempt("remove", path)
}

/// Removes everything below an open group. By descriptors, because names of 48 levels are longer than a path may be.
fn empty(folder: BorrowedFd<'_>, top: &Path, levels: usize, left: &mut usize) -> Result<()> {
    for entry in Dir::read_from(folder).attempt("list", top)? {
        let entry = match entry {
            // The group was removed while it was read.
            Err(Errno::NOENT | Errno::NODEV) => return Ok(()),
            outcome => outcome.attempt("list", top)?,
        };
        let name = entry.file_name();
        if entry.file_type() != FileType::Directory || is_dots(name) {
            continue;
        }
        if levels == 0 || *left == 0 {
            return Err(Error::TooMany { path: top.to_owned(), limit: MOST, depth: NESTED_LEVELS });
        }
        *left -= 1;
        if remove_one(folder, name).attempt("remove a group below", top)? == Pass::Gone {
            continue;
        }
        if let Some(child) = open(folder, name).attempt("open a group below", top)? {
            empty(child.as_fd(), top, levels - 1, left)?;
        }
        // If it is still busy, the group above it is, too, and that is told in the end.
        remove_one(folder, name).attempt("remove a group below", top)?;
    }
    Ok(())
}

fn is_dots(name: &CStr) -> bool {
    matches!(name.to_bytes(), b"." | b"..")
}

fn open<P: rustix::path::Arg>(folder: BorrowedFd<'_>, name: P) -> rustix::io::Result<Option<OwnedFd>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    match openat(folder, name, flags, Mode::empty()) {
        Ok(folder) => Ok(Some(folder)),
        Err(Errno::NOENT | Errno::NODEV) => Ok(None),
        Err(error) => Err(error),
    }
}

fn remove_one<P: rustix::path::Arg>(folder: BorrowedFd<'_>, name: P) -> rustix::io::Result<Pass> {
    match unlinkat(folder, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT | Errno::NODEV) => Ok(Pass::Gone),
        Err(Errno::BUSY) => Ok(Pass::Busy),
        Err(error) => Err(error),
    }
}

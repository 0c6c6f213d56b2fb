//! Removes trees of pods. Pods write in them while they run, so no link is followed and no mount point crossed.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, openat, openat2, statat, unlinkat};
use rustix::io::Errno;

/// Removes a folder and all in it; that it is gone already is as good.
///
/// # Errors
/// Something cannot be removed, for example because it is a mount point.
pub fn remove_tree(path: &Path) -> io::Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a root is not removed"));
    };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    match openat(CWD, parent, flags, Mode::empty()) {
        Ok(parent) => remove_at(parent.as_fd(), name),
        Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Removes a file, or a folder and all in it, from an open folder.
pub(crate) fn remove_at(parent: BorrowedFd<'_>, name: &OsStr) -> io::Result<()> {
    let kind = match statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => FileType::from_raw_mode(stat.st_mode),
        Err(Errno::NOENT) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if kind != FileType::Directory {
        return gone(unlinkat(parent, name, AtFlags::empty()));
    }
    // The way down is held as open folders, so that depth costs descriptors and not stack; it has an end for the same
    // reason.
    let mut way = vec![Level::open(parent, name)?];
    while let Some(level) = way.last_mut() {
        let Some(entry) = level.entries.pop() else {
            let done = way.pop().map(|level| level.name).unwrap_or_default();
            let above = way.last().map_or(parent, |level| level.folder.as_fd());
            gone(unlinkat(above, &done, AtFlags::REMOVEDIR))?;
            continue;
        };
        if !entry.is_folder {
            gone(unlinkat(&level.folder, &entry.name, AtFlags::empty()))?;
            continue;
        }
        if way.len() >= DEEPEST {
            return Err(io::Error::other("the tree is too deep to be removed"));
        }
        if let Some(level) = way.last() {
            let inner = Level::open(level.folder.as_fd(), &entry.name)?;
            way.push(inner);
        }
    }
    Ok(())
}

const DEEPEST: usize = 512;

/// A folder on the way down.
struct Level {
    name: OsString,
    folder: OwnedFd,
    entries: Vec<Entry>,
}

struct Entry {
    name: OsString,
    is_folder: bool,
}

impl Level {
    fn open(parent: BorrowedFd<'_>, name: &OsStr) -> io::Result<Self> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = openat2(parent, name, flags, Mode::empty(), resolve).map_err(|error| {
            let why = if error == Errno::XDEV { "something is mounted on it" } else { "it cannot be opened" };
            io::Error::new(io::Error::from(error).kind(), format!("{}: {why}: {error}", name.display()))
        })?;
        let mut entries = Vec::new();
        for entry in Dir::read_from(&folder)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes()).to_owned();
            if name == "." || name == ".." {
                continue;
            }
            let kind = match entry.file_type() {
                FileType::Unknown => {
                    FileType::from_raw_mode(statat(&folder, &name, AtFlags::SYMLINK_NOFOLLOW)?.st_mode)
                }
                kind => kind,
            };
            entries.push(Entry { name, is_folder: kind == FileType::Directory });
        }
        Ok(Self { name: name.to_owned(), folder, entries })
    }
}

fn gone(outcome: rustix::io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(Errno::NOENT) => Ok(()),
        outcome => Ok(outcome?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn links_are_not_followed() {
        let scratch = tempfile::tempdir().unwrap();
        let kept = scratch.path().join("kept");
        fs::create_dir(&kept).unwrap();
        fs::write(kept.join("file"), "x").unwrap();
        let tree = scratch.path().join("tree");
        fs::create_dir_all(tree.join("a/b/c")).unwrap();
        fs::write(tree.join("a/b/file"), "x").unwrap();
        std::os::unix::fs::symlink(&kept, tree.join("a/link")).unwrap();
        std::os::unix::fs::symlink(&kept, scratch.path().join("outer")).unwrap();
        remove_tree(&tree).unwrap();
        remove_tree(&tree).unwrap();
        remove_tree(&scratch.path().join("outer")).unwrap();
        remove_tree(&scratch.path().join("none/none")).unwrap();
        assert!(!tree.exists() && kept.join("file").exists());
        assert!(remove_tree(Path::new("/")).is_err());
    }

    #[test]
    fn a_tree_without_end_is_refused() {
        let scratch = tempfile::tempdir().unwrap();
        let mut folder = openat(CWD, scratch.path(), OFlags::DIRECTORY, Mode::empty()).unwrap();
        for _ in 0..DEEPEST + 2 {
            rustix::fs::mkdirat(&folder, "d", Mode::from_raw_mode(0o755)).unwrap();
            folder = openat(&folder, "d", OFlags::DIRECTORY, Mode::empty()).unwrap();
        }
        let error = remove_tree(&scratch.path().join("d")).unwrap_err();
        assert!(error.to_string().contains("too deep"), "{error}");
    }
}

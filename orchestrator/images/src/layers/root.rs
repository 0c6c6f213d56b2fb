//! A folder out of which no path leads: every look-up goes through the kernel's `RESOLVE_IN_ROOT`, so that symbolic
//! links and `..` end at the folder, whatever a layer has put there before.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, Stat, XattrFlags};
use rustix::io::Errno;

/// How often a look-up is tried that the kernel ends because of a rename elsewhere in the system.
const TRIES: usize = 64;

/// A folder out of which no path leads.
#[derive(Debug)]
pub(super) struct Root(OwnedFd);

/// Mode, owner and group of a folder.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owned {
    pub(super) mode: u32,
    pub(super) owner: (u32, u32),
}

impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Root {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        Ok(Self(rustix::fs::openat(CWD, path, flags, Mode::empty())?))
    }

    /// Opens the folder at `path`, following links inside.
    pub(super) fn folder(&self, path: &[u8]) -> Result<OwnedFd, Errno> {
        let path = if path.is_empty() { b"." } else { path };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut tries = 0;
        loop {
            let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
            match rustix::fs::openat2(&self.0, path, flags, Mode::empty(), resolve) {
                Err(Errno::AGAIN | Errno::INTR) if tries < TRIES => tries += 1,
                other => return other,
            }
        }
    }

    /// Opens the folder at `path` and makes those on the way that are missing, as the layers below have them.
    pub(super) fn make_folder(&self, path: &[u8], below: &[Self]) -> Result<OwnedFd, Errno> {
        match self.folder(path) {
            Err(Errno::NOENT) => {}
            other => return other,
        }
        let mut current = self.folder(b"")?;
        let mut end = 0;
        for component in path.split(|byte| *byte == b'/') {
            end += component.len();
            let so_far = path.get(..end).unwrap_or(path);
            end += 1;
            current = match self.folder(so_far) {
                Err(Errno::NOENT) => {
                    // Where a link leads to nothing, this fails: what it means is not in this layer.
                    rustix::fs::mkdirat(&current, component, Mode::from(0o755))?;
                    let made = self.folder(so_far)?;
                    if let Some(owned) = looks_below(so_far, below) {
                        set_owned(&made, owned)?;
                    }
                    made
                }
                other => other?,
            };
        }
        Ok(current)
    }

    /// Mode and owner of the folder itself.
    pub(super) fn owned(&self) -> Result<Owned, Errno> {
        rustix::fs::fstat(&self.0).map(|stat| owned(&stat))
    }
}

/// Mode and owner of the folder at `path` in the highest layer that has something there.
fn looks_below(path: &[u8], below: &[Root]) -> Option<Owned> {
    for root in below {
        match root.folder(path) {
            Ok(folder) => return rustix::fs::fstat(&folder).ok().map(|stat| owned(&stat)),
            Err(Errno::NOENT) => {}
            Err(_) => return None,
        }
    }
    None
}

fn owned(stat: &Stat) -> Owned {
    Owned { mode: stat.st_mode & 0o7777, owner: (stat.st_uid, stat.st_gid) }
}

/// Sets owner, group and mode; the mode last, because a change of owner clears setuid bits.
pub(super) fn set_owned(file: impl AsFd, owned: Owned) -> Result<(), Errno> {
    let (user, group) = ids(owned.owner);
    rustix::fs::fchown(&file, Some(user), Some(group))?;
    rustix::fs::fchmod(&file, Mode::from(owned.mode & 0o7777))
}

pub(super) fn ids(owner: (u32, u32)) -> (rustix::fs::Uid, rustix::fs::Gid) {
    (rustix::fs::Uid::from_raw(owner.0), rustix::fs::Gid::from_raw(owner.1))
}

/// What stands under `name`, links not followed.
pub(super) fn status(folder: &OwnedFd, name: &[u8]) -> Result<Option<Stat>, Errno> {
    match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether this is what overlayfs takes for "nothing is here".
pub(super) fn is_whiteout(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0
}

pub(super) fn is_folder(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}

/// Makes a whiteout of overlayfs.
pub(super) fn make_whiteout(folder: &OwnedFd, name: &[u8]) -> Result<(), Errno> {
    rustix::fs::mknodat(folder, name, FileType::CharacterDevice, Mode::empty(), rustix::fs::makedev(0, 0))
}

/// Hides what the layers below have in a folder.
pub(super) fn make_opaque(folder: impl AsFd) -> Result<(), Errno> {
    rustix::fs::fsetxattr(folder, "trusted.overlay.opaque", b"y", XattrFlags::empty())
}

/// Removes whatever stands under `name`, with all below it.
pub(super) fn remove(folder: &OwnedFd, name: &[u8]) -> Result<(), Errno> {
    match rustix::fs::unlinkat(folder, name, AtFlags::empty()) {
        Err(Errno::ISDIR | Errno::PERM) => {}
        other => return other,
    }
    // Folders are emptied without recursion in this program, because a layer decides how deep they are.
    let mut above: Vec<(OwnedFd, Vec<u8>)> = Vec::new();
    let mut here = open_below(folder.as_fd(), name)?;
    let mut own = name.to_vec();
    loop {
        match empty_once(&here)? {
            Some(child) => {
                let next = open_below(here.as_fd(), &child)?;
                above.push((std::mem::replace(&mut here, next), std::mem::replace(&mut own, child)));
            }
            None => match above.pop() {
                Some((parent, parent_name)) => {
                    rustix::fs::unlinkat(&parent, own.as_slice(), AtFlags::REMOVEDIR)?;
                    (here, own) = (parent, parent_name);
                }
                None => return rustix::fs::unlinkat(folder, own.as_slice(), AtFlags::REMOVEDIR),
            },
        }
    }
}

fn open_below(folder: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    rustix::fs::openat(folder, name, flags, Mode::empty())
}

/// Removes files of a folder until it meets a folder that is not empty, whose name it returns.
fn empty_once(folder: &OwnedFd) -> Result<Option<Vec<u8>>, Errno> {
    for entry in rustix::fs::Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if matches!(name, b"." | b"..") {
            continue;
        }
        match rustix::fs::unlinkat(folder, name, AtFlags::empty()) {
            Ok(()) => {}
            Err(Errno::ISDIR | Errno::PERM) => match rustix::fs::unlinkat(folder, name, AtFlags::REMOVEDIR) {
                Ok(()) => {}
                Err(Errno::NOTEMPTY) => return Ok(Some(name.to_vec())),
                Err(error) => return Err(error),
            },
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

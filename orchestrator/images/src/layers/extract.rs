//! From the entries of a tar to files, with whiteouts as overlayfs wants them.

use std::fs::File;
use std::io::{Read, Seek as _, SeekFrom, Write as _};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT, XattrFlags};
use rustix::io::Errno;

use super::reader::{Entry, Kind, Reader, Run};
use super::root::{Owned, Root, ids, is_folder, is_whiteout, make_opaque, make_whiteout, remove, set_owned, status};
use super::{Error, Limits};

/// Starts the name of a file that says another is gone.
const WHITEOUT: &[u8] = b".wh.";
/// Says that the folder hides all below.
const OPAQUE: &[u8] = b".wh..wh..opq";
/// Starts names that a union file system used for itself.
const INTERNAL: &[u8] = b".wh..wh.";
/// Bytes of folder names that are kept for setting times at the end.
const KEPT_NAMES: usize = 64 << 20;

/// Unpacks all entries into `root`; `below` are the layers under it, topmost first.
pub(super) fn extract<R: Read>(
    reader: &mut Reader<R>,
    root: &Root,
    below: &[Root],
    limits: Limits,
) -> Result<(), Error> {
    if let Some(top) = below.first() {
        // The root folder of the topmost layer is the one a container sees.
        let owned = top.owned().map_err(|errno| Error::Entry(".".to_owned(), errno))?;
        set_owned(root, owned).map_err(|errno| Error::Entry(".".to_owned(), errno))?;
    }
    let mut folders: Vec<(Vec<u8>, (i64, u32))> = Vec::new();
    let (mut entries, mut kept) = (0, 0);
    let mut bytes = limits.bytes;
    while let Some(mut entry) = reader.next()? {
        entries += 1;
        if entries > limits.entries {
            return Err(Error::Entries(limits.entries));
        }
        bytes = bytes.checked_sub(entry.size).ok_or(Error::Bytes(limits.bytes))?;
        let path = normal(&entry.path, limits)?;
        entry.path = path;
        if entry.kind == Kind::Directory {
            kept += entry.path.len() + 32;
            if kept > KEPT_NAMES {
                return Err(Error::Entries(limits.entries));
            }
            folders.push((entry.path.clone(), entry.modified));
        }
        if entry.kind == Kind::HardLink {
            entry.link = normal(&entry.link, limits)?;
        }
        one(reader, &entry, root, below)?;
    }
    // Each file that comes into a folder changes its time, so times come last, inner folders first.
    for (path, modified) in folders.iter().rev() {
        match root.folder(path).and_then(|folder| rustix::fs::futimens(&folder, &times(*modified))) {
            Ok(()) | Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
            Err(errno) => return Err(Error::Entry(shown(path), errno)),
        }
    }
    Ok(())
}

/// The path without `.` and leading slashes. A layer's own `..` is refused: no tool writes it, and it has no use.
fn normal(path: &[u8], limits: Limits) -> Result<Vec<u8>, Error> {
    let refuse = |why| Err(Error::Path(shown(path), why));
    if path.len() > limits.path {
        return refuse("path is too long");
    }
    if path.contains(&0) {
        return refuse("path has a zero byte");
    }
    let components: Vec<&[u8]> =
        path.split(|byte| *byte == b'/').filter(|component| !matches!(*component, b"" | b".")).collect();
    if components.contains(&b"..".as_slice()) {
        return refuse("path leads out of its folder");
    }
    if components.len() > limits.depth {
        return refuse("path is too deep");
    }
    Ok(components.join(&b'/'))
}

fn one<R: Read>(reader: &mut Reader<R>, entry: &Entry, root: &Root, below: &[Root]) -> Result<(), Error> {
    let errno = |errno| Error::Entry(shown(&entry.path), errno);
    if entry.path.is_empty() {
        return match entry.kind {
            Kind::Directory => describe_folder(root, entry).map_err(errno),
            _ => Err(Error::Path(String::new(), "the root is a folder")),
        };
    }
    let split = entry.path.iter().rposition(|byte| *byte == b'/');
    let (parent, name) = match split {
        Some(at) => (entry.path.get(..at).unwrap_or_default(), entry.path.get(at + 1..).unwrap_or_default()),
        None => (b"".as_slice(), entry.path.as_slice()),
    };
    let folder = root.make_folder(parent, below).map_err(errno)?;
    if name == OPAQUE {
        return make_opaque(&folder).map_err(errno);
    }
    if name.starts_with(INTERNAL) {
        return Ok(());
    }
    if let Some(gone) = name.strip_prefix(WHITEOUT) {
        if matches!(gone, b"" | b"." | b"..") {
            return Err(Error::Path(shown(&entry.path), "whiteout of no file"));
        }
        return whiteout(&folder, gone).map_err(errno);
    }
    place(reader, entry, root, &folder, name)
}

/// Says that the layers below have nothing under this name. What this layer put there itself stays, as the image
/// format wants it.
fn whiteout(folder: &OwnedFd, name: &[u8]) -> Result<(), Errno> {
    match status(folder, name)? {
        None => make_whiteout(folder, name),
        Some(stat) if is_folder(&stat) => make_opaque(&open_folder(folder, name)?),
        Some(_) => Ok(()),
    }
}

fn place<R: Read>(
    reader: &mut Reader<R>,
    entry: &Entry,
    root: &Root,
    folder: &OwnedFd,
    name: &[u8],
) -> Result<(), Error> {
    let errno = |errno| Error::Entry(shown(&entry.path), errno);
    // The target is looked up first: a link to itself is no reason to remove it.
    let target = match entry.kind {
        Kind::HardLink if entry.link == entry.path => return Ok(()),
        Kind::HardLink => Some(link_target(root, &entry.link).map_err(errno)?),
        _ => None,
    };
    let mut hides = false;
    if let Some(stat) = status(folder, name).map_err(errno)? {
        if is_folder(&stat) && entry.kind == Kind::Directory {
            return describe_folder(open_folder(folder, name).map_err(errno)?, entry).map_err(errno);
        }
        hides = is_whiteout(&stat);
        remove(folder, name).map_err(errno)?;
    }
    let private = Mode::from(0o600);
    match entry.kind {
        Kind::Directory => {
            rustix::fs::mkdirat(folder, name, Mode::from(0o700)).map_err(errno)?;
            let made = open_folder(folder, name).map_err(errno)?;
            if hides {
                make_opaque(&made).map_err(errno)?;
            }
            describe_folder(made, entry).map_err(errno)
        }
        Kind::File => {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let file = rustix::fs::openat(folder, name, flags, private).map_err(errno)?;
            let mut file = File::from(file);
            write(reader, entry, &mut file)?;
            describe(&file, entry).map_err(errno)
        }
        Kind::HardLink => {
            let (from, old) = target.ok_or_else(|| errno(Errno::NOENT))?;
            rustix::fs::linkat(&from, old.as_slice(), folder, name, AtFlags::empty()).map_err(errno)
        }
        Kind::Symlink => {
            rustix::fs::symlinkat(entry.link.as_slice(), folder, name).map_err(errno)?;
            describe_name(folder, name, entry).map_err(errno)
        }
        Kind::Character | Kind::Block | Kind::Fifo => {
            let kind = match entry.kind {
                Kind::Character => FileType::CharacterDevice,
                Kind::Block => FileType::BlockDevice,
                _ => FileType::Fifo,
            };
            let device = rustix::fs::makedev(entry.device.0, entry.device.1);
            rustix::fs::mknodat(folder, name, kind, private, device).map_err(errno)?;
            describe_name(folder, name, entry).map_err(errno)?;
            rustix::fs::chmodat(folder, name, Mode::from(entry.mode & 0o7777), AtFlags::empty()).map_err(errno)
        }
    }
}

/// The folder and the name that a hard link leads to.
fn link_target(root: &Root, path: &[u8]) -> Result<(OwnedFd, Vec<u8>), Errno> {
    let (parent, name) = match path.iter().rposition(|byte| *byte == b'/') {
        Some(at) => (path.get(..at).unwrap_or_default(), path.get(at + 1..).unwrap_or_default()),
        None => (b"".as_slice(), path),
    };
    let folder = root.folder(parent)?;
    match status(&folder, name)? {
        Some(stat) if !is_folder(&stat) => Ok((folder, name.to_vec())),
        Some(_) => Err(Errno::PERM),
        None => Err(Errno::NOENT),
    }
}

fn open_folder(folder: &OwnedFd, name: &[u8]) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(folder, name, flags, Mode::empty())
}

/// Writes the data of an entry; holes stay holes.
fn write<R: Read>(reader: &mut Reader<R>, entry: &Entry, file: &mut File) -> Result<(), Error> {
    let whole = [Run { offset: 0, length: entry.size }];
    let mut buffer = vec![0; 64 * 1024];
    for run in entry.sparse.as_deref().unwrap_or(&whole) {
        if entry.sparse.is_some() {
            file.seek(SeekFrom::Start(run.offset))?;
        }
        let mut left = run.length;
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
            let count = reader.read_data(buffer.get_mut(..most).unwrap_or_default())?;
            let piece = buffer.get(..count).filter(|piece| !piece.is_empty()).ok_or(Error::Tar("unexpected EOF"))?;
            file.write_all(piece).map_err(|error| with_path(entry, error))?;
            left = left.saturating_sub(count as u64);
        }
    }
    if entry.sparse.is_some() {
        file.set_len(entry.size).map_err(|error| with_path(entry, error))?;
    }
    Ok(())
}

fn with_path(entry: &Entry, error: std::io::Error) -> Error {
    match Errno::from_io_error(&error) {
        Some(errno) => Error::Entry(shown(&entry.path), errno),
        None => Error::Io(error),
    }
}

fn describe_folder(folder: impl AsFd, entry: &Entry) -> Result<(), Errno> {
    set_owned(&folder, Owned { mode: entry.mode, owner: entry.owner })?;
    set_attributes(&folder, entry)
}

fn describe(file: impl AsFd, entry: &Entry) -> Result<(), Errno> {
    describe_folder(&file, entry)?;
    rustix::fs::futimens(&file, &times(entry.modified))
}

/// Owner and time of what cannot be opened without an effect.
fn describe_name(folder: &OwnedFd, name: &[u8], entry: &Entry) -> Result<(), Errno> {
    let (user, group) = ids(entry.owner);
    rustix::fs::chownat(folder, name, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW)?;
    rustix::fs::utimensat(folder, name, &times(entry.modified), AtFlags::SYMLINK_NOFOLLOW)
}

/// Attributes that an image may set. Those of overlayfs, of security modules and access lists are the node's own.
fn set_attributes(file: impl AsFd, entry: &Entry) -> Result<(), Errno> {
    for (name, value) in &entry.attributes {
        let user = name.starts_with(b"user.") && !name.starts_with(b"user.overlay.");
        if name != b"security.capability" && !user {
            continue;
        }
        match rustix::fs::fsetxattr(&file, name.as_slice(), value, XattrFlags::empty()) {
            // A file system without user attributes still serves the image.
            Err(Errno::NOTSUP) if user => {}
            other => other?,
        }
    }
    Ok(())
}

/// Sets the time of change and leaves that of use alone.
fn times(modified: (i64, u32)) -> Timestamps {
    Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec { tv_sec: modified.0, tv_nsec: modified.1.into() },
    }
}

/// A path for a message.
fn shown(path: &[u8]) -> String {
    const MOST: usize = 256;
    String::from_utf8_lossy(path.get(..MOST).unwrap_or(path)).into_owned()
}

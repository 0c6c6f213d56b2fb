//! Writes the files of a volume so that whoever reads sees all of the old or all of the new ones.
//!
//! As the kubelet does: the files lie in a folder with a time in its name, `..data` is a link to it that is replaced by
//! rename, and each name in the volume is a link through `..data`.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use coracle_apimachinery::time::{Instant, Precision};
use rustix::fs::{
    CWD, Dir, Gid, Mode, OFlags, ResolveFlags, Uid, fchmod, fchown, mkdirat, openat, openat2, readlinkat, renameat,
    symlinkat,
};
use rustix::io::Errno;

use super::remove::remove_at;

const DATA: &str = "..data";
const DATA_NEW: &str = "..data_tmp";
const LONGEST_PATH: usize = 4096;
const LONGEST_NAME: usize = 255;

/// A file to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// What is in it.
    pub content: Vec<u8>,
    /// Its permissions.
    pub mode: u32,
    /// Whose it is, if not root's.
    pub owner: Option<u32>,
}

/// Files by their paths in the volume.
pub type Files = BTreeMap<String, File>;

/// Makes these the files of the volume in `folder`, which is there. Says whether anything had to be changed. With a
/// `group`, it gets to read everything.
///
/// # Errors
/// A path leads out of the volume, or the file system refuses.
pub fn write(folder: &Path, files: &Files, group: Option<u32>, now: Instant) -> io::Result<bool> {
    for path in files.keys() {
        check(path).map_err(|message| io::Error::new(io::ErrorKind::InvalidInput, message))?;
    }
    let volume = openat(CWD, folder, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let old = present(&volume)?;
    if let Some(old) = &old
        && is_same(volume.as_fd(), old, files)
    {
        // What was interrupted behind the exchange is made up for.
        link(volume.as_fd(), files)?;
        return Ok(false);
    }
    let new = make_folder(volume.as_fd(), now)?;
    if let Err(error) = fill(volume.as_fd(), &new, files, group) {
        // The first failure is the one to be told.
        let _ = remove_at(volume.as_fd(), OsStr::new(&new));
        return Err(error);
    }
    remove_at(volume.as_fd(), OsStr::new(DATA_NEW))?;
    symlinkat(&*new, &volume, DATA_NEW)?;
    renameat(&volume, DATA_NEW, &volume, DATA)?;
    link(volume.as_fd(), files)?;
    clean(volume.as_fd(), files, &new)?;
    Ok(true)
}

/// What the kubelet refuses as a path in a volume.
fn check(path: &str) -> Result<(), String> {
    if path.is_empty() {
        return Err(format!("invalid path: must not be empty: {path:?}"));
    }
    if path.starts_with('/') {
        return Err(format!("invalid path: must be relative path: {path}"));
    }
    if path.len() > LONGEST_PATH {
        return Err(format!("invalid path: must be less than or equal to {LONGEST_PATH} characters"));
    }
    for item in path.split('/') {
        if item == ".." {
            return Err(format!("invalid path: must not contain '..': {path}"));
        }
        if item.len() > LONGEST_NAME {
            return Err(format!("invalid path: filenames must be less than or equal to {LONGEST_NAME} characters"));
        }
        if item.is_empty() || item == "." || item.contains('\0') {
            return Err(format!("invalid path: {path:?}"));
        }
    }
    if path.starts_with("..") {
        return Err(format!("invalid path: must not start with '..': {path}"));
    }
    Ok(())
}

/// The name of the folder that `..data` leads to.
fn present(volume: &OwnedFd) -> io::Result<Option<String>> {
    match readlinkat(volume, DATA, Vec::new()) {
        Ok(target) => Ok(target.into_string().ok().filter(|target| is_own(target))),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whether a name is that of a folder which this module makes.
fn is_own(name: &str) -> bool {
    name.strip_prefix("..").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit())) && !name.contains('/')
}

/// Whether the folder has these files with these contents and no others.
fn is_same(volume: BorrowedFd<'_>, folder: &str, files: &Files) -> bool {
    let wanted: BTreeSet<&str> = files.keys().map(|path| top(path)).collect();
    let Ok(names) = names(volume, folder) else { return false };
    let found: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    wanted == found
        && files.iter().all(|(path, file)| content(volume, &format!("{folder}/{path}"), file.content.len()).as_deref() == Some(&*file.content))
        // A path below a folder can have gone as well; the sum tells.
        && count(volume, folder, 0).is_some_and(|count| count == files.len())
}

fn content(volume: BorrowedFd<'_>, path: &str, expected: usize) -> Option<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat2(volume, path, flags, Mode::empty(), ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS).ok()?;
    let mut bytes = Vec::with_capacity(expected.saturating_add(1));
    let limit = u64::try_from(expected).ok()?.checked_add(1)?;
    std::fs::File::from(file).take(limit).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

fn open_folder(at: BorrowedFd<'_>, path: &str) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(openat2(at, path, flags, Mode::empty(), ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS)?)
}

fn names(at: BorrowedFd<'_>, path: &str) -> io::Result<Vec<String>> {
    let folder = open_folder(at, path)?;
    let mut names = Vec::new();
    for entry in Dir::read_from(&folder)? {
        let name = String::from_utf8_lossy(entry?.file_name().to_bytes()).into_owned();
        if name != "." && name != ".." {
            names.push(name);
        }
    }
    Ok(names)
}

/// How many files lie below a folder; none if it cannot be told.
fn count(at: BorrowedFd<'_>, path: &str, depth: usize) -> Option<usize> {
    let mut sum = 0_usize;
    for name in names(at, path).ok()? {
        let inner = format!("{path}/{name}");
        let below = if depth < LONGEST_NAME { count(at, &inner, depth + 1) } else { None };
        sum = sum.checked_add(below.unwrap_or(1))?;
    }
    Some(sum)
}

fn make_folder(volume: BorrowedFd<'_>, now: Instant) -> io::Result<String> {
    let time: String = now.print(Precision::Seconds).chars().filter_map(file_letter).collect();
    for number in now.micros..now.micros.saturating_add(1000) {
        let name = format!("..{time}.{number:09}");
        match mkdirat(volume, &*name, Mode::from_raw_mode(0o755)) {
            Ok(()) => {
                // The process may have a mask of its own.
                fchmod(open_folder(volume, &name)?, Mode::from_raw_mode(0o755))?;
                return Ok(name);
            }
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "no name is free for the new files"))
}

fn file_letter(c: char) -> Option<char> {
    match c {
        '-' | ':' | 'T' => Some('_'),
        'Z' => None,
        other => Some(other),
    }
}

/// The part of a path in front of the first slash.
fn top(path: &str) -> &str {
    path.split('/').next().unwrap_or(path)
}

fn fill(volume: BorrowedFd<'_>, name: &str, files: &Files, group: Option<u32>) -> io::Result<()> {
    let folder = open_folder(volume, name)?;
    if let Some(group) = group {
        give_folder(folder.as_fd(), group)?;
    }
    for (path, file) in files {
        let (folders, base) = path.rsplit_once('/').unwrap_or(("", path));
        let mut parent = open_folder(folder.as_fd(), ".")?;
        for inner in folders.split('/').filter(|inner| !inner.is_empty()) {
            match mkdirat(&parent, inner, Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
            let child = open_folder(parent.as_fd(), inner)?;
            if let Some(group) = group {
                give_folder(child.as_fd(), group)?;
            }
            parent = child;
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut out = std::fs::File::from(openat(&parent, base, flags, Mode::from_raw_mode(0o600))?);
        out.write_all(&file.content)?;
        let owner = file.owner.map(Uid::from_raw);
        if owner.is_some() || group.is_some() {
            fchown(&out, owner, group.map(Gid::from_raw))?;
        }
        let readable = if group.is_some() { 0o440 } else { 0 };
        fchmod(&out, Mode::from_raw_mode(file.mode & 0o7777 | readable))?;
    }
    Ok(())
}

fn give_folder(folder: BorrowedFd<'_>, group: u32) -> io::Result<()> {
    fchown(folder, None, Some(Gid::from_raw(group)))?;
    Ok(fchmod(folder, Mode::from_raw_mode(0o2755))?)
}

/// Puts the links to the files into the volume.
fn link(volume: BorrowedFd<'_>, files: &Files) -> io::Result<()> {
    let tops: BTreeSet<&str> = files.keys().map(|path| top(path)).collect();
    for name in tops {
        match symlinkat(format!("{DATA}/{name}"), volume, name) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Removes links to files that are no more, and folders of before.
fn clean(volume: BorrowedFd<'_>, files: &Files, present: &str) -> io::Result<()> {
    let tops: BTreeSet<&str> = files.keys().map(|path| top(path)).collect();
    for name in names(volume, ".")? {
        let outdated = if is_own(&name) {
            name != present
        } else {
            name != DATA
                && !tops.contains(&*name)
                && readlinkat(volume, &*name, Vec::new())
                    .is_ok_and(|target| target.to_bytes() == format!("{DATA}/{name}").as_bytes())
        };
        if outdated {
            remove_at(volume, OsStr::from_bytes(name.as_bytes()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn files(list: &[(&str, &str)]) -> Files {
        let file = |content: &str| File { content: content.into(), mode: 0o640, owner: None };
        list.iter().map(|(path, content)| ((*path).to_owned(), file(content))).collect()
    }

    fn now(seconds: i64) -> Instant {
        Instant::new(seconds, 7).unwrap()
    }

    fn listing(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn an_update_is_seen_through_an_open_folder() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path();
        // As a container has it that was started before the update.
        let seen = openat(CWD, folder, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap();
        let read = |path: &str| {
            let file = openat(&seen, path, OFlags::RDONLY, Mode::empty());
            file.map(|file| std::io::read_to_string(fs::File::from(file)).unwrap()).ok()
        };
        assert!(write(folder, &files(&[("a", "1"), ("d/e", "2"), ("d/f", "x")]), None, now(0)).unwrap());
        assert_eq!((read("a"), read("d/e")), (Some("1".into()), Some("2".into())));
        assert_eq!(listing(folder), ["..1970_01_01_00_00_00.000000007", "..data", "a", "d"]);
        assert_eq!(fs::metadata(folder.join("a")).unwrap().permissions().mode() & 0o7777, 0o640);
        let open = openat(&seen, "a", OFlags::RDONLY, Mode::empty()).unwrap();
        assert!(!write(folder, &files(&[("a", "1"), ("d/e", "2"), ("d/f", "x")]), None, now(1)).unwrap());
        assert!(write(folder, &files(&[("a", "3"), ("d/e", "2"), ("g", "")]), None, now(2)).unwrap());
        assert_eq!(
            (read("a"), read("d/e"), read("d/f"), read("g")),
            (Some("3".into()), Some("2".into()), None, Some("".into()))
        );
        assert_eq!(std::io::read_to_string(fs::File::from(open)).unwrap(), "1", "who reads goes on reading the old");
        assert!(write(folder, &files(&[("g", "")]), None, now(3)).unwrap());
        assert_eq!(listing(folder), ["..1970_01_01_00_00_03.000000007", "..data", "g"]);
        assert!(write(folder, &files(&[]), None, now(3)).unwrap());
        assert_eq!(listing(folder), ["..1970_01_01_00_00_03.000000008", "..data"]);
    }

    #[test]
    fn what_was_interrupted_is_made_up_for() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path();
        write(folder, &files(&[("a", "1")]), None, now(0)).unwrap();
        fs::create_dir_all(folder.join("..1999_x/y")).unwrap();
        std::os::unix::fs::symlink("..none", folder.join("..data_tmp")).unwrap();
        fs::remove_file(folder.join("a")).unwrap();
        assert!(!write(folder, &files(&[("a", "1")]), None, now(1)).unwrap());
        assert_eq!(fs::read_to_string(folder.join("a")).unwrap(), "1");
        assert!(write(folder, &files(&[("a", "2")]), None, now(2)).unwrap());
        assert_eq!(listing(folder), ["..1970_01_01_00_00_02.000000007", "..data", "a"]);
    }

    #[test]
    fn paths_stay_inside() {
        let scratch = tempfile::tempdir().unwrap();
        let cases = [
            ("", "invalid path: must not be empty: \"\""),
            ("/a", "invalid path: must be relative path: /a"),
            ("a/../b", "invalid path: must not contain '..': a/../b"),
            ("..a", "invalid path: must not start with '..': ..a"),
            ("a//b", "invalid path: \"a//b\""),
            ("a\0", "invalid path: \"a\\0\""),
        ];
        for (path, want) in cases {
            let error = write(scratch.path(), &files(&[(path, "")]), None, now(0)).unwrap_err();
            assert_eq!(error.to_string(), want);
        }
        assert!(listing(scratch.path()).is_empty());
        let both = files(&[("a", ""), ("a/b", "")]);
        assert!(write(scratch.path(), &both, None, now(0)).is_err());
        assert!(listing(scratch.path()).is_empty(), "nothing is left of a failure");
    }
}

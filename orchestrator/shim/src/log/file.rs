//! One log file: appended to, rotated by size, never synchronised to the disk on purpose.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use coracle_shim_protocol::message::Rotate;

use crate::clock;

/// Nanoseconds of one second.
const SECOND: u64 = 1_000_000_000;

/// An open log.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    file: File,
    size: u64,
    /// Rotated above this size. Raised when a rotation failed, so that it is not tried with every write.
    limit: u64,
    rotate: Rotate,
    /// The last write ended in the middle of an entry.
    partial: bool,
    /// The rest of such an entry was given up.
    torn: bool,
}

impl LogFile {
    /// Opens or makes the file.
    pub(super) fn open(path: &Path, rotate: Rotate) -> io::Result<Self> {
        let file = open(path)?;
        let size = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), file, size, limit: rotate.bytes, rotate, partial: false, torn: false })
    }

    /// Opens the path anew, after somebody renamed the file.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        *self = Self::open(&self.path, self.rotate)?;
        Ok(())
    }

    /// Writes whole entries. What could not be written stays in `entries`.
    pub(super) fn write(&mut self, entries: &mut Vec<u8>) -> io::Result<()> {
        if self.torn && !entries.is_empty() {
            self.file.write_all(b"\n")?;
            (self.torn, self.partial) = (false, false);
        }
        if self.size > 0 && self.size.saturating_add(length(entries)) > self.limit {
            self.turn();
        }
        let mut done = 0;
        let outcome = loop {
            match entries.get(done..).filter(|rest| !rest.is_empty()) {
                None => break Ok(()),
                Some(rest) => match self.file.write(rest) {
                    Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                    Ok(written) => done = done.saturating_add(written),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => break Err(error),
                },
            }
        };
        self.size = self.size.saturating_add(u64::try_from(done).unwrap_or(u64::MAX));
        if let Some(last) = done.checked_sub(1).and_then(|last| entries.get(last)) {
            self.partial = *last != b'\n';
        }
        entries.drain(..done.min(entries.len()));
        outcome
    }

    /// What could not be written is given up; the next write starts a new line.
    pub(super) const fn tear(&mut self) {
        self.torn |= self.partial;
    }

    /// Removes the oldest rotated file to make room; says whether there was one.
    pub(super) fn sacrifice(&self) -> bool {
        self.rotated().first().is_some_and(|oldest| fs::remove_file(oldest).is_ok())
    }

    /// Renames the file and begins a new one. A failure only means that the file grows on.
    fn turn(&mut self) {
        let turned = self.keep().and_then(|()| open(&self.path));
        match turned {
            Ok(file) => (self.file, self.size, self.limit) = (file, 0, self.rotate.bytes),
            Err(_) => self.limit = self.size.saturating_add(self.rotate.bytes.max(1 << 16)),
        }
    }

    fn keep(&self) -> io::Result<()> {
        // The file written to and the one about to be renamed count too.
        let keep = usize::try_from(self.rotate.files.max(2)).unwrap_or(usize::MAX).saturating_sub(2);
        let rotated = self.rotated();
        for old in rotated.iter().take(rotated.len().saturating_sub(keep)) {
            fs::remove_file(old)?;
        }
        if self.rotate.files < 2 {
            return fs::remove_file(&self.path);
        }
        // Two rotations in a second: the later name must still be free and sort behind.
        let mut time = clock::now();
        let newest = rotated.last().cloned().unwrap_or_default();
        for _ in 0..100_000 {
            let name = self.sibling(&clock::suffix(time));
            if newest < name {
                return fs::rename(&self.path, name);
            }
            time = time.saturating_add(SECOND);
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    fn sibling(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(".");
        name.push(suffix);
        PathBuf::from(name)
    }

    /// The rotated files, oldest first; compressed ones too.
    fn rotated(&self) -> Vec<PathBuf> {
        let (Some(folder), Some(name)) = (self.path.parent(), self.path.file_name()) else { return Vec::new() };
        let start = format!("{}.", name.to_string_lossy());
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut found: Vec<PathBuf> = entries
            .filter(|entry| {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                name.starts_with(&start) && !name.ends_with(".tmp")
            })
            .map(|entry| entry.path())
            .collect();
        found.sort_unstable();
        found
    }
}

fn open(path: &Path) -> io::Result<File> {
    File::options().append(true).create(true).mode(0o640).open(path)
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_rotated_without_loss_until_there_are_too_many() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("0.log");
        fs::write(folder.path().join("10.log"), "another's").unwrap();
        let mut log = LogFile::open(&path, Rotate { bytes: 100, files: 3 }).unwrap();
        for number in 0..40 {
            let mut entry = format!("{number:019}\n").into_bytes();
            log.write(&mut entry).unwrap();
            assert!(entry.is_empty());
        }
        let rotated = log.rotated();
        assert_eq!(rotated.len(), 2);
        let mut text = String::new();
        for file in rotated.iter().chain([&path]) {
            let part = fs::read_to_string(file).unwrap();
            assert!(part.len() <= 100);
            text.push_str(&part);
        }
        let numbers: Vec<u32> = text.lines().map(|line| line.parse().unwrap()).collect();
        assert_eq!(numbers, (25..40).collect::<Vec<_>>(), "the newest, in order");
        let stamp = rotated[0].to_string_lossy().rsplit('.').next().unwrap().to_owned();
        assert!(stamp.len() == 15 && stamp.as_bytes()[8] == b'-', "{stamp}");
        assert!(folder.path().join("10.log").exists());
        assert!(log.sacrifice() && log.sacrifice() && !log.sacrifice());
    }

    #[test]
    fn one_file_means_no_history() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("0.log");
        let mut log = LogFile::open(&path, Rotate { bytes: 10, files: 1 }).unwrap();
        for _ in 0..5 {
            log.write(&mut b"12345678\n".to_vec()).unwrap();
        }
        assert_eq!(fs::read(&path).unwrap(), b"12345678\n");
        assert_eq!(log.rotated(), Vec::<PathBuf>::new());
    }

    #[test]
    fn a_renamed_file_is_opened_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("0.log");
        let mut log = LogFile::open(&path, Rotate::default()).unwrap();
        log.write(&mut b"a\n".to_vec()).unwrap();
        fs::rename(&path, folder.path().join("kept")).unwrap();
        log.write(&mut b"b\n".to_vec()).unwrap();
        log.reopen().unwrap();
        log.write(&mut b"c\n".to_vec()).unwrap();
        assert_eq!(fs::read(folder.path().join("kept")).unwrap(), b"a\nb\n");
        assert_eq!(fs::read(&path).unwrap(), b"c\n");
    }

    #[test]
    fn a_full_disk_keeps_the_entries() {
        let mut log = LogFile::open(Path::new("/dev/full"), Rotate { bytes: u64::MAX, files: 5 }).unwrap();
        let mut entries = b"a\n".to_vec();
        assert_eq!(log.write(&mut entries).unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(entries, b"a\n");
    }
}

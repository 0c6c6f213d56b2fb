//! Follows a file that a running program adds to, without asking again and again.

use crate::error::{Error, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// A file at a place up to which it has been read.
#[derive(Debug)]
pub struct Tail {
    path: PathBuf,
    file: File,
    changes: OwnedFd,
    /// Readable when the program that writes has ended.
    ended: OwnedFd,
}

/// What came next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// More of the file.
    Bytes(Vec<u8>),
    /// Nothing, and the program has ended.
    Ended,
    /// Nothing by the deadline.
    Late,
}

impl Tail {
    /// Follows a file from its beginning until the process behind the descriptor has ended.
    ///
    /// # Errors
    /// The file cannot be read or watched.
    pub fn open(path: &Path, ended: OwnedFd) -> Result<Self> {
        let failed = |source: io::Error| Error::file("follow", path)(source);
        let changes = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK);
        let changes = changes.map_err(|errno| failed(errno.into()))?;
        inotify::add_watch(&changes, path, inotify::WatchFlags::MODIFY).map_err(|errno| failed(errno.into()))?;
        let file = File::open(path).map_err(failed)?;
        Ok(Self { path: path.to_owned(), file, changes, ended })
    }

    /// Leaves out what is there already.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn skip(&mut self) -> Result<()> {
        self.file.seek(SeekFrom::End(0)).map(|_| ()).map_err(Error::file("read", &self.path))
    }

    /// Waits for more; without a deadline for as long as it takes.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn next(&mut self, deadline: Option<Instant>) -> Result<Next> {
        let mut over = false;
        loop {
            let mut bytes = vec![0; 64 * 1024];
            let length = self.file.read(&mut bytes).map_err(Error::file("read", &self.path))?;
            if length > 0 {
                bytes.truncate(length);
                return Ok(Next::Bytes(bytes));
            }
            // Looked at before the last read, so that nothing written at the end is missed.
            if over {
                return Ok(Next::Ended);
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(Next::Late);
            }
            let left = left.and_then(|left| Timespec::try_from(left).ok());
            let mut watched =
                [self.changes.as_fd(), self.ended.as_fd()].map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
            match poll(&mut watched, left.as_ref()) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(Error::file("wait for", &self.path)(errno.into())),
            }
            over = !watched[1].revents().is_empty();
            let mut told = [0; 4096];
            // Which change it was does not matter, and that there is none any more is no failure.
            while rustix::io::read(&self.changes, &mut told).is_ok_and(|length| length > 0) {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process;
    use std::io::Write as _;
    use std::time::Duration;

    #[test]
    fn lines_come_as_they_are_written_and_the_end_is_told() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"one\n").unwrap();
        let null = File::options().write(true).open("/dev/null").unwrap();
        let mut writer = process::start("sleep", &["1000".into()], null).unwrap();
        let mut tail = Tail::open(file.path(), writer.ended().unwrap()).unwrap();
        let soon = || Some(Instant::now() + Duration::from_millis(20));
        assert_eq!(tail.next(None).unwrap(), Next::Bytes(b"one\n".to_vec()));
        assert_eq!(tail.next(soon()).unwrap(), Next::Late);
        file.write_all(b"two\n").unwrap();
        assert_eq!(tail.next(None).unwrap(), Next::Bytes(b"two\n".to_vec()));
        file.write_all(b"left out").unwrap();
        tail.skip().unwrap();
        file.write_all(b"three\n").unwrap();
        writer.kill().unwrap();
        assert_eq!(tail.next(None).unwrap(), Next::Bytes(b"three\n".to_vec()));
        assert_eq!(tail.next(None).unwrap(), Next::Ended);
    }
}

//! From a container's pipes (or its terminal) to its log.
//!
//! Nothing is read while the disk takes nothing: the pipes fill and the container waits. After a while its output is
//! thrown away instead, because a container that hangs for ever for a full disk helps nobody.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

use coracle_shim_protocol::message::Rotate;

use super::file::LogFile;
use super::lines::Lines;
use crate::clock::{self, Moment};

/// Milliseconds between two tries to write to a full disk.
const RETRY: u64 = 1000;
/// Milliseconds until output is thrown away.
const PATIENCE: u64 = 10_000;
/// Bytes that are read at once.
const CHUNK: usize = 16 << 10;
/// Bytes of entries from which on they are written: short lines grow eightfold and more by their stamps.
const FLUSH: usize = 32 << 10;

/// One of the streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stream {
    /// The output, or the terminal.
    Output,
    /// The errors.
    Errors,
}

/// What reading came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// More may come.
    Open,
    /// The stream ended.
    Ended,
    /// The disk takes nothing; [`Pump::retry`] is to be called at [`Pump::due`].
    Stalled,
}

/// The log of one container and its sources.
#[derive(Debug)]
pub(crate) struct Pump {
    log: Option<LogFile>,
    sources: [Source; 2],
    /// Entries that the disk did not take.
    pending: Vec<u8>,
    stall: Option<Stall>,
    /// Patience ran out; until the disk takes something again, output is thrown away without waiting.
    gave_up: bool,
}

#[derive(Debug)]
struct Source {
    file: Option<File>,
    lines: Lines,
}

#[derive(Clone, Copy, Debug)]
struct Stall {
    since: Moment,
    retry: Moment,
    /// Patience ran out: output is thrown away.
    lossy: bool,
}

impl Pump {
    /// With a log at `path`, or without one.
    pub(crate) fn new(path: Option<&Path>, rotate: Rotate) -> io::Result<Self> {
        let log = path.map(|path| LogFile::open(path, rotate)).transpose()?;
        let source = |name| Source { file: None, lines: Lines::new(name) };
        Ok(Self {
            log,
            sources: [source("stdout"), source("stderr")],
            pending: Vec::new(),
            stall: None,
            gave_up: false,
        })
    }

    /// Takes the reading end, which must not block.
    pub(crate) fn attach(&mut self, stream: Stream, end: OwnedFd) {
        self.source(stream).file = Some(File::from(end));
    }

    /// The descriptor to wait for.
    pub(crate) fn descriptor(&self, stream: Stream) -> Option<BorrowedFd<'_>> {
        let [output, errors] = &self.sources;
        let source = if stream == Stream::Output { output } else { errors };
        source.file.as_ref().map(File::as_fd)
    }

    /// Reads one chunk.
    pub(crate) fn read(&mut self, stream: Stream, buffer: &mut Vec<u8>) -> Progress {
        if self.is_stalled() {
            return Progress::Stalled;
        }
        buffer.resize(CHUNK, 0);
        let source = self.source(stream);
        let Some(file) = &mut source.file else { return Progress::Ended };
        let read = match file.read(buffer) {
            Ok(read) => read,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                return Progress::Open;
            }
            // A terminal whose last user is gone gives EIO.
            Err(_) => 0,
        };
        let bytes = buffer.get(..read).unwrap_or_default();
        if read == 0 {
            source.file = None;
        }
        if self.log.is_none() || self.stall.is_some() {
            return if read == 0 { Progress::Ended } else { Progress::Open };
        }
        let time = clock::stamp(clock::now());
        let mut entries = std::mem::take(&mut self.pending);
        let lines = &mut self.source(stream).lines;
        if read == 0 {
            lines.finish(&time, &mut entries);
        }
        // Small pieces: a chunk of empty lines would become half a megabyte of entries.
        for piece in bytes.chunks(1024) {
            self.source(stream).lines.push(piece, &time, &mut entries);
            if entries.len() >= FLUSH {
                self.write(&mut entries);
            }
        }
        self.write(&mut entries);
        self.pending = entries;
        match (read, self.stall) {
            (0, _) => Progress::Ended,
            (_, Some(stall)) if !stall.lossy => Progress::Stalled,
            _ => Progress::Open,
        }
    }

    /// Reads what is in the pipes now; for the moment when the container has ended.
    pub(crate) fn drain(&mut self, buffer: &mut Vec<u8>) {
        for stream in [Stream::Output, Stream::Errors] {
            let available = self.descriptor(stream).and_then(|end| rustix::io::ioctl_fionread(end).ok()).unwrap_or(0);
            // Another process may hold the pipe and write on: what was there at the start is enough.
            let reads = usize::try_from(available).unwrap_or(0).div_ceil(CHUNK).saturating_add(1);
            for _ in 0..reads {
                if self.read(stream, buffer) != Progress::Open {
                    break;
                }
            }
        }
    }

    /// Whether reading must wait for the disk.
    pub(crate) fn is_stalled(&self) -> bool {
        self.stall.is_some_and(|stall| !stall.lossy)
    }

    /// When [`Pump::retry`] is to be called.
    pub(crate) fn due(&self) -> Option<Moment> {
        self.stall.map(|stall| stall.retry)
    }

    /// Tries to write what the disk did not take; says whether reading may go on.
    pub(crate) fn retry(&mut self, now: Moment) -> bool {
        let Some(stall) = self.stall.filter(|stall| stall.retry <= now) else { return self.stall.is_none() };
        if stall.lossy {
            // The next output tries the disk again.
            self.stall = None;
            return true;
        }
        self.stall = None;
        let mut entries = std::mem::take(&mut self.pending);
        self.write(&mut entries);
        self.pending = entries;
        let Some(again) = &mut self.stall else { return true };
        again.since = stall.since;
        if now >= stall.since.after(PATIENCE) {
            again.lossy = true;
            self.gave_up = true;
            self.pending = Vec::new();
            if let Some(log) = &mut self.log {
                log.tear();
            }
        }
        again.lossy
    }

    /// Opens the log's path anew.
    pub(crate) fn reopen(&mut self) -> io::Result<()> {
        self.log.as_mut().map_or(Ok(()), LogFile::reopen)
    }

    fn source(&mut self, stream: Stream) -> &mut Source {
        let [output, errors] = &mut self.sources;
        if stream == Stream::Output { output } else { errors }
    }

    /// Writes, or remembers that it could not.
    fn write(&mut self, entries: &mut Vec<u8>) {
        let Some(log) = &mut self.log else { return entries.clear() };
        if self.stall.is_some() {
            return;
        }
        let mut outcome = log.write(entries);
        while outcome.as_ref().is_err_and(is_full) && log.sacrifice() {
            outcome = log.write(entries);
        }
        match outcome {
            Ok(()) => {
                *entries = Vec::new();
                self.gave_up = false;
            }
            Err(_) => {
                let now = Moment::now();
                self.stall = Some(Stall { since: now, retry: now.after(RETRY), lossy: self.gave_up });
                if self.gave_up {
                    log.tear();
                    *entries = Vec::new();
                }
            }
        }
    }
}

/// Whether room would help.
fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn pump(path: Option<&Path>) -> (Pump, File) {
        let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::NONBLOCK).unwrap();
        let mut pump = Pump::new(path, Rotate { bytes: u64::MAX, files: 5 }).unwrap();
        pump.attach(Stream::Errors, reader);
        (pump, File::from(writer))
    }

    #[test]
    fn output_becomes_entries_of_its_stream() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("0.log");
        let (mut pump, mut writer) = pump(Some(&path));
        let mut buffer = Vec::new();
        assert_eq!(pump.read(Stream::Errors, &mut buffer), Progress::Open);
        writer.write_all(b"one\ntw").unwrap();
        assert_eq!(pump.read(Stream::Errors, &mut buffer), Progress::Open);
        drop(writer);
        assert_eq!(pump.read(Stream::Errors, &mut buffer), Progress::Ended);
        let text = std::fs::read_to_string(path).unwrap();
        let tails: Vec<&str> = text.lines().map(|line| &line[31..]).collect();
        assert_eq!(tails, ["stderr F one", "stderr P tw"]);
    }

    #[test]
    fn a_full_disk_stops_reading_then_throws_away() {
        let (mut pump, mut writer) = pump(Some(Path::new("/dev/full")));
        let mut buffer = Vec::new();
        writer.write_all(b"one\n").unwrap();
        assert_eq!(pump.read(Stream::Errors, &mut buffer), Progress::Stalled);
        assert!(pump.pending.ends_with(b"stderr F one\n"), "nothing is lost at first");
        assert_eq!(pump.read(Stream::Errors, &mut buffer), Progress::Stalled);
        let start = pump.due().unwrap();
        assert!(!pump.retry(Moment(start.0 - 1)) && !pump.retry(start));
        assert!(pump.retry(start.after(PATIENCE)), "reading goes on, into nothing");
        writer.write_all(b"two\n").unwrap();
        assert_eq!(pump.read(Stream::Errors, &mut buffer), Progress::Open);
        assert!(pump.pending.is_empty());
    }

    #[test]
    fn without_a_log_output_is_thrown_away() {
        let (mut pump, mut writer) = pump(None);
        writer.write_all(b"one\n").unwrap();
        pump.drain(&mut Vec::new());
        assert!(pump.pending.is_empty());
        assert_eq!(rustix::io::ioctl_fionread(pump.descriptor(Stream::Errors).unwrap()).unwrap(), 0);
    }
}

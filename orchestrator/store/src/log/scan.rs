//! Reading the log when a store is opened. Nothing is written here.

use std::sync::Arc;

use super::batch::{self, Batch};
use super::frame::{self, Decoded};
use super::segment::{self, Header, HeaderState};
use super::{FILES, Log, Segment};
use crate::disk::{Disk, DiskFile, SyncPoint};
use crate::error::Error;

/// Everything that the log holds.
#[derive(Debug)]
pub(crate) struct Scan {
    disk: Arc<dyn Disk>,
    files: Vec<ScannedFile>,
    size: u64,
}

#[derive(Debug)]
struct ScannedFile {
    name: &'static str,
    file: Arc<dyn DiskFile>,
    header: Option<Header>,
    batches: Vec<(u64, Batch)>,
    /// The sequence after the last record; the header's first one while there is none.
    end: u64,
    /// Where the next record would go.
    tail: u64,
}

impl Scan {
    /// Reads both files.
    ///
    /// # Errors
    /// [`Error::Corrupt`], [`Error::UnknownRecord`] and [`Error::UnsupportedFormat`] for bytes that this release cannot
    /// have written or does not know; [`Error::Io`] when they cannot be read.
    pub(crate) fn read(disk: &Arc<dyn Disk>, size: u64) -> Result<Self, Error> {
        let mut files = Vec::new();
        for name in FILES {
            files.push(ScannedFile::read(&**disk, name, size)?);
        }
        let scan = Self { disk: Arc::clone(disk), files, size };
        scan.check_order()?;
        Ok(scan)
    }

    /// Whether no record was ever written: a store whose creation was cut short may look so, a living one never does.
    pub(crate) fn is_blank(disk: &dyn Disk) -> Result<bool, Error> {
        for name in FILES {
            let Some(file) = disk.open(name).map_err(|source| Error::io("open", name, source))? else { continue };
            let length = file.length().map_err(|source| Error::io("measure", name, source))?;
            let page = read(&*file, name, length.min(segment::HEADER_BYTES as u64))?;
            if page.iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Takes the batches after a checkpoint out of the scan, in order.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when they do not continue the checkpoint.
    pub(crate) fn take_after(&mut self, checkpointed: u64) -> Result<Vec<Batch>, Error> {
        let end = self.files.iter().map(|file| file.end).max().unwrap_or_default();
        if end <= checkpointed {
            let reason = format!("it ends before record {end}, but the checkpoint holds record {checkpointed}");
            return Err(Error::corrupt("log", reason));
        }
        let mut batches: Vec<(u64, Batch)> = self.files.iter_mut().flat_map(|file| file.batches.split_off(0)).collect();
        batches.retain(|(sequence, _)| *sequence > checkpointed);
        batches.sort_by_key(|(sequence, _)| *sequence);
        if batches.first().is_some_and(|(sequence, _)| *sequence != checkpointed + 1) {
            let reason = format!("the checkpoint ends at record {checkpointed}, and the next one is missing");
            return Err(Error::corrupt("log", reason));
        }
        Ok(batches.into_iter().map(|(_, batch)| batch).collect())
    }

    /// Makes what was read durable and goes on behind it. A crash of the process alone leaves records that are in the
    /// page cache only; readers are about to see them.
    pub(crate) fn into_log(self) -> Result<Log, Error> {
        let active = (0..self.files.len()).filter(|at| self.generation(*at) > 0).max_by_key(|at| self.generation(*at));
        let newest = active.and_then(|active| self.files.get(active));
        let tail = newest.map_or(0, |file| file.tail);
        let next_sequence = self.files.iter().map(|file| file.end).max().unwrap_or(1);
        if let Some(file) = newest {
            file.file.sync(SyncPoint::LogReplay).map_err(|source| Error::io("sync", file.name, source))?;
        }
        let segments = self.files.into_iter().map(|file| Segment {
            generation: file.header.map_or(0, |header| header.generation),
            salt: file.header.map_or(0, |header| header.salt),
            last: file.last().unwrap_or_default(),
            name: file.name,
            file: file.file,
        });
        let segments: Vec<Segment> = segments.collect();
        let segments = segments.try_into().map_err(|_| Error::corrupt("log", "it does not have two files"))?;
        Ok(Log { disk: self.disk, segments, active, tail, next_sequence, size: self.size })
    }

    fn generation(&self, at: usize) -> u64 {
        self.files.get(at).and_then(|file| file.header).map_or(0, |header| header.generation)
    }

    /// Holds that the two files continue each other.
    fn check_order(&self) -> Result<(), Error> {
        let mut used: Vec<&ScannedFile> = self.files.iter().filter(|file| file.header.is_some()).collect();
        used.sort_by_key(|file| file.header.map(|header| header.generation));
        if let [older, newer] = *used.as_slice()
            && let (Some(before), Some(after)) = (older.header, newer.header)
        {
            let ends_at = older.last().unwrap_or_else(|| before.first_sequence.saturating_sub(1));
            if after.generation != before.generation + 1 || after.first_sequence != ends_at + 1 {
                let reason = format!(
                    "its records end at {ends_at} in generation {}, but {} begins at {} in generation {}",
                    before.generation, newer.name, after.first_sequence, after.generation
                );
                return Err(Error::corrupt(older.name, reason));
            }
        }
        // A header that is missing or cannot be read is the remains of a power cut only if nothing newer than the other file's
        // records follows it.
        let newest = self.files.iter().filter_map(ScannedFile::last).max().unwrap_or_default();
        for file in self.files.iter().filter(|file| file.header.is_none()) {
            let bytes = read(&*file.file, file.name, self.size)?;
            let record = bytes.get(segment::HEADER_BYTES..).unwrap_or_default();
            let salt = frame::number(record, 16).unwrap_or_default();
            if let Decoded::Record(record) = frame::decode(record, salt)
                && record.sequence > newest
            {
                let reason = format!("it has no header, but record {} follows it", record.sequence);
                return Err(Error::corrupt(file.name, reason));
            }
        }
        Ok(())
    }
}

impl ScannedFile {
    fn read(disk: &dyn Disk, name: &'static str, size: u64) -> Result<Self, Error> {
        let file = disk.open(name).map_err(|source| Error::io("open", name, source))?;
        let file = file.ok_or_else(|| Error::corrupt(name, "the file is missing"))?;
        let length = file.length().map_err(|source| Error::io("measure", name, source))?;
        if length != size {
            return Err(Error::corrupt(name, format!("it has {length} bytes instead of {size}")));
        }
        let bytes = read(&*file, name, size)?;
        let page = bytes.get(..segment::HEADER_BYTES).unwrap_or(&bytes);
        let mut scanned = Self { name, file, header: None, batches: Vec::new(), end: 1, tail: 0 };
        match Header::decode(page, name)? {
            HeaderState::Blank | HeaderState::Unreadable => {}
            HeaderState::Used(header) if header.size != size => {
                return Err(Error::corrupt(name, format!("its header says {} bytes instead of {size}", header.size)));
            }
            HeaderState::Used(header) => scanned.read_records(&bytes, header)?,
        }
        Ok(scanned)
    }

    fn read_records(&mut self, bytes: &[u8], header: Header) -> Result<(), Error> {
        let mut at = segment::HEADER_BYTES;
        let mut expected = header.first_sequence;
        while let Decoded::Record(record) = frame::decode(bytes.get(at..).unwrap_or_default(), header.salt) {
            if record.sequence != expected {
                let reason = format!("record {} at byte {at} stands where {expected} belongs", record.sequence);
                return Err(Error::corrupt(self.name, reason));
            }
            if record.record_type != frame::TYPE_BATCH {
                let (file, offset) = (self.name.to_owned(), at as u64);
                return Err(Error::UnknownRecord { file, offset, record_type: record.record_type });
            }
            self.batches.push((record.sequence, batch::decode(record.payload, self.name)?));
            at += record.length;
            expected += 1;
        }
        for later in (at..bytes.len()).step_by(frame::ALIGNMENT) {
            if let Decoded::Record(record) = frame::decode(bytes.get(later..).unwrap_or_default(), header.salt) {
                let reason =
                    format!("record {expected} at byte {at} is unreadable, but record {} follows", record.sequence);
                return Err(Error::corrupt(self.name, reason));
            }
        }
        self.header = Some(header);
        self.end = expected;
        self.tail = at as u64;
        Ok(())
    }

    /// The sequence of the last record, if the file holds any.
    fn last(&self) -> Option<u64> {
        self.header.filter(|header| self.end > header.first_sequence).map(|_| self.end - 1)
    }
}

fn read(file: &dyn DiskFile, name: &str, length: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
    file.read_at(0, &mut bytes).map_err(|source| Error::io("read", name, source))?;
    Ok(bytes)
}

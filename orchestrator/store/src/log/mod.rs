//! The append log: two preallocated files that are used in turn.
//!
//! A batch is one record, one write and one sync; the next record is not written before that sync has returned, so at
//! most the last record of the log can be torn. Everything that contradicts this (a good record after a bad one, a
//! missing sequence number) is damage and stops the open, because going on would lose acknowledged writes silently.

pub(crate) mod batch;
pub(crate) mod frame;
mod scan;
pub(crate) mod segment;

use std::sync::Arc;

pub(crate) use batch::{Batch, ChangeSet};
pub(crate) use scan::Scan;

use crate::disk::{Disk, DiskFile, SyncPoint, fill_with_zeros};
use crate::error::Error;
use segment::Header;

/// The two files of the log.
pub(crate) const FILES: [&str; 2] = ["log-0", "log-1"];
/// The part of a segment that only reclaiming transactions may use, as a divisor of its size.
const RESERVE_DIVISOR: u64 = 8;

/// The log of an open store.
#[derive(Debug)]
pub(crate) struct Log {
    disk: Arc<dyn Disk>,
    segments: [Segment; 2],
    /// The segment that takes the next record; none before the first record ever.
    active: Option<usize>,
    /// Where the next record goes in the active segment.
    tail: u64,
    next_sequence: u64,
    size: u64,
}

/// One file.
#[derive(Debug)]
struct Segment {
    name: &'static str,
    file: Arc<dyn DiskFile>,
    generation: u64,
    salt: u64,
    /// The last sequence in the file; 0 for none.
    last: u64,
}

/// Makes the two blank files of a new store.
pub(crate) fn create(disk: &dyn Disk, size: u64) -> Result<(), Error> {
    for name in FILES {
        let file = disk.create(name).map_err(|source| Error::io("create", name, source))?;
        fill_with_zeros(&*file, size).map_err(|source| Error::io("preallocate", name, source))?;
        file.sync(SyncPoint::CreateSegment).map_err(|source| Error::io("sync", name, source))?;
    }
    Ok(())
}

impl Log {
    /// The sequence of the newest record.
    pub(crate) fn last_sequence(&self) -> u64 {
        self.next_sequence - 1
    }

    /// The bytes that a record may have here.
    pub(crate) fn room(&self, with_reserve: bool) -> u64 {
        let reserve = if with_reserve { 0 } else { self.size / RESERVE_DIVISOR };
        if self.active.is_none() { 0 } else { (self.size - reserve).saturating_sub(self.tail) }
    }

    /// Whether the other segment holds nothing but records that a checkpoint has proven durable.
    pub(crate) fn can_switch(&self, checkpointed: u64) -> bool {
        let other = self.other();
        self.segments.get(other).is_some_and(|segment| segment.last <= checkpointed)
    }

    /// Goes on in the other segment. The caller has asked [`Log::can_switch`].
    pub(crate) fn switch(&mut self) -> Result<(), Error> {
        let other = self.other();
        let salt = self.disk.random().map_err(|source| Error::io("draw a salt for", "log", source))?;
        let generation = self.segments.iter().map(|segment| segment.generation).max().unwrap_or_default() + 1;
        let header = Header { generation, first_sequence: self.next_sequence, salt, size: self.size };
        let Some(segment) = self.segments.get_mut(other) else { return Ok(()) };
        segment.file.write_at(0, &header.encode()).map_err(|source| Error::io("write", segment.name, source))?;
        segment.file.sync(SyncPoint::SegmentHeader).map_err(|source| Error::io("sync", segment.name, source))?;
        (segment.generation, segment.salt, segment.last) = (generation, salt, 0);
        self.active = Some(other);
        self.tail = segment::HEADER_BYTES as u64;
        Ok(())
    }

    /// Appends one batch and makes it durable. After an error the log must not be used again: neither the place of the
    /// next record nor the state of the page cache is known.
    pub(crate) fn append(&mut self, payload: &[u8]) -> Result<(), Error> {
        let segment = self.active.and_then(|active| self.segments.get_mut(active));
        let Some(segment) = segment else { return Err(Error::corrupt("log", "no segment is active")) };
        let Some(record) = frame::encode(frame::TYPE_BATCH, self.next_sequence, segment.salt, payload) else {
            return Err(Error::TooLarge { what: "batch", size: payload.len(), limit: u32::MAX as usize });
        };
        if self.tail + record.len() as u64 > self.size {
            return Err(Error::Full { reason: "the log has no room" });
        }
        segment.file.write_at(self.tail, &record).map_err(|source| Error::io("write", segment.name, source))?;
        segment.file.sync(SyncPoint::LogBatch).map_err(|source| Error::io("sync", segment.name, source))?;
        segment.last = self.next_sequence;
        self.tail += record.len() as u64;
        self.next_sequence += 1;
        Ok(())
    }

    fn other(&self) -> usize {
        match self.active {
            Some(0) => 1,
            _ => 0,
        }
    }
}

//! File-system access as the store needs it: one flat directory of files, with every sync point named.
//!
//! The seam exists for the power-cut suite: its simulated disk implements these two traits, records every operation
//! and leaves out one named sync point at a time to prove that the suite would notice.

mod real;

use std::fmt::Debug;
use std::io;
use std::sync::Arc;

pub use real::RealDisk;

/// Every place where the store asks the disk to make something durable, and what would be lost without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SyncPoint {
    /// The preallocated log files of a new store: without it a file may come back shorter than a segment.
    CreateSegment,
    /// The directory entries of a new store's files: without it FORMAT may survive a power cut that its files do not.
    CreateDirectory,
    /// The content of FORMAT, before it gets its name: without it the name may survive with no content.
    FormatContent,
    /// The directory entry of FORMAT, before the first write is accepted: without it a store with data looks unborn.
    FormatDirectory,
    /// The log tail that was found by an open after a crash of the process alone: what readers have seen must stay.
    LogReplay,
    /// The header of a segment that is used again, before its first record.
    SegmentHeader,
    /// One batch of writes, before any of them is acknowledged.
    LogBatch,
    /// The engine's own syncs, before the log that holds the same changes is cut.
    EngineCommit,
}

impl SyncPoint {
    /// All sync points.
    pub const ALL: [Self; 8] = [
        Self::CreateSegment,
        Self::CreateDirectory,
        Self::FormatContent,
        Self::FormatDirectory,
        Self::LogReplay,
        Self::SegmentHeader,
        Self::LogBatch,
        Self::EngineCommit,
    ];
}

/// One directory.
pub trait Disk: Debug + Send + Sync {
    /// Opens an existing file; `None` if there is none of this name.
    ///
    /// # Errors
    /// Any error of the operating system but "not found".
    fn open(&self, name: &str) -> io::Result<Option<Arc<dyn DiskFile>>>;

    /// Creates an empty file, or empties an existing one.
    ///
    /// # Errors
    /// Any error of the operating system.
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;

    /// Gives a file another name, replacing the file that had it.
    ///
    /// # Errors
    /// Any error of the operating system.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file if it exists.
    ///
    /// # Errors
    /// Any error of the operating system but "not found".
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes the directory entries durable.
    ///
    /// # Errors
    /// Any error of the operating system.
    fn sync_directory(&self, point: SyncPoint) -> io::Result<()>;

    /// A number that clients cannot guess: the salt of a log segment.
    ///
    /// # Errors
    /// Any error of the operating system.
    fn random(&self) -> io::Result<u64>;
}

/// One open file.
pub trait DiskFile: Debug + Send + Sync {
    /// The length in bytes.
    ///
    /// # Errors
    /// Any error of the operating system.
    fn length(&self) -> io::Result<u64>;

    /// Reads exactly the buffer's length.
    ///
    /// # Errors
    /// `UnexpectedEof` beyond the end; any error of the operating system.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;

    /// Writes all bytes, growing the file if needed.
    ///
    /// # Errors
    /// Any error of the operating system.
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()>;

    /// Cuts the file or grows it by zeros.
    ///
    /// # Errors
    /// Any error of the operating system.
    fn set_length(&self, length: u64) -> io::Result<()>;

    /// Makes content and length durable. After an error nothing may be assumed about either.
    ///
    /// # Errors
    /// Any error of the operating system.
    fn sync(&self, point: SyncPoint) -> io::Result<()>;
}

/// Fills a file with zeros up to a length, so that its blocks are really there: later writes within it need no space
/// and change no file-system metadata.
///
/// # Errors
/// Any error of the file.
pub fn fill_with_zeros(file: &dyn DiskFile, length: u64) -> io::Result<()> {
    const CHUNK: u64 = 256 * 1024;
    let zeros = vec![0_u8; usize::try_from(CHUNK.min(length)).unwrap_or_default()];
    let mut offset = 0;
    while offset < length {
        let take = usize::try_from(CHUNK.min(length - offset)).unwrap_or_default();
        file.write_at(offset, zeros.get(..take).unwrap_or_default())?;
        offset += take as u64;
    }
    Ok(())
}

//! Finding a file on a FAT12, FAT16 or FAT32 volume: where its bytes are, so that they can be read and rewritten in
//! place without mounting the volume. Read-only; the file's size and place never change by this crate's doing.

mod directory;
mod volume;

use std::io;

use crate::ReadAt;

use directory::{Entry, Scan};
use volume::{Start, Volume};

/// A file's bytes that lie in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Offset of the first byte from the start of the volume.
    pub offset: u64,
    /// Number of bytes.
    pub length: u64,
}

/// A file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its size in bytes.
    pub size: u64,
    /// Where its bytes are, in order; together exactly `size`.
    pub extents: Vec<Extent>,
}

/// Why a file was not found.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The volume could not be read.
    #[error("read of the volume at byte {offset} failed")]
    Read {
        /// Where.
        offset: u64,
        /// What the device said.
        source: io::Error,
    },
    /// The volume or a directory contradicts itself.
    #[error("damaged volume: {0}")]
    Damaged(&'static str),
    /// The file is longer than its reader takes.
    #[error("the file of {size} bytes is longer than {most}")]
    TooLarge {
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        most: u64,
    },
    /// A part of the path is not there, or is no directory.
    #[error("{0} is not on the volume")]
    NotFound(String),
}

impl File {
    /// Reads the file from the volume that it was found on, at most `most` bytes.
    ///
    /// # Errors
    /// It is larger, or the volume cannot be read.
    pub fn read(&self, volume: &impl ReadAt, most: u64) -> Result<Vec<u8>, Error> {
        let too_large = Error::TooLarge { size: self.size, most };
        let Some(size) = usize::try_from(self.size).ok().filter(|_| self.size <= most) else { return Err(too_large) };
        let mut bytes = vec![0; size];
        let mut rest = bytes.as_mut_slice();
        for Extent { offset, length } in &self.extents {
            let end = usize::try_from(*length).unwrap_or(usize::MAX);
            let (part, after) =
                rest.split_at_mut_checked(end).ok_or(Error::Damaged("a file is longer than it says"))?;
            volume.read_at(*offset, part).map_err(|source| Error::Read { offset: *offset, source })?;
            rest = after;
        }
        Ok(bytes)
    }
}

/// The label of the volume, if it has one: that of the root directory, else that of the boot sector.
///
/// # Errors
/// This is no FAT volume, or it cannot be read.
pub fn label(volume: &impl ReadAt) -> Result<Option<String>, Error> {
    let volume = Volume::open(volume)?;
    let (mut found, mut at_end) = (None, false);
    volume.for_each_sector(volume.root(), |sector| {
        (found, at_end) = directory::label(sector);
        found.is_none() && !at_end
    })?;
    let label = found.or_else(|| volume.boot_label());
    Ok(label.map(|label| String::from_utf8_lossy(&label).trim_end().to_owned()).filter(|label| !label.is_empty()))
}

/// Finds the file of an absolute path. Upper and lower case are the same; long names are understood.
///
/// # Errors
/// The file is not there, or the volume is damaged on the way to it.
pub fn find(volume: &impl ReadAt, path: &str) -> Result<File, Error> {
    let volume = Volume::open(volume)?;
    let not_found = || Error::NotFound(path.to_owned());
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    let (mut here, mut name) = (volume.root(), parts.next().ok_or_else(not_found)?);
    for next in parts {
        let entry = look_up(&volume, here, name)?.filter(|entry| entry.is_directory).ok_or_else(not_found)?;
        (here, name) = (Start::Cluster(entry.first_cluster), next);
    }
    let entry = look_up(&volume, here, name)?.filter(|entry| !entry.is_directory).ok_or_else(not_found)?;
    let size = u64::from(entry.size);
    let extents = if size == 0 { Vec::new() } else { volume.extents(entry.first_cluster, size)? };
    Ok(File { size, extents })
}

fn look_up<R: ReadAt>(volume: &Volume<'_, R>, directory: Start, name: &str) -> Result<Option<Entry>, Error> {
    let mut scan = Scan::default();
    let mut found = None;
    volume.for_each_sector(directory, |sector| {
        found = scan.sector(sector, name);
        found.is_none() && !scan.is_at_end()
    })?;
    Ok(found)
}

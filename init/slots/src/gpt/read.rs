//! Reading a table: the primary copy, else the backup at the end of the disk. Nothing is believed unchecked.

use std::io;

use super::{ENTRIES, ENTRY_BYTES, Entry, Guid, HEADER_BYTES, REVISION, SIGNATURE, Source, Table, crc32};
use crate::ReadAt;
use crate::bytes::{array, u32_le, u64_le};
use crate::layout::SECTOR;

const SECTOR_BYTES: usize = 512;

/// Why a disk has no usable partition table.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A sector could not be read.
    #[error("read of the partition table at sector {sector} failed")]
    Read {
        /// The first sector of the read.
        sector: u64,
        /// What the device said.
        source: io::Error,
    },
    /// The table was written for 4,096-byte sectors.
    #[error("the disk has 4096-byte sectors; only 512-byte sectors are supported")]
    SectorSize,
    /// A header or its entries contradict themselves or the disk.
    #[error("partition table at sector {sector}: {what}")]
    Damaged {
        /// Where the header is.
        sector: u64,
        /// The first check that failed.
        what: &'static str,
    },
    /// Neither copy is usable.
    #[error("both copies of the partition table are damaged (primary: {primary}; backup: {backup})")]
    Both {
        /// Fault of the primary copy.
        primary: Box<Self>,
        /// Fault of the backup copy.
        backup: Box<Self>,
    },
}

impl Table {
    /// Reads the table of a whole disk, and says which copy was whole.
    ///
    /// # Errors
    /// No copy is whole, a read failed, or the disk has 4,096-byte sectors.
    pub fn read(disk: &impl ReadAt) -> Result<(Self, Source), Error> {
        let sectors = disk.len() / SECTOR;
        let primary = match read_copy(disk, sectors, 1) {
            Ok(table) => return Ok((table, Source::Primary)),
            Err(error) => error,
        };
        if has_4k_header(disk) {
            return Err(Error::SectorSize);
        }
        match read_copy(disk, sectors, sectors.saturating_sub(1)) {
            Ok(table) => Ok((table, Source::Backup)),
            Err(backup) => Err(Error::Both { primary: Box::new(primary), backup: Box::new(backup) }),
        }
    }
}

/// A table for 4,096-byte sectors has its header at byte 4,096.
fn has_4k_header(disk: &impl ReadAt) -> bool {
    let mut bytes = [0; 8];
    disk.read_at(4096, &mut bytes).is_ok() && &bytes == SIGNATURE
}

fn read_copy(disk: &impl ReadAt, disk_sectors: u64, at: u64) -> Result<Table, Error> {
    let damaged = |what| Error::Damaged { sector: at, what };
    let mut sector = [0; SECTOR_BYTES];
    read(disk, at, &mut sector)?;
    let header = Header::decode(&sector, at).map_err(damaged)?;

    let known_sectors = header.own_lba.max(header.other_lba).saturating_add(1);
    if known_sectors > disk_sectors {
        return Err(damaged("the disk is shorter than its table says"));
    }
    let array_bytes = u64::from(header.count).saturating_mul(u64::from(ENTRY_BYTES));
    let array_end = array_bytes.div_ceil(SECTOR).checked_add(header.entries_lba);
    if array_end.is_none_or(|end| end > known_sectors) {
        return Err(damaged("the entries lie beyond the end of the disk"));
    }
    // At most ENTRIES entries of ENTRY_BYTES each, as the header's check holds.
    let mut array = vec![0; usize::try_from(array_bytes).unwrap_or(0)];
    read(disk, header.entries_lba, &mut array)?;
    if crc32(&array) != header.entries_crc {
        return Err(damaged("the checksum of the entries is wrong"));
    }
    let (chunks, _) = array.as_chunks::<{ ENTRY_BYTES as usize }>();
    let entries: Vec<Entry> =
        (1..).zip(chunks).filter_map(|(number, bytes)| Entry::decode(number, bytes.as_slice())).collect();
    check_places(&entries, known_sectors).map_err(damaged)?;
    Ok(Table { disk_guid: header.disk_guid, disk_sectors: known_sectors, entries })
}

fn read(disk: &impl ReadAt, sector: u64, buf: &mut [u8]) -> Result<(), Error> {
    let offset = sector.saturating_mul(SECTOR);
    disk.read_at(offset, buf).map_err(|source| Error::Read { sector, source })
}

/// Every partition lies between the two copies of the table, and none overlaps another.
fn check_places(entries: &[Entry], disk_sectors: u64) -> Result<(), &'static str> {
    let mut places: Vec<(u64, u64)> = entries.iter().map(|entry| (entry.first_lba, entry.last_lba)).collect();
    places.sort_unstable();
    let mut free = Table::first_usable();
    for (first, last) in places {
        if first < free {
            return Err("partitions overlap each other or the table");
        }
        if last < first || last > Table::last_usable(disk_sectors) {
            return Err("a partition ends before it starts or beyond the disk");
        }
        free = last.saturating_add(1);
    }
    Ok(())
}

struct Header {
    own_lba: u64,
    other_lba: u64,
    disk_guid: Guid,
    entries_lba: u64,
    count: u32,
    entries_crc: u32,
}

impl Header {
    fn decode(sector: &[u8; SECTOR_BYTES], at: u64) -> Result<Self, &'static str> {
        Self::fields(sector, at).unwrap_or(Err("the header is too short"))
    }

    fn fields(sector: &[u8; SECTOR_BYTES], at: u64) -> Option<Result<Self, &'static str>> {
        if !sector.starts_with(SIGNATURE) {
            return Some(Err("no table signature"));
        }
        let size = u32_le(sector, 12)?;
        if size < HEADER_BYTES || u32_le(sector, 8)? != REVISION {
            return Some(Err("unknown revision or size of the header"));
        }
        let Some(covered) = usize::try_from(size).ok().and_then(|size| sector.get(..size)) else {
            return Some(Err("the header is larger than a sector"));
        };
        // The checksum is taken with its own field zero.
        let mut zeroed = covered.to_vec();
        zeroed.get_mut(16..20)?.fill(0);
        if crc32(&zeroed) != u32_le(sector, 16)? {
            return Some(Err("the checksum of the header is wrong"));
        }
        let header = Self {
            own_lba: u64_le(sector, 24)?,
            other_lba: u64_le(sector, 32)?,
            disk_guid: Guid::from_disk(array(sector, 56)?),
            entries_lba: u64_le(sector, 72)?,
            count: u32_le(sector, 80)?,
            entries_crc: u32_le(sector, 88)?,
        };
        if header.own_lba != at || header.other_lba == at {
            return Some(Err("the header belongs to another sector"));
        }
        if u32_le(sector, 84)? != ENTRY_BYTES || header.count > ENTRIES {
            return Some(Err("unknown number or size of entries"));
        }
        Some(Ok(header))
    }
}

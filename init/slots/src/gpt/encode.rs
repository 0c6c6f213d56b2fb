//! Writing a table: five pieces with their places.

use super::{
    COPY_SECTORS, ENTRIES, ENTRY_BYTES, ENTRY_SECTORS, Entry, HEADER_BYTES, REVISION, SIGNATURE, Table, crc32,
};
use crate::layout::SECTOR;

/// Bytes with the place where they belong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Offset on the disk in bytes.
    pub offset: u64,
    /// What to write there.
    pub bytes: Vec<u8>,
}

/// A table as it stands on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// The part of sector 0 from byte 440 on; GRUB's boot code before it is not ours to touch.
    pub protective_mbr: Piece,
    /// Sector 1.
    pub primary_header: Piece,
    /// Sectors 2 to 33.
    pub primary_entries: Piece,
    /// The 32 sectors before the last.
    pub backup_entries: Piece,
    /// The last sector.
    pub backup_header: Piece,
}

impl Piece {
    /// The sector in which the piece starts.
    #[must_use]
    pub const fn lba(&self) -> u64 {
        self.offset / SECTOR
    }
}

impl Encoded {
    /// The pieces in the order in which a running system writes them. Flush after the second and after the fourth: a
    /// torn write of one copy then leaves the other whole.
    #[must_use]
    pub const fn in_write_order(&self) -> [&Piece; 5] {
        [&self.backup_entries, &self.backup_header, &self.primary_entries, &self.primary_header, &self.protective_mbr]
    }
}

impl Table {
    /// The table as bytes, both copies and the protective MBR.
    #[must_use]
    pub fn encode(&self) -> Encoded {
        let last = self.disk_sectors.saturating_sub(1);
        let backup_entries = last.saturating_sub(ENTRY_SECTORS);
        let entries = encode_entries(&self.entries);
        let entries_crc = crc32(&entries);
        let header = |own, other, entries_lba| Piece {
            offset: sector_offset(own),
            bytes: self.encode_header(own, other, entries_lba, entries_crc),
        };
        Encoded {
            protective_mbr: protective_mbr(self.disk_sectors),
            primary_header: header(1, last, 2),
            primary_entries: Piece { offset: sector_offset(2), bytes: entries.clone() },
            backup_entries: Piece { offset: sector_offset(backup_entries), bytes: entries },
            backup_header: header(last, 1, backup_entries),
        }
    }

    fn encode_header(&self, own: u64, other: u64, entries_lba: u64, entries_crc: u32) -> Vec<u8> {
        let with_crc = |crc: u32| {
            let mut bytes = Vec::with_capacity(512);
            bytes.extend(SIGNATURE);
            for number in [REVISION, HEADER_BYTES, crc, 0] {
                bytes.extend(number.to_le_bytes());
            }
            for number in [own, other, COPY_SECTORS + 1, Self::last_usable(self.disk_sectors)] {
                bytes.extend(number.to_le_bytes());
            }
            bytes.extend(self.disk_guid.to_disk());
            bytes.extend(entries_lba.to_le_bytes());
            for number in [ENTRIES, ENTRY_BYTES, entries_crc] {
                bytes.extend(number.to_le_bytes());
            }
            bytes
        };
        let mut bytes = with_crc(crc32(&with_crc(0)));
        bytes.resize(512, 0);
        bytes
    }
}

fn encode_entries(entries: &[Entry]) -> Vec<u8> {
    (1..=ENTRIES)
        .flat_map(|number| {
            let entry = entries.iter().find(|entry| entry.number == number);
            entry.map_or([0; ENTRY_BYTES as usize], Entry::encode)
        })
        .collect()
}

/// One partition of type 0xEE over the whole disk, so that tools that know no GPT see no free space.
fn protective_mbr(disk_sectors: u64) -> Piece {
    let covered = u32::try_from(disk_sectors.saturating_sub(1)).unwrap_or(u32::MAX);
    let mut bytes = vec![0; 6];
    bytes.extend([0, 0x00, 0x02, 0x00, 0xee, 0xff, 0xff, 0xff]);
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend(covered.to_le_bytes());
    bytes.resize(70, 0);
    bytes.extend([0x55, 0xaa]);
    Piece { offset: 440, bytes }
}

const fn sector_offset(sector: u64) -> u64 {
    sector.saturating_mul(SECTOR)
}

//! The partition table of a disk: read with every check, written whole, grown by a pure plan.
//!
//! Both copies are kept. A writer writes the pieces in the order of [`Encoded::in_write_order`] and flushes after each
//! copy, so that a power cut always leaves one whole table.

mod crc32;
mod encode;
mod entry;
mod grow;
mod guid;
mod read;

use crate::layout::Role;

pub use crc32::crc32;
pub use encode::{Encoded, Piece};
pub use entry::{Entry, Name};
pub use grow::{Guids, plan_grow, shipped};
pub use guid::Guid;
pub use read::Error;

/// Attribute bit on STATE and DATA: a file system was made here and synced. A partition that has it and no readable
/// file system was lost; one without it was never made.
pub const FORMATTED: u64 = 1 << 56;

/// Entries of a table; the specification's least number, and the only one we write.
pub const ENTRIES: u32 = 128;

const SIGNATURE: &[u8; 8] = b"EFI PART";
const REVISION: u32 = 0x0001_0000;
const HEADER_BYTES: u32 = 92;
const ENTRY_BYTES: u32 = 128;
/// Sectors of the entry array.
const ENTRY_SECTORS: u64 = 32;
/// Sectors that a copy of the table takes, and the first sector that a partition may use less one.
const COPY_SECTORS: u64 = ENTRY_SECTORS + 1;

/// A partition table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Identity of the disk; made new at first boot.
    pub disk_guid: Guid,
    /// Sectors of the disk as the table knows it: the backup header is in the last one.
    pub disk_sectors: u64,
    /// The used entries in order of their number.
    pub entries: Vec<Entry>,
}

/// Which copy a table was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Sector 1.
    Primary,
    /// The disk's last sector, because the primary copy is damaged.
    Backup,
}

impl Table {
    /// The partition of a role: its number and its type must both be right.
    #[must_use]
    pub fn find(&self, role: Role) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.number == role.gpt_number() && entry.type_guid == role.type_guid())
    }

    /// The same table with [`FORMATTED`] set on the partition of `role`.
    #[must_use]
    pub fn with_formatted(mut self, role: Role) -> Self {
        for entry in &mut self.entries {
            if entry.number == role.gpt_number() && entry.type_guid == role.type_guid() {
                entry.attributes |= FORMATTED;
            }
        }
        self
    }

    /// The first sector that a partition may use.
    const fn first_usable() -> u64 {
        COPY_SECTORS + 1
    }

    /// The last sector that a partition may use on a disk of this size.
    const fn last_usable(disk_sectors: u64) -> u64 {
        disk_sectors.saturating_sub(COPY_SECTORS + 1)
    }
}

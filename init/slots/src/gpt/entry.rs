//! One partition of a table.

use std::fmt;

use super::{ENTRY_BYTES, Guid};
use crate::bytes::{array, u64_le};
use crate::layout::SECTOR;

/// Name of a partition: 36 UTF-16 units on the disk.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Name([u16; 36]);

/// One used entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Number of the partition, from 1.
    pub number: u32,
    /// What the partition is for.
    pub type_guid: Guid,
    /// Identity of this partition.
    pub unique_guid: Guid,
    /// First sector.
    pub first_lba: u64,
    /// Last sector, inclusive.
    pub last_lba: u64,
    /// Attribute bits; see [`super::FORMATTED`].
    pub attributes: u64,
    /// Name for people.
    pub name: Name,
}

impl Name {
    /// A name from text; what goes beyond 36 UTF-16 units is cut.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut units = [0; 36];
        for (unit, from) in units.iter_mut().zip(text.encode_utf16()) {
            *unit = from;
        }
        Self(units)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = self.0.iter().copied().take_while(|unit| *unit != 0);
        char::decode_utf16(units).try_for_each(|c| write!(f, "{}", c.unwrap_or(char::REPLACEMENT_CHARACTER)))
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

impl Entry {
    /// Bytes of the partition.
    #[must_use]
    pub const fn size_bytes(&self) -> u64 {
        self.last_lba.saturating_sub(self.first_lba).saturating_add(1).saturating_mul(SECTOR)
    }

    /// Offset of the partition's first byte on the disk.
    #[must_use]
    pub const fn offset_bytes(&self) -> u64 {
        self.first_lba.saturating_mul(SECTOR)
    }

    /// Reads entry `number`; `None` when it is unused.
    pub(super) fn decode(number: u32, bytes: &[u8]) -> Option<Self> {
        let type_guid = Guid::from_disk(array(bytes, 0)?);
        if type_guid == Guid::ZERO {
            return None;
        }
        let mut units = [0; 36];
        let (pairs, _) = bytes.get(56..)?.as_chunks::<2>();
        for (unit, pair) in units.iter_mut().zip(pairs) {
            *unit = u16::from_le_bytes(*pair);
        }
        Some(Self {
            number,
            type_guid,
            unique_guid: Guid::from_disk(array(bytes, 16)?),
            first_lba: u64_le(bytes, 32)?,
            last_lba: u64_le(bytes, 40)?,
            attributes: u64_le(bytes, 48)?,
            name: Name(units),
        })
    }

    /// The bytes of the entry.
    pub(super) fn encode(&self) -> [u8; ENTRY_BYTES as usize] {
        let mut bytes = Vec::with_capacity(ENTRY_BYTES as usize);
        bytes.extend(self.type_guid.to_disk());
        bytes.extend(self.unique_guid.to_disk());
        for number in [self.first_lba, self.last_lba, self.attributes] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(self.name.0.iter().flat_map(|unit| unit.to_le_bytes()));
        let mut out = [0; ENTRY_BYTES as usize];
        crate::bytes::copy(&mut out, &bytes);
        out
    }
}

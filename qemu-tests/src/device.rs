//! A device's disk as its own formats describe it, read and changed from outside while no guest uses it.

use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::slot_edit;
use coracle_slots::ReadAt;
use coracle_slots::boot_state::{self, Block, Reading, Slot, State};
use coracle_slots::footer::{FOOTER_BYTES, Footer, Key, KeyRole, KeySet};
use coracle_slots::gpt::Table;
use coracle_slots::layout::Role;
use coracle_slots::verity::{BLOCK, Tree};
use ed25519_dalek::SigningKey;
use std::io;
use std::ops::Range;

/// A disk with our partitions.
#[derive(Debug)]
pub struct Device<'a> {
    disk: &'a Disk,
    table: Table,
}

/// Bytes of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// First byte.
    pub offset: u64,
    /// Number of bytes.
    pub length: u64,
}

impl<'a> Device<'a> {
    /// Reads the partition table.
    ///
    /// # Errors
    /// The disk has none of ours.
    pub fn open(disk: &'a Disk) -> Result<Self> {
        let (table, _) = Table::read(disk).map_err(|error| failed(disk, "partition table", &error))?;
        Ok(Self { disk, table })
    }

    /// The partition table.
    #[must_use]
    pub const fn table(&self) -> &Table {
        &self.table
    }

    /// Where a partition lies.
    ///
    /// # Errors
    /// The disk has not got it.
    pub fn partition(&self, role: Role) -> Result<Extent> {
        let entry =
            self.table.find(role).ok_or_else(|| failed(self.disk, role.name(), &"there is no such partition"))?;
        Ok(Extent { offset: entry.offset_bytes(), length: entry.size_bytes() })
    }

    /// Where a slot lies.
    ///
    /// # Errors
    /// The disk has not got it.
    pub fn slot(&self, slot: Slot) -> Result<Extent> {
        self.partition(match slot {
            Slot::A => Role::SlotA,
            Slot::B => Role::SlotB,
        })
    }

    /// Zeroes a range of a partition, or as much of it as there is.
    ///
    /// # Errors
    /// The disk cannot be written.
    pub fn zero(&self, role: Role, range: Range<u64>) -> Result<()> {
        let partition = self.partition(role)?;
        let end = range.end.min(partition.length);
        self.disk.zero(partition.offset + range.start, end.saturating_sub(range.start))
    }

    /// Overwrites a range of a partition with bytes that look like nothing: damage that a checker notices.
    ///
    /// # Errors
    /// The disk cannot be written.
    pub fn scribble(&self, role: Role, range: Range<u64>) -> Result<()> {
        let partition = self.partition(role)?;
        let mut state = 1;
        let bytes: Vec<u8> = range
            .clone()
            .map(|_| {
                state = crate::bare::advance(state, 1);
                state.to_le_bytes()[3]
            })
            .collect();
        self.disk.write(partition.offset + range.start, &bytes)
    }

    /// Where a text first stands in the beginning of a partition.
    ///
    /// # Errors
    /// It does not, or the disk cannot be read.
    pub fn find(&self, role: Role, pattern: &[u8], within: usize) -> Result<u64> {
        let partition = self.partition(role)?;
        let bytes = self.disk.read(partition.offset, within)?;
        let place = slot_edit::find(&bytes, pattern);
        let place = place.ok_or_else(|| failed(self.disk, role.name(), &"what was looked for is not there"))?;
        Ok(place as u64)
    }

    /// Both boot-state blocks as they are.
    ///
    /// # Errors
    /// The FAT cannot be read.
    pub fn state_blocks(&self) -> Result<[Block; 2]> {
        let mut blocks = [[0; boot_state::BLOCK_BYTES]; 2];
        for (block, extent) in blocks.iter_mut().zip(self.state_extents()?) {
            let bytes = self.disk.read(extent.offset, block.len())?;
            block.copy_from_slice(&bytes);
        }
        Ok(blocks)
    }

    /// What the boot state says.
    ///
    /// # Errors
    /// The FAT cannot be read.
    pub fn boot_state(&self) -> Result<Reading> {
        let [first, second] = self.state_blocks()?;
        Ok(boot_state::read([Some(&first), Some(&second)]))
    }

    /// Writes a state as the OS would.
    ///
    /// # Errors
    /// The disk cannot be written.
    pub fn set_boot_state(&self, wanted: &State) -> Result<()> {
        match boot_state::write_plan(&self.boot_state()?, wanted) {
            Some(plan) => self.write_state_block(plan.position.index(), &plan.bytes),
            None => Ok(()),
        }
    }

    /// Writes any bytes over one of the two boot-state blocks.
    ///
    /// # Errors
    /// There are too many, or the disk cannot be written.
    pub fn write_state_block(&self, index: usize, bytes: &[u8]) -> Result<()> {
        let extent = self.state_extents()?.get(index).copied();
        let extent = extent.filter(|extent| bytes.len() as u64 <= extent.length);
        let extent = extent.ok_or_else(|| failed(self.disk, "boot state", &"no such block"))?;
        self.disk.write(extent.offset, bytes)
    }

    fn state_extents(&self) -> Result<[Extent; 2]> {
        let esp = self.partition(Role::Esp)?;
        let part = coracle_slots::Part::new(self.disk, esp.offset, esp.length);
        let mut extents = [Extent { offset: 0, length: 0 }; 2];
        for (extent, path) in extents.iter_mut().zip(boot_state::FILES) {
            let found = coracle_slots::fat::find(&part, path).map_err(|error| failed(self.disk, path, &error))?;
            let first = found.extents.first().ok_or_else(|| failed(self.disk, path, &"it is empty"))?;
            *extent = Extent { offset: esp.offset + first.offset, length: first.length };
        }
        Ok(extents)
    }

    /// A slot's footer bytes.
    ///
    /// # Errors
    /// The disk cannot be read.
    pub fn footer_extent(&self, slot: Slot) -> Result<Extent> {
        let slot = self.slot(slot)?;
        Ok(Extent { offset: slot.offset + slot.length - FOOTER_BYTES as u64, length: FOOTER_BYTES as u64 })
    }

    /// Reads a slot's footer, which must be signed by this key.
    ///
    /// # Errors
    /// It is not.
    pub fn footer(&self, slot: Slot, key: &SigningKey) -> Result<Footer> {
        let extent = self.footer_extent(slot)?;
        let mut bytes = [0; FOOTER_BYTES];
        bytes.copy_from_slice(&self.disk.read(extent.offset, FOOTER_BYTES)?);
        let keys: KeySet = std::iter::once(Key::new(KeyRole::Development, key.verifying_key())).collect();
        Footer::verify(&bytes, &keys).map(|(footer, _)| footer).map_err(|error| failed(self.disk, "footer", &error))
    }

    /// Where a slot's file-system image lies, its padding included.
    ///
    /// # Errors
    /// The slot has no footer by this key.
    pub fn image_extent(&self, slot: Slot, key: &SigningKey) -> Result<Extent> {
        let footer = self.footer(slot, key)?;
        Ok(Extent { offset: self.slot(slot)?.offset, length: footer.verity.data_blocks * BLOCK as u64 })
    }

    /// Copies one slot with its tree and footer over the other, as an update would.
    ///
    /// # Errors
    /// The source has no footer by this key, or the disk cannot be written.
    pub fn copy_slot(&self, from: Slot, to: Slot, key: &SigningKey) -> Result<()> {
        let footer = self.footer(from, key)?;
        let tree = footer.verity.tree_blocks().map_err(|error| failed(self.disk, "verity tree", &error))?;
        let blocks = footer.verity.hash_start_block + tree;
        let (source, target) = (self.slot(from)?, self.slot(to)?);
        let content = self.disk.read(source.offset, bytes_of(blocks)?)?;
        self.disk.write(target.offset, &content)?;
        let footer = self.disk.read(self.footer_extent(from)?.offset, FOOTER_BYTES)?;
        self.disk.write(self.footer_extent(to)?.offset, &footer)
    }

    /// Adds kernel arguments to a slot and signs it again.
    ///
    /// # Errors
    /// The slot is not signed by this key, or its script has no room.
    pub fn add_arguments(&self, slot: Slot, arguments: &str, key: &SigningKey) -> Result<()> {
        let mut footer = self.footer(slot, key)?;
        let place = self.image_extent(slot, key)?;
        let mut image = self.disk.read(place.offset, bytes_of(footer.verity.data_blocks)?)?;
        let edit = slot_edit::add_arguments(&image, slot, arguments)?;
        let changed = image.get_mut(edit.offset..edit.offset + edit.bytes.len()).unwrap_or_default();
        changed.copy_from_slice(&edit.bytes);
        let tree = Tree::build(&image[..], footer.verity.data_blocks, &footer.verity.salt);
        let tree = tree.map_err(|error| failed(self.disk, "verity tree", &error))?;
        footer.verity.root_hash = tree.root_hash;
        self.disk.write(place.offset + edit.offset as u64, &edit.bytes)?;
        self.disk.write(place.offset + footer.verity.hash_start_block * BLOCK as u64, &tree.bytes)?;
        self.disk.write(self.footer_extent(slot)?.offset, &footer.sign(key))
    }
}

impl ReadAt for Disk {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        buffer.copy_from_slice(&self.read(offset, buffer.len()).map_err(io::Error::other)?);
        Ok(())
    }

    fn len(&self) -> u64 {
        self.size().unwrap_or(0)
    }
}

fn bytes_of(blocks: u64) -> Result<usize> {
    usize::try_from(blocks).ok().and_then(|blocks| blocks.checked_mul(BLOCK)).ok_or_else(|| Error::Unexpected {
        subject: "slot".into(),
        message: format!("{blocks} blocks are more than memory holds"),
    })
}

fn failed(disk: &Disk, what: &str, message: &dyn std::fmt::Display) -> Error {
    Error::Unexpected { subject: format!("{} of {}", what, disk.path().display()), message: message.to_string() }
}

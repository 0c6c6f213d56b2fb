//! Disks: which one GRUB booted from, its partitions, and writes to its partition table.

pub(crate) mod partition;
pub(crate) mod select;
pub(crate) mod table;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use coracle_slots::ReadAt;
use coracle_slots::layout::SECTOR;

use crate::error::{Attempt as _, Error, Result};
use crate::files;

/// Kernel names that never hold a slot: memory, loops, mapped devices, optical and floppy drives, boot areas of eMMC.
const IGNORED: [&str; 7] = ["loop", "ram", "zram", "dm-", "sr", "fd", "md"];

/// A whole disk.
#[derive(Debug)]
pub(crate) struct Disk {
    /// Kernel name, as in `/sys/block`.
    pub(crate) name: String,
    path: PathBuf,
    /// Open for reading.
    file: File,
    bytes: u64,
}

impl Disk {
    /// Opens a disk by its kernel name.
    pub(crate) fn open(name: &str) -> Result<Self> {
        let path = format!("/dev/{name}");
        let file = File::open(&path).attempt("open", &path)?;
        let sectors = files::read_text(format!("/sys/block/{name}/size"), 64)?;
        let sectors: u64 =
            sectors.trim().parse().map_err(|_| Error::Found(format!("size of {name} is no number: {sectors}")))?;
        let block = files::read_text(format!("/sys/block/{name}/queue/logical_block_size"), 64)?;
        if block.trim() != "512" {
            return Err(Error::Found(format!("{name} has {}-byte sectors; only 512 are supported", block.trim())));
        }
        Ok(Self { name: name.to_owned(), path: path.into(), file, bytes: sectors.saturating_mul(SECTOR) })
    }

    /// A disk image in a file.
    #[cfg(test)]
    pub(crate) fn of_file(path: &Path) -> Self {
        let file = File::open(path).unwrap();
        let bytes = file.metadata().unwrap().len();
        Self { name: "image".to_owned(), path: path.to_owned(), file, bytes }
    }

    /// Path of the device node.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Sectors of 512 bytes.
    pub(crate) const fn sectors(&self) -> u64 {
        self.bytes / SECTOR
    }

    /// Opens the same disk for writing.
    pub(crate) fn writable(&self) -> Result<File> {
        File::options().read(true).write(true).open(self.path()).attempt("open for writing", self.path())
    }
}

impl ReadAt for Disk {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        ReadAt::read_at(&self.file, offset, buf)
    }

    fn len(&self) -> u64 {
        self.bytes
    }
}

/// Kernel names of the disks that are there now, in order.
pub(crate) fn names() -> Vec<String> {
    let mut names = block_devices("/sys/block");
    names.retain(|name| may_hold_slots(name));
    names
}

/// Kernel names of the disks and partitions that may be volumes for this machine, in order: all block devices but those
/// that only show others again, and floppy drives, which take seconds to say that they are empty.
pub(crate) fn volumes() -> Vec<String> {
    const IGNORED_VOLUMES: [&str; 6] = ["loop", "ram", "zram", "dm-", "fd", "md"];
    let mut names = block_devices("/sys/class/block");
    names.retain(|name| !is_numbered(name, &IGNORED_VOLUMES) && !name.contains("boot") && !name.contains("rpmb"));
    names
}

fn block_devices(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn is_numbered(name: &str, prefixes: &[&str]) -> bool {
    let fits =
        |prefix: &&str| name.strip_prefix(*prefix).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    prefixes.iter().any(fits)
}

fn may_hold_slots(name: &str) -> bool {
    !is_numbered(name, &IGNORED) && !name.contains("boot") && !name.contains("rpmb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_disks_are_looked_at() {
        for (name, want) in [
            ("vda", true),
            ("sda", true),
            ("nvme0n1", true),
            ("mmcblk0", true),
            ("sr0", false),
            ("loop0", false),
            ("dm-0", false),
            ("zram0", false),
            ("mmcblk0boot0", false),
            ("mmcblk0rpmb", false),
        ] {
            assert_eq!(may_hold_slots(name), want, "{name}");
        }
    }
}

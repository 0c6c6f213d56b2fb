//! Partitions in the kernel's view of one disk: found in sysfs by number, added or resized when the kernel lacks them.

use std::fs;
use std::os::fd::AsFd as _;
use std::path::PathBuf;

use coracle_slots::gpt::Entry;
use coracle_slots::layout::SECTOR;

use super::Disk;
use crate::error::{Attempt as _, Error, Result};
use crate::files;
use crate::sys;

const ADD: i32 = 1;
const RESIZE: i32 = 3;

/// A partition as the kernel knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    name: String,
    start: u64,
    sectors: u64,
}

/// What has to be told to the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Nothing,
    Add,
    Resize,
}

/// Makes the kernel see the partition as the table has it and returns its node.
pub(crate) fn ensure(disk: &Disk, entry: &Entry) -> Result<PathBuf> {
    let known = find(disk, entry.number)?;
    let file = fs::File::open(disk.path()).attempt("open", disk.path())?;
    let operation = match plan(known.as_ref(), entry)? {
        Action::Nothing => None,
        Action::Add => Some(ADD),
        Action::Resize => Some(RESIZE),
    };
    if let Some(operation) = operation {
        sys::blkpg(file.as_fd(), operation, &mut argument(entry)?)
            .attempt("tell the kernel about partition", format!("{} of {}", entry.number, disk.name))?;
    }
    let known = find(disk, entry.number)?;
    let known = known.ok_or_else(|| Error::Found(format!("partition {} of {} is missing", entry.number, disk.name)))?;
    Ok(PathBuf::from("/dev").join(known.name))
}

fn plan(known: Option<&Known>, entry: &Entry) -> Result<Action> {
    let sectors = entry.size_bytes() / SECTOR;
    match known {
        None => Ok(Action::Add),
        Some(known) if known.start != entry.first_lba => Err(Error::Found(format!(
            "partition {} starts at sector {} for the kernel and at {} in the table",
            entry.number, known.start, entry.first_lba
        ))),
        Some(known) if known.sectors != sectors => Ok(Action::Resize),
        Some(_) => Ok(Action::Nothing),
    }
}

/// The child of the disk in sysfs that has this partition number. Only this disk's children are looked at.
fn find(disk: &Disk, number: u32) -> Result<Option<Known>> {
    let directory = format!("/sys/block/{}", disk.name);
    for entry in fs::read_dir(&directory).attempt("list", &directory)?.flatten() {
        let read = |file: &str| -> Option<u64> {
            files::read_text(entry.path().join(file), 64).ok().and_then(|text| text.trim().parse().ok())
        };
        if read("partition") == Some(u64::from(number))
            && let (Some(start), Some(sectors)) = (read("start"), read("size"))
        {
            return Ok(Some(Known { name: entry.file_name().to_string_lossy().into_owned(), start, sectors }));
        }
    }
    Ok(None)
}

/// `struct blkpg_partition`: start and length in bytes, number, two unused names.
fn argument(entry: &Entry) -> Result<[u8; sys::BLKPG_PARTITION_SIZE]> {
    let number = |value: u64| i64::try_from(value).map_err(|_| Error::Found("partition is too large".to_owned()));
    let mut bytes = [0; sys::BLKPG_PARTITION_SIZE];
    let mut fields = Vec::with_capacity(20);
    fields.extend(number(entry.offset_bytes())?.to_ne_bytes());
    fields.extend(number(entry.size_bytes())?.to_ne_bytes());
    fields.extend(entry.number.to_ne_bytes());
    for (to, from) in bytes.iter_mut().zip(fields) {
        *to = from;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use coracle_slots::gpt::{Guid, Guids, shipped};
    use coracle_slots::layout::Role;

    fn slot_a() -> Entry {
        let guids = Guids { disk: Guid::ZERO, partitions: [Guid::ZERO; 6] };
        shipped(&guids).find(Role::SlotA).unwrap().clone()
    }

    #[test]
    fn the_kernel_is_told_only_what_it_lacks() {
        let entry = slot_a();
        let known = |start, sectors| Known { name: "vda3".to_owned(), start, sectors };
        let sectors = entry.size_bytes() / SECTOR;
        assert_eq!(plan(None, &entry).unwrap(), Action::Add);
        assert_eq!(plan(Some(&known(entry.first_lba, sectors)), &entry).unwrap(), Action::Nothing);
        assert_eq!(plan(Some(&known(entry.first_lba, 8)), &entry).unwrap(), Action::Resize);
        assert!(plan(Some(&known(1, sectors)), &entry).is_err());
    }

    #[test]
    fn the_argument_is_the_kernels() {
        let bytes = argument(&slot_a()).unwrap();
        assert_eq!(i64::from_ne_bytes(bytes[0..8].try_into().unwrap()), 258 << 20);
        assert_eq!(i64::from_ne_bytes(bytes[8..16].try_into().unwrap()), 1 << 30);
        assert_eq!(i32::from_ne_bytes(bytes[16..20].try_into().unwrap()), 3);
        assert!(bytes[20..].iter().all(|byte| *byte == 0));
    }
}

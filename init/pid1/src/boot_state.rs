//! The boot state on the disk: read at each boot, written straight into the two files' sectors. The FAT is not mounted.

use std::os::unix::fs::FileExt as _;

use coracle_contract::kernel_arguments::Slot;
use coracle_slots::boot_state::{
    BLOCK_BYTES, Block, FILES, Position, Reading, State, read, reject, repair_plan, set_id, settle, write_plan,
};
use coracle_slots::fat::{self, Extent};
use coracle_slots::gpt::Table;
use coracle_slots::layout::Role;
use coracle_slots::{Part, ReadAt};
use rustix::rand::{GetRandomFlags, getrandom};

use crate::disk::Disk;
use crate::error::{Attempt as _, Error, Result, invalid};
use crate::slot;

/// What a failed gate means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Reboot into the other slot, for this reason.
    Leave(&'static str),
    /// There is no other slot: stay up.
    Stay,
}

/// What the end of a health gate does.
pub(crate) trait Gate {
    /// The boot is healthy. Returns a word for the marker.
    fn passed(&self) -> Result<&'static str>;

    /// The boot is not healthy.
    fn failed(&self) -> Result<Verdict>;
}

/// The boot state of the running system.
#[derive(Debug)]
pub(crate) struct Gatekeeper {
    disk: Disk,
    running: Slot,
}

/// The two blocks as they stand on the disk, with their places.
struct Found {
    reading: Reading,
    /// Where each block's bytes are on the disk, in order; `None` for a file that is missing or has another size.
    places: [Option<Vec<Extent>>; 2],
}

/// Sequence number and identity of the newest valid block, if there is one.
pub(crate) fn newest(disk: &impl ReadAt, table: &Table) -> Result<Option<(u64, u64)>> {
    let found = find(disk, table)?;
    Ok(found.reading.source.map(|_| (found.reading.state.seq, found.reading.state.id)))
}

/// A slot that cannot even be mounted has failed. Records it when it is on trial, or when the other slot is signed:
/// true when the next boot takes the other one.
pub(crate) fn reject_running(disk: &Disk, table: &Table, running: Slot, other_is_usable: bool) -> Result<bool> {
    let found = find(disk, table)?;
    let on_trial = found.reading.state.trial == Some(running);
    if !on_trial && !other_is_usable {
        return Ok(false);
    }
    let wanted = reject(&found.reading.state, running);
    write(disk, &found, &wanted)
}

impl Gate for Gatekeeper {
    /// The boot is healthy: all boots are left again, a trial is committed, the disk gets its identity.
    fn passed(&self) -> Result<&'static str> {
        let table = self.table()?;
        let found = find(&self.disk, &table)?;
        let before = found.reading.state;
        let identity = if before.id == 0 { fresh_id()? } else { before.id };
        let wanted = set_id(&settle(&before, self.running), identity);
        let written = write(&self.disk, &found, &wanted)?;
        self.repair(&table)?;
        Ok(match (written, before.trial) {
            (true, Some(trial)) if trial == self.running => "committed",
            (true, _) => "healthy",
            (false, _) => "unchanged",
        })
    }

    /// The boot is not healthy. With a usable other slot this one is given up.
    fn failed(&self) -> Result<Verdict> {
        let table = self.table()?;
        if !self.other_is_usable(&table) {
            return Ok(Verdict::Stay);
        }
        reject_running(&self.disk, &table, self.running, true)?;
        Ok(Verdict::Leave("gate-failed"))
    }
}

impl Gatekeeper {
    /// For the disk and slot of this boot.
    pub(crate) const fn new(disk: Disk, running: Slot) -> Self {
        Self { disk, running }
    }

    fn table(&self) -> Result<Table> {
        let read = Table::read(&self.disk);
        let (table, _) = read.map_err(|error| invalid("read partition table of", &self.disk.name)(Box::new(error)))?;
        Ok(table)
    }

    fn other_is_usable(&self, table: &Table) -> bool {
        slot::is_usable(&self.disk, table, self.running.other(), slot::KEYS_IN_RUN)
    }

    /// Replaces a block that GRUB could not write any more. Two writes at the most.
    fn repair(&self, table: &Table) -> Result<()> {
        for _ in 0..2 {
            let found = find(&self.disk, table)?;
            match repair_plan(&found.reading) {
                None => return Ok(()),
                Some(plan) => write_block(&self.disk, &found, plan.position, &plan.bytes)?,
            }
        }
        Ok(())
    }
}

fn fresh_id() -> Result<u64> {
    let mut random = [0_u8; 8];
    getrandom(&mut random[..], GetRandomFlags::INSECURE).attempt("make", "disk identity")?;
    // Zero means "none yet".
    Ok(u64::from_ne_bytes(random).max(1))
}

fn find(disk: &impl ReadAt, table: &Table) -> Result<Found> {
    let esp = table.find(Role::Esp).ok_or_else(|| Error::Found("the partition table has no ESP".to_owned()))?;
    let part = Part::new(disk, esp.offset_bytes(), esp.size_bytes());
    let places = FILES.map(|file| place(&part, file, esp.offset_bytes()));
    let [first, second] = places.each_ref().map(|place| read_block(disk, place.as_deref()?));
    let reading = read([first.as_deref(), second.as_deref()]);
    Ok(Found { reading, places })
}

/// The extents of a block file on the disk.
fn place(esp: &impl ReadAt, name: &str, esp_offset: u64) -> Option<Vec<Extent>> {
    let file = fat::find(esp, name).ok()?;
    let on_disk = |extent: &Extent| Extent { offset: extent.offset.saturating_add(esp_offset), ..*extent };
    let whole = usize::try_from(file.size) == Ok(BLOCK_BYTES);
    whole.then(|| file.extents.iter().map(on_disk).collect())
}

/// The bytes of a block file; `None` when a sector cannot be read.
fn read_block(disk: &impl ReadAt, extents: &[Extent]) -> Option<Vec<u8>> {
    let mut block = Vec::with_capacity(BLOCK_BYTES);
    for extent in extents {
        let mut part = vec![0; usize::try_from(extent.length).ok().filter(|length| *length <= BLOCK_BYTES)?];
        disk.read_at(extent.offset, &mut part).ok()?;
        block.extend(part);
    }
    Some(block)
}

/// Writes a state into the block that does not count now. False when nothing has to change.
fn write(disk: &Disk, found: &Found, wanted: &State) -> Result<bool> {
    match write_plan(&found.reading, wanted) {
        None => Ok(false),
        Some(plan) => write_block(disk, found, plan.position, &plan.bytes).map(|()| true),
    }
}

fn write_block(disk: &Disk, found: &Found, position: Position, bytes: &Block) -> Result<()> {
    let name = FILES.get(position.index()).copied().unwrap_or_default();
    let place = found.places.get(position.index()).and_then(Option::as_deref);
    let place = place.ok_or_else(|| Error::Found(format!("{name} is missing or has another size")))?;
    let file = disk.writable()?;
    let mut rest = &bytes[..];
    for extent in place {
        let length = usize::try_from(extent.length).unwrap_or(usize::MAX);
        let (part, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        file.write_all_at(part, extent.offset).attempt("write", name)?;
        rest = after;
    }
    file.sync_all().attempt("flush", name)?;
    match read_block(disk, place) {
        Some(back) if back == bytes => Ok(()),
        _ => Err(Error::Found(format!("{name} does not hold what was written"))),
    }
}

#[cfg(test)]
mod tests;

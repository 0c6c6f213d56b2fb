//! The table of a shipped image, and the pure plan by which a device makes the rest of it at any boot.

use super::{Entry, Guid, Name, Table};
use crate::layout::{LEAST_DATA_BYTES, MIB, Role, SECTOR, SHIPPED_SECTORS};

const ALIGNMENT: u64 = MIB / SECTOR;

/// Fresh identities for a table, made by the caller from random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guids {
    /// Identity of the disk.
    pub disk: Guid,
    /// Identities of the partitions in the order of [`Role::ALL`].
    pub partitions: [Guid; 6],
}

impl Guids {
    const fn of(&self, role: Role) -> Guid {
        let [bios, esp, slot_a, slot_b, state, data] = self.partitions;
        match role {
            Role::BiosBoot => bios,
            Role::Esp => esp,
            Role::SlotA => slot_a,
            Role::SlotB => slot_b,
            Role::State => state,
            Role::Data => data,
        }
    }
}

/// The table of an image as it is shipped: BIOS-boot, ESP and SLOT-A.
#[must_use]
pub fn shipped(guids: &Guids) -> Table {
    let entries = [Role::BiosBoot, Role::Esp, Role::SlotA]
        .into_iter()
        .filter_map(|role| new_entry(role, guids, SHIPPED_SECTORS))
        .collect();
    Table { disk_guid: guids.disk, disk_sectors: SHIPPED_SECTORS, entries }
}

/// What the table of a disk of `disk_sectors` becomes: SLOT-B, STATE and DATA are added while they fit, DATA reaches to
/// the end, the backup moves to the end. `None` when nothing changes.
///
/// The first growth of an image also gives the disk and its partitions the identities of `guids`, so that two disks
/// flashed from one image differ. Only the ESP keeps its own: a firmware's boot entry may name it.
#[must_use]
pub fn plan_grow(table: &Table, disk_sectors: u64, guids: &Guids) -> Option<Table> {
    // A shrunk disk is not a reason to cut partitions.
    let disk_sectors = disk_sectors.max(table.disk_sectors);
    let mut grown = Table { disk_sectors, ..table.clone() };
    for role in [Role::SlotB, Role::State, Role::Data] {
        // A number that is in use by something else is left alone: the caller sees the role missing.
        let taken = grown.entries.iter().any(|entry| entry.number == role.gpt_number());
        let overlaps = |new: &Entry| {
            grown.entries.iter().any(|old| old.first_lba <= new.last_lba && new.first_lba <= old.last_lba)
        };
        match new_entry(role, guids, disk_sectors) {
            Some(entry) if !taken && !overlaps(&entry) => grown.entries.push(entry),
            _ => {}
        }
    }
    if table.find(Role::State).is_none() && grown.find(Role::State).is_some() {
        grown.disk_guid = guids.disk;
        for role in Role::ALL.into_iter().filter(|role| *role != Role::Esp) {
            if let Some(entry) = find_mut(&mut grown, role) {
                entry.unique_guid = guids.of(role);
            }
        }
    }
    let end = last_aligned(disk_sectors);
    if let Some(data) = find_mut(&mut grown, Role::Data) {
        data.last_lba = data.last_lba.max(end);
    }
    grown.entries.sort_by_key(|entry| entry.number);
    let changed = grown.disk_sectors != table.disk_sectors || grown.entries != table.entries;
    changed.then_some(grown)
}

fn find_mut(table: &mut Table, role: Role) -> Option<&mut Entry> {
    table.entries.iter_mut().find(|entry| entry.number == role.gpt_number() && entry.type_guid == role.type_guid())
}

/// The entry of a role in its place, if the disk reaches so far.
fn new_entry(role: Role, guids: &Guids, disk_sectors: u64) -> Option<Entry> {
    let first_lba = role.first_sector();
    let end = last_aligned(disk_sectors);
    let last_lba = match role.size_bytes() {
        Some(bytes) => first_lba.checked_add(bytes / SECTOR)?.checked_sub(1)?,
        None => end.max(first_lba.checked_add(LEAST_DATA_BYTES / SECTOR)?.checked_sub(1)?),
    };
    (last_lba <= end).then_some(Entry {
        number: role.gpt_number(),
        type_guid: role.type_guid(),
        unique_guid: guids.of(role),
        first_lba,
        last_lba,
        attributes: 0,
        name: Name::new(role.name()),
    })
}

/// The last sector before the backup table such that the partition ends at a whole MiB.
const fn last_aligned(disk_sectors: u64) -> u64 {
    let free = Table::last_usable(disk_sectors).saturating_add(1);
    (free / ALIGNMENT).saturating_mul(ALIGNMENT).saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guids(seed: u8) -> Guids {
        let guid = |n: u8| Guid::from_random([seed.wrapping_add(n); 16]);
        Guids { disk: guid(0), partitions: [1, 2, 3, 4, 5, 6].map(guid) }
    }

    const GIB: u64 = 1024 * MIB / SECTOR;

    #[test]
    fn a_first_boot_makes_the_rest() {
        let grown = plan_grow(&shipped(&guids(0)), 8 * GIB, &guids(100)).unwrap();
        assert_eq!(grown.disk_sectors, 8 * GIB);
        assert_eq!(grown.disk_guid, guids(100).disk);
        for role in Role::ALL {
            let entry = grown.find(role).unwrap();
            let seed = if role == Role::Esp { 0 } else { 100 };
            assert_eq!(entry.unique_guid, guids(seed).of(role), "{role:?}");
            assert_eq!(entry.first_lba, role.first_sector());
            assert_eq!(entry.first_lba % ALIGNMENT, 0);
            assert_eq!((entry.last_lba + 1) % ALIGNMENT, 0);
        }
        assert_eq!(grown.find(Role::Data).unwrap().last_lba, 8 * GIB - ALIGNMENT - 1);
        assert_eq!(plan_grow(&grown, 8 * GIB, &guids(50)), None, "a second plan changes nothing");
    }

    #[test]
    fn a_larger_disk_only_extends_data() {
        let table = plan_grow(&shipped(&guids(0)), 8 * GIB, &guids(100)).unwrap().with_formatted(Role::State);
        let grown = plan_grow(&table, 9 * GIB, &guids(50)).unwrap();
        assert_eq!(grown.disk_guid, table.disk_guid);
        assert_eq!(grown.find(Role::Data).unwrap().last_lba, 9 * GIB - ALIGNMENT - 1);
        for role in Role::ALL.into_iter().filter(|role| *role != Role::Data) {
            assert_eq!(grown.find(role), table.find(role), "{role:?}");
        }
    }

    #[test]
    fn a_small_disk_gets_what_fits() {
        let table = shipped(&guids(0));
        let has = |sectors: u64| {
            let grown = plan_grow(&table, sectors, &guids(9)).unwrap_or_else(|| table.clone());
            [Role::SlotB, Role::State, Role::Data].map(|role| grown.find(role).is_some())
        };
        assert_eq!(has(SHIPPED_SECTORS), [false, false, false]);
        assert_eq!(plan_grow(&table, SHIPPED_SECTORS, &guids(9)), None, "nothing to write at every boot");
        assert_eq!(has(Role::State.first_sector() + ALIGNMENT), [true, false, false]);
        assert_eq!(has(Role::Data.first_sector() + ALIGNMENT), [true, true, false]);
        let least = Role::Data.first_sector() + LEAST_DATA_BYTES / SECTOR + 33;
        assert_eq!(has(least - 1), [true, true, false]);
        assert_eq!(has(least), [true, true, true]);
    }

    #[test]
    fn foreign_partitions_are_left_alone() {
        let mut table = shipped(&guids(0));
        let mut foreign = new_entry(Role::State, &guids(7), 8 * GIB).unwrap();
        foreign.type_guid = Guid::from_u128(77);
        table.entries.push(foreign.clone());
        let grown = plan_grow(&table, 8 * GIB, &guids(9)).unwrap();
        assert!(grown.entries.contains(&foreign) && grown.find(Role::State).is_none());

        foreign.number = 9;
        table.entries.pop();
        table.entries.push(foreign);
        let grown = plan_grow(&table, 8 * GIB, &guids(9)).unwrap();
        assert!(grown.find(Role::State).is_none() && grown.find(Role::Data).is_some());
    }
}

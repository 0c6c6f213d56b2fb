//! The partitions of a device: names, types, sizes and places. Final: devices in the field are made of them.
//!
//! A partition is looked up by its role (number and type), and only on the disk that GRUB booted from.

use crate::gpt::Guid;

/// Bytes of a sector. Disks with 4,096-byte sectors are refused.
pub const SECTOR: u64 = 512;

/// One MiB; every partition starts and ends at a multiple.
pub const MIB: u64 = 1 << 20;

/// First sector of the first partition.
pub const FIRST_SECTOR: u64 = MIB / SECTOR;

/// Least size of DATA; a disk that cannot hold it gets none.
pub const LEAST_DATA_BYTES: u64 = 64 * MIB;

/// Sectors of an image as shipped: up to the end of SLOT-A, plus one MiB that holds the backup table.
pub const SHIPPED_SECTORS: u64 = Role::SlotB.first_sector() + MIB / SECTOR;

/// What a partition is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// GRUB's core image for BIOS machines. GPT only.
    BiosBoot,
    /// The FAT file system with GRUB, `grub.cfg` and the boot state.
    Esp,
    /// The slot that an image is flashed with.
    SlotA,
    /// The other slot.
    SlotB,
    /// Configuration, keys, store, trust records, update state.
    State,
    /// Images, volumes, pod logs: the rest of the disk.
    Data,
}

impl Role {
    /// All roles in the order of the disk.
    pub const ALL: [Self; 6] = [Self::BiosBoot, Self::Esp, Self::SlotA, Self::SlotB, Self::State, Self::Data];

    /// Name of the partition in the GPT.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BiosBoot => "coracle-bios",
            Self::Esp => "coracle-esp",
            Self::SlotA => "coracle-slot-a",
            Self::SlotB => "coracle-slot-b",
            Self::State => "coracle-state",
            Self::Data => "coracle-data",
        }
    }

    /// Partition type: the two well-known ones, and four of our own.
    #[must_use]
    pub const fn type_guid(self) -> Guid {
        match self {
            Self::BiosBoot => Guid::from_u128(0x2168_6148_6449_6e6f_744e_6565_6445_4649),
            Self::Esp => Guid::from_u128(0xc12a_7328_f81f_11d2_ba4b_00a0_c93e_c93b),
            Self::SlotA => Guid::from_u128(0xa466_3f6a_4db2_448a_8b4a_86be_b840_b1c9),
            Self::SlotB => Guid::from_u128(0x9d2f_ca46_9af7_4e1d_89ea_3443_8b96_efad),
            Self::State => Guid::from_u128(0xfd95_d4ad_a9cf_48fd_a9d9_5859_b39f_4df2),
            Self::Data => Guid::from_u128(0x327e_3062_e753_498f_9ac5_6821_8a1f_fc4f),
        }
    }

    /// Size in bytes; `None` is the rest of the disk.
    #[must_use]
    pub const fn size_bytes(self) -> Option<u64> {
        match self {
            Self::BiosBoot => Some(MIB),
            Self::Esp => Some(256 * MIB),
            Self::SlotA | Self::SlotB | Self::State => Some(1024 * MIB),
            Self::Data => None,
        }
    }

    /// First sector on a GPT disk.
    #[must_use]
    pub const fn first_sector(self) -> u64 {
        let mib = match self {
            Self::BiosBoot => 1,
            Self::Esp => 2,
            Self::SlotA => 258,
            Self::SlotB => 1282,
            Self::State => 2306,
            Self::Data => 3330,
        };
        (MIB / SECTOR).saturating_mul(mib)
    }

    /// Number of the partition in a GPT; GRUB and Linux count from 1.
    #[must_use]
    pub const fn gpt_number(self) -> u32 {
        match self {
            Self::BiosBoot => 1,
            Self::Esp => 2,
            Self::SlotA => 3,
            Self::SlotB => 4,
            Self::State => 5,
            Self::Data => 6,
        }
    }

    /// Number of the partition on an MBR disk, where STATE and DATA are logical partitions.
    #[must_use]
    pub const fn mbr_number(self) -> Option<u32> {
        match self {
            Self::BiosBoot => None,
            Self::Esp => Some(1),
            Self::SlotA => Some(2),
            Self::SlotB => Some(3),
            Self::State => Some(5),
            Self::Data => Some(6),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_follow_each_other() {
        let mut next = FIRST_SECTOR;
        for role in Role::ALL {
            assert_eq!(role.first_sector(), next, "{role:?}");
            next += role.size_bytes().unwrap_or(0) / SECTOR;
        }
        assert_eq!(SHIPPED_SECTORS * SECTOR, 1283 * MIB);
    }

    /// Frozen: a changed line here is a device that no longer finds its data.
    #[test]
    fn roles_are_frozen() {
        let rows = Role::ALL
            .map(|role| format!("{} {} {:?} {}", role.name(), role.type_guid(), role.mbr_number(), role.gpt_number()));
        assert_eq!(
            rows,
            [
                "coracle-bios 21686148-6449-6e6f-744e-656564454649 None 1",
                "coracle-esp c12a7328-f81f-11d2-ba4b-00a0c93ec93b Some(1) 2",
                "coracle-slot-a a4663f6a-4db2-448a-8b4a-86beb840b1c9 Some(2) 3",
                "coracle-slot-b 9d2fca46-9af7-4e1d-89ea-34438b96efad Some(3) 4",
                "coracle-state fd95d4ad-a9cf-48fd-a9d9-5859b39f4df2 Some(5) 5",
                "coracle-data 327e3062-e753-498f-9ac5-68218a1ffc4f Some(6) 6",
            ]
        );
    }
}

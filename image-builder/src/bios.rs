//! Starting GRUB on BIOS machines: what grub-bios-setup does, on bytes instead of devices. The boot sector loads the
//! first sector of the core image, which loads the rest by the list of sectors at its end.

/// Why a boot sector or core image cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// Not GRUB's `boot.img`.
    #[error("boot.img is not GRUB's boot sector of 512 bytes")]
    BootSector,
    /// Not GRUB's core image for i386-pc.
    #[error("the core image does not begin with GRUB's disk loader")]
    Core,
    /// The core image does not fit into its partition.
    #[error("the core image has {size} bytes, its partition {available}")]
    Size {
        /// Bytes of the image.
        size: usize,
        /// Bytes of the partition.
        available: usize,
    },
}

const SECTOR: usize = 512;
/// Bytes of a boot sector before disk signature and partition table.
pub const BOOT_CODE: usize = 440;
/// Place of the core image's first sector number in the boot sector.
const KERNEL_SECTOR: usize = 0x5c;
/// Place of a jump that GRUB's installer turns into nothing on hard disks: BIOSes that pass a wrong drive number are then
/// corrected.
const DRIVE_CHECK: usize = 0x66;
const NO_OPERATION: u8 = 0x90;
/// Segment where the core image's second sector goes.
const SECOND_SECTOR_SEGMENT: u16 = 0x820;
/// Size of an entry of the sector list, which grows downwards from the end of the sector.
const LIST_ENTRY: usize = 12;

/// Boot code for the disk's first sector, for a core image that begins at sector `core_lba`.
///
/// # Errors
/// `boot_image` is not GRUB's.
pub fn boot_code(boot_image: &[u8], core_lba: u64) -> Result<[u8; BOOT_CODE], Error> {
    // A jump over the place where FAT has its parameters, and the boot signature.
    let is_grub =
        boot_image.len() == SECTOR && boot_image.starts_with(&[0xeb, 0x63]) && boot_image.ends_with(&[0x55, 0xaa]);
    if !is_grub {
        return Err(Error::BootSector);
    }
    let mut code = [0; BOOT_CODE];
    code.copy_from_slice(&boot_image[..BOOT_CODE]);
    code[KERNEL_SECTOR..KERNEL_SECTOR + 8].copy_from_slice(&core_lba.to_le_bytes());
    code[DRIVE_CHECK..DRIVE_CHECK + 2].fill(NO_OPERATION);
    Ok(code)
}

/// The core image as it stands at sector `core_lba`, padded to whole sectors.
///
/// # Errors
/// `core` is no core image, or is larger than `available` bytes.
pub fn embed(core: &[u8], core_lba: u64, available: usize) -> Result<Vec<u8>, Error> {
    let mut image = core.to_vec();
    image.resize(core.len().next_multiple_of(SECTOR), 0);
    let size = image.len();
    if size > available {
        return Err(Error::Size { size, available });
    }
    let sectors = u16::try_from(size / SECTOR).map_err(|_| Error::Core)?;
    let rest = sectors.checked_sub(1).filter(|rest| *rest > 0).ok_or(Error::Core)?;
    let list = SECTOR - LIST_ENTRY;
    // grub-mkimage leaves the list with its one entry's length and segment filled in; anything else is another format.
    if image[list + 10..SECTOR] != SECOND_SECTOR_SEGMENT.to_le_bytes() {
        return Err(Error::Core);
    }
    image[list..list + 8].copy_from_slice(&(core_lba + 1).to_le_bytes());
    image[list + 8..list + 10].copy_from_slice(&rest.to_le_bytes());
    Ok(image)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn core(length: usize) -> Vec<u8> {
        let mut core = vec![7; length];
        core[510..512].copy_from_slice(&SECOND_SECTOR_SEGMENT.to_le_bytes());
        core
    }

    #[test]
    fn the_boot_sector_points_at_the_core() {
        let mut image = vec![0xeb, 0x63];
        image.resize(510, 1);
        image.extend([0x55, 0xaa]);
        let code = boot_code(&image, 2048).unwrap();
        assert_eq!(code[0x5c..0x64], [0, 8, 0, 0, 0, 0, 0, 0]);
        assert_eq!(code[0x66..0x68], [0x90, 0x90]);
        assert_eq!(boot_code(&image[1..], 2048), Err(Error::BootSector));
    }

    #[test]
    fn the_core_lists_its_own_other_sectors() {
        let image = embed(&core(1025), 2048, 4096).unwrap();
        assert_eq!(image.len(), 1536);
        assert_eq!(image[500..512], [1, 8, 0, 0, 0, 0, 0, 0, 2, 0, 0x20, 8]);
    }

    #[test]
    fn what_is_no_core_or_too_large_is_refused() {
        assert_eq!(embed(&core(512), 2048, 4096), Err(Error::Core));
        assert_eq!(embed(&vec![0; 1024], 2048, 4096), Err(Error::Core));
        assert_eq!(embed(&core(5000), 2048, 4096), Err(Error::Size { size: 5120, available: 4096 }));
    }
}

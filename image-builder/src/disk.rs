//! The disk image: partition table, boot sector, core image, FAT and slot, in a sparse file that ends after SLOT-A.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use coracle_slots::gpt::{self, Guid, Guids};
use coracle_slots::layout::{Role, SECTOR, SHIPPED_SECTORS};

use crate::bios;
use crate::digest::Digest;
use crate::files;
use crate::slot::Slot;

/// Boot sector and core image of a BIOS machine, as GRUB's package and tool give them.
#[derive(Debug)]
pub struct Bios {
    /// GRUB's `boot.img`.
    pub boot_image: Vec<u8>,
    /// The core image.
    pub core: Vec<u8>,
}

/// What a disk is made of.
#[derive(Debug)]
pub struct Content<'a> {
    /// Board the disk is for.
    pub board: &'a str,
    /// BIOS start, on boards that have it.
    pub bios: Option<Bios>,
    /// Bytes of the FAT partition.
    pub esp: Vec<u8>,
    /// The slot.
    pub slot: &'a Slot,
}

/// Why a disk cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be written.
    #[error(transparent)]
    File(#[from] files::Error),
    /// GRUB's images are not what they should be.
    #[error(transparent)]
    Bios(#[from] bios::Error),
}

/// Bytes at a place of the disk.
type Piece = (u64, Vec<u8>);

/// Holes are left for runs of zeros of this size: the block size of common file systems.
const BLOCK: usize = 4096;

/// Writes the raw image.
///
/// # Errors
/// See [`Error`].
pub fn write(content: &Content<'_>, path: &Path) -> Result<(), Error> {
    let pieces = pieces(content)?;
    let error = |source| files::Error::new("write", path, source);
    let file = File::create(path).map_err(error)?;
    file.set_len(SHIPPED_SECTORS * SECTOR).map_err(error)?;
    for (offset, bytes) in pieces {
        for (index, block) in bytes.chunks(BLOCK).enumerate() {
            if block.iter().any(|byte| *byte != 0) {
                file.write_all_at(block, offset + (index * BLOCK) as u64).map_err(error)?;
            }
        }
    }
    Ok(())
}

/// Everything on the disk that is not zero.
fn pieces(content: &Content<'_>) -> Result<Vec<Piece>, Error> {
    let start = |role: Role| role.first_sector() * SECTOR;
    let table = gpt::shipped(&guids(content)).encode();
    let mut pieces: Vec<Piece> =
        table.in_write_order().into_iter().map(|piece| (piece.offset, piece.bytes.clone())).collect();
    if let Some(bios) = &content.bios {
        let lba = Role::BiosBoot.first_sector();
        let available = Role::BiosBoot.size_bytes().and_then(|size| usize::try_from(size).ok()).unwrap_or(0);
        pieces.push((0, bios::boot_code(&bios.boot_image, lba)?.to_vec()));
        pieces.push((start(Role::BiosBoot), bios::embed(&bios.core, lba, available)?));
    }
    pieces.push((start(Role::Esp), content.esp.clone()));
    pieces.push((start(Role::SlotA), content.slot.content.clone()));
    let slot_end = start(Role::SlotA) + Role::SlotA.size_bytes().unwrap_or(0);
    pieces.push((slot_end - content.slot.footer.len() as u64, content.slot.footer.to_vec()));
    Ok(pieces)
}

/// Identities of an image: from its content, so that the same image has the same ones. First boot replaces them.
fn guids(content: &Content<'_>) -> Guids {
    let guid = |what: &str| {
        let parts: [&[u8]; 5] =
            [b"coracle image\0", content.board.as_bytes(), b"\0", &content.slot.root_hash, what.as_bytes()];
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&Digest::of_parts(&parts).bytes()[..16]);
        Guid::from_random(bytes)
    };
    Guids { disk: guid("disk"), partitions: Role::ALL.map(|role| guid(role.name())) }
}

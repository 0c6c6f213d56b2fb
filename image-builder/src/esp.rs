//! The FAT partition: GRUB, the frozen `grub.cfg` and the two boot-state files.

use coracle_slots::boot_state::{self, State};
use coracle_slots::layout::Role;

use crate::board::{Board, EfiFile};
use crate::digest::Digest;
use crate::fat;
use crate::tree;

/// Why the partition cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A boot loader file is not in its package.
    #[error("cannot find {path} in package {package}")]
    EfiFile {
        /// The package.
        package: String,
        /// The path.
        path: String,
        /// Why.
        source: tree::Error,
    },
    /// The files make no FAT file system.
    #[error("cannot make the FAT file system")]
    Fat(#[source] fat::Error),
}

/// Bytes of the partition up to the last used one.
///
/// # Errors
/// See [`Error`].
pub fn make(
    board: &Board,
    grub_config: &[u8],
    content: impl Fn(&EfiFile) -> Result<Vec<u8>, tree::Error>,
) -> Result<Vec<u8>, Error> {
    let file = |path: String, bytes: Vec<u8>, gap_before| fat::File { path, bytes, gap_before };
    let mut files = Vec::new();
    for efi in &board.firmware.efi {
        let bytes = content(efi).map_err(|source| Error::EfiFile {
            package: efi.package.clone(),
            path: efi.path.clone(),
            source,
        })?;
        files.push(file(format!("EFI/BOOT/{}", efi.name), bytes, 0));
    }
    files.push(file("EFI/BOOT/grub.cfg".to_owned(), grub_config.to_vec(), 0));
    let block = State::DEFAULT.encode();
    let distance = usize::try_from(boot_state::LEAST_DISTANCE).unwrap_or(usize::MAX);
    for (path, gap_before) in boot_state::FILES.into_iter().zip([0, distance]) {
        files.push(file(path.trim_start_matches('/').to_owned(), block.to_vec(), gap_before));
    }
    let [a, b, c, d, ..] = *Digest::of_parts(&[b"coracle FAT serial\0", board.id.as_bytes()]).bytes();
    let volume = fat::Volume {
        size: Role::Esp.size_bytes().unwrap_or(0),
        first_sector: u32::try_from(Role::Esp.first_sector()).unwrap_or(0),
        serial: u32::from_le_bytes([a, b, c, d]),
    };
    fat::format(&volume, &files).map_err(Error::Fat)
}

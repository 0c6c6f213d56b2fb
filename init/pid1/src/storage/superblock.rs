//! The three facts of an ext4 superblock that decide what happens to a partition.

use coracle_slots::ReadAt;

use crate::error::{Attempt as _, Result};

const OFFSET: u64 = 1024;
const LENGTH: usize = 0x158;
const MAGIC: [u8; 2] = [0x53, 0xef];

/// Reads the size in bytes of an ext4 file system at the start of `device`; `None` when there is no ext4 magic.
pub(crate) fn size_bytes(device: &impl ReadAt, name: &str) -> Result<Option<u64>> {
    let mut bytes = [0_u8; LENGTH];
    device.read_at(OFFSET, &mut bytes).attempt("read superblock of", name)?;
    Ok(parse(&bytes))
}

fn parse(superblock: &[u8]) -> Option<u64> {
    if superblock.get(56..58)? != MAGIC {
        return None;
    }
    let number = |at: usize| superblock.get(at..)?.first_chunk::<4>().map(|bytes| u32::from_le_bytes(*bytes));
    let blocks = (u64::from(number(0x150)?) << 32) | u64::from(number(4)?);
    // Blocks are 1 KiB shifted by up to 6; anything else is no file system of ours.
    let block_bytes = 1024_u64.checked_shl(number(24).filter(|shift| *shift <= 6)?)?;
    blocks.checked_mul(block_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_ext4_superblock_has_a_size() {
        let mut bytes = vec![0; LENGTH];
        assert_eq!(parse(&bytes), None);
        bytes[56..58].copy_from_slice(&MAGIC);
        bytes[4..8].copy_from_slice(&3_u32.to_le_bytes());
        bytes[24..28].copy_from_slice(&2_u32.to_le_bytes());
        assert_eq!(parse(&bytes), Some(3 * 4096));
        bytes[0x150..0x154].copy_from_slice(&1_u32.to_le_bytes());
        assert_eq!(parse(&bytes), Some(((1 << 32) + 3) * 4096));
        bytes[24..28].copy_from_slice(&60_u32.to_le_bytes());
        assert_eq!(parse(&bytes), None);
        assert_eq!(parse(&[]), None);
    }
}

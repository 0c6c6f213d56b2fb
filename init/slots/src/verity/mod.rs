//! dm-verity hash trees: built, checked as a whole, and described to the kernel.
//!
//! One shape only: SHA-256, data and hash blocks of 4,096 bytes, a salt of 32 bytes before each block (hash format 1),
//! no superblock. The top level comes first, as the kernel and `veritysetup format --no-superblock` lay it out.

mod build;
mod check;

use std::fmt::Write as _;
use std::io;

use sha2::{Digest, Sha256};

use crate::bytes::to_hex;

pub use build::Tree;
pub use check::verify_all;

/// Bytes of a data block and of a hash block.
pub const BLOCK: usize = 4096;

/// The same as a file offset.
pub(crate) const BLOCK_BYTES: u64 = 4096;

/// Digests in a hash block.
const FAN_OUT: u64 = 128;
const DIGEST: usize = 32;

/// Largest image: 4 TiB. Bounds the depth of the tree.
const MOST_DATA_BLOCKS: u64 = 1 << 30;

/// What the kernel and [`verify_all`] need to know of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Params {
    /// Number of data blocks, from block 0.
    pub data_blocks: u64,
    /// First block of the tree on the same device.
    pub hash_start_block: u64,
    /// Salt of every block.
    pub salt: [u8; 32],
    /// Digest of the top block.
    pub root_hash: [u8; 32],
}

/// Why a tree could not be built, or data did not match it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The number of data blocks is zero or beyond what a slot can hold.
    #[error("{0} data blocks are outside 1..=2^30")]
    Size(u64),
    /// Reading a block failed.
    #[error("read of block {block} failed")]
    Read {
        /// Number of the block from the start of the device.
        block: u64,
        /// What the device said.
        source: io::Error,
    },
    /// A block is not what the root hash stands for.
    #[error("block {block} does not match the hash tree")]
    Mismatch {
        /// Number of the block from the start of the device.
        block: u64,
    },
}

impl Params {
    /// Blocks of the tree alone.
    ///
    /// # Errors
    /// [`Error::Size`].
    pub fn tree_blocks(&self) -> Result<u64, Error> {
        Ok(levels(self.data_blocks)?.iter().map(|level| level.blocks).sum())
    }

    /// Length of the verity device in sectors of 512 bytes.
    #[must_use]
    pub const fn sectors(&self) -> u64 {
        self.data_blocks.saturating_mul(BLOCK_BYTES / crate::layout::SECTOR)
    }
}

/// The parameters of a dm-verity target (without start, length and target name). Devices are paths or `MAJOR:MINOR`;
/// `options` are optional parameters such as `panic_on_corruption`.
#[must_use]
pub fn table_line(params: &Params, data_device: &str, hash_device: &str, options: &[&str]) -> String {
    let mut line = format!(
        "1 {data_device} {hash_device} {BLOCK} {BLOCK} {} {} sha256 {} {}",
        params.data_blocks,
        params.hash_start_block,
        to_hex(&params.root_hash),
        to_hex(&params.salt),
    );
    if !options.is_empty() {
        // Writing to a String cannot fail.
        let _ = write!(line, " {} {}", options.len(), options.join(" "));
    }
    line
}

/// A level of the tree: how many hash blocks, and where they begin within the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Level {
    first_block: u64,
    blocks: u64,
}

/// The levels from the one over the data (index 0) to the top one. A single data block has none: its own digest is the
/// root hash.
fn levels(data_blocks: u64) -> Result<Vec<Level>, Error> {
    if data_blocks == 0 || data_blocks > MOST_DATA_BLOCKS {
        return Err(Error::Size(data_blocks));
    }
    let mut sizes = Vec::new();
    let mut blocks = data_blocks;
    while blocks > 1 {
        blocks = blocks.div_ceil(FAN_OUT);
        sizes.push(blocks);
    }
    let mut first_block: u64 = 0;
    let mut levels: Vec<Level> = Vec::with_capacity(sizes.len());
    for blocks in sizes.into_iter().rev() {
        levels.push(Level { first_block, blocks });
        first_block = first_block.saturating_add(blocks);
    }
    levels.reverse();
    Ok(levels)
}

fn digest(salt: &[u8; 32], block: &[u8]) -> [u8; DIGEST] {
    Sha256::new_with_prefix(salt).chain_update(block).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_laid_out_from_the_top() {
        let shape = |blocks| levels(blocks).unwrap().iter().map(|l| (l.first_block, l.blocks)).collect::<Vec<_>>();
        assert_eq!(shape(1), []);
        assert_eq!(shape(2), [(0, 1)]);
        assert_eq!(shape(128), [(0, 1)]);
        assert_eq!(shape(129), [(1, 2), (0, 1)]);
        assert_eq!(shape(128 * 128 + 1), [(3, 129), (1, 2), (0, 1)]);
        assert!(levels(0).is_err() && levels(u64::MAX).is_err() && levels(MOST_DATA_BLOCKS + 1).is_err());
    }

    #[test]
    fn the_kernel_is_told_everything() {
        let params = Params { data_blocks: 3, hash_start_block: 4, salt: [0xab; 32], root_hash: [0x01; 32] };
        let (root, salt) = ("01".repeat(32), "ab".repeat(32));
        let plain = format!("1 8:3 8:3 4096 4096 3 4 sha256 {root} {salt}");
        assert_eq!(table_line(&params, "8:3", "8:3", &[]), plain);
        let with = table_line(&params, "8:3", "8:3", &["panic_on_corruption", "check_at_most_once"]);
        assert_eq!(with, format!("{plain} 2 panic_on_corruption check_at_most_once"));
        assert_eq!(params.sectors(), 24);
    }
}

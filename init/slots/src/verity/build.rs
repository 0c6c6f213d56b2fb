//! Building a tree from a stream of data.

use std::io::Read;

use super::{BLOCK, Error, digest, levels};

/// A built tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    /// Digest of the top block.
    pub root_hash: [u8; 32],
    /// The hash blocks, top level first. Empty for a single data block.
    pub bytes: Vec<u8>,
}

impl Tree {
    /// Reads exactly `data_blocks` blocks from `data` and builds the tree over them.
    ///
    /// Needs memory for the tree, 1/127 of the data. Not meant for PID 1.
    ///
    /// # Errors
    /// The size is out of range, or the data ended early.
    pub fn build(mut data: impl Read, data_blocks: u64, salt: &[u8; 32]) -> Result<Self, Error> {
        let mut tree = Vec::new();
        let mut block = [0; BLOCK];
        let mut digests = Vec::new();
        let depth = levels(data_blocks)?.len();
        for number in 0..data_blocks {
            data.read_exact(&mut block).map_err(|source| Error::Read { block: number, source })?;
            digests.extend(digest(salt, &block));
        }
        let mut levels_up: Vec<Vec<u8>> = Vec::with_capacity(depth);
        for _ in 0..depth {
            // 128 digests of 32 bytes fill a block without rest.
            let blocks: Vec<u8> = digests.chunks(BLOCK).flat_map(padded).collect();
            digests = blocks.chunks(BLOCK).flat_map(|block| digest(salt, block)).collect();
            levels_up.push(blocks);
        }
        for level in levels_up.iter().rev() {
            tree.extend_from_slice(level);
        }
        let mut root_hash = [0; 32];
        crate::bytes::copy(&mut root_hash, &digests);
        Ok(Self { root_hash, bytes: tree })
    }
}

fn padded(digests: &[u8]) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    crate::bytes::copy(&mut block, digests);
    block
}

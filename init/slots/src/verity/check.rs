//! Checking all data and the whole tree against the root hash, in constant memory.

use super::{BLOCK, BLOCK_BYTES, DIGEST, Error, FAN_OUT, Level, Params, digest, levels};
use crate::ReadAt;

/// Reads every data block and every hash block once, in one walk from the root down, and compares all of them.
///
/// Each hash block is used as it was read when it matched, so data that changes between two reads cannot slip through.
///
/// # Errors
/// The first block that cannot be read or does not match.
pub fn verify_all(device: &impl ReadAt, params: &Params) -> Result<(), Error> {
    let levels = levels(params.data_blocks)?;
    let walk = Walk { device, params, levels: &levels };
    walk.check(levels.len(), 0, &params.root_hash)
}

struct Walk<'a, R> {
    device: &'a R,
    params: &'a Params,
    levels: &'a [Level],
}

impl<R: ReadAt> Walk<'_, R> {
    /// Checks block `index` of a height (0 is data, above it the levels) and everything below it. The depth is that of
    /// the tree: at most five for the largest image.
    fn check(&self, height: usize, index: u64, expected: &[u8; DIGEST]) -> Result<(), Error> {
        let block = self.place(height, index);
        let mut bytes = [0; BLOCK];
        self.device
            .read_at(block.saturating_mul(BLOCK_BYTES), &mut bytes)
            .map_err(|source| Error::Read { block, source })?;
        if &digest(&self.params.salt, &bytes) != expected {
            return Err(Error::Mismatch { block });
        }
        let Some(below) = height.checked_sub(1) else { return Ok(()) };
        let first = index.saturating_mul(FAN_OUT);
        let children = self.blocks(below).saturating_sub(first).min(FAN_OUT);
        let (digests, _) = bytes.as_chunks::<DIGEST>();
        for (child, expected) in (first..first.saturating_add(children)).zip(digests) {
            self.check(below, child, expected)?;
        }
        Ok(())
    }

    /// Blocks of a height.
    fn blocks(&self, height: usize) -> u64 {
        let level = height.checked_sub(1).and_then(|level| self.levels.get(level));
        level.map_or(self.params.data_blocks, |level| level.blocks)
    }

    /// Number of a block from the start of the device.
    fn place(&self, height: usize, index: u64) -> u64 {
        let level = height.checked_sub(1).and_then(|level| self.levels.get(level));
        level
            .map_or(index, |level| self.params.hash_start_block.saturating_add(level.first_block).saturating_add(index))
    }
}

//! Writer of qcow2 disk images (version 3, 64 KiB clusters, nothing compressed): only clusters with content are stored.

use std::fs::File;
use std::io::{BufWriter, Read as _, Write as _};
use std::path::Path;

use crate::files;

const CLUSTER_BITS: u32 = 16;
const CLUSTER: usize = 1 << CLUSTER_BITS;
/// Entries of an L2 table, which fills one cluster.
const L2_ENTRIES: usize = CLUSTER / 8;
/// 16-bit reference counts in one cluster.
const REFCOUNTS: usize = CLUSTER / 2;
/// Reference count of exactly one: the cluster may be written in place.
const COPIED: u64 = 1 << 63;
const HEADER_BYTES: u32 = 104;

/// Where everything goes, in clusters: header, refcount table, refcount blocks, L1 table, L2 tables, data.
#[derive(Debug, PartialEq, Eq)]
struct Layout {
    refcount_table: usize,
    refcount_blocks: usize,
    l1: usize,
    l2_tables: usize,
    data: usize,
}

/// Copies the raw image `from`, sparse or not, into a new qcow2 image.
///
/// # Errors
/// Reading or writing fails.
pub fn convert(from: &Path, to: &Path) -> Result<(), files::Error> {
    let used = used_clusters(from)?;
    let input = || File::open(from).map_err(|source| files::Error::new("open", from, source));
    let size = input()?.metadata().map_err(|source| files::Error::new("stat", from, source))?.len();
    let write = |source| files::Error::new("write", to, source);
    let mut output = BufWriter::with_capacity(1 << 20, File::create(to).map_err(write)?);
    output.write_all(&metadata(size, &used)).map_err(write)?;
    let mut input = input()?;
    let mut cluster = vec![0; CLUSTER];
    for used in used {
        let length = fill(&mut input, &mut cluster).map_err(|source| files::Error::new("read", from, source))?;
        cluster[length..].fill(0);
        if used {
            output.write_all(&cluster).map_err(write)?;
        }
    }
    output.flush().map_err(write)
}

/// Whether each cluster of a raw image has a byte other than zero.
fn used_clusters(path: &Path) -> Result<Vec<bool>, files::Error> {
    let mut input = File::open(path).map_err(|source| files::Error::new("open", path, source))?;
    let mut cluster = vec![0; CLUSTER];
    let mut used = Vec::new();
    loop {
        let length = fill(&mut input, &mut cluster).map_err(|source| files::Error::new("read", path, source))?;
        if length == 0 {
            return Ok(used);
        }
        used.push(cluster[..length].iter().any(|byte| *byte != 0));
    }
}

/// Reads until the buffer is full or the input ends.
fn fill(input: &mut File, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match input.read(&mut buffer[length..])? {
            0 => break,
            read => length += read,
        }
    }
    Ok(length)
}

impl Layout {
    /// Refcount blocks must count themselves, so their number is the least one that covers everything.
    fn of(clusters: usize, stored: usize) -> Self {
        let l2_tables = clusters.div_ceil(L2_ENTRIES);
        let l1 = (l2_tables * 8).div_ceil(CLUSTER).max(1);
        let mut refcount_blocks: usize = 1;
        loop {
            let refcount_table = (refcount_blocks * 8).div_ceil(CLUSTER);
            let data = 1 + refcount_table + refcount_blocks + l1 + l2_tables;
            if data + stored <= refcount_blocks * REFCOUNTS {
                return Self { refcount_table, refcount_blocks, l1, l2_tables, data };
            }
            refcount_blocks += 1;
        }
    }
}

/// All clusters before the data.
fn metadata(size: u64, used: &[bool]) -> Vec<u8> {
    let stored = used.iter().filter(|used| **used).count();
    let layout = Layout::of(used.len(), stored);
    let refcount_table_at = 1;
    let refcount_blocks_at = refcount_table_at + layout.refcount_table;
    let l1_at = refcount_blocks_at + layout.refcount_blocks;
    let l2_at = l1_at + layout.l1;

    let mut bytes = header(size, &layout, l1_at, refcount_table_at);
    let table = (0..layout.refcount_blocks).map(|block| offset(refcount_blocks_at + block));
    append(&mut bytes, table.flat_map(u64::to_be_bytes));
    append(&mut bytes, (0..layout.data + stored).flat_map(|_| 1u16.to_be_bytes()));
    bytes.resize(l1_at * CLUSTER, 0);
    append(&mut bytes, (0..layout.l2_tables).flat_map(|table| (offset(l2_at + table) | COPIED).to_be_bytes()));
    bytes.resize(l2_at * CLUSTER, 0);
    let mut next = layout.data;
    for used in used {
        let entry = if *used { offset(next) | COPIED } else { 0 };
        next += usize::from(*used);
        bytes.extend(entry.to_be_bytes());
    }
    bytes.resize(layout.data * CLUSTER, 0);
    bytes
}

fn header(size: u64, layout: &Layout, l1_at: usize, refcount_table_at: usize) -> Vec<u8> {
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let mut bytes = b"QFI\xfb".to_vec();
    bytes.extend(3u32.to_be_bytes());
    // No backing file.
    bytes.extend([0; 12]);
    bytes.extend(CLUSTER_BITS.to_be_bytes());
    bytes.extend(size.to_be_bytes());
    // Not encrypted.
    bytes.extend(0u32.to_be_bytes());
    bytes.extend(count(layout.l2_tables).to_be_bytes());
    bytes.extend(offset(l1_at).to_be_bytes());
    bytes.extend(offset(refcount_table_at).to_be_bytes());
    bytes.extend(count(layout.refcount_table).to_be_bytes());
    // No snapshots; no incompatible, compatible or autoclear features.
    bytes.extend([0; 12 + 24]);
    // Reference counts of 2^4 bits.
    bytes.extend(4u32.to_be_bytes());
    bytes.extend(HEADER_BYTES.to_be_bytes());
    bytes.resize(CLUSTER, 0);
    bytes
}

/// Byte offset of a cluster.
const fn offset(cluster: usize) -> u64 {
    (cluster as u64) << CLUSTER_BITS
}

/// Appends a table and fills its last cluster with zeros.
fn append(bytes: &mut Vec<u8>, table: impl Iterator<Item = u8>) {
    bytes.extend(table);
    bytes.resize(bytes.len().next_multiple_of(CLUSTER), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refcount_blocks_count_themselves() {
        // 32,768 counts in a block; beside 32,760 clusters of data there are four L2 tables and four other clusters.
        for (stored, blocks) in [(0, 1), (32_760, 1), (32_761, 2), (65_523, 2), (65_524, 3)] {
            let layout = Layout::of(stored, stored);
            assert_eq!(layout.refcount_blocks, blocks, "{stored}");
            assert!(layout.data + stored <= blocks * REFCOUNTS);
        }
    }
}

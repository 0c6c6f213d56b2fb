//! Filling a file system to its last block, for the tests of a full STATE and a full DATA.

use std::fs::File;

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;

use crate::error::{Attempt as _, Result};

/// Bytes that are asked for at a time, from large to a block.
const STEPS: [u64; 4] = [1 << 30, 1 << 26, 1 << 20, 4096];

/// Makes a file below `mount_point` that takes every free block.
pub(crate) fn fill(mount_point: &str) -> Result<()> {
    let path = format!("{mount_point}/fill");
    let file = File::create(&path).attempt("create", &path)?;
    let mut end = 0_u64;
    for step in STEPS {
        loop {
            match fallocate(&file, FallocateFlags::empty(), end, step) {
                Ok(()) => end = end.saturating_add(step),
                Err(Errno::NOSPC) => break,
                Err(error) => return Err(std::io::Error::from(error)).attempt("fill", &path),
            }
        }
    }
    file.sync_all().attempt("flush", &path)
}

//! The embedded `coracle-init` as a sealed file in memory: on a laptop Coracle stays one file.

use std::fs::File;
use std::io::{self, Write as _};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

/// `coracle-init` of the same target and profile, chosen by the build variable `CORACLE_INIT`.
static COPY: &[u8] = include_bytes!(env!("CORACLE_INIT_PATH"));

/// Puts the embedded executable into a memory file that nobody can change any more, not even this process.
///
/// The descriptor is inherited: the kernel reads the program through it, and helpers start themselves again from it.
///
/// # Errors
/// The kernel gave no memory file (out of memory, descriptors, or a kernel before 3.17).
pub(crate) fn sealed() -> io::Result<File> {
    let mut file = File::from(memfd_create("coracle-init", MemfdFlags::ALLOW_SEALING | MemfdFlags::CLOEXEC)?);
    file.write_all(COPY)?;
    fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt as _;

    #[test]
    fn the_copy_cannot_be_changed() {
        let file = sealed().unwrap();
        assert_eq!(file.metadata().unwrap().len(), COPY.len() as u64);
        assert!(file.write_at(b"x", 0).is_err(), "writing");
        assert!(file.set_len(0).is_err(), "shrinking");
        assert!(file.set_len(1 << 30).is_err(), "growing");
    }
}

//! Executables that are handed over as descriptors: memory files that nobody can change.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, memfd_create};
use rustix::io::Errno;

/// What keeps a memory file as it is, these seals included.
const SEALS: SealFlags = SealFlags::WRITE.union(SealFlags::GROW).union(SealFlags::SHRINK).union(SealFlags::SEAL);

/// Puts an executable into a memory file that nobody can change any more, not even this process. It is close-on-exec:
/// the kernel opens a program before it closes descriptors, so that `/proc/self/fd/N` can be started all the same.
///
/// # Errors
/// The content could not be read, or the kernel gave no memory file (out of memory, descriptors, or a kernel before 3.17).
pub fn sealed(name: &str, mut content: impl Read) -> io::Result<File> {
    let mut file = File::from(memfd_create(name, MemfdFlags::ALLOW_SEALING | MemfdFlags::CLOEXEC)?);
    io::copy(&mut content, &mut file)?;
    fcntl_add_seals(&file, SEALS)?;
    Ok(file)
}

/// Whether a descriptor is a memory file that nobody can change: a container's process that gets hold of the program
/// that made it (`/proc/PID/exe`) must not be able to write to it.
///
/// # Errors
/// It is not, or it is no open descriptor.
pub fn check_sealed(executable: impl AsFd) -> io::Result<()> {
    match fcntl_get_seals(executable) {
        Ok(seals) if seals.contains(SEALS) => Ok(()),
        // Not a memory file.
        Ok(_) | Err(Errno::INVAL) => Err(io::Error::other("it is not a sealed memory file")),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt as _;

    use super::*;

    #[test]
    fn a_sealed_executable_cannot_be_changed() {
        let file = sealed("program", &b"content"[..]).unwrap();
        check_sealed(&file).unwrap();
        assert_eq!(file.metadata().unwrap().len(), 7);
        assert!(file.write_at(b"x", 0).is_err(), "writing");
        assert!(file.set_len(0).is_err(), "shrinking");
        assert!(file.set_len(1 << 30).is_err(), "growing");
        assert!(fcntl_add_seals(&file, SealFlags::FUTURE_WRITE).is_err(), "sealing");
        // Whoever opens it anew gets no further.
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&file));
        let again = File::options().write(true).open(path);
        assert!(again.is_err() || again.unwrap().write_at(b"x", 0).is_err(), "opening anew");
    }

    #[test]
    fn what_can_be_changed_is_not_taken_for_sealed() {
        let memory = memfd_create("program", MemfdFlags::ALLOW_SEALING | MemfdFlags::CLOEXEC).unwrap();
        assert!(check_sealed(&memory).is_err(), "no seal");
        fcntl_add_seals(&memory, SealFlags::WRITE).unwrap();
        assert!(check_sealed(&memory).is_err(), "one seal of four");
        assert!(check_sealed(File::open("/bin/sh").unwrap()).is_err(), "a file on a disk");
    }
}

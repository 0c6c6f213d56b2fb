//! The only unsafe code of this crate: ioctls over checked byte layouts, descriptors that cross an exec, and what a
//! child does between fork and exec. rustix and nix have no safe form of these.
#![expect(unsafe_code, reason = "leaf module: ioctl, inherited descriptors, pre_exec; each block states its proof")]

use std::ffi::c_void;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, opcode};

/// Set-time-out of a watchdog: `_IOWR('W', 6, int)`.
const WATCHDOG_SET_TIMEOUT: Opcode = opcode::read_write::<i32>(b'W', 6);

/// Block-device partitioning: add or resize one partition in the kernel's view.
const BLKPG: Opcode = 0x1269;

/// Credit entropy: `_IOW('R', 3, int[2])`.
const RANDOM_ADD_ENTROPY: Opcode = opcode::write::<[i32; 2]>(b'R', 3);

/// Set interface flags.
const SIOCSIFFLAGS: Opcode = 0x8914;

/// Bytes of `struct ifreq` on 64-bit Linux.
pub(crate) const IFREQ_SIZE: usize = 40;

/// Bytes of `struct dm_ioctl`.
pub(crate) const DM_HEADER_SIZE: usize = 312;

/// Bytes of `struct blkpg_partition`.
pub(crate) const BLKPG_PARTITION_SIZE: usize = 152;

/// An ioctl whose argument is a buffer of bytes that the kernel reads and may write.
struct BufferIoctl<'a> {
    opcode: Opcode,
    buffer: &'a mut [u8],
}

// SAFETY: `as_ptr` points to a live, exclusively borrowed buffer. Each constructor below checks that the buffer has the
// size that the kernel uses for its opcode.
unsafe impl Ioctl for BufferIoctl<'_> {
    type Output = ();
    const IS_MUTATING: bool = true;

    fn opcode(&self) -> Opcode {
        self.opcode
    }

    fn as_ptr(&mut self) -> *mut c_void {
        self.buffer.as_mut_ptr().cast()
    }

    unsafe fn output_from_ptr(_: IoctlOutput, _: *mut c_void) -> rustix::io::Result<()> {
        Ok(())
    }
}

fn ioctl(descriptor: BorrowedFd<'_>, opcode: Opcode, buffer: &mut [u8]) -> io::Result<()> {
    // SAFETY: the callers in this module match opcode and buffer size; the kernel writes only inside that size.
    unsafe { rustix::ioctl::ioctl(descriptor, BufferIoctl { opcode, buffer }) }.map_err(io::Error::from)
}

fn wrong_size() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "argument has the wrong size")
}

/// Sets a watchdog's time-out and returns the one the driver took.
pub(crate) fn watchdog_set_timeout(watchdog: BorrowedFd<'_>, seconds: u32) -> io::Result<u32> {
    let mut bytes = seconds.to_ne_bytes();
    ioctl(watchdog, WATCHDOG_SET_TIMEOUT, &mut bytes)?;
    Ok(u32::from_ne_bytes(bytes))
}

/// One device-mapper command. `buffer` starts with `struct dm_ioctl`, whose `data_size` is the buffer's length.
pub(crate) fn device_mapper(control: BorrowedFd<'_>, command: u8, buffer: &mut [u8]) -> io::Result<()> {
    let announced = buffer.get(12..16).and_then(|bytes| bytes.try_into().ok()).map(u32::from_ne_bytes);
    let actual = u32::try_from(buffer.len()).ok();
    if buffer.len() < DM_HEADER_SIZE || announced.is_none() || announced != actual {
        return Err(wrong_size());
    }
    // The kernel copies `data_size` bytes in and out and no more; it was compared with the buffer above.
    ioctl(control, opcode::read_write::<[u8; DM_HEADER_SIZE]>(0xfd, command), buffer)
}

/// `struct blkpg_ioctl_arg`.
#[repr(C)]
struct BlkpgArgument {
    operation: i32,
    flags: i32,
    data_length: i32,
    data: *mut c_void,
}

/// Adds (1) or resizes (3) a partition in the kernel's view of a disk. `partition` is a `struct blkpg_partition`.
pub(crate) fn blkpg(
    disk: BorrowedFd<'_>,
    operation: i32,
    partition: &mut [u8; BLKPG_PARTITION_SIZE],
) -> io::Result<()> {
    let length = i32::try_from(BLKPG_PARTITION_SIZE).map_err(|_| wrong_size())?;
    let argument = BlkpgArgument { operation, flags: 0, data_length: length, data: partition.as_mut_ptr().cast() };
    // SAFETY: BLKPG reads one struct blkpg_ioctl_arg, whose `data` points to a live struct of `data_length` bytes.
    let setter = unsafe { rustix::ioctl::Setter::<BLKPG, BlkpgArgument>::new(argument) };
    // SAFETY: as above; the kernel only reads.
    unsafe { rustix::ioctl::ioctl(disk, setter) }.map_err(io::Error::from)
}

/// Adds a `struct rand_pool_info` (bits to credit, length, bytes) to the kernel's random pool.
pub(crate) fn add_entropy(random: BorrowedFd<'_>, pool_info: &mut [u8]) -> io::Result<()> {
    let length = pool_info.get(4..8).and_then(|bytes| bytes.try_into().ok()).map(u32::from_ne_bytes);
    let payload = pool_info.len().checked_sub(8).and_then(|length| u32::try_from(length).ok());
    if payload.is_none() || length != payload {
        return Err(wrong_size());
    }
    ioctl(random, RANDOM_ADD_ENTROPY, pool_info)
}

/// Sets the flags of the network interface named in a `struct ifreq`.
pub(crate) fn set_interface_flags(socket: BorrowedFd<'_>, request: &mut [u8; IFREQ_SIZE]) -> io::Result<()> {
    ioctl(socket, SIOCSIFFLAGS, request)
}

/// Takes ownership of a descriptor that the process before `exec` left open for us and told us by number.
pub(crate) fn take_descriptor(number: i32) -> OwnedFd {
    // SAFETY: the caller checked that the number is open and what it is; nothing else in this process owns it.
    let owned = unsafe { OwnedFd::from_raw_fd(number) };
    // Best effort: a leaked descriptor in a child is harmless, a failure here is not worth a reset.
    let _ = rustix::io::fcntl_setfd(&owned, rustix::io::FdFlags::CLOEXEC);
    owned
}

/// Lets the child of `command` enter a cgroup (an open `cgroup.procs`), lead its own session, receive all signals (PID 1
/// has some blocked, and a mask is inherited) and keep one descriptor over `exec`.
pub(crate) fn prepare_child(command: &mut Command, cgroup: Option<OwnedFd>, keep: Option<OwnedFd>) {
    let in_child = move || {
        if let Some(procs) = &cgroup {
            rustix::io::write(procs, b"0")?;
        }
        if let Some(kept) = &keep {
            rustix::io::fcntl_setfd(kept, rustix::io::FdFlags::empty())?;
        }
        nix::sys::signal::SigSet::empty().thread_set_mask()?;
        rustix::process::setsid()?;
        Ok(())
    };
    // SAFETY: between fork and exec the closure makes only system calls on descriptors it owns; it neither allocates
    // nor takes locks, and this process has one thread.
    unsafe { command.pre_exec(in_child) };
}

/// The number under which a child finds a descriptor passed to [`prepare_child`].
pub(crate) fn number_in_child(descriptor: &OwnedFd) -> i32 {
    descriptor.as_fd().as_raw_fd()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opcodes_are_the_kernels() {
        assert_eq!(WATCHDOG_SET_TIMEOUT, 0xc004_5706);
        assert_eq!(RANDOM_ADD_ENTROPY, 0x4008_5203);
        assert_eq!(opcode::read_write::<[u8; DM_HEADER_SIZE]>(0xfd, 3), 0xc138_fd03);
    }

    #[test]
    fn buffers_of_the_wrong_size_never_reach_the_kernel() {
        let file = std::fs::File::open("/dev/null").unwrap();
        for mut buffer in [vec![0; 10], vec![0; DM_HEADER_SIZE], vec![0; 400]] {
            assert_eq!(device_mapper(file.as_fd(), 3, &mut buffer).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        }
        for mut buffer in [vec![0; 4], vec![0; 12]] {
            assert_eq!(add_entropy(file.as_fd(), &mut buffer).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        }
    }
}

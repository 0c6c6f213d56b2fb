//! bpf(2), as far as a device program needs it. No safe form of it exists without a library that brings a loader, a
//! linker and a C compiler.
#![expect(unsafe_code, reason = "leaf module: one system call over structs of the kernel's layout")]

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};

/// Bytes of one instruction.
pub(crate) const INSTRUCTION: usize = 8;

/// Longest name of a program, without its end.
const NAME: usize = 15;

/// Programs that one group can have; the kernel's own bound.
const MOST_PROGRAMS: usize = 64;

const PROGRAM_LOAD: i64 = 5;
const PROGRAM_ATTACH: i64 = 8;
const PROGRAM_DETACH: i64 = 9;
const PROGRAM_BY_ID: i64 = 13;
const OBJECT_INFO: i64 = 15;
const PROGRAM_QUERY: i64 = 16;

const TYPE_CGROUP_DEVICE: u32 = 15;
const AT_CGROUP_DEVICE: u32 = 6;
const ALLOW_MULTI: u32 = 1 << 1;
const REPLACE: u32 = 1 << 2;

/// `BPF_PROG_LOAD`.
#[repr(C)]
struct Load {
    program_type: u32,
    count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
    name: [u8; NAME + 1],
}

/// `BPF_PROG_ATTACH` and `BPF_PROG_DETACH`.
#[repr(C)]
struct Attach {
    target: RawFd,
    program: RawFd,
    kind: u32,
    flags: u32,
    replaced: RawFd,
}

/// `BPF_PROG_QUERY`.
#[repr(C)]
struct Query {
    target: RawFd,
    kind: u32,
    query_flags: u32,
    attach_flags: u32,
    ids: u64,
    count: u32,
    padding: u32,
}

/// `BPF_PROG_GET_FD_BY_ID`.
#[repr(C)]
struct ById {
    id: u32,
    next: u32,
    flags: u32,
}

/// `BPF_OBJ_GET_INFO_BY_FD`.
#[repr(C)]
struct Info {
    descriptor: RawFd,
    length: u32,
    info: u64,
}

/// The beginning of `struct bpf_prog_info`: lengths that are 0 make the kernel follow none of its pointers.
#[repr(C)]
struct ProgramInfo {
    program_type: u32,
    id: u32,
    tag: [u8; 8],
    lengths: [u32; 2],
    pointers: [u64; 2],
    load_time: u64,
    owner: u32,
    map_count: u32,
    maps: u64,
    name: [u8; NAME + 1],
}

/// One call. `argument` must be the struct of `command`, and what its addresses point to must live through the call.
fn bpf<T>(command: i64, argument: &mut T) -> io::Result<i64> {
    let size = size_of::<T>();
    let pointer: *mut T = argument;
    // SAFETY: every caller below passes the `repr(C)` struct of its command with its true size; the kernel reads no more
    // than that, and writes only to it and to the buffers whose addresses and lengths the caller put in.
    let answer = unsafe { libc::syscall(libc::SYS_bpf, command, pointer, size) };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(answer) }
}

fn own(descriptor: i64) -> io::Result<OwnedFd> {
    let number = RawFd::try_from(descriptor).map_err(io::Error::other)?;
    // SAFETY: the kernel has just made this descriptor for us, close-on-exec, and nothing else knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

fn address<T>(slice: &[T]) -> u64 {
    slice.as_ptr() as u64
}

/// Loads a device program. With a `log`, the verifier writes there what it thinks of it.
pub(crate) fn load(
    instructions: &[[u8; INSTRUCTION]],
    license: &CStr,
    name: &str,
    log: Option<&mut [u8]>,
) -> io::Result<OwnedFd> {
    let too_long = |_| io::Error::from(io::ErrorKind::InvalidInput);
    let mut argument = Load {
        program_type: TYPE_CGROUP_DEVICE,
        count: u32::try_from(instructions.len()).map_err(too_long)?,
        instructions: address(instructions),
        license: address(license.to_bytes_with_nul()),
        log_level: u32::from(log.is_some()),
        log_size: u32::try_from(log.as_ref().map_or(0, |log| log.len())).map_err(too_long)?,
        log: log.map_or(0, |log| log.as_mut_ptr() as u64),
        kernel_version: 0,
        flags: 0,
        name: padded(name),
    };
    bpf(PROGRAM_LOAD, &mut argument).and_then(own)
}

/// Puts a program in force at a group, beside those of groups above; in the place of `replaced`, if there is one.
pub(crate) fn attach(
    group: BorrowedFd<'_>,
    program: BorrowedFd<'_>,
    replaced: Option<BorrowedFd<'_>>,
) -> io::Result<()> {
    let mut argument = Attach {
        target: group.as_raw_fd(),
        program: program.as_raw_fd(),
        kind: AT_CGROUP_DEVICE,
        flags: if replaced.is_some() { ALLOW_MULTI | REPLACE } else { ALLOW_MULTI },
        replaced: replaced.map_or(0, |replaced| replaced.as_raw_fd()),
    };
    bpf(PROGRAM_ATTACH, &mut argument).map(drop)
}

/// Takes a program away from a group.
pub(crate) fn detach(group: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
    let (target, program) = (group.as_raw_fd(), program.as_raw_fd());
    let mut argument = Attach { target, program, kind: AT_CGROUP_DEVICE, flags: 0, replaced: 0 };
    bpf(PROGRAM_DETACH, &mut argument).map(drop)
}

/// Ids of the device programs at a group itself.
pub(crate) fn attached(group: BorrowedFd<'_>) -> io::Result<Vec<u32>> {
    let mut ids = vec![0_u32; MOST_PROGRAMS];
    let mut argument = Query {
        target: group.as_raw_fd(),
        kind: AT_CGROUP_DEVICE,
        query_flags: 0,
        attach_flags: 0,
        ids: ids.as_mut_ptr() as u64,
        count: u32::try_from(MOST_PROGRAMS).unwrap_or(0),
        padding: 0,
    };
    bpf(PROGRAM_QUERY, &mut argument)?;
    ids.truncate(usize::try_from(argument.count).unwrap_or(0));
    Ok(ids)
}

/// Opens a program by its id.
pub(crate) fn by_id(id: u32) -> io::Result<OwnedFd> {
    bpf(PROGRAM_BY_ID, &mut ById { id, next: 0, flags: 0 }).and_then(own)
}

/// Id and name of a program.
pub(crate) fn identity(program: BorrowedFd<'_>) -> io::Result<(u32, String)> {
    let mut found = ProgramInfo {
        program_type: 0,
        id: 0,
        tag: [0; 8],
        lengths: [0; 2],
        pointers: [0; 2],
        load_time: 0,
        owner: 0,
        map_count: 0,
        maps: 0,
        name: [0; NAME + 1],
    };
    let length = u32::try_from(size_of::<ProgramInfo>()).unwrap_or(0);
    let info: *mut ProgramInfo = &raw mut found;
    bpf(OBJECT_INFO, &mut Info { descriptor: program.as_raw_fd(), length, info: info as u64 })?;
    let end = found.name.iter().position(|byte| *byte == 0).unwrap_or(NAME);
    let name = String::from_utf8_lossy(found.name.get(..end).unwrap_or(&[])).into_owned();
    Ok((found.id, name))
}

fn padded(name: &str) -> [u8; NAME + 1] {
    let mut bytes = [0; NAME + 1];
    for (to, from) in bytes.iter_mut().take(NAME).zip(name.bytes()) {
        *to = from;
    }
    bytes
}

//! The three device-mapper commands that make a verity device, as byte layouts and as calls.

use std::fs::File;
use std::os::fd::AsFd as _;
use std::path::PathBuf;

use crate::error::{Attempt as _, Error, Result};
use crate::sys;

const CONTROL: &str = "/dev/mapper/control";
const HEADER: usize = sys::DM_HEADER_SIZE;
const TARGET: usize = 40;

/// Commands of `linux/dm-ioctl.h`.
const CREATE: u8 = 3;
const REMOVE: u8 = 4;
const SUSPEND: u8 = 6;
const TABLE_LOAD: u8 = 9;

const READ_ONLY: u32 = 1;

/// Makes a read-only device of one target over `sectors` and returns its node. Undone when a step fails.
pub(crate) fn create_read_only(name: &str, target: &str, sectors: u64, parameters: &str) -> Result<PathBuf> {
    let control = File::options().read(true).write(true).open(CONTROL).attempt("open", CONTROL)?;
    let run = |command: u8, mut buffer: Vec<u8>, operation: &'static str| {
        sys::device_mapper(control.as_fd(), command, &mut buffer).attempt(operation, name).map(|()| buffer)
    };
    let created = run(CREATE, header(name, 0, 0, HEADER)?, "create device")?;
    let minor = minor_of(&created).ok_or_else(|| Error::Found(format!("device {name} has no number")))?;
    let activated = table(name, target, sectors, parameters)
        .and_then(|buffer| run(TABLE_LOAD, buffer, "load table of"))
        // SUSPEND without the suspend flag resumes, which makes the loaded table live.
        .and_then(|_| run(SUSPEND, header(name, 0, 0, HEADER)?, "resume"));
    if let Err(error) = activated {
        let _ = header(name, 0, 0, HEADER).and_then(|buffer| run(REMOVE, buffer, "remove"));
        return Err(error);
    }
    Ok(PathBuf::from(format!("/dev/dm-{minor}")))
}

/// `struct dm_ioctl` for a named device.
fn header(name: &str, flags: u32, target_count: u32, size: usize) -> Result<Vec<u8>> {
    let whole = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(size);
    for number in [4, 0, 0, whole(size), whole(HEADER), target_count, 0, flags, 0, 0] {
        bytes.extend(number.to_ne_bytes());
    }
    bytes.extend(0_u64.to_ne_bytes());
    if name.len() > 127 {
        return Err(Error::Found(format!("device name {name} is too long")));
    }
    bytes.extend(name.as_bytes());
    bytes.resize(size, 0);
    Ok(bytes)
}

/// `struct dm_ioctl`, one `struct dm_target_spec`, its parameters.
fn table(name: &str, target: &str, sectors: u64, parameters: &str) -> Result<Vec<u8>> {
    // Parameters end with NUL, and the next target (there is none) would start at a multiple of eight.
    let length = parameters.len().saturating_add(8) & !7;
    let size = HEADER.saturating_add(TARGET).saturating_add(length);
    if target.len() > 15 || size > 16 * 1024 {
        return Err(Error::Found(format!("table of {name} is too long")));
    }
    let mut bytes = header(name, READ_ONLY, 1, size)?;
    bytes.truncate(HEADER);
    bytes.extend(0_u64.to_ne_bytes());
    bytes.extend(sectors.to_ne_bytes());
    bytes.extend(0_i32.to_ne_bytes());
    bytes.extend(0_u32.to_ne_bytes());
    bytes.extend(target.as_bytes());
    bytes.resize(HEADER.saturating_add(TARGET), 0);
    bytes.extend(parameters.as_bytes());
    bytes.resize(size, 0);
    Ok(bytes)
}

/// The minor number in an answer: `dev` at byte 40, in the kernel's huge encoding.
fn minor_of(answer: &[u8]) -> Option<u64> {
    let device = answer.get(40..48)?.try_into().ok().map(u64::from_ne_bytes)?;
    Some((device & 0xff) | ((device >> 12) & 0xfff_ff00))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(bytes: &[u8], at: usize) -> u32 {
        u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap())
    }

    #[test]
    fn the_header_is_the_kernels() {
        let bytes = header("coracle-root", 0, 0, HEADER).unwrap();
        assert_eq!(bytes.len(), 312);
        assert_eq!([number(&bytes, 0), number(&bytes, 4), number(&bytes, 8)], [4, 0, 0], "version");
        assert_eq!([number(&bytes, 12), number(&bytes, 16)], [312, 312], "data size and start");
        assert_eq!(&bytes[48..61], b"coracle-root\0");
        assert!(header(&"x".repeat(128), 0, 0, HEADER).is_err());
    }

    #[test]
    fn the_table_is_the_kernels() {
        let bytes = table("r", "verity", 4096, "1 8:1 8:1").unwrap();
        assert_eq!(bytes.len(), 312 + 40 + 16);
        assert_eq!(number(&bytes, 12), 368, "data size");
        assert_eq!(number(&bytes, 20), 1, "one target");
        assert_eq!(number(&bytes, 28), READ_ONLY);
        assert_eq!(&bytes[312..320], &0_u64.to_ne_bytes(), "first sector");
        assert_eq!(&bytes[320..328], &4096_u64.to_ne_bytes(), "sectors");
        assert_eq!(&bytes[336..343], b"verity\0");
        assert_eq!(&bytes[352..362], b"1 8:1 8:1\0");
    }

    #[test]
    fn device_numbers_are_read() {
        let mut answer = vec![0; 312];
        answer[40..48].copy_from_slice(&0xfe03_u64.to_ne_bytes());
        assert_eq!(minor_of(&answer), Some(3));
        answer[40..48].copy_from_slice(&0x0010_fe01_u64.to_ne_bytes());
        assert_eq!(minor_of(&answer), Some(0x101));
        assert_eq!(minor_of(&[]), None);
    }
}

//! Just enough of 64-bit little-endian ELF to follow shared libraries and to find a kernel module's `.modinfo`.

/// Why bytes are not an ELF file that this builder reads.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// No ELF magic, or not 64-bit little-endian.
    #[error("not a 64-bit little-endian ELF file")]
    Kind,
    /// A table points outside the file.
    #[error("an ELF table points outside the file")]
    Bounds,
}

/// A parsed ELF file's sections.
#[derive(Debug)]
pub struct Elf<'a> {
    bytes: &'a [u8],
    sections: Vec<Section<'a>>,
}

#[derive(Debug)]
struct Section<'a> {
    name: &'a [u8],
    kind: u32,
    link: usize,
    content: &'a [u8],
}

/// Size of a section header.
const SECTION_HEADER: usize = 64;
/// Section without bytes in the file.
const KIND_NO_BITS: u32 = 8;
/// The dynamic table.
const KIND_DYNAMIC: u32 = 6;
/// Entry of the dynamic table that names a needed library.
const TAG_NEEDED: u64 = 1;

impl<'a> Elf<'a> {
    /// Reads the section table.
    ///
    /// # Errors
    /// Not an ELF file of the supported kind, or damaged.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        if bytes.get(..6) != Some(b"\x7fELF\x02\x01") {
            return Err(Error::Kind);
        }
        let table = offset(number(bytes, 0x28, 8)?)?;
        let count = offset(number(bytes, 0x3c, 2)?)?;
        let names = offset(number(bytes, 0x3e, 2)?)?;
        let mut raw = Vec::with_capacity(count);
        for index in 0..count {
            let at = table.checked_add(index * SECTION_HEADER).ok_or(Error::Bounds)?;
            let kind = u32::try_from(number(bytes, at + 4, 4)?).map_err(|_| Error::Bounds)?;
            let start = offset(number(bytes, at + 24, 8)?)?;
            let size = if kind == KIND_NO_BITS { 0 } else { offset(number(bytes, at + 32, 8)?)? };
            let end = start.checked_add(size).ok_or(Error::Bounds)?;
            let content = if size == 0 { &[][..] } else { bytes.get(start..end).ok_or(Error::Bounds)? };
            let link = offset(number(bytes, at + 40, 4)?)?;
            raw.push((offset(number(bytes, at, 4)?)?, kind, link, content));
        }
        let strings = raw.get(names).map_or(&[][..], |section| section.3);
        let sections = raw
            .into_iter()
            .map(|(name, kind, link, content)| Section { name: text_at(strings, name), kind, link, content })
            .collect();
        Ok(Self { bytes, sections })
    }

    /// The content of the section called `name`.
    #[must_use]
    pub fn section(&self, name: &str) -> Option<&'a [u8]> {
        self.sections.iter().find(|section| section.name == name.as_bytes()).map(|section| section.content)
    }

    /// The libraries that the dynamic loader must find, as named in the file.
    ///
    /// # Errors
    /// The dynamic table is damaged.
    pub fn needed(&self) -> Result<Vec<String>, Error> {
        let Some(dynamic) = self.sections.iter().find(|section| section.kind == KIND_DYNAMIC) else {
            return Ok(Vec::new());
        };
        let strings = self.sections.get(dynamic.link).ok_or(Error::Bounds)?.content;
        dynamic
            .content
            .chunks_exact(16)
            .filter(|entry| number(entry, 0, 8) == Ok(TAG_NEEDED))
            .map(|entry| Ok(String::from_utf8_lossy(text_at(strings, offset(number(entry, 8, 8)?)?)).into_owned()))
            .collect()
    }

    /// Path of the program interpreter (`/lib64/ld-linux-x86-64.so.2`), for dynamic executables.
    #[must_use]
    pub fn interpreter(&self) -> Option<String> {
        self.section(".interp").map(|path| String::from_utf8_lossy(text_at(path, 0)).into_owned())
    }

    /// The machine that the file is for, as the ELF header numbers it: 62 is x86-64, 183 is AArch64.
    ///
    /// # Errors
    /// The header is cut short.
    pub fn machine(&self) -> Result<u64, Error> {
        number(self.bytes, 0x12, 2)
    }
}

/// The little-endian number of `width` bytes at `at`.
fn number(bytes: &[u8], at: usize, width: usize) -> Result<u64, Error> {
    let end = at.checked_add(width).ok_or(Error::Bounds)?;
    let bytes = bytes.get(at..end).ok_or(Error::Bounds)?;
    Ok(bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

fn offset(value: u64) -> Result<usize, Error> {
    usize::try_from(value).map_err(|_| Error::Bounds)
}

/// The NUL-terminated text at `at`; empty when `at` is outside.
fn text_at(strings: &[u8], at: usize) -> &[u8] {
    let tail = strings.get(at..).unwrap_or_default();
    tail.split(|byte| *byte == 0).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_program_itself_is_readable() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let elf = Elf::parse(&own).unwrap();
        assert!(elf.section(".text").is_some_and(|text| !text.is_empty()));
        assert_eq!(elf.section(".no-such-section"), None);
        assert_eq!(elf.machine(), Ok(if cfg!(target_arch = "x86_64") { 62 } else { 183 }));
    }

    #[test]
    fn every_truncation_is_an_error_or_readable_but_never_a_panic() {
        let own = std::fs::read("/usr/bin/apt-get").unwrap();
        let whole = Elf::parse(&own).unwrap();
        assert!(whole.needed().unwrap().iter().any(|name| name == "libc.so.6"));
        assert!(whole.interpreter().unwrap().starts_with("/lib"));
        for length in (0..own.len()).step_by(97) {
            if let Ok(elf) = Elf::parse(&own[..length]) {
                drop(elf.needed());
            }
        }
        assert_eq!(Elf::parse(b"#!/bin/sh\n").unwrap_err(), Error::Kind);
    }
}

//! The first 4 KiB of a log file: which use of the file this is. The layout is final.
//!
//! ```text
//! 0..8    "coralog\n"
//! 8..12   store format
//! 12..16  zero
//! 16..24  generation: 1, 2, 3, … over both files
//! 24..32  sequence of the first record
//! 32..40  salt of its records
//! 40..48  size of the file in bytes
//! 48..52  CRC-32 of bytes 0..48
//! 52..    zeros up to 4096
//! ```

use super::frame::{number, short};
use crate::error::Error;
use crate::local::format::{self, StoreFormat};

/// Where the first record begins: a page of its own, so that a torn record page cannot touch the header.
pub(crate) const HEADER_BYTES: usize = 4096;
const MAGIC: &[u8; 8] = b"coralog\n";
const CHECKED_BYTES: usize = 48;

/// One use of a log file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) generation: u64,
    pub(crate) first_sequence: u64,
    pub(crate) salt: u64,
    pub(crate) size: u64,
}

/// What the first page of a log file is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum HeaderState {
    /// Never used.
    Blank,
    /// In use, or used before.
    Used(Header),
    /// Neither: torn while it was written, or damaged.
    Unreadable,
}

impl Header {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&StoreFormat::CURRENT.number().to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        for number in [self.generation, self.first_sequence, self.salt, self.size] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        let crc = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes.resize(HEADER_BYTES, 0);
        bytes
    }

    /// Reads a first page.
    ///
    /// # Errors
    /// [`Error::UnsupportedFormat`] for an intact header of another format.
    pub(crate) fn decode(page: &[u8], file: &str) -> Result<HeaderState, Error> {
        if page.iter().all(|byte| *byte == 0) {
            return Ok(HeaderState::Blank);
        }
        let Some(checked) = page.get(..CHECKED_BYTES) else { return Ok(HeaderState::Unreadable) };
        if !checked.starts_with(MAGIC) || short(page, CHECKED_BYTES) != Some(crc32fast::hash(checked)) {
            return Ok(HeaderState::Unreadable);
        }
        let found = short(page, 8).unwrap_or_default();
        format::StoreFormat::check(found, file)?;
        let field = |at| number(page, at).unwrap_or_default();
        let header = Self { generation: field(16), first_sequence: field(24), salt: field(32), size: field(40) };
        Ok(HeaderState::Used(header))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Header = Header { generation: 2, first_sequence: 3, salt: 4, size: 5 };

    #[test]
    fn layout_is_final() {
        let bytes = HEADER.encode();
        let mut expected = b"coralog\n\x01\0\0\0\0\0\0\0".to_vec();
        for number in [2_u64, 3, 4, 5] {
            expected.extend(number.to_le_bytes());
        }
        assert_eq!(&bytes[..48], expected);
        assert_eq!(bytes.len(), 4096);
        assert_eq!(Header::decode(&bytes, "log").unwrap(), HeaderState::Used(HEADER));
    }

    #[test]
    fn blank_torn_and_newer_pages_are_told_apart() {
        assert_eq!(Header::decode(&[0; 4096], "log").unwrap(), HeaderState::Blank);
        let mut torn = HEADER.encode();
        torn[20] ^= 1;
        assert_eq!(Header::decode(&torn, "log").unwrap(), HeaderState::Unreadable);
        assert_eq!(Header::decode(b"short", "log").unwrap(), HeaderState::Unreadable);
        let mut newer = HEADER.encode();
        newer[8] = 2;
        let crc = crc32fast::hash(&newer[..48]).to_le_bytes();
        newer[48..52].copy_from_slice(&crc);
        assert!(matches!(Header::decode(&newer, "log"), Err(Error::UnsupportedFormat { found: 2, .. })));
    }
}

//! The one way in which this crate reads: whole buffers at byte offsets, so that files, devices and memory look alike.

use std::fs::File;
use std::io::{self, Error, ErrorKind, Seek, SeekFrom};
use std::os::unix::fs::FileExt;

/// Something with a length from which bytes can be read at any offset.
pub trait ReadAt {
    /// Fills `buf` from byte `offset`.
    ///
    /// # Errors
    /// The read failed or reached beyond the end; `buf` then has no meaning.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()>;

    /// Length in bytes; 0 when it cannot be told.
    fn len(&self) -> u64;

    /// Whether there is nothing to read.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A range of another reader, for example one partition of a disk. Reads beyond the range fail.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a, R> {
    inner: &'a R,
    start: u64,
    length: u64,
}

impl<'a, R: ReadAt> Part<'a, R> {
    /// The `length` bytes of `inner` from byte `start`.
    pub const fn new(inner: &'a R, start: u64, length: u64) -> Self {
        Self { inner, start, length }
    }
}

impl<R: ReadAt> ReadAt for Part<'_, R> {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let end = u64::try_from(buf.len()).ok().and_then(|length| offset.checked_add(length));
        let start = self.start.checked_add(offset);
        match (start, end) {
            (Some(start), Some(end)) if end <= self.length => self.inner.read_at(start, buf),
            _ => Err(beyond_end()),
        }
    }

    fn len(&self) -> u64 {
        self.length
    }
}

impl ReadAt for [u8] {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).map_err(|_| beyond_end())?;
        let end = start.checked_add(buf.len()).ok_or_else(beyond_end)?;
        crate::bytes::copy(buf, self.get(start..end).ok_or_else(beyond_end)?);
        Ok(())
    }

    fn len(&self) -> u64 {
        u64::try_from(<[u8]>::len(self)).unwrap_or(u64::MAX)
    }
}

impl ReadAt for &[u8] {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        <[u8] as ReadAt>::read_at(self, offset, buf)
    }

    fn len(&self) -> u64 {
        <[u8] as ReadAt>::len(self)
    }
}

impl ReadAt for Vec<u8> {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        <[u8] as ReadAt>::read_at(self, offset, buf)
    }

    fn len(&self) -> u64 {
        <[u8] as ReadAt>::len(self)
    }
}

impl ReadAt for File {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.read_exact_at(buf, offset)
    }

    /// A block device has no length in its metadata; seeking to its end tells. The file's own position moves.
    fn len(&self) -> u64 {
        let mut file = self;
        file.seek(SeekFrom::End(0)).unwrap_or(0)
    }
}

fn beyond_end() -> Error {
    Error::new(ErrorKind::UnexpectedEof, "read beyond the end")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_end_where_they_end() {
        let disk: Vec<u8> = (0..100).collect();
        let part = Part::new(&disk, 10, 20);
        let mut buf = [0; 5];
        part.read_at(15, &mut buf).unwrap();
        assert_eq!(buf, [25, 26, 27, 28, 29]);
        for offset in [16, 20, 95, u64::MAX - 2, u64::MAX] {
            assert!(part.read_at(offset, &mut buf).is_err(), "{offset}");
        }
        assert!(Part::new(&disk, u64::MAX, 20).read_at(3, &mut buf).is_err());
    }
}

//! Reads the entries of a layer's tar, as Go's reader does, because Go writes nearly all layers.
//!
//! The fields of a header are decoded by the `tar` crate. Its archive reader is not used: it splits extended records at
//! line feeds, which are ordinary bytes in `security.capability` and in names, and it reads records of any length into
//! memory.

mod pax;
mod sparse;

use std::io::{self, Read};

use tar::{EntryType, Header};

use super::{Error, Limits};
use pax::Records;
pub(super) use sparse::Run;

const BLOCK: u64 = 512;

/// One entry.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) path: Vec<u8>,
    pub(super) link: Vec<u8>,
    pub(super) kind: Kind,
    pub(super) mode: u32,
    pub(super) owner: (u32, u32),
    /// Seconds and nanoseconds.
    pub(super) modified: (i64, u32),
    pub(super) device: (u32, u32),
    /// Length of the file; of a sparse one with its holes.
    pub(super) size: u64,
    pub(super) attributes: Vec<(Vec<u8>, Vec<u8>)>,
    /// Where the data belongs, when it is not simply the file.
    pub(super) sparse: Option<Vec<Run>>,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    HardLink,
    Symlink,
    Character,
    Block,
    Directory,
    Fifo,
}

/// Iterates over the entries of a tar.
#[derive(Debug)]
pub(super) struct Reader<R> {
    input: R,
    limits: Limits,
    /// Bytes of the current entry's data that were not read.
    left: u64,
    /// Bytes that fill its last block.
    padding: u64,
}

impl<R: Read> Reader<R> {
    pub(super) const fn new(input: R, limits: Limits) -> Self {
        Self { input, limits, left: 0, padding: 0 }
    }

    /// The next entry, or none at the end of the archive.
    pub(super) fn next(&mut self) -> Result<Option<Entry>, Error> {
        let (mut records, mut long_path, mut long_link) = (Records::default(), None, None);
        loop {
            let Some(header) = self.header()? else {
                let dangling = long_path.is_some() || long_link.is_some() || !records.is_empty();
                return if dangling { Err(Error::Tar("unexpected EOF")) } else { Ok(None) };
            };
            let kind = header.entry_type();
            let size = header.entry_size().map_err(|_| Error::Tar("invalid size"))?;
            if kind.is_pax_local_extensions() {
                records = Records::parse(&self.metadata(size)?)?;
            } else if kind.is_pax_global_extensions() {
                self.enter(size)?;
            } else if kind.is_gnu_longname() {
                long_path = Some(until_zero(self.metadata(size)?));
            } else if kind.is_gnu_longlink() {
                long_link = Some(until_zero(self.metadata(size)?));
            } else {
                let path = long_path.unwrap_or_else(|| header.path_bytes().into_owned());
                let link = long_link.unwrap_or_else(|| header.link_name_bytes().unwrap_or_default().into_owned());
                return self.entry(&header, records, path, link).map(Some);
            }
        }
    }

    /// Reads data of the current entry.
    pub(super) fn read_data(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let Some(buffer) = buffer.get_mut(..most).filter(|buffer| !buffer.is_empty()) else { return Ok(0) };
        let count = self.input.read(buffer)?;
        if count == 0 {
            return Err(Error::Tar("unexpected EOF"));
        }
        self.left = self.left.saturating_sub(count as u64);
        Ok(count)
    }

    /// The stream behind the archive.
    pub(super) fn into_inner(self) -> R {
        self.input
    }

    fn entry(&mut self, header: &Header, records: Records, path: Vec<u8>, link: Vec<u8>) -> Result<Entry, Error> {
        let path = records.path.unwrap_or(path);
        let kind = match header.entry_type() {
            EntryType::Regular if path.ends_with(b"/") => Kind::Directory,
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => Kind::File,
            EntryType::Link => Kind::HardLink,
            EntryType::Symlink => Kind::Symlink,
            EntryType::Char => Kind::Character,
            EntryType::Block => Kind::Block,
            EntryType::Directory => Kind::Directory,
            EntryType::Fifo => Kind::Fifo,
            _ => return Err(Error::Tar("unsupported kind of entry")),
        };
        let stored = match (kind, records.size) {
            (Kind::File, Some(size)) => size,
            (Kind::File, None) => header.entry_size().map_err(|_| Error::Tar("invalid size"))?,
            // As in Go, all others have no data whatever their header says.
            _ => 0,
        };
        self.enter(stored)?;
        let (size, sparse) = if kind == Kind::File && header.entry_type() == EntryType::GNUSparse {
            self.gnu_sparse(header)?
        } else if let (Kind::File, Some(wanted)) = (kind, &records.sparse) {
            self.pax_sparse(wanted)?
        } else {
            (stored, None)
        };
        let device = match kind {
            Kind::Character | Kind::Block => device(header).ok_or(Error::Tar("invalid device number"))?,
            _ => (0, 0),
        };
        let id = |record: Option<u64>, field: io::Result<u64>| {
            record.map_or_else(|| field.ok(), Some).and_then(|id| u32::try_from(id).ok()).ok_or(Error::Owner)
        };
        Ok(Entry {
            path: records.sparse.and_then(|sparse| sparse.name).unwrap_or(path),
            link: records.link.unwrap_or(link),
            kind,
            mode: header.mode().map_err(|_| Error::Tar("invalid mode"))?,
            owner: (id(records.uid, header.uid())?, id(records.gid, header.gid())?),
            modified: records.modified.unwrap_or_else(|| (i64::try_from(header.mtime().unwrap_or(0)).unwrap_or(0), 0)),
            device,
            size,
            attributes: records.attributes,
            sparse,
        })
    }

    /// The next header, or none at the end.
    fn header(&mut self) -> Result<Option<Header>, Error> {
        self.skip()?;
        let mut header = Header::new_old();
        match self.block()? {
            None => return Ok(None),
            Some(block) if block.iter().all(|byte| *byte == 0) => return Ok(None),
            Some(block) => header.as_mut_bytes().copy_from_slice(&block),
        }
        let bytes = header.as_bytes();
        let sum = |range: &[u8]| range.iter().map(|byte| u32::from(*byte)).sum::<u32>();
        let (before, after) = (bytes.get(..148).unwrap_or_default(), bytes.get(156..).unwrap_or_default());
        if header.cksum().ok() != Some(sum(before) + sum(after) + 8 * u32::from(b' ')) {
            return Err(Error::Tar("invalid tar header"));
        }
        Ok(Some(header))
    }

    /// One block, or none when the stream ends before it.
    fn block(&mut self) -> Result<Option<[u8; 512]>, Error> {
        let mut block = [0; 512];
        let mut filled = 0;
        while let Some(rest) = block.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.input.read(rest)? {
                0 if filled == 0 => return Ok(None),
                0 => return Err(Error::Tar("unexpected EOF")),
                count => filled += count,
            }
        }
        Ok(Some(block))
    }

    /// From now on `size` bytes of data are read.
    fn enter(&mut self, size: u64) -> Result<(), Error> {
        if size > self.limits.bytes {
            return Err(Error::Bytes(self.limits.bytes));
        }
        (self.left, self.padding) = (size, size.wrapping_neg() % BLOCK);
        Ok(())
    }

    /// Reads over what is left of the current entry.
    fn skip(&mut self) -> Result<(), Error> {
        let rest = self.left + self.padding;
        (self.left, self.padding) = (0, 0);
        if io::copy(&mut self.input.by_ref().take(rest), &mut io::sink())? == rest {
            Ok(())
        } else {
            Err(Error::Tar("unexpected EOF"))
        }
    }

    /// The data of an entry that describes the next one.
    fn metadata(&mut self, size: u64) -> Result<Vec<u8>, Error> {
        if size > self.limits.metadata {
            return Err(Error::Metadata(self.limits.metadata));
        }
        self.enter(size)?;
        let mut bytes = Vec::new();
        self.input.by_ref().take(size).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != size {
            return Err(Error::Tar("unexpected EOF"));
        }
        self.left = 0;
        Ok(bytes)
    }
}

fn until_zero(mut bytes: Vec<u8>) -> Vec<u8> {
    if let Some(end) = bytes.iter().position(|byte| *byte == 0) {
        bytes.truncate(end);
    }
    bytes
}

fn device(header: &Header) -> Option<(u32, u32)> {
    Some((header.device_major().ok()??, header.device_minor().ok()??))
}

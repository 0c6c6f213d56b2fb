//! What the OS itself keeps on STATE: generations of the machine configuration, and the records of trust and update
//! state in two copies each. Format 1, little-endian, final.
//!
//! A generation is one file of its own; of a record's two files the one that does not count is written, as with the boot
//! state. A file of a newer format is an error and not an absent one: an older OS must not write over it.

use sha2::{Digest, Sha256};

use crate::boot_state::Position;
use crate::bytes::{array, u32_le, u64_le};
use crate::footer::Text;

/// The format that this release writes and reads.
pub const FORMAT: u32 = 1;

/// Largest content in bytes.
pub const MOST_BYTES: usize = 1 << 20;

const MAGIC: &[u8; 8] = b"CRCLSTAT";
const CHECKSUM_BYTES: usize = 32;

/// Offsets of the fields. The checksum, SHA-256 of everything before it, ends the file in every format.
mod at {
    pub(super) const FORMAT: usize = 8;
    pub(super) const LENGTH: usize = 12;
    pub(super) const GENERATION: usize = 16;
    pub(super) const KIND: usize = 24;
    pub(super) const SOURCE: usize = 40;
    pub(super) const SOURCE_DIGEST: usize = 56;
    pub(super) const CONTENT: usize = 88;
}

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A generation of the machine configuration, in `/state/config/`.
    Config,
    /// Trust metadata, in `/state/records/`.
    Trust,
    /// The state of updates, in `/state/records/`.
    Update,
}

/// Where a configuration came from, and what it was there: it is applied again only when that has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// Name of the source, for example `esp` or `nocloud`.
    pub name: Text<16>,
    /// SHA-256 of the source's bytes.
    pub digest: [u8; 32],
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// What it holds.
    pub kind: Kind,
    /// The greater number is the newer one.
    pub generation: u64,
    /// Where it came from; records have none.
    pub source: Option<Source>,
    /// The content.
    pub content: Vec<u8>,
}

/// Why bytes are no envelope of this release, or content does not fit into one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The file is cut, damaged, or something else.
    #[error("the file is damaged or of another kind")]
    Damaged,
    /// A whole file of a format that this release does not know.
    #[error("format {0} is newer than {FORMAT}")]
    Newer(u32),
    /// More content than a file may have.
    #[error("{0} bytes are more than a file may hold")]
    TooLarge(usize),
}

impl Kind {
    const fn name(self) -> &'static [u8; 16] {
        match self {
            Self::Config => b"config\0\0\0\0\0\0\0\0\0\0",
            Self::Trust => b"trust\0\0\0\0\0\0\0\0\0\0\0",
            Self::Update => b"update\0\0\0\0\0\0\0\0\0\0",
        }
    }
}

impl Envelope {
    /// The file's bytes.
    ///
    /// # Errors
    /// [`Error::TooLarge`].
    pub fn encode(&self) -> Result<Vec<u8>, Error> {
        let too_large = Error::TooLarge(self.content.len());
        let Some(length) = u32::try_from(self.content.len()).ok().filter(|_| self.content.len() <= MOST_BYTES) else {
            return Err(too_large);
        };
        let mut bytes = MAGIC.to_vec();
        bytes.extend(FORMAT.to_le_bytes());
        bytes.extend(length.to_le_bytes());
        bytes.extend(self.generation.to_le_bytes());
        bytes.extend(self.kind.name());
        bytes.extend(self.source.map_or([0; 16], |source| *source.name.as_array()));
        bytes.extend(self.source.map_or([0; 32], |source| source.digest));
        bytes.extend(&self.content);
        let checksum: [u8; CHECKSUM_BYTES] = Sha256::digest(&bytes).into();
        bytes.extend(checksum);
        Ok(bytes)
    }

    /// Reads a file that must be of this kind.
    ///
    /// # Errors
    /// [`Error::Damaged`], or [`Error::Newer`] for a whole file of a later format.
    pub fn decode(kind: Kind, bytes: &[u8]) -> Result<Self, Error> {
        let end = bytes.len().checked_sub(CHECKSUM_BYTES).ok_or(Error::Damaged)?;
        let (covered, checksum) = bytes.split_at_checked(end).ok_or(Error::Damaged)?;
        if !covered.starts_with(MAGIC) || Sha256::digest(covered).as_slice() != checksum {
            return Err(Error::Damaged);
        }
        match u32_le(covered, at::FORMAT) {
            Some(FORMAT) => Self::fields(kind, covered).ok_or(Error::Damaged),
            Some(newer) if newer > FORMAT => Err(Error::Newer(newer)),
            _ => Err(Error::Damaged),
        }
    }

    fn fields(kind: Kind, bytes: &[u8]) -> Option<Self> {
        let content = bytes.get(at::CONTENT..)?;
        let is_ours = array(bytes, at::KIND)? == *kind.name()
            && u32::try_from(content.len()).ok()? == u32_le(bytes, at::LENGTH)?
            && content.len() <= MOST_BYTES;
        let name: [u8; 16] = array(bytes, at::SOURCE)?;
        let digest = array(bytes, at::SOURCE_DIGEST)?;
        let source = if name == [0; 16] { None } else { Some(Source { name: Text::checked(name)?, digest }) };
        let generation = u64_le(bytes, at::GENERATION)?;
        is_ours.then(|| Self { kind, generation, source, content: content.to_vec() })
    }
}

/// The newest whole one of several files, and which it is. Damaged ones are passed over.
///
/// # Errors
/// [`Error::Newer`] when one of them is of a later format.
pub fn newest<'a>(kind: Kind, files: impl IntoIterator<Item = &'a [u8]>) -> Result<Option<(usize, Envelope)>, Error> {
    let mut newest: Option<(usize, Envelope)> = None;
    for (index, file) in files.into_iter().enumerate() {
        match Envelope::decode(kind, file) {
            Ok(found) if newest.as_ref().is_none_or(|(_, known)| found.generation > known.generation) => {
                newest = Some((index, found));
            }
            Ok(_) | Err(Error::Damaged) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(newest)
}

/// How a record gets new content: the copy to write, and its bytes. The other copy stays as it is.
///
/// # Errors
/// A copy is of a later format, or the content is too large.
pub fn write_plan(kind: Kind, copies: [Option<&[u8]>; 2], content: &[u8]) -> Result<(Position, Vec<u8>), Error> {
    let current = newest(kind, copies.map(Option::unwrap_or_default))?;
    let generation = current.as_ref().map_or(0, |(_, current)| current.generation).saturating_add(1);
    let position = match current {
        Some((0, _)) => Position::Second,
        _ => Position::First,
    };
    let envelope = Envelope { kind, generation, source: None, content: content.to_vec() };
    Ok((position, envelope.encode()?))
}

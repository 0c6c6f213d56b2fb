//! Unpacked layers by chain id, ready to be lower folders of an overlay.
//!
//! A layer is unpacked under a temporary name, made durable, and then renamed: a folder with the name of a chain id is
//! complete.

mod decompress;
mod extract;
mod reader;
mod root;

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read};
use std::os::fd::AsFd as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use coracle_image_layout::Digest;

use crate::disk::{at, sync_folder};
use crate::fault::Faults;
use decompress::{Counted, Hashed};
use reader::Reader;
use root::Root;

/// Where the files of a layer lie in its folder.
const FILES: &str = "fs";
/// Starts the names of folders that are not complete.
const UNFINISHED: &str = ".new-";

/// Bounds for what a hostile layer can take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Entries of one layer.
    pub entries: u64,
    /// Unpacked bytes of one layer.
    pub bytes: u64,
    /// Bytes of one path.
    pub path: usize,
    /// Components of one path.
    pub depth: usize,
    /// Bytes of what describes one entry: long names, extended records.
    pub metadata: u64,
}

/// Unpacked layers by chain id.
#[derive(Debug, Clone)]
pub struct Layers {
    folder: PathBuf,
    limits: Limits,
    faults: Faults,
}

/// A packed layer and what it promises.
#[derive(Debug)]
pub(crate) struct Packed {
    /// The blob.
    pub(crate) file: File,
    /// Digest of the blob.
    pub(crate) digest: Digest,
    /// Digest of the plain tar.
    pub(crate) diff_id: Digest,
}

/// A layer cannot be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Reading the blob, decompressing it, or the folder of layers.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The archive is broken.
    #[error("archive/tar: {0}")]
    Tar(&'static str),
    /// An owner is no 32-bit number.
    #[error("archive/tar: owner out of range")]
    Owner,
    /// It unpacks to too many bytes.
    #[error("layer unpacks to more than {0} bytes")]
    Bytes(u64),
    /// It has too many entries.
    #[error("layer has more than {0} entries")]
    Entries(u64),
    /// What describes one entry is too long.
    #[error("layer describes an entry by more than {0} bytes")]
    Metadata(u64),
    /// A path is refused.
    #[error("layer entry {0:?}: {1}")]
    Path(String, &'static str),
    /// The file system refuses an entry.
    #[error("layer entry {0:?}: {1}")]
    Entry(String, rustix::io::Errno),
    /// The blob is not what its digest says.
    #[error("layer blob has digest {found}, expected {expected}")]
    Digest {
        /// What was promised.
        expected: Digest,
        /// What was read.
        found: Digest,
    },
    /// The plain tar is not what the configuration says.
    #[error("wrong diff id calculated on extraction {found:?}, expected {expected:?}")]
    DiffId {
        /// What was promised.
        expected: String,
        /// What was read.
        found: String,
    },
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries: 1_000_000, bytes: 64 << 30, path: 4_096, depth: 256, metadata: 1 << 20 }
    }
}

impl Layers {
    /// Opens or makes the store in `folder` and removes what is not complete.
    ///
    /// # Errors
    /// The disk.
    pub(crate) fn open(folder: &Path, limits: Limits, faults: Faults) -> io::Result<Self> {
        // Layers hold programs with setuid bits and device nodes, which no user of the node may reach.
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(at(folder))?;
        let this = Self { folder: folder.to_owned(), limits, faults };
        for entry in fs::read_dir(folder).map_err(at(folder))? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
                fs::remove_dir_all(entry.path()).map_err(at(&entry.path()))?;
            }
        }
        Ok(this)
    }

    /// The folder with the files of a layer.
    #[must_use]
    pub fn path(&self, chain: &Digest) -> PathBuf {
        self.folder.join(chain.hex()).join(FILES)
    }

    /// Whether a layer is unpacked.
    #[must_use]
    pub fn has(&self, chain: &Digest) -> bool {
        self.folder.join(chain.hex()).is_dir()
    }

    /// Unpacks a layer on top of `parents`, which are given topmost first and are unpacked already. Blocks.
    ///
    /// # Errors
    /// The layer is hostile, damaged or not what was promised, or the disk is full; nothing is left of it then.
    pub(crate) fn unpack(&self, chain: &Digest, packed: Packed, parents: &[Digest]) -> Result<(), Error> {
        let unfinished = self.folder.join(format!("{UNFINISHED}{}", chain.hex()));
        self.faults.point()?;
        match fs::remove_dir_all(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(&unfinished)(error).into()),
            _ => {}
        }
        let outcome = self.unpack_into(&unfinished, packed, parents);
        if let Err(error) = outcome {
            if self.faults.point().is_ok()
                && let Err(left) = fs::remove_dir_all(&unfinished)
            {
                tracing::warn!(path = %unfinished.display(), %left, "an unfinished layer stays until the next start");
            }
            return Err(error);
        }
        let finished = self.folder.join(chain.hex());
        self.faults.point()?;
        fs::rename(&unfinished, &finished).map_err(at(&finished))?;
        self.faults.point()?;
        Ok(sync_folder(&self.folder).map_err(at(&self.folder))?)
    }

    fn unpack_into(&self, unfinished: &Path, packed: Packed, parents: &[Digest]) -> Result<(), Error> {
        let files = unfinished.join(FILES);
        self.faults.point()?;
        DirBuilder::new().recursive(true).mode(0o755).create(&files).map_err(at(&files))?;
        let root = Root::open(&files).map_err(at(&files))?;
        let parents = parents.iter().map(|parent| Root::open(&self.path(parent))).collect::<io::Result<Vec<_>>>()?;
        let (blob, found) = Hashed::new(packed.file);
        let plain = decompress::plain(blob)?;
        let (plain, diff_id) = Hashed::new(plain);
        let plain = Counted::new(plain, self.limits);
        let mut reader = Reader::new(plain, self.limits);
        self.faults.point()?;
        extract::extract(&mut reader, &root, &parents, self.limits)?;
        // What stands behind the archive belongs to the digests too.
        let mut rest = reader.into_inner();
        io::copy(&mut rest, &mut io::sink())?;
        let mut blob = rest.into_inner().into_inner().into_blob();
        io::copy(&mut blob, &mut io::sink())?;
        let (found, diff) = (found.digest(), diff_id.digest());
        if found != packed.digest {
            return Err(Error::Digest { expected: packed.digest, found });
        }
        if diff != packed.diff_id {
            return Err(Error::DiffId { expected: packed.diff_id.to_string(), found: diff.to_string() });
        }
        self.faults.point()?;
        rustix::fs::syncfs(root.as_fd()).map_err(io::Error::from)?;
        Ok(())
    }

    /// Removes a layer. The rename comes first, so that half a layer never has a layer's name.
    ///
    /// # Errors
    /// The disk.
    pub(crate) fn discard(&self, chain: &Digest) -> io::Result<()> {
        let (from, to) = (self.folder.join(chain.hex()), self.folder.join(format!("{UNFINISHED}{}", chain.hex())));
        self.faults.point()?;
        fs::rename(&from, &to).map_err(at(&from))?;
        self.faults.point()?;
        fs::remove_dir_all(&to).map_err(at(&to))
    }

    /// The chain ids of all unpacked layers.
    ///
    /// # Errors
    /// The disk.
    pub(crate) fn list(&self) -> io::Result<Vec<Digest>> {
        let names = fs::read_dir(&self.folder).map_err(at(&self.folder))?;
        let chain = |entry: fs::DirEntry| entry.file_name().to_str().and_then(|name| Digest::from_hex(name).ok());
        Ok(names.collect::<io::Result<Vec<_>>>()?.into_iter().filter_map(chain).collect())
    }
}

/// Anything a layer can be read from.
trait Input: Read {
    /// The packed bytes that decompression has not asked for.
    fn into_blob(self: Box<Self>) -> Box<dyn Read>;
}

#[cfg(test)]
mod tests;

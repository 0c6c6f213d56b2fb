//! Content by its digest. A file in `blobs/sha256` is complete: it gets its name after its bytes were verified and are
//! durable. What is not complete lies in `ingest` and is thrown away when the store is opened.
//!
//! A read-only folder with pre-baked images can stand behind the writable one; it has the shape of an OCI layout.

mod writer;

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use coracle_image_layout::{Digest, Hasher};

use crate::disk::at;
use crate::fault::Faults;
pub use writer::Writer;

/// Content by its digest.
#[derive(Debug, Clone)]
pub struct Content {
    blobs: PathBuf,
    ingest: PathBuf,
    prebaked: Option<PathBuf>,
    faults: Faults,
}

/// Content cannot be kept or used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The disk.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Nothing has this digest.
    #[error("content digest {0}: not found")]
    Missing(Digest),
    /// The bytes have another digest than they should.
    #[error("unexpected commit digest {found}, expected {expected}: failed precondition")]
    Digest {
        /// What was promised.
        expected: Digest,
        /// What came.
        found: Digest,
    },
    /// There are more or fewer bytes than promised.
    #[error("unexpected commit size {found}, expected {expected}: failed precondition")]
    Size {
        /// What was promised.
        expected: u64,
        /// What came.
        found: u64,
    },
}

impl Content {
    /// Opens or makes the store in `folder`.
    ///
    /// # Errors
    /// The folders cannot be made.
    pub(crate) fn open(folder: &Path, prebaked: Option<&Path>, faults: Faults) -> io::Result<Self> {
        let (blobs, ingest) = (folder.join("blobs/sha256"), folder.join("ingest"));
        fs::create_dir_all(&blobs).map_err(at(&blobs))?;
        match fs::remove_dir_all(&ingest) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(&ingest)(error)),
            _ => fs::create_dir(&ingest).map_err(at(&ingest))?,
        }
        Ok(Self { blobs, ingest, prebaked: prebaked.map(|root| root.join("blobs/sha256")), faults })
    }

    /// Reads the layout in `folder`, and never writes.
    pub(crate) fn reader(folder: &Path, faults: Faults) -> Self {
        let nowhere = PathBuf::from("/nonexistent");
        Self { blobs: nowhere.clone(), ingest: nowhere, prebaked: Some(folder.join("blobs/sha256")), faults }
    }

    /// Whether all `size` bytes of `digest` are there.
    #[must_use]
    pub fn has(&self, digest: &Digest, size: u64) -> bool {
        self.find(digest).is_some_and(|(_, found)| found == size)
    }

    /// Opens content. Who reads it verifies it.
    ///
    /// # Errors
    /// It is not there.
    pub fn file(&self, digest: &Digest) -> Result<File, Error> {
        let (path, _) = self.find(digest).ok_or(Error::Missing(*digest))?;
        Ok(File::open(&path).map_err(at(&path))?)
    }

    /// Reads a document of at most `limit` bytes and verifies it.
    ///
    /// # Errors
    /// It is not there, too long, or damaged; what is damaged is removed, so that the next pull fetches it again.
    pub fn read(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>, Error> {
        let (path, size) = self.find(digest).ok_or(Error::Missing(*digest))?;
        if size > limit {
            return Err(Error::Size { expected: limit, found: size });
        }
        let mut bytes = Vec::new();
        File::open(&path).map_err(at(&path))?.take(limit).read_to_end(&mut bytes).map_err(at(&path))?;
        let found = Digest::of(&bytes);
        if found == *digest {
            return Ok(bytes);
        }
        self.discard(digest)?;
        Err(Error::Digest { expected: *digest, found })
    }

    /// Starts or continues to write content.
    ///
    /// # Errors
    /// The disk.
    pub fn writer(&self, digest: Digest, size: u64) -> Result<Writer, Error> {
        let hex = digest.hex();
        Ok(Writer::open(self.ingest.join(&hex), self.blobs.join(&hex), digest, size, self.faults.clone())?)
    }

    /// Keeps a document.
    ///
    /// # Errors
    /// The disk.
    pub fn put(&self, digest: Digest, bytes: &[u8]) -> Result<(), Error> {
        if self.has(&digest, bytes.len() as u64) {
            return Ok(());
        }
        let mut writer = self.writer(digest, bytes.len() as u64)?;
        writer.restart()?;
        writer.write(bytes)?;
        writer.finish()
    }

    /// Removes content from the writable folder.
    ///
    /// # Errors
    /// The disk.
    pub(crate) fn discard(&self, digest: &Digest) -> io::Result<()> {
        self.faults.point()?;
        match fs::remove_file(self.blobs.join(digest.hex())) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Digests and sizes in the writable folder.
    ///
    /// # Errors
    /// The disk.
    pub(crate) fn list(&self) -> io::Result<Vec<(Digest, u64)>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.blobs)? {
            let entry = entry?;
            let Some(digest) = entry.file_name().to_str().and_then(|name| Digest::from_hex(name).ok()) else {
                continue;
            };
            found.push((digest, entry.metadata()?.len()));
        }
        Ok(found)
    }

    fn find(&self, digest: &Digest) -> Option<(PathBuf, u64)> {
        let hex = digest.hex();
        [Some(&self.blobs), self.prebaked.as_ref()].into_iter().flatten().find_map(|folder| {
            let path = folder.join(&hex);
            let metadata = fs::metadata(&path).ok().filter(fs::Metadata::is_file)?;
            Some((path, metadata.len()))
        })
    }
}

/// Hashes the first `size` bytes of a file.
fn hash(file: &mut File, size: u64) -> io::Result<Hasher> {
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; 64 * 1024];
    let mut input = file.take(size);
    loop {
        let count = input.read(&mut buffer)?;
        match buffer.get(..count) {
            Some([]) | None => return Ok(hasher),
            Some(piece) => hasher.update(piece),
        }
    }
}

#[cfg(test)]
mod tests;

//! Content that comes in.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use coracle_image_layout::{Digest, Hasher};

use super::{Error, hash};
use crate::disk::{at, sync_folder};
use crate::fault::Faults;
use crate::flight::Held;

/// Content that comes in, hashed as it comes.
#[derive(Debug)]
pub struct Writer {
    file: File,
    from: PathBuf,
    to: PathBuf,
    digest: Digest,
    size: u64,
    length: u64,
    hasher: Hasher,
    faults: Faults,
    held: Option<Held>,
}

impl Writer {
    /// Keeps others away as long as this writer lives, also when who waits for it has gone.
    pub(crate) fn hold(&mut self, held: Held) {
        self.held = Some(held);
    }

    pub(super) fn open(from: PathBuf, to: PathBuf, digest: Digest, size: u64, faults: Faults) -> io::Result<Self> {
        faults.point()?;
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        let mut file = options.open(&from).map_err(at(&from))?;
        let length = file.metadata().map_err(at(&from))?.len();
        let hasher = hash(&mut file, length).map_err(at(&from))?;
        let mut this = Self { file, from, to, digest, size, length, hasher, faults, held: None };
        if length > size {
            this.restart()?;
        }
        Ok(this)
    }

    /// How many bytes are there from an interrupted write.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// How many bytes there will be.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Forgets the bytes that are there.
    ///
    /// # Errors
    /// The disk.
    pub fn restart(&mut self) -> io::Result<()> {
        self.faults.point()?;
        self.file.set_len(0).map_err(at(&self.from))?;
        (self.length, self.hasher) = (0, Hasher::default());
        Ok(())
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// There are more than promised, or the disk is full.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let length = self.length.saturating_add(bytes.len() as u64);
        if length > self.size {
            return Err(Error::Size { expected: self.size, found: length });
        }
        self.faults.point()?;
        self.file.write_all(bytes).map_err(at(&self.from))?;
        self.hasher.update(bytes);
        self.length = length;
        Ok(())
    }

    /// Verifies what came and gives it its name.
    ///
    /// # Errors
    /// It is not what was promised; then it is thrown away. Or the disk.
    pub fn finish(self) -> Result<(), Error> {
        // Held until all is on the disk.
        let _held = self.held;
        if self.length != self.size {
            return Err(Error::Size { expected: self.size, found: self.length });
        }
        let found = self.hasher.finish();
        if found != self.digest {
            self.faults.point()?;
            fs::remove_file(&self.from).map_err(at(&self.from))?;
            return Err(Error::Digest { expected: self.digest, found });
        }
        self.faults.point()?;
        self.file.sync_all().map_err(at(&self.from))?;
        self.faults.point()?;
        fs::rename(&self.from, &self.to).map_err(at(&self.to))?;
        self.faults.point()?;
        Ok(sync_folder(self.to.parent().unwrap_or_else(|| Path::new("/")))?)
    }
}

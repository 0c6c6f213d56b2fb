//! `images.json`: which names stand for which images.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use coracle_image_layout::Digest;
use serde::{Deserialize, Serialize};

use crate::disk::{at, replace};
use crate::fault::Faults;

/// The version of the file that is written and read.
const VERSION: u32 = 1;

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// What the registry has under the name: a manifest, or an index of several.
    pub(super) target: Digest,
    /// The manifest for this machine.
    pub(super) manifest: Digest,
    /// The configuration: the image's id.
    pub(super) config: Digest,
    /// Bytes of all of it, packed.
    pub(super) size: u64,
}

/// Names and what they stand for.
pub(super) type Names = BTreeMap<String, Record>;

#[derive(Serialize, Deserialize)]
struct Document {
    version: u32,
    images: Names,
}

/// Reads the file. Without one there are no names.
pub(super) fn read(path: &Path) -> io::Result<Names> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Names::new()),
        Err(error) => return Err(at(path)(error)),
    };
    let document: Document = serde_json::from_slice(&bytes).map_err(io::Error::from).map_err(at(path))?;
    if document.version == VERSION {
        Ok(document.images)
    } else {
        let text = format!("version {} is not {VERSION}", document.version);
        Err(at(path)(io::Error::new(io::ErrorKind::InvalidData, text)))
    }
}

/// Writes the file so that a power cut leaves the old or the new names.
pub(super) fn write(path: &Path, names: &Names, faults: &Faults) -> io::Result<()> {
    let document = Document { version: VERSION, images: names.clone() };
    replace(path, &serde_json::to_vec(&document)?, faults).map_err(at(path))
}

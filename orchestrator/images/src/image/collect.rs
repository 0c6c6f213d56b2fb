//! Garbage: what no name and no container needs.

use std::collections::BTreeSet;
use std::sync::Arc;

use coracle_image_layout::Digest;

use super::names::Record;
use super::{Error, Inner, Store};
use crate::blocking;

/// What a collection removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Freed {
    /// Unpacked layers.
    pub layers: usize,
    /// Blobs.
    pub blobs: usize,
    /// Bytes of the blobs.
    pub bytes: u64,
}

impl Store {
    /// Removes what nothing needs. Nothing happens while a pull runs or a container is being prepared: then the answer
    /// is none.
    ///
    /// # Errors
    /// The disk.
    pub async fn collect(&self) -> Result<Option<Freed>, Error> {
        let Some(closed) = self.0.gate.close() else { return Ok(None) };
        let inner = Arc::clone(&self.0);
        blocking(move || {
            let _closed = closed;
            inner.sweep().map(Some)
        })
        .await?
    }
}

impl Inner {
    fn sweep(&self) -> Result<Freed, Error> {
        let (mut blobs, mut layers) = (BTreeSet::new(), BTreeSet::new());
        let records: Vec<Record> = self.names().values().chain(self.prebaked.values()).copied().collect();
        for record in records {
            blobs.extend([record.target, record.manifest, record.config]);
            // An image whose documents are damaged is pulled again before it runs, so it needs nothing else.
            if let Ok(manifest) = self.manifest(&record.manifest) {
                blobs.extend(manifest.layers.iter().map(|layer| layer.digest));
            }
            if let Ok(image) = self.image(&record.config) {
                layers.extend(image.rootfs.chain_ids());
            }
        }
        layers.extend(self.layers_in_use()?);
        let mut freed = Freed::default();
        let unused = |used: &BTreeSet<Digest>, digest: &Digest| !used.contains(digest);
        for chain in self.layers.list()?.into_iter().filter(|chain| unused(&layers, chain)) {
            self.layers.discard(&chain)?;
            freed.layers += 1;
        }
        for (digest, size) in self.content.list()?.into_iter().filter(|(digest, _)| unused(&blobs, digest)) {
            self.content.discard(&digest)?;
            freed.blobs += 1;
            freed.bytes += size;
        }
        Ok(freed)
    }
}

//! Images from OCI layouts: those on the slot, which stay there, and those in any other folder, which are copied.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use coracle_image_layout::{Descriptor, Digest, Index, annotation};

use super::names::{Names, Record};
use super::{CONFIG_BYTES, Cause, Error, Inner, Pulled, Store, parse_image, parse_manifest, platform, pull};
use crate::blocking;
use crate::content::Content;
use crate::disk::at;
use crate::fault::Faults;
use crate::reference::Reference;
use crate::registry::MANIFEST_BYTES;

impl Store {
    /// Takes all images that `folder`, an OCI layout, names. Their content is verified and copied.
    ///
    /// # Errors
    /// It is no layout, its content is damaged, or the disk.
    pub async fn import(&self, folder: &Path) -> Result<Vec<Pulled>, Error> {
        let pass = self.0.gate.enter().await;
        let (inner, folder) = (Arc::clone(&self.0), folder.to_owned());
        let found = blocking(move || inner.names_in(&folder).map(|found| (folder, found))).await?;
        let (folder, found) = found?;
        let mut imported = Vec::new();
        for (name, record) in found {
            let layers = self.copy(&folder, record, &pass).await?;
            let image = self.config(record.config).await?;
            self.unpack(&layers, &image, &pass).await.map_err(|(_, error)| error)?;
            self.name(name, record).await?;
            imported.extend(self.0.by_id(&record.config));
        }
        Ok(imported)
    }

    /// Copies the content of one image and says which layers it has.
    async fn copy(&self, folder: &Path, record: Record, pass: &crate::flight::Pass) -> Result<Vec<Descriptor>, Error> {
        let mut layers = Vec::new();
        for digest in [record.target, record.manifest, record.config] {
            self.copy_one(folder, digest, pass).await?;
        }
        let inner = Arc::clone(&self.0);
        let manifest = blocking(move || inner.manifest(&record.manifest)).await??;
        for layer in manifest.layers {
            self.copy_one(folder, layer.digest, pass).await?;
            layers.push(layer);
        }
        Ok(layers)
    }

    async fn copy_one(&self, folder: &Path, digest: Digest, pass: &crate::flight::Pass) -> Result<(), Error> {
        let held = self.0.flights.enter(digest, pass).await;
        let (inner, path) = (Arc::clone(&self.0), blob(folder, &digest));
        blocking(move || {
            let mut file = File::open(&path).map_err(at(&path))?;
            let size = file.metadata().map_err(at(&path))?.len();
            if inner.content.has(&digest, size) {
                return Ok(());
            }
            let mut writer = inner.content.writer(digest, size)?;
            writer.hold(held);
            writer.restart()?;
            let mut buffer = vec![0; 64 * 1024];
            loop {
                let count = file.read(&mut buffer).map_err(at(&path))?;
                match buffer.get(..count) {
                    None | Some([]) => break,
                    Some(piece) => writer.write(piece)?,
                }
            }
            Ok(writer.finish()?)
        })
        .await?
    }
}

impl Inner {
    /// The images on the slot. One that is damaged is left out and told: the node has others.
    pub(super) fn prebaked_names(&self, folder: &Path) -> Result<Names, Error> {
        let mut names = Names::new();
        for (name, target) in named(folder)? {
            match self.record_in(&self.content, &target) {
                Ok(record) => {
                    names.insert(name, record);
                }
                Err(error) => tracing::error!(image = name, %error, "an image of the slot cannot be used"),
            }
        }
        Ok(names)
    }

    fn names_in(&self, folder: &Path) -> Result<Names, Error> {
        let content = Content::reader(folder, Faults::default());
        let records = named(folder)?.into_iter().map(|(name, target)| {
            let record = self.record_in(&content, &target)?;
            Ok((name, record))
        });
        records.collect()
    }

    fn record_in(&self, content: &Content, target: &Descriptor) -> Result<Record, Error> {
        let told = |cause: Cause| Error::Document(cause.to_string());
        let mut manifest = target.digest;
        let mut bytes = content.read(&manifest, MANIFEST_BYTES)?;
        if let Some(index) = pull::as_index(&bytes).map_err(told)? {
            let chosen = platform::choose(&self.platform, &index.manifests);
            let missing = || Error::Document(format!("no match for platform in manifest {manifest}: not found"));
            manifest = chosen.ok_or_else(missing)?.digest;
            bytes = content.read(&manifest, MANIFEST_BYTES)?;
        }
        let document = parse_manifest(&bytes)?;
        let image = parse_image(&content.read(&document.config.digest, CONFIG_BYTES)?)?;
        pull::check_layers(&document, &image).map_err(Error::Document)?;
        let size = document.layers.iter().fold(document.config.size, |sum, layer| sum.saturating_add(layer.size));
        Ok(Record { target: target.digest, manifest, config: document.config.digest, size })
    }
}

fn blob(folder: &Path, digest: &Digest) -> PathBuf {
    folder.join("blobs/sha256").join(digest.hex())
}

/// The names of a layout and what they point to. An entry without a full name is left out.
fn named(folder: &Path) -> Result<Vec<(String, Descriptor)>, Error> {
    let path = folder.join("index.json");
    let mut bytes = Vec::new();
    let file = File::open(&path).map_err(at(&path))?;
    file.take(MANIFEST_BYTES).read_to_end(&mut bytes).map_err(at(&path))?;
    let index: Index = serde_json::from_slice(&bytes).map_err(io::Error::from).map_err(at(&path))?;
    let mut found = Vec::new();
    for manifest in index.manifests {
        let names = [annotation::IMAGE_NAME, annotation::REF_NAME];
        let name = names.iter().find_map(|name| manifest.annotations.get(*name)?.parse::<Reference>().ok());
        if let Some(name) = name {
            found.push((name.to_string(), manifest));
        }
    }
    Ok(found)
}

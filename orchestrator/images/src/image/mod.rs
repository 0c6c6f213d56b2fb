//! The store of images: names, pulling, unpacking, preparing containers, collecting garbage.

mod collect;
mod error;
mod import;
mod names;
mod platform;
mod prepare;
mod pull;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use coracle_image_layout::{Digest, Image, Manifest, Platform};

use crate::blocking;
use crate::content::Content;
use crate::fault::Faults;
use crate::flight::{Flights, Gate};
use crate::layers::{Layers, Limits};
use crate::reference::Reference;
use crate::registry::{Client, MANIFEST_BYTES};
pub use collect::Freed;
pub use error::{Cause, Error};
use names::{Names, Record};
pub use platform::native;
pub use prepare::Prepared;

/// Longest image configuration.
const CONFIG_BYTES: u64 = 4 << 20;

/// Where images lie.
#[derive(Debug, Clone)]
pub struct Roots {
    /// Everything that is pulled, unpacked and written.
    pub writable: PathBuf,
    /// An OCI layout on the slot, whose images are there from the start. It is never written and never copied.
    pub prebaked: Option<PathBuf>,
}

/// When to ask the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Each time: what the name stands for may have changed. What is here already is not fetched again.
    Always,
    /// Only when it is not here.
    IfNotPresent,
    /// Never.
    Never,
}

/// An image that is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulled {
    /// Digest of its configuration.
    pub id: Digest,
    /// Names with tags.
    pub tags: Vec<String>,
    /// Names with the digest that the registry has under them.
    pub digests: Vec<String>,
    /// Bytes, packed.
    pub size: u64,
    /// Whether it came with the slot and cannot be removed.
    pub pinned: bool,
}

/// The store of images. Clones are the same store.
#[derive(Debug, Clone)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    content: Content,
    layers: Layers,
    client: Client,
    platform: Platform,
    uppers: PathBuf,
    names_file: PathBuf,
    names: Mutex<Names>,
    prebaked: Names,
    /// Held while `images.json` is written.
    saving: tokio::sync::Mutex<()>,
    flights: Flights,
    gate: Gate,
    faults: Faults,
}

impl Store {
    /// Opens or makes the store, and removes what a crash left unfinished.
    ///
    /// # Errors
    /// The disk, or names that cannot be read.
    pub async fn open(roots: Roots, client: Client, platform: Platform) -> Result<Self, Error> {
        Self::open_with(roots, client, platform, Faults::default()).await
    }

    async fn open_with(roots: Roots, client: Client, platform: Platform, faults: Faults) -> Result<Self, Error> {
        blocking(move || {
            let writable = &roots.writable;
            let content = Content::open(&writable.join("content"), roots.prebaked.as_deref(), faults.clone())?;
            let layers = Layers::open(&writable.join("layers"), Limits::default(), faults.clone())?;
            let uppers = writable.join("upper");
            prepare::open(&uppers)?;
            let names_file = writable.join("images.json");
            let names = Mutex::new(names::read(&names_file)?);
            let mut inner = Inner {
                content,
                layers,
                client,
                platform,
                uppers,
                names_file,
                names,
                prebaked: Names::new(),
                saving: tokio::sync::Mutex::new(()),
                flights: Flights::default(),
                gate: Gate::default(),
                faults,
            };
            if let Some(folder) = &roots.prebaked {
                inner.prebaked = inner.prebaked_names(folder)?;
            }
            Ok(Self(Arc::new(inner)))
        })
        .await?
    }

    /// The image of a name, or of an id, if all of it is here.
    ///
    /// # Errors
    /// The text is neither.
    pub async fn find(&self, text: &str) -> Result<Option<Pulled>, Error> {
        let inner = Arc::clone(&self.0);
        let id = match identity(text) {
            Some(id) => id,
            None => match inner.record(&reference(text)?.to_string()) {
                Some(record) => record.config,
                None => return Ok(None),
            },
        };
        Ok(blocking(move || inner.by_id(&id).filter(|_| inner.is_complete(&id))).await?)
    }

    /// All images.
    #[must_use]
    pub fn list(&self) -> Vec<Pulled> {
        let mut ids: Vec<Digest> = self.0.names().values().map(|record| record.config).collect();
        ids.extend(self.0.prebaked.values().map(|record| record.config));
        ids.sort_unstable();
        ids.dedup();
        ids.iter().filter_map(|id| self.0.by_id(id)).collect()
    }

    /// How to run the image with this id. It is verified against its digest.
    ///
    /// # Errors
    /// It is missing or damaged.
    pub async fn config(&self, id: Digest) -> Result<Image, Error> {
        let inner = Arc::clone(&self.0);
        blocking(move || inner.image(&id)).await?
    }

    /// Removes a name, or all names of an id. What nothing names any more goes with the next [`Store::collect`].
    ///
    /// # Errors
    /// The text is neither, the image came with the slot, or the disk.
    pub async fn remove(&self, text: &str) -> Result<(), Error> {
        let inner = &self.0;
        let id = identity(text);
        let name = if id.is_some() { text.to_owned() } else { reference(text)?.to_string() };
        let pinned = match id {
            Some(id) => inner.prebaked.values().any(|record| record.config == id),
            None => inner.prebaked.contains_key(&name) && !inner.names().contains_key(&name),
        };
        if pinned {
            return Err(Error::Pinned(text.to_owned()));
        }
        self.rename(move |names| match id {
            Some(id) => names.retain(|_, record| record.config != id),
            None => {
                names.remove(&name);
            }
        })
        .await
    }

    /// Gives an image a name.
    async fn name(&self, name: String, record: Record) -> Result<(), Error> {
        self.rename(move |names| {
            names.insert(name, record);
        })
        .await
    }

    /// Changes the names, on the disk first.
    async fn rename(&self, change: impl FnOnce(&mut Names) + Send) -> Result<(), Error> {
        let inner = Arc::clone(&self.0);
        let _saving = self.0.saving.lock().await;
        let mut names = self.0.names().clone();
        change(&mut names);
        if names == *self.0.names() {
            return Ok(());
        }
        blocking(move || {
            names::write(&inner.names_file, &names, &inner.faults)?;
            *inner.names() = names;
            Ok(())
        })
        .await?
    }
}

impl Inner {
    fn names(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, name: &str) -> Option<Record> {
        self.names().get(name).or_else(|| self.prebaked.get(name)).copied()
    }

    fn record_of(&self, id: &Digest) -> Option<Record> {
        let fits = |record: &&Record| record.config == *id;
        self.names().values().find(fits).or_else(|| self.prebaked.values().find(fits)).copied()
    }

    fn by_id(&self, id: &Digest) -> Option<Pulled> {
        let size = self.record_of(id)?.size;
        let pinned = self.prebaked.values().any(|record| record.config == *id);
        let mut pulled = Pulled { id: *id, tags: Vec::new(), digests: Vec::new(), size, pinned };
        let names = self.names();
        for (name, record) in names.iter().chain(&self.prebaked).filter(|(_, record)| record.config == *id) {
            let Ok(reference) = name.parse::<Reference>() else { continue };
            pulled.digests.push(reference.with_digest(record.target).to_string());
            if reference.digest().is_none() {
                pulled.tags.push(name.clone());
            }
        }
        for list in [&mut pulled.tags, &mut pulled.digests] {
            list.sort_unstable();
            list.dedup();
        }
        Some(pulled)
    }

    fn image(&self, id: &Digest) -> Result<Image, Error> {
        parse_image(&self.content.read(id, CONFIG_BYTES)?)
    }

    fn manifest(&self, digest: &Digest) -> Result<Manifest, Error> {
        parse_manifest(&self.content.read(digest, MANIFEST_BYTES)?)
    }

    /// Whether the image can be run: documents unhurt, each layer unpacked or there to be unpacked.
    fn is_complete(&self, id: &Digest) -> bool {
        let Some(record) = self.record_of(id) else { return false };
        let (Ok(image), Ok(manifest)) = (self.image(id), self.manifest(&record.manifest)) else { return false };
        let chain = image.rootfs.chain_ids();
        chain.len() == manifest.layers.len()
            && chain
                .iter()
                .zip(&manifest.layers)
                .all(|(chain, layer)| self.layers.has(chain) || self.content.has(&layer.digest, layer.size))
    }
}

/// An image id: a digest, or its 64 digits alone.
fn identity(text: &str) -> Option<Digest> {
    text.parse().ok().or_else(|| Digest::from_hex(text).ok())
}

fn reference(text: &str) -> Result<Reference, Error> {
    text.parse().map_err(|error| Error::InvalidName(text.to_owned(), error))
}

fn parse_image(bytes: &[u8]) -> Result<Image, Error> {
    serde_json::from_slice(bytes).map_err(|error| Error::Document(format!("invalid image configuration: {error}")))
}

fn parse_manifest(bytes: &[u8]) -> Result<Manifest, Error> {
    serde_json::from_slice(bytes).map_err(|error| Error::Document(format!("invalid image manifest: {error}")))
}

#[cfg(test)]
mod tests;

//! Writable layers of containers.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use coracle_image_layout::Digest;

use super::{Error, Inner, Store};
use crate::blocking;
use crate::disk::{at, replace};

/// The layers a container stands on, so that they are kept when its image is removed.
const LAYERS: &str = "layers.json";
/// Starts the names of folders that are going away.
const LEAVING: &str = ".old-";
const MAX_ID: usize = 128;

/// What to mount as a container's root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// Folders of the layers, topmost first: `lowerdir+` in this order. An image may have none.
    pub lowers: Vec<PathBuf>,
    /// `upperdir`.
    pub upper: PathBuf,
    /// `workdir`.
    pub work: PathBuf,
}

impl Store {
    /// Makes the writable layer of container `id` on the image with the given id, and unpacks what is not yet. Doing
    /// it again gives the same layer as it is.
    ///
    /// # Errors
    /// The id is no name of a folder or taken by another image, the image is not here or damaged, or the disk.
    pub async fn prepare(&self, id: &str, image: Digest) -> Result<Prepared, Error> {
        check(id)?;
        let pass = self.0.gate.enter().await;
        let inner = Arc::clone(&self.0);
        let (manifest, config) = blocking(move || {
            let record = inner.record_of(&image).ok_or_else(|| Error::NotPresent(image.to_string()))?;
            Ok::<_, Error>((inner.manifest(&record.manifest)?, inner.image(&image)?))
        })
        .await??;
        super::pull::check_layers(&manifest, &config).map_err(Error::Document)?;
        self.unpack(&manifest.layers, &config, &pass).await.map_err(|(_, error)| error)?;
        let (inner, id) = (Arc::clone(&self.0), id.to_owned());
        blocking(move || {
            let _pass = pass;
            inner.make_upper(&id, &config.rootfs.chain_ids())
        })
        .await?
    }

    /// Removes the writable layer of a container. Doing it again is no error.
    ///
    /// # Errors
    /// The id is no name of a folder, or the disk.
    pub async fn release(&self, id: &str) -> Result<(), Error> {
        check(id)?;
        let (from, to) = (self.0.uppers.join(id), self.0.uppers.join(format!("{LEAVING}{id}")));
        blocking(move || match fs::rename(&from, &to) {
            Ok(()) => fs::remove_dir_all(&to).map_err(at(&to)).map_err(Error::from),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(at(&from)(error).into()),
        })
        .await?
    }

    /// Ids of all containers that have a writable layer.
    ///
    /// # Errors
    /// The disk.
    pub async fn containers(&self) -> Result<Vec<String>, Error> {
        let inner = Arc::clone(&self.0);
        Ok(blocking(move || inner.container_ids()).await??)
    }
}

impl Inner {
    fn make_upper(&self, id: &str, chain: &[Digest]) -> Result<Prepared, Error> {
        let folder = self.uppers.join(id);
        let record = folder.join(LAYERS);
        let prepared = Prepared {
            lowers: chain.iter().rev().map(|chain| self.layers.path(chain)).collect(),
            upper: folder.join("fs"),
            work: folder.join("work"),
        };
        match self.layers_of(id) {
            Ok(Some(layers)) if layers == chain => {}
            Ok(Some(_)) => return Err(Error::ContainerExists(id.to_owned())),
            Ok(None) => {
                self.faults.point()?;
                DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(at(&folder))?;
                replace(&record, &serde_json::to_vec(chain).map_err(io::Error::from)?, &self.faults)?;
            }
            Err(error) => return Err(error.into()),
        }
        for path in [&prepared.work, &prepared.upper] {
            self.faults.point()?;
            match fs::create_dir(path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(at(path)(error).into()),
                Err(_) => continue,
                Ok(()) => {}
            }
            // The root folder that a container sees is the upper one.
            let below = prepared.lowers.first().filter(|_| path == &prepared.upper);
            let (mode, owner) = match below.map(fs::metadata).transpose()? {
                Some(below) => (below.mode() & 0o7777, (below.uid(), below.gid())),
                None => (0o755, (0, 0)),
            };
            std::os::unix::fs::chown(path, Some(owner.0), Some(owner.1)).map_err(at(path))?;
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(at(path))?;
        }
        Ok(prepared)
    }

    /// The chain ids that a container stands on; none when it was not prepared to the end.
    fn layers_of(&self, id: &str) -> io::Result<Option<Vec<Digest>>> {
        let path = self.uppers.join(id).join(LAYERS);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes).map_err(io::Error::from).map_err(at(&path))?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(at(&path)(error)),
        }
    }

    fn container_ids(&self) -> io::Result<Vec<String>> {
        let mut ids = Vec::new();
        for entry in fs::read_dir(&self.uppers).map_err(at(&self.uppers))? {
            if let Ok(name) = entry?.file_name().into_string()
                && check(&name).is_ok()
            {
                ids.push(name);
            }
        }
        Ok(ids)
    }

    /// The chain ids that any container stands on.
    pub(super) fn layers_in_use(&self) -> io::Result<Vec<Digest>> {
        let mut used = Vec::new();
        for id in self.container_ids()? {
            used.extend(self.layers_of(&id)?.unwrap_or_default());
        }
        Ok(used)
    }
}

/// Makes the folder and removes layers that were going away.
pub(super) fn open(uppers: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(uppers).map_err(at(uppers))?;
    for entry in fs::read_dir(uppers).map_err(at(uppers))? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(LEAVING) {
            fs::remove_dir_all(entry.path()).map_err(at(&entry.path()))?;
        }
    }
    Ok(())
}

fn check(id: &str) -> Result<(), Error> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if id.is_empty() || id.len() > MAX_ID || id.starts_with('.') || !id.bytes().all(plain) {
        return Err(Error::ContainerId(id.to_owned()));
    }
    Ok(())
}

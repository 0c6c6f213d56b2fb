//! Writes images from lists of files: for tests, and for the images that are on a slot from the start.
//!
//! Same input, same bytes: all files have one given time, owners are numbers, and layers are plain tars, so that no compressor's
//! version shows in a digest.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::Serialize;

use crate::{Descriptor, Digest, Image, ImageConfig, Index, Manifest, Platform, RootFs, annotation, media_type};

/// One file of a layer.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Path in the image, without a leading `/`.
    pub path: String,
    /// What it is.
    pub kind: Kind,
    /// Permission bits.
    pub mode: u32,
    /// Owner and group.
    pub owner: (u32, u32),
}

/// What a file is.
#[derive(Debug, Clone)]
pub enum Kind {
    /// A file with its content.
    File(Vec<u8>),
    /// A folder.
    Directory,
    /// A symbolic link to a path.
    Symlink(String),
    /// Another name of a file of the same layer.
    HardLink(String),
}

/// Collects images and writes them as one layout.
#[derive(Debug, Default)]
pub struct Builder {
    time: u64,
    blobs: BTreeMap<Digest, Vec<u8>>,
    images: Vec<Descriptor>,
}

impl Entry {
    /// A file that everybody may read.
    #[must_use]
    pub fn file(path: &str, content: impl Into<Vec<u8>>) -> Self {
        Self { path: path.to_owned(), kind: Kind::File(content.into()), mode: 0o644, owner: (0, 0) }
    }

    /// A file that everybody may run.
    #[must_use]
    pub fn program(path: &str, content: impl Into<Vec<u8>>) -> Self {
        Self { mode: 0o755, ..Self::file(path, content) }
    }

    /// A folder.
    #[must_use]
    pub fn directory(path: &str) -> Self {
        Self { path: path.to_owned(), kind: Kind::Directory, mode: 0o755, owner: (0, 0) }
    }

    /// A symbolic link.
    #[must_use]
    pub fn symlink(path: &str, to: &str) -> Self {
        Self { path: path.to_owned(), kind: Kind::Symlink(to.to_owned()), mode: 0o777, owner: (0, 0) }
    }

    /// Another name of a file.
    #[must_use]
    pub fn hard_link(path: &str, to: &str) -> Self {
        Self { path: path.to_owned(), kind: Kind::HardLink(to.to_owned()), mode: 0o644, owner: (0, 0) }
    }
}

impl Builder {
    /// Nothing yet; files have the time 0.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Nothing yet; files have the given time in seconds since 1970.
    #[must_use]
    pub fn at(time: u64) -> Self {
        Self { time, ..Self::default() }
    }

    /// The plain tar of a layer whose files have the time 0.
    ///
    /// # Errors
    /// A path does not fit into a tar.
    pub fn tar(entries: &[Entry]) -> io::Result<Vec<u8>> {
        Self::tar_at(entries, 0)
    }

    fn tar_at(entries: &[Entry], time: u64) -> io::Result<Vec<u8>> {
        let mut tar = tar::Builder::new(Vec::new());
        for entry in entries {
            let mut header = tar::Header::new_ustar();
            header.set_mode(entry.mode);
            header.set_uid(entry.owner.0.into());
            header.set_gid(entry.owner.1.into());
            header.set_mtime(time);
            header.set_size(0);
            match &entry.kind {
                Kind::File(content) => {
                    header.set_entry_type(tar::EntryType::Regular);
                    header.set_size(content.len() as u64);
                    tar.append_data(&mut header, &entry.path, content.as_slice())?;
                }
                Kind::Directory => {
                    header.set_entry_type(tar::EntryType::Directory);
                    tar.append_data(&mut header, format!("{}/", entry.path), io::empty())?;
                }
                Kind::Symlink(to) => {
                    header.set_entry_type(tar::EntryType::Symlink);
                    tar.append_link(&mut header, &entry.path, to)?;
                }
                Kind::HardLink(to) => {
                    header.set_entry_type(tar::EntryType::Link);
                    tar.append_link(&mut header, &entry.path, to)?;
                }
            }
        }
        tar.into_inner()
    }

    /// Adds an image of the given layers, lowest first, and says where its manifest is.
    ///
    /// # Errors
    /// A path does not fit into a tar.
    pub fn image(
        &mut self,
        name: &str,
        platform: &Platform,
        config: ImageConfig,
        layers: &[Vec<Entry>],
    ) -> io::Result<Descriptor> {
        let mut parts = Vec::with_capacity(layers.len());
        for layer in layers {
            let content = Self::tar_at(layer, self.time)?;
            parts.push((Digest::of(&content), media_type::LAYER, content));
        }
        self.image_of_blobs(name, platform, config, parts)
    }

    /// Adds an image whose layers are there already: the digest of the plain tar, the media type, the bytes.
    ///
    /// # Errors
    /// A document cannot be written as JSON.
    pub fn image_of_blobs(
        &mut self,
        name: &str,
        platform: &Platform,
        config: ImageConfig,
        layers: Vec<(Digest, &str, Vec<u8>)>,
    ) -> io::Result<Descriptor> {
        let mut diff_ids = Vec::with_capacity(layers.len());
        let mut descriptors = Vec::with_capacity(layers.len());
        for (diff, media_type, content) in layers {
            diff_ids.push(diff);
            descriptors.push(self.blob(media_type, content));
        }
        let image = Image {
            architecture: platform.architecture.clone(),
            os: platform.os.clone(),
            variant: platform.variant.clone(),
            config,
            rootfs: RootFs { kind: "layers".to_owned(), diff_ids },
        };
        let config = self.document(media_type::CONFIG, &image)?;
        let manifest =
            Manifest { schema_version: 2, media_type: media_type::MANIFEST.to_owned(), config, layers: descriptors };
        let mut descriptor = self.document(media_type::MANIFEST, &manifest)?;
        descriptor.platform = Some(platform.clone());
        if !name.is_empty() {
            let mut named = descriptor.clone();
            named.annotations.insert(annotation::IMAGE_NAME.to_owned(), name.to_owned());
            self.images.push(named);
        }
        Ok(descriptor)
    }

    /// Adds an index of manifests under a name.
    ///
    /// # Errors
    /// A document cannot be written as JSON.
    pub fn index(&mut self, name: &str, manifests: Vec<Descriptor>) -> io::Result<Descriptor> {
        let index = Index { schema_version: 2, media_type: media_type::INDEX.to_owned(), manifests };
        let descriptor = self.document(media_type::INDEX, &index)?;
        let mut named = descriptor.clone();
        named.annotations.insert(annotation::IMAGE_NAME.to_owned(), name.to_owned());
        self.images.push(named);
        Ok(descriptor)
    }

    /// Adds content and points to it.
    pub fn blob(&mut self, media_type: &str, content: Vec<u8>) -> Descriptor {
        let descriptor = Descriptor::of(media_type, &content);
        self.blobs.insert(descriptor.digest, content);
        descriptor
    }

    /// All content so far.
    #[must_use]
    pub fn blobs(&self) -> &BTreeMap<Digest, Vec<u8>> {
        &self.blobs
    }

    /// The files of the layout by their path in it.
    ///
    /// # Errors
    /// The index cannot be written as JSON.
    pub fn files(&self) -> io::Result<BTreeMap<String, Vec<u8>>> {
        let blobs =
            self.blobs.iter().map(|(digest, content)| (format!("blobs/sha256/{}", digest.hex()), content.clone()));
        let mut files: BTreeMap<String, Vec<u8>> = blobs.collect();
        let index =
            Index { schema_version: 2, media_type: media_type::INDEX.to_owned(), manifests: self.images.clone() };
        files.insert("index.json".to_owned(), serde_json::to_vec(&index)?);
        files.insert("oci-layout".to_owned(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec());
        Ok(files)
    }

    /// Writes the layout into `directory`, which need not exist.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write(&self, directory: &Path) -> io::Result<()> {
        std::fs::create_dir_all(directory.join("blobs/sha256"))?;
        self.files()?.into_iter().try_for_each(|(path, content)| std::fs::write(directory.join(path), content))
    }

    fn document(&mut self, media_type: &str, document: &impl Serialize) -> io::Result<Descriptor> {
        let content = serde_json::to_vec(document)?;
        Ok(self.blob(media_type, content))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(into: &Path) -> Descriptor {
        let mut builder = Builder::new();
        let platform = Platform { architecture: "amd64".to_owned(), os: "linux".to_owned(), variant: String::new() };
        let files = vec![
            Entry::directory("bin"),
            Entry::program("bin/hello", b"#!".to_vec()),
            Entry::symlink("bin/hi", "hello"),
            Entry::hard_link("bin/hey", "bin/hello"),
            Entry::file(&"long/".repeat(60), b"x".to_vec()),
        ];
        let descriptor = builder.image("localhost/hello:1", &platform, ImageConfig::default(), &[files]).unwrap();
        builder.write(into).unwrap();
        descriptor
    }

    #[test]
    fn a_layout_is_the_same_twice_and_complete() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let descriptor = layout(first.path());
        assert_eq!(descriptor, layout(second.path()));
        let index: Index = serde_json::from_slice(&std::fs::read(first.path().join("index.json")).unwrap()).unwrap();
        assert_eq!(index.manifests[0].annotations[annotation::IMAGE_NAME], "localhost/hello:1");
        let read = |digest: &Digest| {
            let bytes = std::fs::read(first.path().join("blobs/sha256").join(digest.hex())).unwrap();
            assert_eq!(Digest::of(&bytes), *digest);
            bytes
        };
        let manifest: Manifest = serde_json::from_slice(&read(&index.manifests[0].digest)).unwrap();
        let image: Image = serde_json::from_slice(&read(&manifest.config.digest)).unwrap();
        assert_eq!(image.rootfs.diff_ids, [manifest.layers[0].digest]);
        let tar = read(&manifest.layers[0].digest);
        let names: Vec<_> = tar::Archive::new(tar.as_slice())
            .entries()
            .unwrap()
            .map(|entry| entry.unwrap().path_bytes().len())
            .collect();
        assert_eq!(names.len(), 5);
    }

    #[test]
    fn files_have_the_given_time() {
        let platform = Platform { architecture: "amd64".to_owned(), os: "linux".to_owned(), variant: String::new() };
        let mut builder = Builder::at(1_000);
        builder.image("localhost/a:1", &platform, ImageConfig::default(), &[vec![Entry::file("a", "x")]]).unwrap();
        let tar = builder.blobs().values().find(|blob| blob.len() > 512).unwrap();
        let mut archive = tar::Archive::new(tar.as_slice());
        assert_eq!(archive.entries().unwrap().next().unwrap().unwrap().header().mtime().unwrap(), 1_000);
    }
}

//! `images.toml`: which layers and images there are.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;

use crate::files;
use crate::packages::lock::{Architecture, Key, Role};

/// All layers and images.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    layer: Vec<Layer>,
    image: Vec<Image>,
}

/// A piece of an image.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Layer {
    /// Its name in this file.
    pub name: String,
    /// Debian packages that files are taken from; the copyright file of each comes along.
    pub packages: Vec<String>,
    /// Programs of the packages, with the libraries that they load.
    pub programs: Vec<String>,
    /// Files and whole folders of the packages.
    pub take: Vec<String>,
    /// Further folders with their permission bits.
    pub directories: BTreeMap<String, u32>,
    /// Symbolic links with their targets.
    pub links: BTreeMap<String, String>,
    /// Further files with their text.
    pub files: BTreeMap<String, String>,
    /// One program under many names.
    pub applets: Option<Applets>,
}

/// A program that does what its name says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Applets {
    /// Its path.
    pub program: String,
    /// The names, which become links beside it.
    pub names: Vec<String>,
}

/// An image: layers and how to run them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Image {
    /// Full name with tag.
    pub name: String,
    /// Whether it lies in every slot.
    #[serde(default)]
    pub slot: bool,
    /// Short name for people.
    pub title: String,
    /// What it does.
    pub description: String,
    /// Licences of what is in it, as an SPDX expression.
    pub licenses: String,
    /// Names of its layers, lowest first.
    pub layers: Vec<String>,
    /// Program with its arguments.
    pub entrypoint: Vec<String>,
    /// User and group, by number; root where nothing is written.
    #[serde(default)]
    pub user: String,
    /// Ports that it listens on, as `80/tcp`.
    #[serde(default)]
    pub ports: Vec<String>,
    /// Signal that asks it to end; SIGTERM where nothing is written.
    #[serde(default)]
    pub stop_signal: String,
}

/// Why the table cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Invalid {
    /// The file is not readable.
    #[error(transparent)]
    File(#[from] files::Error),
    /// The file is no table of images.
    #[error("{path} is not a table of images")]
    Parse {
        /// The file.
        path: String,
        /// What is wrong with it.
        source: Box<toml::de::Error>,
    },
    /// A layer or an image stands there twice.
    #[error("images.toml: {0} stands there twice")]
    Twice(String),
    /// An image names a layer that is not there.
    #[error("images.toml: {image} has the layer {layer:?}, which is not there")]
    NoLayer {
        /// The image.
        image: String,
        /// The layer.
        layer: String,
    },
}

impl Table {
    /// Reads the table.
    ///
    /// # Errors
    /// See [`Invalid`].
    pub fn load(path: &Path) -> Result<Self, Invalid> {
        Self::parse(&files::read_text(path)?, &path.display().to_string())
    }

    pub(super) fn parse(text: &str, path: &str) -> Result<Self, Invalid> {
        let table: Self = toml::from_str(text)
            .map_err(|source| Invalid::Parse { path: path.to_owned(), source: Box::new(source) })?;
        let mut seen = BTreeSet::new();
        let names = table.layer.iter().map(|layer| &layer.name).chain(table.image.iter().map(|image| &image.name));
        for name in names {
            if !seen.insert(name) {
                return Err(Invalid::Twice(name.clone()));
            }
        }
        for image in &table.image {
            let missing = image.layers.iter().find(|name| !table.layer.iter().any(|layer| layer.name == **name));
            if let Some(layer) = missing {
                return Err(Invalid::NoLayer { image: image.name.clone(), layer: layer.clone() });
            }
        }
        Ok(table)
    }

    /// All images.
    pub fn images(&self) -> impl Iterator<Item = &Image> {
        self.image.iter()
    }

    /// The images that lie in every slot.
    pub fn of_slots(&self) -> impl Iterator<Item = &Image> {
        self.image.iter().filter(|image| image.slot)
    }

    /// The layers of an image, lowest first.
    pub fn layers_of<'a>(&'a self, image: &'a Image) -> impl Iterator<Item = &'a Layer> {
        image.layers.iter().filter_map(|name| self.layer.iter().find(|layer| layer.name == *name))
    }

    /// The packages that images are made of on machines of one architecture.
    #[must_use]
    pub fn packages<'a>(&self, images: impl Iterator<Item = &'a Image>, machine: Architecture) -> Vec<Key> {
        let names: BTreeSet<&String> =
            images.flat_map(|image| self.layers_of(image)).flat_map(|layer| &layer.packages).collect();
        names.into_iter().map(|name| (Role::Image, machine, name.clone())).collect()
    }
}

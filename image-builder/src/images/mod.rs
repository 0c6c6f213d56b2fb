//! Container images of locked packages, as rows of `images.toml`: those that lie in every slot, and those of the tests.
//!
//! A layer is a file tree ([`layer`]); an image is a list of layers and how to run it. Both become one OCI layout.

mod layer;
mod table;

use coracle_image_layout::{Builder, Entry, ImageConfig, Kind, Platform};

use crate::libraries;
use crate::packages::lock::Architecture;
use crate::packages::store;
use crate::tree::{self, Node, Tree};
pub use table::{Applets, Image, Invalid, Layer, Table};

/// A package as images use it.
#[derive(Clone, Debug)]
pub struct Package {
    /// Its full version.
    pub version: String,
    /// Its files.
    pub files: Tree,
}

/// Why an image cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A package.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A file of a package, or two things at one path.
    #[error("layer {layer}: {source}")]
    Tree {
        /// The layer.
        layer: String,
        /// What is wrong.
        source: tree::Error,
    },
    /// Libraries of a program.
    #[error("layer {layer}: {source}")]
    Libraries {
        /// The layer.
        layer: String,
        /// What is wrong.
        source: libraries::Error,
    },
    /// A program for another machine, or none at all.
    #[error("layer {layer}: {program} is no executable for {}", machine.name())]
    Program {
        /// The layer.
        layer: String,
        /// The program.
        program: String,
        /// The machine.
        machine: Architecture,
    },
    /// A name that the program does not answer to.
    #[error("layer {layer}: the program has no applet {applet:?}")]
    Applet {
        /// The layer.
        layer: String,
        /// The name.
        applet: String,
    },
    /// The program that the image starts is not in it.
    #[error("{image}: no layer has the program {program:?}")]
    EntryPoint {
        /// The image.
        image: String,
        /// The program.
        program: String,
    },
    /// The layout.
    #[error("cannot lay out the images")]
    Layout(#[from] std::io::Error),
}

/// The label that names the packages of an image: `NAME=VERSION`, separated by blanks. Debian keeps the sources of each.
const PACKAGES: &str = "coracle.packages";

/// Where programs are looked for.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Makes one layout of images for `machine`; `open` gives a package by its name.
///
/// # Errors
/// See [`Error`].
pub fn layout<'a>(
    table: &Table,
    images: impl Iterator<Item = &'a Image>,
    machine: Architecture,
    open: impl Fn(&str) -> Result<Package, store::Error>,
) -> Result<Builder, Error> {
    let mut builder = Builder::at(crate::IMAGE_TIME.into());
    for image in images {
        let (mut layers, mut packages, mut all) = (Vec::new(), Vec::new(), Tree::default());
        for layer in table.layers_of(image) {
            let made = layer::make(layer, machine, &open)?;
            all.merge_first(&made.tree);
            layers.push(entries(&made.tree));
            packages.extend(made.packages);
        }
        packages.sort();
        packages.dedup();
        let program = image.entrypoint.first().map(String::as_str).unwrap_or_default();
        if !has_program(&all, program) {
            return Err(Error::EntryPoint { image: image.name.clone(), program: program.to_owned() });
        }
        builder.image(&image.name, &platform(machine), configuration(image, &packages), &layers)?;
    }
    Ok(builder)
}

/// Whether the name of a program leads to a file in the folders of [`PATH`], or is the path of one.
fn has_program(tree: &Tree, program: &str) -> bool {
    let is_file = |path: &str| tree.content(path.trim_start_matches('/')).is_ok();
    match program {
        "" => false,
        path if path.starts_with('/') => is_file(path),
        name => PATH.split(':').any(|folder| is_file(&format!("{folder}/{name}"))),
    }
}

fn platform(machine: Architecture) -> Platform {
    let variant = if machine == Architecture::Arm64 { "v8" } else { "" };
    Platform { architecture: machine.name().to_owned(), os: "linux".to_owned(), variant: variant.to_owned() }
}

fn configuration(image: &Image, packages: &[String]) -> ImageConfig {
    let title = [
        ("org.opencontainers.image.title", image.title.clone()),
        ("org.opencontainers.image.description", image.description.clone()),
        ("org.opencontainers.image.licenses", image.licenses.clone()),
        (PACKAGES, packages.join(" ")),
    ];
    ImageConfig {
        user: image.user.clone(),
        exposed_ports: image.ports.iter().map(|port| (port.clone(), serde_json::json!({}))).collect(),
        env: vec![format!("PATH={PATH}")],
        entrypoint: image.entrypoint.clone(),
        labels: title.map(|(label, text)| (label.to_owned(), text)).into(),
        stop_signal: image.stop_signal.clone(),
        ..ImageConfig::default()
    }
}

fn entries(tree: &Tree) -> Vec<Entry> {
    let entry = |(path, node): (&str, &Node)| match node {
        Node::Directory(mode) => Entry { mode: *mode, ..Entry::directory(path) },
        Node::File(mode, content) => {
            Entry { path: path.to_owned(), kind: Kind::File(content.to_vec()), mode: *mode, owner: (0, 0) }
        }
        Node::Symlink(target) => Entry::symlink(path, target),
    };
    tree.nodes().map(entry).collect()
}

#[cfg(test)]
mod tests;

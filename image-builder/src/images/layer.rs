//! The file tree of one layer.

use std::sync::Arc;

use super::{Applets, Error, Layer, Package};
use crate::elf::Elf;
use crate::libraries;
use crate::packages::lock::Architecture;
use crate::packages::store;
use crate::tree::{self, Node, Tree};

/// A layer that was made.
#[derive(Debug)]
pub(super) struct Made {
    /// Its files.
    pub(super) tree: Tree,
    /// `NAME=VERSION` of its packages.
    pub(super) packages: Vec<String>,
}

/// Makes a layer for `machine`.
pub(super) fn make(
    layer: &Layer,
    machine: Architecture,
    open: impl Fn(&str) -> Result<Package, store::Error>,
) -> Result<Made, Error> {
    let wrong = |source: tree::Error| Error::Tree { layer: layer.name.clone(), source };
    let (mut all, mut packages, mut tree) = (Tree::default(), Vec::new(), Tree::default());
    for name in &layer.packages {
        let package = open(name)?;
        let notice = format!("usr/share/doc/{name}/copyright");
        tree.file(&notice, 0o644, package.files.content(&notice).map_err(wrong)?.clone()).map_err(wrong)?;
        packages.push(format!("{name}={}", package.version));
        all.merge_first(&package.files);
    }
    for (path, mode) in &layer.directories {
        tree.add(path, Node::Directory(*mode)).map_err(wrong)?;
    }
    for (path, target) in &layer.links {
        tree.symlink(path, target).map_err(wrong)?;
    }
    for (path, text) in &layer.files {
        tree.file(path, 0o644, text.as_bytes()).map_err(wrong)?;
    }
    for path in &layer.take {
        let node = all.get(path).ok_or_else(|| wrong(tree::Error::NoFile(path.clone())))?;
        tree.add(path, node.clone()).map_err(wrong)?;
        for (path, node) in all.below(path) {
            tree.add(path, node.clone()).map_err(wrong)?;
        }
    }
    add_programs(layer, machine, &all, &mut tree)?;
    if let Some(applets) = &layer.applets {
        add_applets(layer, applets, &mut tree)?;
    }
    Ok(Made { tree, packages })
}

fn add_programs(layer: &Layer, machine: Architecture, packages: &Tree, tree: &mut Tree) -> Result<(), Error> {
    let wrong = |source: tree::Error| Error::Tree { layer: layer.name.clone(), source };
    let mut dynamic = Vec::new();
    for program in &layer.programs {
        let content = packages.content(program).map_err(wrong)?;
        let refused = || Error::Program { layer: layer.name.clone(), program: program.clone(), machine };
        let elf = Elf::parse(content).map_err(|_| refused())?;
        if elf.machine() != Ok(machine.elf_machine()) {
            return Err(refused());
        }
        if elf.interpreter().is_some() {
            dynamic.push(program.as_str());
        }
        tree.file(program, 0o755, Arc::clone(content)).map_err(wrong)?;
    }
    if dynamic.is_empty() {
        return Ok(());
    }
    let directory = machine.library_directory();
    let closure = libraries::closure(packages, directory, &dynamic)
        .map_err(|source| Error::Libraries { layer: layer.name.clone(), source })?;
    for (name, bytes) in closure.libraries {
        tree.file(&format!("{directory}/{name}"), 0o644, bytes).map_err(wrong)?;
    }
    tree.file(&format!("usr/{}", closure.loader_path), 0o755, closure.loader).map_err(wrong)
}

/// Links to the program. Its list of applets is a table of texts, so a name that is no text of the program is a slip.
fn add_applets(layer: &Layer, applets: &Applets, tree: &mut Tree) -> Result<(), Error> {
    let wrong = |source: tree::Error| Error::Tree { layer: layer.name.clone(), source };
    let Applets { program, names } = applets;
    let content = Arc::clone(tree.content(program).map_err(wrong)?);
    let texts: std::collections::BTreeSet<&[u8]> = content.split(|byte| *byte == 0).collect();
    let (folder, file) = program.rsplit_once('/').unwrap_or(("", program));
    for name in names {
        if !texts.contains(name.as_bytes()) {
            return Err(Error::Applet { layer: layer.name.clone(), applet: name.clone() });
        }
        tree.symlink(&format!("{folder}/{name}"), file).map_err(wrong)?;
    }
    Ok(())
}

//! Choosing modules and following their dependencies.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::modinfo::{Info, name_of};
use crate::elf;
use crate::packages::deb;
use crate::tree::{self, Tree};

/// The module tree of a kernel package, read on demand: a generic kernel has 4,000 modules, a board needs hundreds.
#[derive(Debug)]
pub struct Kernel<'a> {
    version: String,
    package: &'a Tree,
    /// Path in the package by module name.
    paths: BTreeMap<String, String>,
    /// Modules that are part of the kernel image.
    builtin: BTreeSet<String>,
    read: RefCell<BTreeMap<String, Arc<Module>>>,
}

/// One module, decompressed.
#[derive(Debug)]
pub struct Module {
    /// Path below `lib/modules/VERSION/`, ending in `.ko`.
    pub file: String,
    /// The module's bytes, signature included.
    pub bytes: Arc<[u8]>,
    /// What it says about itself.
    pub info: Info,
}

/// Modules by name, closed under dependencies.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    modules: BTreeMap<String, Arc<Module>>,
}

/// Why modules cannot be chosen.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The package has no, or more than one, module tree or kernel image.
    #[error("the kernel package does not have exactly one {0}")]
    Layout(&'static str),
    /// A listed module is neither a file nor built in.
    #[error("the board lists the module {0}, which this kernel does not have")]
    Unknown(String),
    /// A listed directory has no modules.
    #[error("the board lists the module directory {0}, which is empty in this kernel")]
    Empty(String),
    /// A module depends on one that the package lacks.
    #[error("module {module} depends on {missing}, which this kernel does not have")]
    Dependency {
        /// The module.
        module: String,
        /// What it wants.
        missing: String,
    },
    /// A module cannot be decompressed.
    #[error("cannot decompress module {module}")]
    Decompress {
        /// The module.
        module: String,
        /// Why.
        source: std::io::Error,
    },
    /// A module is no ELF object.
    #[error("cannot read module {module}")]
    Elf {
        /// The module.
        module: String,
        /// Why.
        source: elf::Error,
    },
    /// A path of the package is not a file.
    #[error(transparent)]
    Tree(#[from] tree::Error),
}

const MODULES: &str = "usr/lib/modules";

impl<'a> Kernel<'a> {
    /// Looks through an unpacked kernel package.
    ///
    /// # Errors
    /// It is not a kernel package as Debian makes them.
    pub fn new(package: &'a Tree) -> Result<Self, Error> {
        let mut versions =
            package.below(MODULES).map(|(path, _)| &path[MODULES.len() + 1..]).filter(|path| !path.contains('/'));
        let (Some(version), None) = (versions.next(), versions.next()) else {
            return Err(Error::Layout("module tree"));
        };
        let root = format!("{MODULES}/{version}");
        let paths = package
            .below(&root)
            .filter(|(path, _)| path.ends_with(".ko") || path.ends_with(".ko.xz"))
            .map(|(path, _)| (name_of(path), path.to_owned()))
            .collect();
        let builtin = String::from_utf8_lossy(package.content(&format!("{root}/modules.builtin"))?)
            .lines()
            .map(name_of)
            .collect();
        Ok(Self { version: version.to_owned(), package, paths, builtin, read: RefCell::default() })
    }

    /// The kernel's release, as `uname -r` gives it.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The kernel image.
    ///
    /// # Errors
    /// The package has none.
    pub fn image(&self) -> Result<&'a Arc<[u8]>, Error> {
        Ok(self.package.content(&format!("boot/vmlinuz-{}", self.version))?)
    }

    /// Debian's list of built-in modules.
    ///
    /// # Errors
    /// The package has none.
    pub fn builtin_list(&self) -> Result<&'a Arc<[u8]>, Error> {
        Ok(self.package.content(&format!("{MODULES}/{}/modules.builtin", self.version))?)
    }

    /// Chooses the listed modules and all that they depend on. Built-in modules need no file.
    ///
    /// # Errors
    /// A listed module or a dependency does not exist, or a module is damaged.
    pub fn select<'l>(&self, lists: impl IntoIterator<Item = &'l String>) -> Result<Selection, Error> {
        let mut pending = Vec::new();
        for entry in lists {
            pending.extend(self.expand(entry)?);
        }
        let mut selection = Selection::default();
        while let Some(name) = pending.pop() {
            if selection.modules.contains_key(&name) || self.builtin.contains(&name) {
                continue;
            }
            let module = self.module(&name)?;
            for needed in &module.info.depends {
                if !self.paths.contains_key(needed) && !self.builtin.contains(needed) {
                    return Err(Error::Dependency { module: name, missing: needed.clone() });
                }
                pending.push(needed.clone());
            }
            // A soft dependency may name an alias or nothing at all; only modules by that name come along.
            let soft = module.info.soft_before.iter().chain(&module.info.soft_after);
            pending.extend(soft.filter(|name| self.paths.contains_key(*name)).cloned());
            selection.modules.insert(name, module);
        }
        Ok(selection)
    }

    /// The module names that a list's entries stand for, in their order; built-in ones left out.
    ///
    /// # Errors
    /// An entry matches nothing.
    pub fn names<'l>(&self, list: impl IntoIterator<Item = &'l String>) -> Result<Vec<String>, Error> {
        let mut names = Vec::new();
        for entry in list {
            for name in self.expand(entry)? {
                if !self.builtin.contains(&name) && !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        Ok(names)
    }

    fn expand(&self, entry: &str) -> Result<Vec<String>, Error> {
        if let Some(directory) = entry.strip_suffix('/') {
            let prefix = format!("{MODULES}/{}/{directory}/", self.version);
            let below = self.paths.iter().filter(|(_, path)| path.starts_with(&prefix));
            let names: Vec<String> = below.map(|(name, _)| name.clone()).collect();
            return if names.is_empty() { Err(Error::Empty(entry.to_owned())) } else { Ok(names) };
        }
        let name = name_of(entry);
        if self.paths.contains_key(&name) || self.builtin.contains(&name) {
            return Ok(vec![name]);
        }
        Err(Error::Unknown(entry.to_owned()))
    }

    fn module(&self, name: &str) -> Result<Arc<Module>, Error> {
        if let Some(module) = self.read.borrow().get(name) {
            return Ok(Arc::clone(module));
        }
        let path = self.paths.get(name).ok_or_else(|| Error::Unknown(name.to_owned()))?;
        let stored = self.package.content(path)?;
        let bytes: Arc<[u8]> = if path.ends_with(".xz") {
            deb::unxz(stored).map_err(|source| Error::Decompress { module: name.to_owned(), source })?.into()
        } else {
            Arc::clone(stored)
        };
        let info = Info::read(&bytes).map_err(|source| Error::Elf { module: name.to_owned(), source })?;
        let below = path.split_at(MODULES.len() + self.version.len() + 2).1;
        let module = Arc::new(Module { file: below.trim_end_matches(".xz").to_owned(), bytes, info });
        self.read.borrow_mut().insert(name.to_owned(), Arc::clone(&module));
        Ok(module)
    }
}

impl Selection {
    /// Modules by name.
    pub fn modules(&self) -> impl Iterator<Item = (&str, &Module)> {
        self.modules.iter().map(|(name, module)| (name.as_str(), module.as_ref()))
    }

    /// The module of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Module> {
        self.modules.get(name).map(AsRef::as_ref)
    }

    /// Bytes of all modules.
    #[must_use]
    pub fn size(&self) -> usize {
        self.modules.values().map(|module| module.bytes.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modules::Index;
    use crate::modules::index::tests::object;

    fn package() -> Tree {
        let mut tree = Tree::default();
        let mut add = |path: &str, modinfo: &str| {
            let plain = object(modinfo.replace('|', "\0").as_bytes());
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut liblzma::read::XzEncoder::new(&plain[..], 0), &mut bytes).unwrap();
            tree.file(&format!("usr/lib/modules/6.1-x/kernel/{path}.ko.xz"), 0o644, bytes).unwrap();
        };
        add("md/dm-verity", "depends=dm-mod,dm-bufio|alias=dm-verity");
        add("md/dm-bufio", "depends=dm-mod");
        add("md/dm-mod", "depends=");
        add("net/a", "depends=common,built-in|alias=pci:v1*");
        add("net/b", "depends=common|softdep=pre: soft absent");
        add("lib/common", "");
        add("lib/soft", "");
        add("bad", "depends=nowhere");
        tree.file("usr/lib/modules/6.1-x/modules.builtin", 0o644, *b"kernel/lib/built-in.ko\n").unwrap();
        tree.file("boot/vmlinuz-6.1-x", 0o644, *b"kernel").unwrap();
        tree
    }

    fn selected(list: &[&str]) -> Result<Vec<String>, Error> {
        let package = package();
        let list: Vec<String> = list.iter().map(|name| (*name).to_owned()).collect();
        let selection = Kernel::new(&package)?.select(&list)?;
        Ok(selection.modules().map(|(name, _)| name.to_owned()).collect())
    }

    #[test]
    fn dependencies_come_along() {
        let table: [(&[&str], &[&str]); 5] = [
            (&["dm-verity"], &["dm_bufio", "dm_mod", "dm_verity"]),
            (&["dm_mod", "dm-mod"], &["dm_mod"]),
            (&["kernel/net/"], &["a", "b", "common", "soft"]),
            (&["built_in"], &[]),
            (&[], &[]),
        ];
        for (list, want) in table {
            assert_eq!(selected(list).unwrap(), want, "{list:?}");
        }
    }

    #[test]
    fn what_does_not_exist_is_named() {
        assert!(matches!(selected(&["nonsense"]), Err(Error::Unknown(name)) if name == "nonsense"));
        assert!(matches!(selected(&["kernel/none/"]), Err(Error::Empty(_))));
        assert!(matches!(selected(&["bad"]), Err(Error::Dependency { missing, .. }) if missing == "nowhere"));
    }

    #[test]
    fn the_index_lists_dependencies_nearest_last() {
        let package = package();
        let kernel = Kernel::new(&package).unwrap();
        let list = ["dm-verity".to_owned(), "kernel/net/".to_owned()];
        let index = Index::of(&kernel.select(&list).unwrap());
        let line = index.dependencies.lines().find(|line| line.starts_with("kernel/md/dm-verity.ko:")).unwrap();
        assert_eq!(line, "kernel/md/dm-verity.ko: kernel/md/dm-bufio.ko kernel/md/dm-mod.ko");
        assert!(index.aliases.contains("alias dm-verity dm_verity\n"), "{}", index.aliases);
        assert_eq!(index.soft, "softdep b pre: soft absent\n");
    }
}

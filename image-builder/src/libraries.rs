//! Shared libraries of Debian's dynamic programs: which ones a program needs, and running it with exactly those.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::elf::{self, Elf};
use crate::files;
use crate::process::Program;
use crate::tree::{self, Tree};

/// Programs with everything that the dynamic loader needs to run them.
#[derive(Debug)]
pub struct Closure {
    /// Libraries by the name under which they are needed.
    pub libraries: BTreeMap<String, Arc<[u8]>>,
    /// Path of the loader as the programs name it, without the leading slash.
    pub loader_path: String,
    /// The loader.
    pub loader: Arc<[u8]>,
}

/// Why a program's libraries cannot be gathered.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program or library is not where it should be.
    #[error("{wanted}, needed by {by}, is in none of the listed packages")]
    Missing {
        /// The file.
        wanted: String,
        /// Who needs it.
        by: String,
    },
    /// A program is not a dynamic ELF executable.
    #[error("{program} is not a dynamic executable")]
    Elf {
        /// The program.
        program: String,
        /// Why, when the file cannot be read as ELF.
        source: Option<elf::Error>,
    },
    /// A program is in no package.
    #[error(transparent)]
    Tree(#[from] tree::Error),
    /// A file cannot be written.
    #[error(transparent)]
    File(#[from] files::Error),
}

/// Follows the libraries of `programs` (paths in `packages`) through `directory`.
///
/// # Errors
/// A program or library is missing or damaged.
pub fn closure(packages: &Tree, directory: &str, programs: &[&str]) -> Result<Closure, Error> {
    let mut libraries = BTreeMap::new();
    let mut interpreter = None;
    let mut pending: Vec<(String, Arc<[u8]>)> = Vec::new();
    for program in programs {
        let bytes = packages.content(program)?;
        let elf = parse(program, bytes)?;
        interpreter = elf.interpreter();
        pending.push(((*program).to_owned(), Arc::clone(bytes)));
    }
    while let Some((name, bytes)) = pending.pop() {
        let needed = parse(&name, &bytes)?
            .needed()
            .map_err(|source| Error::Elf { program: name.clone(), source: Some(source) })?;
        for wanted in needed {
            if libraries.contains_key(&wanted) {
                continue;
            }
            let library = packages
                .content(&format!("{directory}/{wanted}"))
                .map_err(|_| Error::Missing { wanted: wanted.clone(), by: name.clone() })?;
            pending.push((wanted.clone(), Arc::clone(library)));
            libraries.insert(wanted, Arc::clone(library));
        }
    }
    let program = programs.first().copied().unwrap_or_default().to_owned();
    let loader_path = interpreter.ok_or_else(|| Error::Elf { program: program.clone(), source: None })?;
    // Packages install under /usr; /lib and /lib64 are links there.
    let loader_path = loader_path.trim_start_matches('/').trim_start_matches("usr/").to_owned();
    let loader = packages
        .content(&format!("usr/{loader_path}"))
        .map_err(|_| Error::Missing { wanted: loader_path.clone(), by: program })?;
    Ok(Closure { libraries, loader: Arc::clone(loader), loader_path })
}

fn parse<'a>(program: &str, bytes: &'a [u8]) -> Result<Elf<'a>, Error> {
    Elf::parse(bytes).map_err(|source| Error::Elf { program: program.to_owned(), source: Some(source) })
}

/// Locked programs, unpacked so that the build host can run them whatever its own libraries are.
#[derive(Debug)]
pub struct Tools {
    root: PathBuf,
    preload: Option<Preload>,
}

/// A library that is loaded into every tool, with its settings. Tests set the tools' clock with it.
#[derive(Clone, Debug)]
pub struct Preload {
    /// The library's bytes.
    pub library: Arc<[u8]>,
    /// Variables that it reads.
    pub variables: Vec<(&'static str, String)>,
}

impl Tools {
    /// Writes `programs` and their libraries below `root`.
    ///
    /// # Errors
    /// A program or library is missing, or cannot be written.
    pub fn install(
        packages: &Tree,
        directory: &str,
        programs: &[&str],
        root: &Path,
        preload: Option<Preload>,
    ) -> Result<Self, Error> {
        let closure = closure(packages, directory, programs)?;
        let mut tree = Tree::default();
        for program in programs {
            tree.file(&format!("bin/{}", base_name(program)), 0o755, packages.content(program)?.clone())?;
        }
        for (name, bytes) in closure.libraries.iter().filter(|(name, _)| **name != base_name(&closure.loader_path)) {
            tree.file(&format!("lib/{name}"), 0o644, bytes.clone())?;
        }
        tree.file("lib/loader", 0o755, closure.loader.clone())?;
        if let Some(preload) = &preload {
            tree.file("lib/preload", 0o644, preload.library.clone())?;
        }
        files::create_dirs(root)?;
        tree.write_to(root)?;
        Ok(Self { root: root.to_owned(), preload })
    }

    /// The program `name`, run through its own loader with its own libraries.
    #[must_use]
    pub fn program(&self, name: &str) -> Program {
        let library = self.root.join("lib");
        let mut program = Program::new(&library.join("loader"))
            .argument("--inhibit-cache")
            .argument("--library-path")
            .argument(&library);
        if let Some(preload) = &self.preload {
            program = program.argument("--preload").argument(library.join("preload"));
            for (variable, value) in &preload.variables {
                program = program.variable(variable, value);
            }
        }
        program.argument(self.root.join("bin").join(name))
    }
}

fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

//! The initrd: PID 1, the keys that may sign a footer, and the modules that lead to the root.

use std::sync::Arc;

use crate::board::{Board, ModuleSet};
use crate::cpio;
use crate::modules::{self, Index, Kernel};
use crate::tree::{self, Tree};

/// Level of compression: fixed, because it decides the bytes.
const ZSTD_LEVEL: i32 = 19;

/// What goes into an initrd beside the kernel's modules.
#[derive(Debug)]
pub struct Content<'a> {
    /// The board.
    pub board: &'a Board,
    /// Its merged module sets.
    pub modules: &'a ModuleSet,
    /// `coracle-init`.
    pub init: Arc<[u8]>,
    /// Text of `footer.keys`.
    pub footer_keys: &'a str,
}

/// Why an initrd cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A module list does not fit the kernel.
    #[error(transparent)]
    Modules(#[from] modules::Error),
    /// Two things want the same path.
    #[error(transparent)]
    Tree(#[from] tree::Error),
    /// A file is too large.
    #[error(transparent)]
    Archive(#[from] cpio::TooLarge),
    /// The compressor fails.
    #[error("cannot compress the initrd")]
    Compress(#[source] std::io::Error),
}

/// The compressed initrd.
///
/// # Errors
/// See [`Error`].
pub fn make(content: &Content<'_>, kernel: &Kernel<'_>) -> Result<Vec<u8>, Error> {
    let archive = cpio::archive(&tree(content, kernel)?)?;
    zstd::bulk::compress(&archive, ZSTD_LEVEL).map_err(Error::Compress)
}

/// The files of the initrd.
///
/// # Errors
/// See [`Error`].
pub fn tree(content: &Content<'_>, kernel: &Kernel<'_>) -> Result<Tree, Error> {
    let mut tree = Tree::default();
    for directory in ["dev", "etc/coracle", "proc", "run", "sys", "sysroot", "tmp"] {
        tree.directory(directory)?;
    }
    tree.file("init", 0o755, content.init.clone())?;
    tree.file("etc/coracle/footer.keys", 0o644, content.footer_keys.as_bytes())?;
    tree.file("etc/coracle/board", 0o644, format!("{}\n", content.board.id).into_bytes())?;
    let sets = content.modules;
    let loaded = kernel.names(&sets.initrd)?;
    tree.file("etc/coracle/modules.boot", 0o644, lines(&loaded).into_bytes())?;
    let selection = kernel.select(sets.initrd.iter().chain(&sets.initrd_devices))?;
    let directory = format!("lib/modules/{}", kernel.version());
    Index::of(&selection).install(&selection, &directory, &mut tree)?;
    tree.file(&format!("{directory}/modules.builtin"), 0o644, kernel.builtin_list()?.clone())?;
    Ok(tree)
}

/// One entry a line.
#[must_use]
pub fn lines<T: AsRef<str>>(entries: &[T]) -> String {
    entries.iter().map(|entry| format!("{}\n", entry.as_ref())).collect()
}

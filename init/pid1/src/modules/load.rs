//! Loading modules of the running kernel's tree into the kernel.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::system::{finit_module, uname};

use super::index::{Index, Step};
use crate::error::{Attempt as _, Result};
use crate::files;

/// Largest index file that is read; Debian's modules.alias has 1.4 MB.
const INDEX_LIMIT: u64 = 16 << 20;

/// How deep below `/sys/devices` a device may lie.
const DEVICE_DEPTH: usize = 24;

/// Aliases of processors: they would load hypervisors, and ciphers whose self tests take seconds on a slow machine. What
/// uses a cipher asks for it by its `crypto-` alias.
const PROCESSOR: &str = "cpu:";

/// `MODULE_INIT_COMPRESSED_FILE`: the kernel unpacks .xz, .zst and .gz files itself.
const COMPRESSED: i32 = 4;

/// A module tree and what was loaded from it.
#[derive(Debug)]
pub(crate) struct Loader {
    directory: PathBuf,
    index: Index,
    loaded: BTreeSet<String>,
}

impl Loader {
    /// Opens the tree of the running kernel. A tree without an index offers nothing.
    pub(crate) fn open() -> Self {
        let release = uname().release().to_string_lossy().into_owned();
        let directory = Path::new("/lib/modules").join(release);
        let read = |name: &str| files::read_text(directory.join(name), INDEX_LIMIT).unwrap_or_default();
        let index = Index::parse(&read("modules.dep"), &read("modules.alias"), &read("modules.softdep"));
        Self { directory, index, loaded: loaded_modules() }
    }

    /// A tree that offers nothing.
    pub(crate) fn empty() -> Self {
        Self { directory: PathBuf::new(), index: Index::default(), loaded: BTreeSet::new() }
    }

    /// Loads whatever a name or alias means, with all it needs. Returns the number of modules newly loaded; zero also
    /// when nothing in this tree is known by the name (it may be built in).
    pub(crate) fn load(&mut self, wanted: &str) -> Result<usize> {
        let plan = self.index.plan(wanted, &self.loaded);
        for step in &plan {
            self.insert(step)?;
            self.loaded.insert(step.name.clone());
        }
        Ok(plan.len())
    }

    /// Loads for every device that `/sys` shows now. A module that fails is returned and left out: one broken driver
    /// must not stop a boot.
    pub(crate) fn load_for_devices(&mut self) -> Vec<crate::error::Error> {
        let mut aliases = BTreeSet::new();
        collect_modaliases(Path::new("/sys/devices"), DEVICE_DEPTH, &mut aliases);
        aliases.retain(|alias| !alias.starts_with(PROCESSOR));
        aliases.iter().filter_map(|alias| self.load(alias).err()).collect()
    }

    fn insert(&self, step: &Step) -> Result<()> {
        let path = self.directory.join(&step.file);
        let file = File::open(&path).attempt("open", &path)?;
        let flags = if path.extension().is_some_and(|extension| extension == "ko") { 0 } else { COMPRESSED };
        match finit_module(&file, &CString::default(), flags) {
            // EEXIST: built in, or loaded by someone else since we looked.
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            // ENODEV: the driver found no hardware; what depends on it fails with its own message.
            Err(Errno::NODEV) => Ok(()),
            Err(errno) => Err(errno).attempt("load module", &path),
        }
    }
}

fn loaded_modules() -> BTreeSet<String> {
    let text = files::read_text("/proc/modules", INDEX_LIMIT).unwrap_or_default();
    text.lines().filter_map(|line| line.split_ascii_whitespace().next()).map(str::to_owned).collect()
}

/// Gathers the content of every `modalias` file below `directory`, not following links.
fn collect_modaliases(directory: &Path, depth: usize, found: &mut BTreeSet<String>) {
    let Some(depth) = depth.checked_sub(1) else { return };
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            collect_modaliases(&entry.path(), depth, found);
        } else if entry.file_name() == "modalias"
            && let Ok(alias) = files::read_text(entry.path(), 4096)
        {
            found.insert(alias.trim().to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modaliases_are_found_at_any_depth_and_links_are_not_followed() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("pci0/virtio1")).unwrap();
        fs::write(root.path().join("pci0/modalias"), "pci:v1\n").unwrap();
        fs::write(root.path().join("pci0/virtio1/modalias"), "virtio:d2\n").unwrap();
        std::os::unix::fs::symlink(root.path(), root.path().join("pci0/loop")).unwrap();
        let mut found = BTreeSet::new();
        collect_modaliases(root.path(), 8, &mut found);
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["pci:v1", "virtio:d2"]);
        let mut shallow = BTreeSet::new();
        collect_modaliases(root.path(), 1, &mut shallow);
        assert!(shallow.is_empty());
    }
}

//! The committed lock: exactly which package files an image is made of, by SHA-256.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::files;

/// A Debian architecture, as package files name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    /// 64-bit x86.
    Amd64,
    /// 64-bit Arm.
    Arm64,
    /// The same file for every architecture.
    All,
}

/// What a package is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Boot loader bytes for the board's firmware.
    Boot,
    /// Goes into a container image.
    Image,
    /// The board's kernel and its modules.
    Kernel,
    /// Goes into the root.
    Slot,
    /// Only tests run it.
    Test,
    /// Runs on the build host and writes image bytes.
    Tool,
}

/// One locked package file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The package as boards and lists ask for it; a meta package for kernels.
    pub request: String,
    /// What it is for.
    pub role: Role,
    /// Architecture of the machine that needs it.
    pub machine: Architecture,
    /// The package itself.
    pub package: String,
    /// Its full version.
    pub version: String,
    /// Architecture of the file: `machine` or `all`.
    pub architecture: Architecture,
    /// SHA-256 of the `.deb` file.
    pub sha256: Digest,
}

/// A request for a package: what a lock entry answers.
pub type Key = (Role, Architecture, String);

/// All locked packages by request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    entries: BTreeMap<Key, Entry>,
}

/// The lock's form on disk.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    package: Vec<Entry>,
}

/// Why a lock cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is not readable.
    #[error(transparent)]
    File(#[from] files::Error),
    /// The file is not a lock.
    #[error("{path} is not a package lock")]
    Parse {
        /// The file.
        path: String,
        /// What is wrong with it.
        source: Box<toml::de::Error>,
    },
    /// The lock cannot be written as TOML.
    #[error("cannot encode the package lock")]
    Encode(#[from] toml::ser::Error),
    /// A request has no entry.
    #[error("{1} ({0:?}) for {2:?} is not in the package lock; run `image-builder lock --update`")]
    Missing(Role, String, Architecture),
    /// A request has two entries.
    #[error("{0} is in the package lock twice for one use")]
    Twice(String),
}

const HEADER: &str =
    "# Package files that images are made of. Written by `image-builder lock --update`; reviewed, not edited.\n\n";

impl Architecture {
    /// The name in package names and archive paths.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
            Self::All => "all",
        }
    }

    /// The directory below `usr/lib` that holds the architecture's libraries.
    #[must_use]
    pub const fn library_directory(self) -> &'static str {
        match self {
            Self::Amd64 => "usr/lib/x86_64-linux-gnu",
            Self::Arm64 => "usr/lib/aarch64-linux-gnu",
            Self::All => "usr/lib",
        }
    }

    /// The machine number of its executables in ELF headers: 62 is x86-64, 183 is AArch64.
    #[must_use]
    pub const fn elf_machine(self) -> u64 {
        match self {
            Self::Amd64 => 62,
            Self::Arm64 => 183,
            Self::All => 0,
        }
    }

    /// The architecture that this program runs on.
    #[must_use]
    pub const fn host() -> Self {
        if cfg!(target_arch = "aarch64") { Self::Arm64 } else { Self::Amd64 }
    }
}

impl Entry {
    /// The request that this entry answers.
    #[must_use]
    pub fn key(&self) -> Key {
        (self.role, self.machine, self.request.clone())
    }
}

impl Lock {
    /// Adds an entry.
    ///
    /// # Errors
    /// The same request was answered already.
    pub fn add(&mut self, entry: Entry) -> Result<(), Error> {
        match self.entries.insert(entry.key(), entry) {
            None => Ok(()),
            Some(old) => Err(Error::Twice(old.request)),
        }
    }

    /// All entries, in the order of the file.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// The entry that answers a request.
    ///
    /// # Errors
    /// There is none.
    pub fn get(&self, key: &Key) -> Result<&Entry, Error> {
        self.entries.get(key).ok_or_else(|| Error::Missing(key.0, key.2.clone(), key.1))
    }

    /// Reads a lock file.
    ///
    /// # Errors
    /// It is missing, no lock, or answers a request twice.
    pub fn load(path: &Path) -> Result<Self, Error> {
        Self::parse(&files::read_text(path)?, &path.display().to_string())
    }

    fn parse(text: &str, path: &str) -> Result<Self, Error> {
        let document: Document =
            toml::from_str(text).map_err(|source| Error::Parse { path: path.to_owned(), source: Box::new(source) })?;
        let mut lock = Self::default();
        document.package.into_iter().try_for_each(|entry| lock.add(entry))?;
        Ok(lock)
    }

    /// The lock's text: one order, one form.
    ///
    /// # Errors
    /// A value cannot be written as TOML.
    pub fn text(&self) -> Result<String, Error> {
        let document = Document { package: self.entries.values().cloned().collect() };
        Ok(format!("{HEADER}{}", toml::to_string(&document)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(request: &str, machine: Architecture) -> Entry {
        Entry {
            request: request.into(),
            role: Role::Slot,
            machine,
            package: request.into(),
            version: "1:1.2-3+b1".into(),
            architecture: machine,
            sha256: Digest::of(request.as_bytes()),
        }
    }

    #[test]
    fn a_lock_survives_its_text_form_in_any_order_of_adding() {
        let mut forth = Lock::default();
        let mut back = Lock::default();
        let entries = [entry("a", Architecture::Amd64), entry("a", Architecture::Arm64), entry("b", Architecture::All)];
        entries.iter().for_each(|entry| forth.add(entry.clone()).unwrap());
        entries.iter().rev().for_each(|entry| back.add(entry.clone()).unwrap());
        let text = forth.text().unwrap();
        assert_eq!(text, back.text().unwrap());
        assert_eq!(Lock::parse(&text, "lock").unwrap(), forth);
    }

    #[test]
    fn doubled_unknown_and_missing_things_are_named() {
        let mut lock = Lock::default();
        lock.add(entry("a", Architecture::Amd64)).unwrap();
        assert!(matches!(lock.add(entry("a", Architecture::Amd64)), Err(Error::Twice(_))));
        let text = lock.text().unwrap();
        let parse = |text: &str| Lock::parse(text, "lock");
        assert!(matches!(parse(&text.replace("version", "verison")), Err(Error::Parse { .. })));
        assert!(matches!(parse(&text.replace("sha256 = \"", "sha256 = \"0")), Err(Error::Parse { .. })));
        let missing = (Role::Tool, Architecture::Amd64, "a".to_owned());
        assert!(lock.get(&missing).unwrap_err().to_string().contains("lock --update"));
    }

    #[test]
    fn the_committed_lock_is_in_canonical_form() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("packages.lock");
        let lock = Lock::load(&path).unwrap();
        assert_eq!(lock.text().unwrap(), files::read_text(&path).unwrap());
    }
}

//! The package cache and the plan that fills it: locked files come from the cache or the archive and are checked against
//! the lock each time they are used.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::apt::{self, Apt, Offer};
use super::deb;
use super::lock::{self, Architecture, Entry, Key, Lock};
use crate::digest::Digest;
use crate::files;
use crate::progress::Progress;
use crate::tree::Tree;

/// What to do when the archive no longer has a locked version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// Take the current version and say so loudly.
    Development,
    /// Stop.
    Release,
}

/// Verified package files of one build.
#[derive(Debug)]
pub struct Store {
    cache: PathBuf,
    entries: BTreeMap<Key, Entry>,
}

/// Why packages cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The cache cannot be read or written.
    #[error(transparent)]
    File(#[from] files::Error),
    /// The archive cannot be used.
    #[error(transparent)]
    Archive(#[from] apt::Error),
    /// The lock lacks a request.
    #[error(transparent)]
    Lock(#[from] lock::Error),
    /// The host's apt sources name no archive to take packages from.
    #[error("no source in /etc/apt names the main part of a Debian archive (a URI that ends in \"debian\")")]
    NoMirror,
    /// The archive offers nothing for a request.
    #[error("the archive offers no {package} for {}", machine.name())]
    NotOffered {
        /// The package.
        package: String,
        /// The machine.
        machine: Architecture,
    },
    /// The locked version has left the archive and this is a release build.
    #[error("{package} {version} has left the archive; review and commit the result of `image-builder lock --update`")]
    Gone {
        /// The package.
        package: String,
        /// The locked version.
        version: String,
    },
    /// A file is not what the lock says.
    #[error("{package} has SHA-256 {found}, the lock says {locked}: the file is not used")]
    Digest {
        /// The package.
        package: String,
        /// What the lock says.
        locked: Digest,
        /// What the file has.
        found: Digest,
    },
    /// The cache lacks a file and the network is not to be used.
    #[error("{0} is not in the package cache, and this is an offline build")]
    Offline(String),
    /// The file is no package.
    #[error("cannot read package {package}")]
    Package {
        /// The package.
        package: String,
        /// Why.
        source: deb::Error,
    },
}

/// One step towards a full cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The archive has the locked version.
    Locked(Entry),
    /// The locked version is gone; this is what stands in for it.
    Replaced(Entry, Entry),
}

/// Decides how to get each entry that the cache lacks, given what the archive offers.
///
/// # Errors
/// A locked version is gone from the archive in a release build, or nothing is offered at all.
pub fn plan(
    missing: &[Entry],
    offers: &BTreeMap<(Architecture, String), Vec<Offer>>,
    strictness: Strictness,
) -> Result<Vec<Step>, Error> {
    let step = |entry: &Entry| {
        let named = offers.get(&(entry.machine, entry.package.clone())).map_or(&[][..], Vec::as_slice);
        if let Some(offer) = named.iter().find(|offer| offer.version == entry.version) {
            let locked = entry.sha256;
            let step = Step::Locked(entry.clone());
            let package = entry.package.clone();
            return if offer.sha256 == locked {
                Ok(step)
            } else {
                Err(Error::Digest { package, locked, found: offer.sha256 })
            };
        }
        match strictness {
            Strictness::Release => Err(Error::Gone { package: entry.package.clone(), version: entry.version.clone() }),
            Strictness::Development => Ok(Step::Replaced(entry.clone(), resolve(&entry.key(), offers)?)),
        }
    };
    missing.iter().map(step).collect()
}

/// The entry that answers a request with what the archive offers first, which is its newest version.
///
/// # Errors
/// The archive offers nothing.
pub fn resolve(key: &Key, offers: &BTreeMap<(Architecture, String), Vec<Offer>>) -> Result<Entry, Error> {
    let first = |name: &str| {
        let not_offered = || Error::NotOffered { package: name.to_owned(), machine: key.1 };
        offers.get(&(key.1, name.to_owned())).and_then(|offers| offers.first()).ok_or_else(not_offered)
    };
    let offer = first(&key.2)?;
    let (package, offer) = match apt::kernel_behind(key, offer) {
        Some(kernel) => (kernel, first(kernel)?),
        None => (key.2.as_str(), offer),
    };
    Ok(Entry {
        request: key.2.clone(),
        role: key.0,
        machine: key.1,
        package: package.to_owned(),
        version: offer.version.clone(),
        architecture: offer.architecture,
        sha256: offer.sha256,
    })
}

/// What the archive offers for requests, and for the kernels behind meta packages.
///
/// # Errors
/// The index cannot be read.
pub fn offers(
    apt: &Apt,
    wanted: &[(Architecture, String)],
) -> Result<BTreeMap<(Architecture, String), Vec<Offer>>, Error> {
    let mut offers = apt.offers(wanted.iter().cloned())?;
    let behind: Vec<(Architecture, String)> = offers
        .iter()
        .filter_map(|((machine, name), found)| {
            let key = (lock::Role::Kernel, *machine, name.clone());
            Some((*machine, apt::kernel_behind(&key, found.first()?)?.to_owned()))
        })
        .filter(|wanted| !offers.contains_key(wanted))
        .collect();
    if !behind.is_empty() {
        offers.extend(apt.offers(behind)?);
    }
    Ok(offers)
}

impl Store {
    /// Makes sure that the cache holds verified files for all `keys`. `archive` is called only when something is missing.
    ///
    /// # Errors
    /// The lock lacks a request, the archive cannot answer, or a file is not what the lock says.
    pub fn fill(
        cache: &Path,
        lock: &Lock,
        keys: &[Key],
        strictness: Strictness,
        progress: &Progress,
        archive: impl FnOnce() -> Result<Apt, Error>,
    ) -> Result<Self, Error> {
        files::create_dirs(cache)?;
        let mut store = Self { cache: cache.to_owned(), entries: BTreeMap::new() };
        for key in keys {
            store.entries.insert(key.clone(), lock.get(key)?.clone());
        }
        let missing: Vec<Entry> = store.entries.values().filter(|entry| !store.path(entry).exists()).cloned().collect();
        if !missing.is_empty() {
            // Two builds at a time may share a cache, but apt's directory serves one.
            let _alone = files::lock(cache)?;
            let apt = archive()?;
            let wanted: Vec<_> = missing
                .iter()
                .flat_map(|entry| [(entry.machine, entry.package.clone()), (entry.machine, entry.request.clone())])
                .collect();
            let bar = progress.counted("fetching packages", missing.len());
            for step in plan(&missing, &offers(&apt, &wanted)?, strictness)? {
                let entry = match step {
                    Step::Locked(entry) => entry,
                    Step::Replaced(old, new) => {
                        progress.warn(&format!(
                            "{} {} has left the archive; this development build uses {} {} (lock --update refreshes the lock)",
                            old.package, old.version, new.package, new.version
                        ));
                        new
                    }
                };
                store.download(&apt, &entry)?;
                store.entries.insert(entry.key(), entry);
                bar.step();
            }
        }
        Ok(store)
    }

    /// The entries in use: the lock's, or what stands in for them.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// The files of the package that answers a request, read from a file that is verified now.
    ///
    /// # Errors
    /// The request was not part of [`Store::fill`], or the file is damaged.
    pub fn open(&self, key: &Key) -> Result<Tree, Error> {
        let missing = || lock::Error::Missing(key.0, key.2.clone(), key.1);
        let entry = self.entries.get(key).ok_or_else(missing)?;
        let bytes = files::read(&self.path(entry))?;
        check(entry, Digest::of(&bytes))?;
        deb::read(&bytes).map_err(|source| Error::Package { package: entry.package.clone(), source })
    }

    fn path(&self, entry: &Entry) -> PathBuf {
        self.cache.join(format!("{}_{}.deb", entry.package, entry.sha256))
    }

    fn download(&self, apt: &Apt, entry: &Entry) -> Result<(), Error> {
        if self.path(entry).exists() {
            return Ok(());
        }
        let scratch = tempfile::tempdir_in(&self.cache)
            .map_err(|source| files::Error::new("create a scratch directory in", &self.cache, source))?;
        let file = apt.download(entry, scratch.path())?;
        check(entry, Digest::of_file(&file)?)?;
        let target = self.path(entry);
        fs::rename(&file, &target).map_err(|source| files::Error::new("move a package to", &target, source))?;
        Ok(())
    }
}

fn check(entry: &Entry, found: Digest) -> Result<(), Error> {
    if found == entry.sha256 {
        return Ok(());
    }
    Err(Error::Digest { package: entry.package.clone(), locked: entry.sha256, found })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packages::lock::Role;

    fn offer(version: &str, content: &str, depends: &[&str]) -> Offer {
        Offer {
            version: version.into(),
            architecture: Architecture::Amd64,
            sha256: Digest::of(content.as_bytes()),
            depends: depends.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    fn archive() -> BTreeMap<(Architecture, String), Vec<Offer>> {
        let amd64 = |name: &str, offers: Vec<Offer>| ((Architecture::Amd64, name.to_owned()), offers);
        BTreeMap::from([
            amd64("tool", vec![offer("2", "tool 2", &["libc6"]), offer("1", "tool 1", &["libc6"])]),
            amd64("linux-image-amd64", vec![offer("7", "meta", &["linux-image-7-amd64"])]),
            amd64("linux-image-7-amd64", vec![offer("7", "kernel 7", &["kmod", "initramfs-tools"])]),
        ])
    }

    fn entry(request: &str, package: &str, version: &str, content: &str) -> Entry {
        Entry {
            request: request.into(),
            role: Role::Kernel,
            machine: Architecture::Amd64,
            package: package.into(),
            version: version.into(),
            architecture: Architecture::Amd64,
            sha256: Digest::of(content.as_bytes()),
        }
    }

    #[test]
    fn a_locked_version_is_taken_even_when_a_newer_one_is_there() {
        let locked = entry("tool", "tool", "1", "tool 1");
        for strictness in [Strictness::Development, Strictness::Release] {
            let plan = plan(std::slice::from_ref(&locked), &archive(), strictness).unwrap();
            assert_eq!(plan, [Step::Locked(locked.clone())]);
        }
    }

    #[test]
    fn a_version_that_is_gone_stops_a_release_and_is_replaced_in_development() {
        let gone = entry("linux-image-amd64", "linux-image-6-amd64", "6", "kernel 6");
        let missing = std::slice::from_ref(&gone);
        let steps = plan(missing, &archive(), Strictness::Development).unwrap();
        let new = entry("linux-image-amd64", "linux-image-7-amd64", "7", "kernel 7");
        assert_eq!(steps, [Step::Replaced(gone.clone(), new)]);
        let error = plan(missing, &archive(), Strictness::Release).unwrap_err();
        assert!(matches!(error, Error::Gone { .. }) && error.to_string().contains("lock --update"), "{error}");
    }

    #[test]
    fn an_index_that_contradicts_the_lock_is_refused() {
        let forged = entry("tool", "tool", "1", "other bytes");
        assert!(matches!(plan(&[forged], &archive(), Strictness::Development), Err(Error::Digest { .. })));
        let unknown = entry("nothing", "nothing", "1", "");
        assert!(matches!(plan(&[unknown], &archive(), Strictness::Development), Err(Error::NotOffered { .. })));
    }

    #[test]
    fn a_cached_file_is_verified_at_each_use() {
        let cache = tempfile::tempdir().unwrap();
        let locked = entry("tool", "tool", "1", "tool 1");
        let mut lock = Lock::default();
        lock.add(locked.clone()).unwrap();
        let path = cache.path().join(format!("tool_{}.deb", locked.sha256));
        std::fs::write(&path, "tampered with").unwrap();
        let offline = || Err(Error::Offline("tool".into()));
        let keys = [locked.key()];
        let store = Store::fill(cache.path(), &lock, &keys, Strictness::Release, &Progress::silent(), offline).unwrap();
        assert!(matches!(store.open(&keys[0]), Err(Error::Digest { .. })));
        std::fs::remove_file(&path).unwrap();
        let again = Store::fill(cache.path(), &lock, &keys, Strictness::Release, &Progress::silent(), offline);
        assert!(matches!(again, Err(Error::Offline(_))));
    }
}

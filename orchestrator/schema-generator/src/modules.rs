//! The locked upstream modules and where their zips lie.

use crate::zip::Archive;
use crate::{Error, process};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The committed lock: one line `path version h1:hash` per module.
pub const LOCK: &str = include_str!("../modules.lock");
/// Names the directory of the module cache; without it the cache of the user is taken.
pub const CACHE_VARIABLE: &str = "CORACLE_MODULE_CACHE";
/// The command that fills the module cache.
pub const FETCH_COMMAND: &str = "cargo run -p schema-generator -- fetch";

/// One line of the lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locked {
    /// Module path.
    pub path: String,
    /// Version with its leading `v`.
    pub version: String,
    /// Go's `h1:` hash of the zip.
    pub sum: String,
}

/// The opened zips of all locked modules.
#[derive(Debug)]
pub struct Modules {
    archives: BTreeMap<String, (Locked, Archive)>,
}

impl Locked {
    fn id(&self) -> String {
        format!("{}@{}", self.path, self.version)
    }

    fn download_file(&self, cache: &Path, suffix: &str) -> PathBuf {
        cache.join("cache/download").join(&self.path).join("@v").join(format!("{}.{suffix}", self.version))
    }
}

/// Reads the lock's text.
pub fn parse_lock(text: &str) -> Result<Vec<Locked>, Error> {
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| match line.split(' ').collect::<Vec<_>>()[..] {
            [path, version, sum] if sum.starts_with("h1:") => {
                Ok(Locked { path: path.to_owned(), version: version.to_owned(), sum: sum.to_owned() })
            }
            _ => Err(Error::source("modules.lock", format!("line `{line}` is not `path version h1:hash`"))),
        })
        .collect()
}

/// The module cache: the variable, or `coracle/modules` in the user's cache directory.
pub fn default_cache() -> Result<PathBuf, Error> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    variable(CACHE_VARIABLE)
        .or_else(|| variable("XDG_CACHE_HOME").map(|base| base.join("coracle/modules")))
        .or_else(|| variable("HOME").map(|home| home.join(".cache/coracle/modules")))
        .ok_or_else(|| Error::source("environment", format!("none of {CACHE_VARIABLE}, XDG_CACHE_HOME, HOME is set")))
}

/// Fetches every locked module that the cache does not hold yet.
pub fn fetch(cache: &Path) -> Result<(), Error> {
    fs::create_dir_all(cache).map_err(|source| Error::File {
        operation: "create the module cache",
        path: cache.to_owned(),
        source,
    })?;
    for locked in parse_lock(LOCK)? {
        if check_sum(cache, &locked).is_ok() {
            continue;
        }
        let answer = process::go_mod_download(cache, &locked.id())?;
        let answer: serde_json::Value = serde_json::from_slice(&answer)
            .map_err(|error| Error::Module { module: locked.id(), detail: format!("answer of go: {error}") })?;
        match answer.get("Sum").and_then(|sum| sum.as_str()) {
            Some(sum) if sum == locked.sum => {}
            Some(sum) => {
                let detail = format!("fetched {sum}, the lock says {}", locked.sum);
                return Err(Error::Module { module: locked.id(), detail });
            }
            None => return Err(Error::Module { module: locked.id(), detail: format!("go says {answer}") }),
        }
    }
    Ok(())
}

/// Compares the hash that Go stored beside the zip when it fetched and verified it.
fn check_sum(cache: &Path, locked: &Locked) -> Result<(), Error> {
    let path = locked.download_file(cache, "ziphash");
    let found = fs::read_to_string(&path).map_err(|error| Error::Module {
        module: locked.id(),
        detail: format!("not in the cache ({}: {error}); fetch it with `{FETCH_COMMAND}`", path.display()),
    })?;
    if found.trim() == locked.sum {
        return Ok(());
    }
    let detail = format!("the cache holds {}, the lock says {}", found.trim(), locked.sum);
    Err(Error::Module { module: locked.id(), detail })
}

impl Modules {
    /// Opens the zips in the cache; a missing or wrong one is an error that names the command which fetches it.
    pub fn open(cache: &Path) -> Result<Self, Error> {
        let mut archives = BTreeMap::new();
        for locked in parse_lock(LOCK)? {
            check_sum(cache, &locked)?;
            let path = locked.download_file(cache, "zip");
            let bytes =
                fs::read(&path).map_err(|source| Error::File { operation: "read", path: path.clone(), source })?;
            let archive = Archive::open(bytes).map_err(|detail| Error::Module { module: locked.id(), detail })?;
            archives.insert(locked.path.clone(), (locked, archive));
        }
        Ok(Self { archives })
    }

    fn archive(&self, module: &str) -> Result<(&Locked, &Archive), Error> {
        let (locked, archive) =
            self.archives.get(module).ok_or_else(|| Error::source(module, "module is not in the lock"))?;
        Ok((locked, archive))
    }

    /// Paths of the files of `module` below `directory` (with its trailing slash), relative to the module root.
    pub fn list(&self, module: &str, directory: &str) -> Result<Vec<String>, Error> {
        let (locked, archive) = self.archive(module)?;
        let root = format!("{}/", locked.id());
        let names = archive.names(&format!("{root}{directory}")).map(|name| name[root.len()..].to_owned()).collect();
        Ok(names)
    }

    /// The bytes of one file of a module.
    pub fn bytes(&self, module: &str, path: &str) -> Result<Vec<u8>, Error> {
        let (locked, archive) = self.archive(module)?;
        match archive.read(&format!("{}/{path}", locked.id())) {
            Some(Ok(bytes)) => Ok(bytes),
            Some(Err(detail)) => Err(Error::source(format!("{}/{path}", locked.id()), detail)),
            None => Err(Error::source(format!("{}/{path}", locked.id()), "no such file in the module")),
        }
    }

    /// The text of one file of a module.
    pub fn text(&self, module: &str, path: &str) -> Result<String, Error> {
        String::from_utf8(self.bytes(module, path)?).map_err(|_| Error::source(path, "not UTF-8"))
    }
}

#[cfg(test)]
mod tests {
    use super::{LOCK, Modules, parse_lock};

    #[test]
    fn the_lock_names_five_modules() {
        assert_eq!(parse_lock(LOCK).unwrap().len(), 5);
        assert!(parse_lock("k8s.io/api v0.37.2\n").is_err());
    }

    #[test]
    fn an_empty_cache_names_the_command() {
        let cache = tempfile::tempdir().unwrap();
        let error = Modules::open(cache.path()).unwrap_err().to_string();
        assert!(error.contains("cargo run -p schema-generator -- fetch"), "{error}");
    }
}

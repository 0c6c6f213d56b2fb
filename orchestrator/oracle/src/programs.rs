//! Builds the real programs from the Go module proxy into a cache outside the repository.
//!
//! The published module of Kubernetes has no staging tree, so `modules/kubernetes/go.mod` replaces each staging module by
//! its published version; go.mod and go.sum are committed, and builds do not change them.

use crate::error::{Error, Result};
use crate::process::{Environment, Program};
use sha2::{Digest as _, Sha256};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// The Kubernetes release that is the oracle.
pub const KUBERNETES: &str = "v1.37.2";

/// The Go release that builds it, fetched by Go itself where the installed one is another.
const GO: &str = "go1.26.8";

/// When the release was published; stands in `/version`.
const BUILD_DATE: &str = "2026-10-27T12:01:04Z";

/// The module proxy does not tell the commit of a release. Clients want 40 digits.
const COMMIT: &str = "0000000000000000000000000000000000000000";

/// Packages that hold the version; clients mis-parse the skew unless both agree.
const VERSION_PACKAGES: [&str; 2] = ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"];

/// A program to build.
struct Source {
    name: &'static str,
    module: &'static str,
    package: &'static str,
    stamped: bool,
}

/// The modules that pin what is built, each a directory below `modules/`.
const MODULES: [&str; 3] = ["etcd", "kubernetes", "kwok"];

const fn kubernetes(name: &'static str, package: &'static str) -> Source {
    Source { name, module: "kubernetes", package, stamped: true }
}

const SOURCES: [Source; 6] = [
    kubernetes("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
    Source { name: "etcd", module: "etcd", package: "go.etcd.io/etcd/server/v3", stamped: false },
    kubernetes("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
    kubernetes("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"),
    kubernetes("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"),
    Source { name: "kwok", module: "kwok", package: "sigs.k8s.io/kwok/cmd/kwok", stamped: false },
];

/// The built programs.
#[derive(Debug, Clone)]
pub struct Programs {
    directory: PathBuf,
}

impl Programs {
    /// Where they are.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// etcd.
    #[must_use]
    pub fn etcd(&self) -> PathBuf {
        self.directory.join("etcd")
    }

    /// The API server.
    #[must_use]
    pub fn api_server(&self) -> PathBuf {
        self.directory.join("kube-apiserver")
    }

    /// The controllers.
    #[must_use]
    pub fn controller_manager(&self) -> PathBuf {
        self.directory.join("kube-controller-manager")
    }

    /// The scheduler.
    #[must_use]
    pub fn scheduler(&self) -> PathBuf {
        self.directory.join("kube-scheduler")
    }

    /// kwok, which plays nodes and their pods.
    #[must_use]
    pub fn kwok(&self) -> PathBuf {
        self.directory.join("kwok")
    }

    /// kubectl.
    #[must_use]
    pub fn kubectl(&self) -> PathBuf {
        self.directory.join("kubectl")
    }
}

/// The cache that is used unless another is named: `CORACLE_ORACLE_CACHE`, or below the user's cache directory.
///
/// # Errors
/// Neither `CORACLE_ORACLE_CACHE` nor `XDG_CACHE_HOME` nor `HOME` is set.
pub fn default_cache() -> Result<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    variable("CORACLE_ORACLE_CACHE")
        .or_else(|| variable("XDG_CACHE_HOME").map(|cache| cache.join("coracle/oracle")))
        .or_else(|| variable("HOME").map(|home| home.join(".cache/coracle/oracle")))
        .ok_or_else(|| Error::format("cache", "none of CORACLE_ORACLE_CACHE, XDG_CACHE_HOME and HOME is set"))
}

/// Builds what is not in the cache yet. `only` names the wanted programs; empty means all.
///
/// # Errors
/// Go is missing or too old to fetch its successor, the module proxy cannot be reached, or a build fails.
pub async fn build(cache: &Path, jobs: Option<usize>, only: &[String]) -> Result<Programs> {
    if let Some(unknown) = only.iter().find(|name| SOURCES.iter().all(|source| source.name != name.as_str())) {
        let known = SOURCES.map(|source| source.name).join(", ");
        return Err(Error::format("build", format!("no program is named {unknown:?}; there are {known}")));
    }
    let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("modules");
    let directory = cache.join(format!("{KUBERNETES}-{}", fingerprint(&modules)?));
    fs::create_dir_all(&directory).map_err(Error::file("create", &directory))?;
    let wanted = |source: &&Source| only.is_empty() || only.iter().any(|name| name == source.name);
    for source in SOURCES.iter().filter(wanted) {
        let program = directory.join(source.name);
        if !program.exists() {
            eprintln!("building {} (minutes, when Go's cache is empty)", source.name);
            let unfinished = directory.join(format!("{}.unfinished", source.name));
            compile(source, &modules.join(source.module), &unfinished, jobs).await?;
            fs::rename(&unfinished, &program).map_err(Error::file("rename", &unfinished))?;
        }
    }
    Ok(Programs { directory })
}

async fn compile(source: &Source, module: &Path, output: &Path, jobs: Option<usize>) -> Result<()> {
    let mut arguments: Vec<OsString> =
        ["build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags"].map(OsString::from).to_vec();
    arguments.push(linker_flags(source.stamped).into());
    if let Some(jobs) = jobs {
        arguments.extend(["-p".into(), jobs.to_string().into()]);
    }
    arguments.extend(["-o".into(), output.into(), source.package.into()]);
    let fixed = [("CGO_ENABLED", "0"), ("GOFLAGS", ""), ("GOWORK", "off"), ("GO111MODULE", "on"), ("GOTOOLCHAIN", GO)];
    let environment = Environment::With(fixed.map(|(name, value)| (name, value.into())).to_vec());
    Program { path: Path::new("go"), arguments, directory: module, environment }.run().await
}

fn linker_flags(stamped: bool) -> String {
    let mut flags = "-s -w".to_owned();
    if stamped {
        let minor = KUBERNETES.split('.').nth(1).unwrap_or_default();
        let values = [
            ("gitVersion", KUBERNETES),
            ("gitMajor", "1"),
            ("gitMinor", minor),
            ("gitTreeState", "clean"),
            ("gitCommit", COMMIT),
            ("buildDate", BUILD_DATE),
        ];
        for package in VERSION_PACKAGES {
            for (name, value) in values {
                flags.push_str(&format!(" -X {package}.{name}={value}"));
            }
        }
    }
    flags
}

/// Changes with everything that decides what the built programs are.
fn fingerprint(modules: &Path) -> Result<String> {
    let mut digest = Sha256::new();
    digest.update([GO, &linker_flags(true), std::env::consts::ARCH].join("\n"));
    for module in MODULES {
        for name in ["go.mod", "go.sum"] {
            let path = modules.join(module).join(name);
            digest.update(fs::read(&path).map_err(Error::file("read", &path))?);
        }
    }
    Ok(hex::encode(digest.finalize()).chars().take(12).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_version_packages_are_stamped() {
        let flags = linker_flags(true);
        for package in VERSION_PACKAGES {
            for stamp in ["gitVersion=v1.37.2", "gitMinor=37", "gitTreeState=clean"] {
                assert!(flags.contains(&format!("-X {package}.{stamp}")), "{flags}");
            }
        }
        assert!(!linker_flags(false).contains("-X"));
    }

    #[test]
    fn the_committed_modules_pin_the_release() {
        let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/modules/kubernetes/go.mod")).unwrap();
        assert!(text.contains(&format!("k8s.io/kubernetes {KUBERNETES}\n")), "{text}");
        let staging = text.lines().filter(|line| line.contains(" => ")).count();
        assert_eq!(staging, 30, "staging modules");
        assert!(text.lines().filter(|line| line.contains(" => ")).all(|line| line.ends_with(" v0.37.2")), "{text}");
    }
}

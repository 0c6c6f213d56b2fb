//! The host's apt, pointed at a private directory: its own sources, keys, lists, cache and empty package status.
//!
//! Nothing of the host's apt state is read but its mirror and its transport settings (proxies), and nothing is written.
//! Signatures are checked by apt, under the keys of this repository only.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::lock::{Architecture, Entry, Key};
use crate::digest::{self, Digest};
use crate::files;
use crate::process::{self, Program};

/// Settings of one private apt directory.
#[derive(Debug)]
pub struct Settings<'a> {
    /// Archive URI.
    pub mirror: &'a str,
    /// Suite, as `trixie`.
    pub suite: &'a str,
    /// Keyring files that may sign the suite.
    pub keys: &'a [PathBuf],
    /// Transport settings of the host (`Acquire::http::Proxy "..."`), one per line.
    pub transport: &'a str,
}

/// A private apt directory with current package lists.
#[derive(Debug)]
pub struct Apt {
    root: PathBuf,
}

/// What the archive offers for one package name and architecture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Full version.
    pub version: String,
    /// Architecture of the file.
    pub architecture: Architecture,
    /// SHA-256 of the file, from the signed index.
    pub sha256: Digest,
    /// Names of the packages that it depends on, alternatives left out.
    pub depends: Vec<String>,
}

/// Why the archive cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of the private directory.
    #[error(transparent)]
    File(#[from] files::Error),
    /// apt cannot be run at all.
    #[error("cannot run apt")]
    Apt(#[source] process::Error),
    /// The package lists could not be fetched and verified.
    #[error("cannot update the package lists of {mirror} after {attempts} attempts")]
    Update {
        /// Archive URI.
        mirror: String,
        /// How often it was tried.
        attempts: u32,
        /// What apt said last.
        source: process::Error,
    },
    /// A package could not be downloaded.
    #[error("cannot download {package} after {attempts} attempts")]
    Download {
        /// Name, architecture and version.
        package: String,
        /// How often it was tried.
        attempts: u32,
        /// What apt said last.
        source: process::Error,
    },
    /// apt succeeded without leaving the package.
    #[error("apt left {found} files instead of one for {package}")]
    Files {
        /// Name, architecture and version.
        package: String,
        /// How many there were.
        found: usize,
    },
    /// The index has a malformed digest.
    #[error("the package index is malformed")]
    Index(#[from] digest::Malformed),
}

/// Mirrors are out of step for some seconds while they synchronise; more attempts than this hide a real fault.
const ATTEMPTS: u32 = 3;

impl Apt {
    /// Makes the private directory in `root` and fetches the package lists.
    ///
    /// # Errors
    /// The directory cannot be made, or the lists cannot be fetched or are not signed by the given keys.
    pub fn update(root: &Path, settings: &Settings<'_>) -> Result<Self, Error> {
        for directory in ["lists/partial", "cache/archives/partial", "etc", "none.d"] {
            files::create_dirs(&root.join(directory))?;
        }
        files::write(&root.join("status"), b"")?;
        files::write(&root.join("etc/sources.list"), sources_list(settings).as_bytes())?;
        files::write(&root.join("apt.conf"), configuration(root, settings.transport).as_bytes())?;
        let apt = Self { root: root.to_owned() };
        // Error-Mode=any: a mirror out of step is an error to try again, not a warning that leaves old lists in use.
        let update = apt.program("apt-get").arguments(["update", "--error-on=any"]);
        attempts(&update).map_err(|source| Error::Update {
            mirror: settings.mirror.to_owned(),
            attempts: ATTEMPTS,
            source,
        })?;
        Ok(apt)
    }

    /// All versions that the archive offers, for each wanted package name and machine.
    ///
    /// # Errors
    /// apt-cache fails or the index is malformed.
    pub fn offers(
        &self,
        wanted: impl IntoIterator<Item = (Architecture, String)>,
    ) -> Result<BTreeMap<(Architecture, String), Vec<Offer>>, Error> {
        let wanted: Vec<_> = wanted.into_iter().collect();
        let names = wanted.iter().map(|(machine, name)| format!("{name}:{}", machine.name()));
        // Packages of architecture "all" are known under the native architecture alone.
        let native = wanted.iter().map(|(_, name)| name.clone());
        let text = self
            .program("apt-cache")
            .arguments(["show", "--quiet=2"])
            .arguments(names.chain(native))
            .run()
            .or_else(shown_in_part)?;
        let mut found: BTreeMap<_, Vec<Offer>> = BTreeMap::new();
        for (name, offer) in stanzas(&String::from_utf8_lossy(&text))? {
            for (machine, wanted) in &wanted {
                let fits = offer.architecture == *machine || offer.architecture == Architecture::All;
                let offers = found.entry((*machine, wanted.clone())).or_default();
                if *wanted == name && fits && !offers.contains(&offer) {
                    offers.push(offer.clone());
                }
            }
        }
        Ok(found)
    }

    /// Downloads one package file into the empty directory `into` and returns its path. apt has checked it against the
    /// signed index; the caller checks it against the lock.
    ///
    /// # Errors
    /// The package is not there or the transfer fails.
    pub fn download(&self, entry: &Entry, into: &Path) -> Result<PathBuf, Error> {
        let qualifier = match entry.architecture {
            Architecture::All => String::new(),
            architecture => format!(":{}", architecture.name()),
        };
        let package = format!("{}{qualifier}={}", entry.package, entry.version);
        let download = self.program("apt-get").arguments(["download", "--quiet"]).argument(&package).directory(into);
        attempts(&download).map_err(|source| Error::Download {
            package: package.clone(),
            attempts: ATTEMPTS,
            source,
        })?;
        let mut files = files::list(into)?;
        match (files.pop(), files.len()) {
            (Some(file), 0) => Ok(file),
            (last, rest) => Err(Error::Files { package, found: rest + usize::from(last.is_some()) }),
        }
    }

    fn program(&self, name: &str) -> Program {
        Program::new(&Path::new("/usr/bin").join(name))
            .variable("APT_CONFIG", self.root.join("apt.conf"))
            .variable("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .inherit("http_proxy")
            .inherit("https_proxy")
            .inherit("no_proxy")
    }
}

/// The host's transport settings (proxies, certificates), as lines for an apt configuration file.
///
/// # Errors
/// apt-config cannot be run.
pub fn host_transport() -> Result<String, Error> {
    let dump = Program::new(Path::new("/usr/bin/apt-config"))
        .variable("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .arguments(["dump", "--no-empty", "--format", "%f \"%v\";%n", "Acquire"])
        .run()
        .map_err(Error::Apt)?;
    Ok(String::from_utf8_lossy(&dump).lines().filter(|line| is_transport(line)).fold(
        String::new(),
        |mut text, line| {
            text.push_str(line);
            text.push('\n');
            text
        },
    ))
}

/// Whether a setting says how bytes travel, and never what is trusted.
fn is_transport(line: &str) -> bool {
    ["Acquire::http::", "Acquire::https::", "Acquire::ForceIPv4", "Acquire::ForceIPv6"]
        .iter()
        .any(|prefix| line.starts_with(prefix))
}

fn sources_list(settings: &Settings<'_>) -> String {
    let keys: Vec<String> = settings.keys.iter().map(|key| key.display().to_string()).collect();
    let Settings { mirror, suite, .. } = settings;
    format!("deb [arch=amd64,arm64 signed-by={}] {mirror} {suite} main\n", keys.join(","))
}

fn configuration(root: &Path, transport: &str) -> String {
    let mut text = transport.to_owned();
    let paths = [
        ("Dir", ""),
        ("Dir::State", ""),
        ("Dir::State::status", "status"),
        ("Dir::State::lists", "lists"),
        ("Dir::Cache", "cache"),
        ("Dir::Etc", "etc"),
        ("Dir::Etc::main", "none"),
        ("Dir::Etc::parts", "none.d"),
        ("Dir::Etc::sourcelist", "etc/sources.list"),
        ("Dir::Etc::sourceparts", "none.d"),
        ("Dir::Etc::preferences", "none"),
        ("Dir::Etc::preferencesparts", "none.d"),
        ("Dir::Etc::trusted", "none"),
        ("Dir::Etc::trustedparts", "none.d"),
    ];
    let mut line = |key: &str, value: &str| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{key} \"{value}\";");
    };
    for (key, path) in paths {
        line(key, &root.join(path).display().to_string());
    }
    for key in ["Insecure", "Weak", "DowngradeToInsecure"] {
        line(&format!("Acquire::Allow{key}Repositories"), "false");
    }
    line("APT::Get::AllowUnauthenticated", "false");
    line("Acquire::Languages", "none");
    // Within one run apt waits a little longer before each further try; only transfers are tried again this way.
    line("Acquire::Retries", "3");
    // The private directory may stand in a home directory, where apt's own user may not look.
    line("APT::Sandbox::User", "");
    line("APT::Architecture", Architecture::Amd64.name());
    text.push_str("APT::Architectures { \"amd64\"; \"arm64\"; };\n");
    text
}

/// Runs a program again after a failure, a bounded number of times.
fn attempts(program: &Program) -> Result<Vec<u8>, process::Error> {
    for _ in 1..ATTEMPTS {
        if let Ok(output) = program.run() {
            return Ok(output);
        }
    }
    program.run()
}

/// `apt-cache show` fails when one of the names is unknown, which is an answer here: nothing is offered for it.
fn shown_in_part(error: process::Error) -> Result<Vec<u8>, Error> {
    match error {
        process::Error::Failed(failure) => Ok(failure.output),
        start @ process::Error::Start { .. } => Err(Error::Apt(start)),
    }
}

/// Package name and offer of each stanza of a package index.
fn stanzas(text: &str) -> Result<Vec<(String, Offer)>, Error> {
    let mut found = Vec::new();
    for stanza in text.split("\n\n") {
        let field =
            |name: &str| stanza.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).map(str::to_owned);
        let architecture = match field("Architecture").as_deref() {
            Some("amd64") => Architecture::Amd64,
            Some("arm64") => Architecture::Arm64,
            Some("all") => Architecture::All,
            _ => continue,
        };
        let (Some(name), Some(version), Some(sha256)) = (field("Package"), field("Version"), field("SHA256")) else {
            continue;
        };
        let depends = field("Depends").unwrap_or_default();
        let depends = depends.split(',').filter_map(|word| word.split_whitespace().next()).map(str::to_owned).collect();
        found.push((name, Offer { version, architecture, sha256: sha256.parse()?, depends }));
    }
    Ok(found)
}

/// The name and offer that answer a request now: the newest version, or what a meta package depends on.
///
/// Kernels are asked for by their meta package (`linux-image-amd64`), whose only dependency is the kernel.
#[must_use]
pub fn kernel_behind<'a>(key: &Key, offer: &'a Offer) -> Option<&'a str> {
    match offer.depends.as_slice() {
        [kernel] if kernel.starts_with("linux-image-") && *kernel != key.2 => Some(kernel),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: &str = "Package: linux-image-arm64\nArchitecture: arm64\nVersion: 6.12.1-1\n\
        Depends: linux-image-6.12.1-arm64 (= 6.12.1-1)\n\
        SHA256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n\n\
        Package: x\nArchitecture: riscv64\n\nPackage: y\n";

    #[test]
    fn stanzas_are_read_and_foreign_ones_left_out() {
        let read = stanzas(INDEX).unwrap();
        assert_eq!(read.len(), 1);
        let (name, offer) = &read[0];
        assert_eq!((name.as_str(), offer.architecture), ("linux-image-arm64", Architecture::Arm64));
        let key = (super::super::lock::Role::Kernel, Architecture::Arm64, name.clone());
        assert_eq!(kernel_behind(&key, offer), Some("linux-image-6.12.1-arm64"));
        assert!(stanzas(&INDEX.replace("SHA256: e3", "SHA256: xx")).is_err());
    }

    #[test]
    fn only_transport_settings_of_the_host_are_taken() {
        for (line, want) in [
            ("Acquire::http::Proxy \"http://p:3128\";", true),
            ("Acquire::https::CAInfo \"/x\";", true),
            ("Acquire::AllowInsecureRepositories \"1\";", false),
            ("Acquire::IndexTargets::deb \"\";", false),
        ] {
            assert_eq!(is_transport(line), want, "{line}");
        }
    }
}

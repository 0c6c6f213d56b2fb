//! Checks of the tree itself: what `cargo tree` and `git ls-files` say, for the tests and the runner of mutants.
//!
//! It must not depend on any crate of the product: it judges them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A package that is really compiled: unlike the lock file and `cargo metadata`, `cargo tree` leaves out optional
/// packages that nobody switched on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SPDX expression, empty when it has none.
    pub license: String,
    /// Whether it is a package of this tree.
    pub local: bool,
}

/// What `cargo tree` prints for the given selection, each package once.
///
/// # Errors
/// cargo failed or printed something else.
pub fn packages(selection: &[&str]) -> Result<BTreeSet<Package>, String> {
    let fixed = ["tree", "--locked", "--prefix", "none", "--no-dedupe", "--format", "{p}\t{l}"];
    let output = run(&root(), env!("CARGO"), &[&fixed[..], selection].concat())?;
    let text = String::from_utf8(output.stdout).map_err(|error| format!("cargo tree: {error}"))?;
    text.lines().filter(|line| !line.is_empty()).map(package).collect()
}

/// Everything that any member links, builds or tests with, on any target.
///
/// # Errors
/// As [`packages`].
pub fn used() -> Result<BTreeSet<Package>, String> {
    packages(&["--workspace", "--target", "all"])
}

/// Names of everything that package `name` links or builds with on `target`; no development dependencies.
///
/// # Errors
/// As [`packages`].
pub fn linked(name: &str, target: &str) -> Result<BTreeSet<String>, String> {
    let found = packages(&["--package", name, "--target", target, "--edges", "normal,build"])?;
    Ok(found.into_iter().map(|package| package.name).collect())
}

/// `NAME vVERSION [(SOURCE or proc-macro)]... TAB LICENCE`.
fn package(line: &str) -> Result<Package, String> {
    let unreadable = || format!("cargo tree printed {line:?}");
    let (package, license) = line.split_once('\t').ok_or_else(unreadable)?;
    let mut words = package.split(' ');
    let (Some(name), Some(version)) = (words.next(), words.next()) else { return Err(unreadable()) };
    let version = version.strip_prefix('v').ok_or_else(unreadable)?;
    let local = package.contains("(/");
    Ok(Package { name: name.to_owned(), version: version.to_owned(), license: license.to_owned(), local })
}

/// Top of the tree.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Paths of all files that git tracks, relative to [`root`].
///
/// # Errors
/// git failed.
pub fn tracked() -> Result<Vec<String>, String> {
    let output = run(&root(), "git", &["ls-files", "-z", "--cached", "--others", "--exclude-standard"])?;
    let text = String::from_utf8(output.stdout).map_err(|error| format!("git ls-files: {error}"))?;
    Ok(text.split('\0').filter(|path| !path.is_empty() && root().join(path).exists()).map(str::to_owned).collect())
}

/// Runs a tool in `directory` to its end.
///
/// # Errors
/// It could not be started, or failed; the text carries what it printed on standard error.
pub fn run(directory: &Path, program: &str, arguments: &[&str]) -> Result<Output, String> {
    #[expect(clippy::disallowed_methods, reason = "this tool's only purpose is to ask cargo and git")]
    let output = Command::new(program).args(arguments).current_dir(directory).output();
    let output = output.map_err(|error| format!("cannot start {program}: {error}"))?;
    if output.status.success() {
        Ok(output)
    } else {
        Err(format!("{program} {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr)))
    }
}

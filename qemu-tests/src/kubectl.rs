//! kubectl of a release that fits: the one in PATH, or else the oracle's own build.

use crate::error::{Error, Result};
use crate::{private, process};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Minor release of Kubernetes 1 that the machine speaks.
const SPOKEN: u32 = 37;
/// Longest that kubectl may take to tell its version.
const VERSION_BOUND: Duration = Duration::from_secs(60);
/// Longest that building kubectl may take, its sources fetched.
const BUILD_BOUND: Duration = Duration::from_secs(60 * 60);
/// Finds kubectl and links it into a folder; one that is there and fits stays. `tell` hears why one is built.
///
/// # Errors
/// There is none that fits and none can be built.
pub fn provide(bin: &Path, tell: impl Fn(&str)) -> Result<PathBuf> {
    std::fs::create_dir_all(bin).map_err(Error::file("make directory", bin))?;
    let link = bin.join("kubectl");
    let found = match suitable(&link) {
        Ok(()) => return Ok(link),
        Err(_) => in_path(bin),
    };
    let program = match found.as_deref().map(|program| (program, suitable(program))) {
        Some((program, Ok(()))) => program.to_owned(),
        Some((program, Err(why))) => {
            tell(&format!("{}: {why}; taking the oracle's kubectl", program.display()));
            build()?
        }
        None => {
            tell("there is no kubectl in PATH; taking the oracle's");
            build()?
        }
    };
    suitable(&program).map_err(|message| Error::Unexpected { subject: program.display().to_string(), message })?;
    private::remove(&link)?;
    symlink(&program, &link).map_err(Error::file("link", &link))?;
    Ok(link)
}

/// The first kubectl in PATH that is not the linked one.
fn in_path(bin: &Path) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .filter(|folder| folder != bin)
        .map(|folder| folder.join("kubectl"))
        .find(|it| it.is_file())
}

/// The oracle keeps its build in the user's cache and prints the folder.
fn build() -> Result<PathBuf> {
    let oracle = crate::client::beside("oracle")?.display().to_string();
    let printed = process::bounded(&oracle, &["build".to_owned(), "kubectl".to_owned()], BUILD_BOUND)?;
    let printed = String::from_utf8_lossy(&printed);
    let folder = printed.lines().last().map(str::trim).unwrap_or_default();
    Ok(Path::new(folder).join("kubectl"))
}

/// Whether a kubectl is at most one minor release away, as Kubernetes' version skew policy allows; if not, why.
fn suitable(program: &Path) -> std::result::Result<(), String> {
    let arguments = ["version", "--client", "--output=json"].map(str::to_owned);
    let answer = process::bounded(&program.display().to_string(), &arguments, VERSION_BOUND);
    judge(&answer.map_err(|error| format!("it does not tell its version ({error})"))?)
}

fn judge(answer: &[u8]) -> std::result::Result<(), String> {
    let value: serde_json::Value = serde_json::from_slice(answer).unwrap_or_default();
    let part = |name: &str| {
        let text = value.get("clientVersion")?.get(name)?.as_str()?;
        // Distributions write `37+`.
        text.trim_end_matches(|c: char| !c.is_ascii_digit()).parse::<u32>().ok()
    };
    match (part("major"), part("minor")) {
        (Some(1), Some(minor)) if minor.abs_diff(SPOKEN) <= 1 => Ok(()),
        (Some(major), Some(minor)) => {
            Err(format!("it is {major}.{minor}, more than one minor release away from 1.{SPOKEN}"))
        }
        _ => Err("it does not tell its version".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn one_minor_release_away_is_near_enough() {
        let answer = |major: &str, minor: &str| {
            judge(format!(r#"{{"clientVersion": {{"major": "{major}", "minor": "{minor}"}}}}"#).as_bytes())
        };
        for (minor, good) in
            [("35", false), ("36", true), ("37", true), ("37+", true), ("38", true), ("39", false), ("", false)]
        {
            assert_eq!(answer("1", minor).is_ok(), good, "{minor}");
        }
        assert!(answer("2", "37").is_err());
        assert!(answer("1", "32").unwrap_err().contains("it is 1.32"));
        assert!(judge(b"Client Version: v1.37.2").is_err());
    }

    /// A program that stands for kubectl and prints its arguments, or its version when asked.
    fn stand_in(folder: &Path, minor: u32) -> PathBuf {
        let path = folder.join("kubectl");
        let script = format!(
            "#!/bin/sh\n[ \"$1\" = version ] || {{ echo \"$@\"; exit; }}\n\
             echo '{{\"clientVersion\": {{\"major\": \"1\", \"minor\": \"{minor}\"}}}}'\n"
        );
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[test]
    fn a_link_that_fits_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let program = stand_in(directory.path(), SPOKEN);
        let tell = |text: &str| panic!("nothing is to be told: {text}");
        assert_eq!(provide(directory.path(), tell).unwrap(), program);
        assert!(suitable(&stand_in(directory.path(), 32)).is_err());
    }
}

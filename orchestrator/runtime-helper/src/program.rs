//! The program of a process: where it is found, and how it is started.

use std::ffi::CString;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rustix::fs::{Access, access};
use rustix::io::Errno;

use super::failure::{Problem, words};
use super::home;
use super::process::Process;
use super::sys;

/// Finds and starts the program; comes back only if that fails. `filter` is installed last, so that it has to allow
/// nothing but `execve`.
pub(super) fn execute(process: &Process, filter: Option<&coracle_seccomp::Program>) -> Problem {
    match try_execute(process, filter) {
        Ok(never) => match never {},
        Err(problem) => problem,
    }
}

fn try_execute(
    process: &Process,
    filter: Option<&coracle_seccomp::Program>,
) -> Result<std::convert::Infallible, Problem> {
    let name = process.args.first().ok_or_else(|| Problem::new("process.args must not be empty"))?;
    let path = find(name, &process.env)?;
    let mut environment = process.env.clone();
    if !environment.iter().any(|entry| entry.starts_with("HOME=")) {
        environment.push(format!("HOME={}", home::of(process.user.uid)));
    }
    let path_text = text(&path)?;
    let arguments = process.args.iter().map(|one| text(one)).collect::<Result<Vec<_>, _>>()?;
    let environment = environment.iter().map(|one| text(one)).collect::<Result<Vec<_>, _>>()?;
    sys::default_signals();
    if let Some(filter) = filter {
        sys::install_filter(filter).map_err(|errno| Problem::step("unable to init seccomp", errno))?;
    }
    nix::unistd::execve(&path_text, &arguments, &environment).map_err(|errno| {
        let errno = Errno::from_raw_os_error(errno as i32);
        Problem::step(&format!("exec {path}"), errno)
    })
}

fn text(value: &str) -> Result<CString, Problem> {
    CString::new(value).map_err(|_| Problem::new(format!("{value:?} contains a zero byte")))
}

/// Where a program is, as Go's `LookPath` finds it.
fn find(name: &str, environment: &[String]) -> Result<String, Problem> {
    if name.contains('/') {
        return usable(name).map(|()| name.to_owned()).map_err(|(errno, stat)| Problem {
            text: format!(
                "exec: {name:?}: {}{}",
                if stat { format!("stat {name}: ") } else { String::new() },
                words(errno)
            ),
            errno: Some(errno.raw_os_error()),
        });
    }
    // As in every C library, the last of two entries would be a surprise: the first counts.
    let folders = environment.iter().find_map(|entry| entry.strip_prefix("PATH=")).unwrap_or_default();
    // A folder that is not absolute is searched by Go too, but what is found there is refused.
    let mut candidates = folders.split(':').filter(|folder| folder.starts_with('/'));
    let found = candidates.find_map(|folder| {
        let path = format!("{}/{name}", folder.trim_end_matches('/'));
        usable(&path).is_ok().then_some(path)
    });
    found.ok_or_else(|| Problem {
        text: format!("exec: {name:?}: executable file not found in $PATH"),
        errno: Some(Errno::NOENT.raw_os_error()),
    })
}

/// Whether a file can be executed; else why not, and whether already the look at it failed.
fn usable(path: &str) -> Result<(), (Errno, bool)> {
    let metadata =
        Path::new(path).metadata().map_err(|error| (Errno::from_io_error(&error).unwrap_or(Errno::IO), true))?;
    if metadata.is_dir() {
        return Err((Errno::ISDIR, false));
    }
    match access(path, Access::EXEC_OK) {
        Err(errno @ (Errno::ACCESS | Errno::ROFS)) => Err((errno, false)),
        _ if metadata.permissions().mode() & 0o111 == 0 => Err((Errno::ACCESS, false)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_as_go_finds_them() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        std::fs::create_dir(at("directory")).unwrap();
        for (name, mode) in [("yes", 0o755), ("no", 0o644)] {
            std::fs::write(at(name), "").unwrap();
            std::fs::set_permissions(at(name), std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let environment = [format!("PATH=relative::{}", folder.path().display())];
        let (yes, no, directory, missing) = (at("yes"), at("no"), at("directory"), at("missing"));
        for (name, want) in [
            ("yes", Ok(yes.clone())),
            ("no", Err("exec: \"no\": executable file not found in $PATH".to_owned())),
            ("directory", Err("exec: \"directory\": executable file not found in $PATH".to_owned())),
            (yes.as_str(), Ok(yes.clone())),
            (no.as_str(), Err(format!("exec: \"{no}\": permission denied"))),
            (directory.as_str(), Err(format!("exec: \"{directory}\": is a directory"))),
            (missing.as_str(), Err(format!("exec: \"{missing}\": stat {missing}: no such file or directory"))),
        ] {
            assert_eq!(find(name, &environment).map_err(|problem| problem.text), want, "{name}");
        }
    }
}

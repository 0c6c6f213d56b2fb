//! What is done in the container between its making and the start of its program.

use std::fs;
use std::path::Path;

use coracle_seccomp::Program;
use rustix::fs::{Mode, fchown, fstat, makedev};
use rustix::io::Errno;
use rustix::process::{Uid, chdir, getcwd, umask};
use rustix::thread::set_no_new_privs;

use super::failure::Problem;
use super::process::Process;
use super::{identity, limits, sys};

/// Files that belong to all.
const NULL: (u32, u32) = (1, 3);

/// Makes this process what it is to be, all but its program. Afterwards it has no rights that the program has not.
///
/// A filter needs `CAP_SYS_ADMIN` or `no_new_privs`: without the latter it is installed here, before the capabilities
/// go, and has to allow what follows; with it, [`super::program::execute`] installs it.
pub(super) fn settle(process: &Process, filter: Option<&Program>) -> Result<(), Problem> {
    limits::apply(&process.rlimits)?;
    sys::new_session_keyring();
    app_armor(process.apparmor_profile.as_deref())?;
    let inside = enter_folder(&process.cwd)?;
    own_streams(process.user.uid)?;
    if process.no_new_privileges {
        set_no_new_privs(true).map_err(|errno| Problem::step("set no_new_privs", errno))?;
    } else if let Some(filter) = filter {
        sys::install_filter(filter).map_err(|errno| Problem::step("unable to init seccomp", errno))?;
    }
    identity::assume(process)?;
    if !inside {
        change(&process.cwd)?;
    }
    verify_folder()?;
    umask(Mode::from_raw_mode(process.user.umask.unwrap_or(0o022)));
    Ok(())
}

/// Enters the folder, which is made if it is not there, as images often name one that no layer has. `false` if only the
/// user of the process may be able to enter it (network file systems).
fn enter_folder(path: &str) -> Result<bool, Problem> {
    if !Path::new(path).exists() {
        // If this fails, entering it says why.
        let _ = fs::create_dir_all(path);
    }
    match chdir(path) {
        Ok(()) => Ok(true),
        Err(Errno::ACCESS | Errno::PERM) => Ok(false),
        Err(_) => change(path).map(|()| true),
    }
}

fn change(path: &str) -> Result<(), Problem> {
    chdir(path).map_err(|errno| Problem::step(&format!("chdir to cwd ({path:?}) set in config.json failed"), errno))
}

/// A folder outside of the container's root would have leaked in through a descriptor.
fn verify_folder() -> Result<(), Problem> {
    match getcwd(Vec::new()) {
        Ok(path) if path.to_bytes().starts_with(b"/") => Ok(()),
        Ok(_) | Err(Errno::NOENT) => {
            Err(Problem::new("current working directory is outside of container mount namespace root"))
        }
        Err(errno) => Err(Problem::step("getcwd", errno)),
    }
}

/// Gives input, output and errors to the user: `/dev/stdout` is opened anew by many programs.
fn own_streams(uid: u32) -> Result<(), Problem> {
    let streams = [rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr()];
    for stream in streams {
        let Ok(status) = fstat(stream) else { continue };
        if status.st_rdev == makedev(NULL.0, NULL.1) || status.st_uid == uid {
            continue;
        }
        match fchown(stream, Some(Uid::from_raw(uid)), None) {
            // Streams that cannot be given away are left as they are, as runc does it.
            Ok(()) | Err(Errno::PERM | Errno::INVAL | Errno::ROFS | Errno::OPNOTSUPP) => {}
            Err(errno) => return Err(Problem::step("fchown of a standard stream", errno)),
        }
    }
    Ok(())
}

/// Takes the profile at the next execve. A kernel without `AppArmor` has none to take.
fn app_armor(profile: Option<&str>) -> Result<(), Problem> {
    let enabled = || fs::read("/sys/module/apparmor/parameters/enabled").is_ok_and(|text| text.starts_with(b"Y"));
    let Some(profile) = profile.filter(|profile| !profile.is_empty()) else { return Ok(()) };
    if !enabled() {
        return Ok(());
    }
    let text = format!("exec {profile}");
    let outcome =
        fs::write("/proc/self/attr/apparmor/exec", &text).or_else(|_| fs::write("/proc/self/attr/exec", &text));
    outcome.map_err(|error| Problem::io(&format!("unable to apply apparmor profile {profile:?}"), &error))
}

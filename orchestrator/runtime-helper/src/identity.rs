//! Who the process is: groups, user and capabilities.

use rustix::io::Errno;
use rustix::process::{Gid, Uid};
use rustix::thread::{set_keep_capabilities, set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use super::capabilities::{Capabilities, raise};
use super::failure::Problem;
use super::process::{Process, User};

/// Becomes the user of the process, with its capabilities only.
pub(super) fn assume(process: &Process) -> Result<(), Problem> {
    let capabilities = Capabilities::named(process.capabilities.as_ref());
    capabilities.bound()?;
    set_keep_capabilities(true).map_err(|errno| Problem::step("unable to set keep caps", errno))?;
    become_user(&process.user)?;
    set_keep_capabilities(false).map_err(|errno| Problem::step("unable to clear keep caps", errno))?;
    // Another user lost what was effective, and with it the right to set the rest.
    raise()?;
    capabilities.apply()
}

fn become_user(user: &User) -> Result<(), Problem> {
    let groups: Vec<Gid> = user.additional_gids.iter().map(|id| Gid::from_raw(*id)).collect();
    match set_thread_groups(&groups) {
        // A user namespace may forbid this; then there are no groups to be rid of either.
        Err(Errno::PERM) if groups.is_empty() => {}
        outcome => outcome.map_err(|errno| Problem::step("unable to set supplementary groups", errno))?,
    }
    let gid = Gid::from_raw(user.gid);
    set_thread_res_gid(gid, gid, gid).map_err(|errno| Problem::step("unable to setgid", errno))?;
    let uid = Uid::from_raw(user.uid);
    set_thread_res_uid(uid, uid, uid).map_err(|errno| Problem::step("unable to setuid", errno))
}

/// Becomes root of the user namespace that was just joined.
pub(super) fn become_root() -> Result<(), Problem> {
    become_user(&User::default())
}

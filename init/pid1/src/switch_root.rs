//! From the initrd into the slot's root: mounts move, the initrd's memory is given back, `/sbin/init` takes over.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use coracle_contract::paths;
use rustix::mount::mount_move;
use rustix::process::{chdir, chroot};

use crate::error::{Attempt as _, Error, Result};
use crate::mounts::EARLY;
use crate::process::Program;
use crate::watchdog::{DESCRIPTOR_VARIABLE, Watchdog};

/// Where the root is mounted before the switch.
pub(crate) const NEW_ROOT: &str = "/sysroot";

/// Deepest directory of an initrd.
const DEPTH: usize = 32;

/// Moves the early mounts into the new root, empties the old one and makes the new one `/`.
pub(crate) fn switch() -> Result<()> {
    for row in EARLY {
        let target = format!("{NEW_ROOT}{}", row.target);
        mount_move(row.target, &target).attempt("move mount to", &target)?;
    }
    chdir(NEW_ROOT).attempt("enter", NEW_ROOT)?;
    let root = fs::metadata("/").attempt("inspect", "/")?;
    empty(Path::new("/"), root.dev(), DEPTH);
    mount_move(".", "/").attempt("move mount to", "/")?;
    chroot(".").attempt("change root to", NEW_ROOT)?;
    chdir("/").attempt("enter", "/")
}

/// Starts the system stage in place of this one; the watchdog stays open across it.
pub(crate) fn enter_system(watchdog: &Watchdog) -> Error {
    let mut program = Program::new(paths::INIT);
    if let Some(number) = watchdog.keep_over_exec() {
        program = program.environment(DESCRIPTOR_VARIABLE, number.to_string());
    }
    program.exec()
}

/// Deletes everything below a directory that lies on `device`. Best effort: it only frees memory.
fn empty(directory: &Path, device: u64, depth: usize) {
    let Some(depth) = depth.checked_sub(1) else { return };
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        if metadata.dev() != device {
            continue;
        }
        if metadata.is_dir() {
            empty(&path, device, depth);
            let _ = fs::remove_dir(&path);
        } else {
            let _ = fs::remove_file(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_on_the_device_goes_and_nothing_behind_links() {
        let root = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("kept"), "x").unwrap();
        fs::create_dir_all(root.path().join("a/b")).unwrap();
        fs::write(root.path().join("a/b/f"), "x").unwrap();
        std::os::unix::fs::symlink(outside.path(), root.path().join("a/link")).unwrap();
        empty(root.path(), fs::metadata(root.path()).unwrap().dev(), DEPTH);
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
        assert!(outside.path().join("kept").exists());
    }

    #[test]
    fn another_device_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("f"), "x").unwrap();
        empty(root.path(), u64::MAX, DEPTH);
        assert!(root.path().join("f").exists());
    }
}

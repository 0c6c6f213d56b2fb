//! Roots of containers on overlayfs.

use std::io;
use std::path::Path;

use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags, fsconfig_create,
    fsconfig_set_string, fsmount, fsopen, mount_change, move_mount,
};

use crate::runtime::parts::{Layers, Roots};
use crate::volumes::{Kernel, Mounter};

/// Bytes of the memory that a pod's containers share.
const SHARED: u64 = 64 << 20;

/// Mounts overlays.
#[derive(Debug, Clone, Copy, Default)]
pub struct Overlays;

impl Roots for Overlays {
    fn mount(&self, layers: &Layers, at: &Path) -> io::Result<()> {
        let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
        // One call for each folder: the text of an old mount call ends at a page, which many layers do not fit into.
        for lower in &layers.lowers {
            fsconfig_set_string(&context, "lowerdir+", lower)?;
        }
        fsconfig_set_string(&context, "upperdir", &layers.upper)?;
        fsconfig_set_string(&context, "workdir", &layers.work)?;
        fsconfig_create(&context)?;
        let mounted = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?;
        move_mount(&mounted, "", rustix::fs::CWD, at, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
        Ok(mount_change(at, MountPropagationFlags::PRIVATE)?)
    }

    fn unmount_below(&self, folder: &Path) -> io::Result<()> {
        Kernel.unmount_below(folder)
    }

    fn shared_memory(&self, at: &Path) -> io::Result<()> {
        Kernel.memory(at, Some(SHARED), 0o1777)
    }
}

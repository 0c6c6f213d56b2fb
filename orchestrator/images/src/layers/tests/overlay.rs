//! Whiteouts as the kernel's overlay sees them, in a mount namespace of one thread.

use rustix::fs::CWD;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags, fsconfig_create,
    fsconfig_set_string, fsmount, fsopen, mount_change, move_mount,
};

use super::*;

/// Mounts the layers, topmost first, at `target`, and lists all paths seen there.
fn merged(lowers: &[PathBuf], target: &Path) -> Vec<String> {
    let overlay = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).unwrap();
    for lower in lowers {
        fsconfig_set_string(&overlay, "lowerdir+", lower).unwrap();
    }
    fsconfig_create(&overlay).unwrap();
    let mount = fsmount(&overlay, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::MOUNT_ATTR_RDONLY).unwrap();
    move_mount(&mount, "", CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH).unwrap();
    let (mut found, mut folders) = (Vec::new(), vec![target.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            found.push(path.strip_prefix(target).unwrap().to_str().unwrap().to_owned());
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn whiteouts_hide_what_is_below() {
    let scene = Scene::new();
    let lower = Archive::new()
        .add(Item::file("kept", b""))
        .add(Item::file("gone", b""))
        .add(Item::file("folder/old", b""))
        .add(Item::file("folder-gone/x", b""))
        .add(Item::file("replaced/old", b""))
        .add(Item::file("same/old", b""))
        .add(Item::file("late/old", b""))
        .finish();
    let upper = Archive::new()
        .add(Item::file(".wh.gone", b""))
        .add(Item::file("folder/.wh..wh..opq", b""))
        .add(Item::file("folder/new", b""))
        .add(Item::file(".wh.folder-gone", b""))
        .add(Item::file(".wh.replaced", b""))
        .add(Item::directory("replaced"))
        .add(Item::file("replaced/new", b""))
        .add(Item::file("same/.wh.same", b""))
        .add(Item::file("same/same", b"stays, as it is of this layer"))
        .add(Item::directory("late"))
        .add(Item::file(".wh.late", b""))
        .add(Item::file(".wh..wh.plnk", b""))
        .finish();
    let lower = scene.plain(&lower, &[]).unwrap();
    let upper = scene.plain(&upper, &[lower]).unwrap();
    let lowers = [scene.layers.path(&upper), scene.layers.path(&lower)];
    let target = scene.scratch.path().join("merged");
    fs::create_dir(&target).unwrap();
    let seen = std::thread::spawn(move || {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).unwrap();
        mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).unwrap();
        merged(&lowers, &target)
    })
    .join()
    .unwrap();
    let want = ["folder", "folder/new", "kept", "late", "replaced", "replaced/new", "same", "same/old", "same/same"];
    assert_eq!(seen, want);
}

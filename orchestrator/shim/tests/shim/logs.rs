//! Much output, rotation, full disks.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;

use coracle_shim_protocol::message::{Operation, Rotate};
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_remount, unmount};

use crate::Case;
use crate::rig::Pod;

pub(crate) const CASES: &[Case] = &[
    ("a_hundred_megabytes_lose_nothing", a_hundred_megabytes_lose_nothing),
    ("old_files_go", old_files_go),
    ("a_renamed_log_is_opened_anew", a_renamed_log_is_opened_anew),
    ("a_full_disk_stops_nobody_and_loses_nothing", a_full_disk_stops_nobody_and_loses_nothing),
];

fn files(pod: &Pod, id: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(pod.folder().join(id)).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.to_string_lossy().contains("/0.log")).collect();
    // The one without a stamp is the newest.
    files.sort_by_key(|path| (path.ends_with("0.log"), path.clone()));
    files
}

fn a_hundred_megabytes_lose_nothing() {
    const LINES: usize = 1_000_000;
    let pod = Pod::new();
    let mut client = pod.client();
    let script = format!("seq -f '%0100.0f' 1 {LINES}");
    let mut create = pod.container("c", &["sh", "-c", &script]);
    create.rotate = Rotate { bytes: 10 << 20, files: 1000 };
    client.run(create);
    // The loop serves others meanwhile.
    client.list();
    assert_eq!(client.event().code, 0);
    let mut number = 0_usize;
    for file in files(&pod, "c") {
        assert!(fs::metadata(&file).unwrap().len() <= 10 << 20);
        for line in BufReader::new(File::open(file).unwrap()).lines() {
            number += 1;
            assert_eq!(line.unwrap()[31..].strip_prefix("stdout F ").unwrap().parse::<usize>().unwrap(), number);
        }
    }
    assert_eq!(number, LINES);
    assert!(files(&pod, "c").len() > 10);
}

fn old_files_go() {
    let pod = Pod::new();
    let mut client = pod.client();
    let mut create = pod.container("c", &["seq", "1", "10000"]);
    create.rotate = Rotate { bytes: 64 << 10, files: 3 };
    client.run(create);
    client.event();
    let files = files(&pod, "c");
    assert_eq!(files.len(), 3);
    let last = fs::read_to_string(files.last().unwrap()).unwrap();
    assert!(last.ends_with("stdout F 10000\n"));
}

fn a_renamed_log_is_opened_anew() {
    let pod = Pod::new();
    let mut client = pod.client();
    let script = "trap 'echo two; exit 0' TERM; echo one; while :; do sleep 0.05; done";
    client.run(pod.container("c", &["sh", "-c", script]));
    while pod.log("c").is_empty() {
        client.list();
    }
    let kept = pod.folder().join("kept.log");
    fs::rename(pod.log_path("c"), &kept).unwrap();
    client.ask(Operation::Rotate { id: "c".into() }).unwrap();
    client.kill("c", 15);
    client.event();
    assert!(fs::read_to_string(kept).unwrap().ends_with("stdout F one\n"));
    assert_eq!(pod.log("c"), ["stdout F two"]);
}

/// Needs to mount: in a mount namespace of its own, which is this process' from then on and the shim's by inheritance.
fn a_full_disk_stops_nobody_and_loses_nothing() {
    if crate::setup::unshare_mounts().is_err() {
        return println!("cannot make a mount namespace here");
    }
    let disk = tempfile::tempdir().unwrap();
    mount("small", disk.path(), "tmpfs", MountFlags::empty(), Some(c"size=64k")).unwrap();
    let pod = Pod::new();
    let mut client = pod.client();
    let mut create = pod.container("c", &["seq", "1", "20000"]);
    create.log = Some(disk.path().join("0.log"));
    client.run(create);
    let full = |path: &std::path::Path| rustix::fs::statvfs(path).unwrap().f_bfree == 0;
    while !full(disk.path()) {
        client.list();
    }
    assert!(client.list()[0].exit.is_none(), "it waits");
    mount_remount(disk.path(), MountFlags::empty(), c"size=64m").unwrap();
    assert_eq!(client.event().code, 0);
    let text = fs::read_to_string(disk.path().join("0.log")).unwrap();
    let numbers = text.lines().map(|line| line.rsplit(' ').next().unwrap().parse::<u32>().unwrap());
    assert!(numbers.eq(1..=20_000));
    drop(pod);
    unmount(disk.path(), UnmountFlags::DETACH).unwrap();
}

//! Same inputs, same bytes: directory, umask, time zone, locale, clock and package cache do not matter.

use std::path::{Path, PathBuf};

use image_builder::build::{self, Archive, Sources};
use image_builder::digest::Digest;
use image_builder::libraries::{Preload, Tools};
use image_builder::packages::lock::{Architecture, Role};
use image_builder::packages::store::Strictness;
use image_builder::progress::Progress;
use image_builder::tree::Tree;

use crate::built::{BOARD, built};

#[test]
fn a_second_build_elsewhere_and_later_gives_the_same_bytes() {
    let built = built();
    let names = |directory: &Path| -> Vec<PathBuf> {
        let mut names: Vec<PathBuf> =
            std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into()).collect();
        names.sort();
        names
    };
    assert_eq!(
        names(&built.first),
        ["disk.qcow2", "disk.raw", "manifest.toml", "slot.footer", "slot.img"].map(PathBuf::from)
    );
    assert_eq!(names(&built.first), names(&built.second));
    for name in names(&built.first) {
        let digest = |directory: &Path| Digest::of_file(&directory.join(&name)).unwrap();
        assert_eq!(digest(&built.first), digest(&built.second), "{}", name.display());
    }
}

/// The comparison above shows nothing if the tools' clock does not move.
#[test]
fn the_tools_clock_moves() {
    let sources = Sources::new(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("packages");
    let archive = Archive { cache, offline: false, strictness: Strictness::Development };
    let boards = image_builder::board::Boards::load(&sources.boards()).unwrap();
    let store = build::fetch(&sources, boards.find(BOARD).unwrap(), &archive, true, &Progress::silent()).unwrap();
    let mut packages = Tree::default();
    for entry in store.entries().filter(|entry| matches!(entry.role, Role::Tool | Role::Test)) {
        packages.merge_first(&store.open(&entry.key()).unwrap());
    }
    let directory = Architecture::host().library_directory();
    let library = packages.content(&format!("{directory}/faketime/libfaketimeMT.so.1")).unwrap().clone();
    let scratch = tempfile::tempdir().unwrap();
    let made_at = |name: &str, preload: Option<Preload>| {
        let root = scratch.path().join(name);
        let tools = Tools::install(&packages, directory, &["usr/bin/mksquashfs"], &root, preload).unwrap();
        let image = root.join("image");
        tools.program("mksquashfs").argument(root.join("bin")).argument(&image).argument("-quiet").run().unwrap();
        let superblock = std::fs::read(image).unwrap();
        u32::from_le_bytes([superblock[8], superblock[9], superblock[10], superblock[11]])
    };
    let now = made_at("now", None);
    let later = made_at("later", Some(Preload { library, variables: vec![("FAKETIME", "+3d".to_owned())] }));
    assert!(later - now >= 2 * 24 * 60 * 60, "{now} {later}");
}

/// The builder is a static program, so no library can move its own clock: it must not read one.
#[test]
fn the_builder_reads_no_clock() {
    let mut pending = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut read = 0;
    while let Some(directory) = pending.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            read += 1;
            for clock in ["SystemTime", "Instant::", "clock_gettime", "UNIX_EPOCH", ".modified()"] {
                assert!(!text.contains(clock), "{} has {clock}", path.display());
            }
        }
    }
    assert!(read > 20, "only {read} source files were found");
}

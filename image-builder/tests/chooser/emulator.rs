//! GRUB as an ordinary program: `grub-emu` of the package lock, run through its own loader with its own libraries.

use std::path::{Path, PathBuf};

use coracle_slots::boot_state::Slot;
use image_builder::board::Boards;
use image_builder::build::{self, Archive, Sources};
use image_builder::libraries::Tools;
use image_builder::packages::lock::Role;
use image_builder::packages::store::Strictness;
use image_builder::process::Program;
use image_builder::progress::Progress;
use image_builder::tree::Tree;

use crate::disk::{Disk, PartitionTable};

const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";
const PROGRAMS: [&str; 2] = ["usr/bin/grub-emu", "usr/bin/mksquashfs"];

/// What one run of GRUB said.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    /// The slots whose `slot.cfg` ran, with `coracle_seq` and `coracle_id` as passed to them.
    pub(crate) ran: Vec<(Slot, String, String)>,
    /// Whether the last of them started.
    pub(crate) started: bool,
}

/// The tools of the package lock, unpacked below `root`.
pub(crate) fn tools(root: &Path) -> Tools {
    let sources = Sources::new(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    let boards = Boards::load(&sources.boards()).unwrap();
    let archive = Archive { cache: cache(), offline: false, strictness: Strictness::Development };
    let board = boards.find("x86_64-vm").unwrap();
    let store = build::fetch(&sources, board, &archive, true, &Progress::silent()).unwrap();
    let mut packages = Tree::default();
    let keys: Vec<_> = store.entries().map(image_builder::packages::lock::Entry::key).collect();
    for key in keys.iter().filter(|key| matches!(key.0, Role::Tool | Role::Test)) {
        packages.merge_first(&store.open(key).unwrap());
    }
    packages.file(&format!("{LIBRARIES}/libSDL2-2.0.so.0"), 0o644, empty_library(root, "libSDL2-2.0.so.0")).unwrap();
    Tools::install(&packages, LIBRARIES, &PROGRAMS, &root.join("tools"), None).unwrap()
}

/// The package cache that image builds use.
fn cache() -> PathBuf {
    let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache");
    base.unwrap_or_else(home).join("coracle/packages")
}

/// A library without content. grub-emu is linked to a graphics library with some sixty packages behind it and calls it
/// only when a script asks for graphics; functions are looked up when they are called.
fn empty_library(root: &Path, name: &str) -> Vec<u8> {
    let source = root.join("empty.c");
    let library = root.join(name);
    std::fs::write(&source, "").unwrap();
    Program::new(Path::new("/usr/bin/cc"))
        .variable("PATH", "/usr/bin:/bin")
        .arguments(["-shared", "-nostdlib", &format!("-Wl,-soname,{name}"), "-o"])
        .argument(&library)
        .argument(&source)
        .run()
        .unwrap();
    std::fs::read(&library).unwrap()
}

/// Starts GRUB from the disk as its firmware would, and waits for its end.
pub(crate) fn boot(tools: &Tools, disk: &Disk, table: PartitionTable) -> Said {
    let map = disk.path.with_extension("map");
    std::fs::write(&map, format!("(hd0) {}\n", disk.path.display())).unwrap();
    let partition = match table {
        PartitionTable::Gpt => "hd0,gpt2",
        PartitionTable::Mbr => "hd0,msdos1",
    };
    let output = tools
        .program("grub-emu")
        .variable("TERM", "dumb")
        .argument("--device-map")
        .argument(&map)
        .arguments(["--root", partition, "--directory", "/EFI/BOOT"])
        .run()
        .unwrap();
    parse(&String::from_utf8_lossy(&output), partition)
}

/// Reads the lines that the stub slots print between double brackets.
fn parse(output: &str, boot_partition: &str) -> Said {
    let mut said = Said::default();
    for line in output.split("[[").skip(1).filter_map(|rest| rest.split_once("]]")).map(|(line, _)| line) {
        if line == "started" {
            said.started = true;
            continue;
        }
        let field = |name: &str| {
            line.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('=')).unwrap_or_default().to_owned()
        };
        let slot = Slot::from_letter(&field("slot")).unwrap();
        let root = match (boot_partition, slot) {
            ("hd0,gpt2", Slot::A) => "hd0,gpt3",
            ("hd0,gpt2", Slot::B) => "hd0,gpt4",
            (_, Slot::A) => "hd0,msdos2",
            (_, Slot::B) => "hd0,msdos3",
        };
        assert_eq!((field("root").as_str(), field("boot").as_str()), (root, "1"), "{line}");
        said.ran.push((slot, field("seq"), field("id")));
    }
    said
}

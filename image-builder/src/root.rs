//! The root of a slot: executables, modules, e2fsprogs, certificates, time zones and the few files of `/etc`.
//! `docs/root-contract.md` is the specification.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::board::{Board, ModuleSet};
use crate::digest::Digest;
use crate::initrd::lines;
use crate::libraries;
use crate::modules::{self, Index, Kernel, Selection};
use crate::tree::{self, Node, Tree};

/// What goes into a root beside the kernel's modules.
#[derive(Debug)]
pub struct Content<'a> {
    /// The board.
    pub board: &'a Board,
    /// Its merged module sets.
    pub modules: &'a ModuleSet,
    /// `coracle-init`.
    pub init: Arc<[u8]>,
    /// `coracle`.
    pub coracle: Arc<[u8]>,
    /// The slot packages' files, all in one tree.
    pub packages: &'a Tree,
    /// The layout of the slot's container images: files by path.
    pub images: &'a BTreeMap<String, Vec<u8>>,
    /// The compressed initrd.
    pub initrd: Arc<[u8]>,
    /// The slot's GRUB script, with [`ARGUMENTS`] where the kernel arguments go.
    pub slot_script: &'a str,
}

/// A root and what is worth telling about it.
#[derive(Debug)]
pub struct Root {
    /// The files.
    pub tree: Tree,
    /// Bytes of the kernel modules.
    pub module_bytes: usize,
    /// Number of kernel modules.
    pub module_count: usize,
}

/// Why a root cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A module list does not fit the kernel.
    #[error(transparent)]
    Modules(#[from] modules::Error),
    /// A file is missing, or two things want the same path.
    #[error(transparent)]
    Tree(#[from] tree::Error),
    /// The GRUB script has no place for the kernel arguments.
    #[error("the slot's GRUB script does not have {ARGUMENTS} exactly once")]
    SlotScript,
    /// A library is missing.
    #[error(transparent)]
    Libraries(#[from] libraries::Error),
}

/// Directories that something is mounted on, or that programs expect to exist.
const DIRECTORIES: [&str; 14] = [
    "boot",
    "data",
    "dev",
    "etc/coracle",
    "mnt",
    "proc",
    "run",
    "state",
    "sys",
    "tmp",
    "usr/bin",
    "usr/sbin",
    "var",
    "root",
];

/// Links of the merged `/usr`, and files that change while the root does not.
const LINKS: [(&str, &str); 13] = [
    ("bin", "usr/bin"),
    ("lib", "usr/lib"),
    ("lib64", "usr/lib64"),
    ("sbin", "usr/sbin"),
    ("etc/hostname", "/run/coracle/etc/hostname"),
    ("etc/hosts", "/run/coracle/etc/hosts"),
    ("etc/machine-id", "/run/coracle/etc/machine-id"),
    ("etc/mtab", "../proc/self/mounts"),
    ("etc/resolv.conf", "/run/coracle/etc/resolv.conf"),
    ("etc/localtime", "../usr/share/zoneinfo/Etc/UTC"),
    ("usr/sbin/modprobe", "init"),
    ("usr/sbin/poweroff", "init"),
    ("usr/sbin/reboot", "init"),
];

/// Programs that make, check and grow ext4, as Debian's e2fsprogs has them.
const FILE_SYSTEM_TOOLS: [&str; 3] = ["usr/sbin/mke2fs", "usr/sbin/e2fsck", "usr/sbin/resize2fs"];

/// What stands in the slot's GRUB script for the board's kernel arguments.
pub const ARGUMENTS: &str = "@ARGUMENTS@";

const CERTIFICATES: &str = "usr/share/ca-certificates/mozilla";
const TIME_ZONES: &str = "usr/share/zoneinfo";

/// Composes the root.
///
/// # Errors
/// See [`Error`].
pub fn make(content: &Content<'_>, kernel: &Kernel<'_>) -> Result<Root, Error> {
    let mut tree = Tree::default();
    for directory in DIRECTORIES {
        tree.directory(directory)?;
    }
    tree.add("tmp", Node::Directory(0o1777))?;
    tree.add("root", Node::Directory(0o700))?;
    for (path, target) in LINKS {
        tree.symlink(path, target)?;
    }
    add_boot_files(content, kernel, &mut tree)?;
    tree.file("usr/sbin/init", 0o755, content.init.clone())?;
    tree.file("usr/bin/coracle", 0o755, content.coracle.clone())?;
    for (name, text) in etc(content.board) {
        tree.file(&format!("etc/{name}"), 0o644, text.into_bytes())?;
    }
    let packages = content.packages;
    tree.file("etc/mke2fs.conf", 0o644, packages.content("etc/mke2fs.conf")?.clone())?;
    tree.file("etc/ssl/certs/ca-certificates.crt", 0o644, certificate_bundle(packages))?;
    for (path, node) in packages.below(TIME_ZONES) {
        tree.add(path, node.clone())?;
    }
    let images = coracle_contract::paths::IMAGES.trim_start_matches('/');
    for (path, bytes) in content.images {
        tree.file(&format!("{images}/{path}"), 0o644, bytes.as_slice())?;
    }
    add_file_system_tools(content, &mut tree)?;
    let selection = add_modules(content.modules, kernel, &mut tree)?;
    Ok(Root { tree, module_bytes: selection.size(), module_count: selection.modules().count() })
}

/// Adds what GRUB reads: kernel, initrd, the script with the board's arguments, and the digests that it checks on BIOS
/// machines.
fn add_boot_files(content: &Content<'_>, kernel: &Kernel<'_>, tree: &mut Tree) -> Result<(), Error> {
    if content.slot_script.matches(ARGUMENTS).count() != 1 {
        return Err(Error::SlotScript);
    }
    let script = content.slot_script.replace(ARGUMENTS, &content.board.kernel_arguments.join(" "));
    let image = kernel.image()?;
    let sums = format!("{}  /boot/vmlinuz\n{}  /boot/initrd\n", Digest::of(image), Digest::of(&content.initrd));
    tree.file("boot/vmlinuz", 0o644, image.clone())?;
    tree.file("boot/initrd", 0o644, content.initrd.clone())?;
    tree.file("boot/slot.cfg", 0o644, script.into_bytes())?;
    Ok(tree.file("boot/sha256sums", 0o644, sums.into_bytes())?)
}

/// Small files of `/etc`.
fn etc(board: &Board) -> [(&'static str, String); 5] {
    let version = crate::VERSION;
    let time = crate::IMAGE_TIME;
    let id = &board.id;
    let dataplane = coracle_contract::ids::DATAPLANE;
    [
        (
            "os-release",
            format!(
                "NAME=\"Coracle\"\nID=coracle\nVERSION_ID={version}\nPRETTY_NAME=\"Coracle {version}\"\n\
                 VARIANT_ID={id}\n\
                 CORACLE_BUILD_TIME={time}\n"
            ),
        ),
        (
            "passwd",
            format!(
                "root:x:0:0:root:/root:/sbin/nologin\ndataplane:x:{dataplane}:{dataplane}:dataplane:/:/sbin/nologin\n\
                 nobody:x:65534:65534:nobody:/:/sbin/nologin\n"
            ),
        ),
        ("group", format!("root:x:0:\ndataplane:x:{dataplane}:\nnogroup:x:65534:\n")),
        ("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n".to_owned()),
        ("coracle/board", format!("{id}\n")),
    ]
}

/// All of Debian's certificates in one file, as update-ca-certificates does.
fn certificate_bundle(packages: &Tree) -> Vec<u8> {
    let mut bundle = Vec::new();
    for (_, node) in packages.below(CERTIFICATES) {
        if let Node::File(_, certificate) = node {
            bundle.extend(certificate.iter());
            if !bundle.ends_with(b"\n") {
                bundle.push(b'\n');
            }
        }
    }
    bundle
}

fn add_file_system_tools(content: &Content<'_>, tree: &mut Tree) -> Result<(), Error> {
    let directory = content.board.architecture.debian().library_directory();
    let closure = libraries::closure(content.packages, directory, &FILE_SYSTEM_TOOLS)?;
    for program in FILE_SYSTEM_TOOLS {
        tree.file(program, 0o755, content.packages.content(program)?.clone())?;
    }
    for (name, bytes) in closure.libraries {
        tree.file(&format!("{directory}/{name}"), 0o644, bytes)?;
    }
    let loader = format!("usr/{}", closure.loader_path);
    Ok(tree.file(&loader, 0o755, closure.loader)?)
}

fn add_modules(sets: &ModuleSet, kernel: &Kernel<'_>, tree: &mut Tree) -> Result<Selection, Error> {
    let all = [&sets.initrd, &sets.initrd_devices, &sets.boot, &sets.devices, &sets.request];
    let selection = kernel.select(all.into_iter().flatten())?;
    let directory = format!("usr/lib/modules/{}", kernel.version());
    Index::of(&selection).install(&selection, &directory, tree)?;
    tree.file(&format!("{directory}/modules.builtin"), 0o644, kernel.builtin_list()?.clone())?;
    tree.file("etc/coracle/modules.boot", 0o644, lines(&kernel.names(&sets.boot)?).into_bytes())?;
    let allowed = allowed(&selection, &kernel.names(sets.boot.iter().chain(&sets.request))?);
    tree.file("etc/coracle/modprobe.allow", 0o644, lines(&allowed).into_bytes())?;
    Ok(selection)
}

/// Names and aliases by which the kernel may ask for the modules of the boot and request lists. Device aliases (`pci:...`) are not
/// among them: PID 1 loads for devices, the helper only for the kernel's own requests.
fn allowed(selection: &Selection, names: &[String]) -> Vec<String> {
    let mut allowed = Vec::new();
    for name in names {
        allowed.push(name.clone());
        let aliases = selection.get(name).map_or(&[][..], |module| &module.info.aliases);
        allowed.extend(aliases.iter().filter(|alias| !alias.contains([':', '*', ' '])).cloned());
    }
    allowed.sort();
    allowed.dedup();
    allowed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_joined_with_line_ends() {
        let mut packages = Tree::default();
        packages.file(&format!("{CERTIFICATES}/b.crt"), 0o644, *b"B").unwrap();
        packages.file(&format!("{CERTIFICATES}/a.crt"), 0o644, *b"A\n").unwrap();
        assert_eq!(certificate_bundle(&packages), b"A\nB\n");
    }
}

//! The build itself: from a board's name to a directory with disk, slot and manifest.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use coracle_image_layout::Builder;

use crate::board::{self, Board, Boards, ModuleSet};
use crate::digest::Digest;
use crate::disk::{self, Bios};
use crate::elf::Elf;
use crate::esp;
use crate::files;
use crate::images::{self, Package, Table};
use crate::initrd;
use crate::keys::{self, Keys};
use crate::libraries::{self, Preload, Tools};
use crate::manifest::{Manifest, Output, Sizes};
use crate::modules::{self, Kernel};
use crate::packages::apt::{self, Apt, Settings};
use crate::packages::lock::{self, Architecture, Key, Lock, Role};
use crate::packages::mirror;
use crate::packages::request::{self, List};
use crate::packages::store::{self, Store, Strictness};
use crate::process;
use crate::progress::Progress;
use crate::qcow2;
use crate::root;
use crate::slot::{self, Slot};
use crate::tree::{self, Node, Tree};

/// Debian's suite that images are made of.
const SUITE: &str = "trixie";

/// Where the core image finds `grub.cfg`: the second partition of the disk that it was started from.
const CORE_PREFIX: &str = "(,gpt2)/EFI/BOOT";

const GRUB_BIOS: &str = "usr/lib/grub/i386-pc";

/// Programs of the lock that write image bytes.
const TOOLS: [&str; 2] = ["usr/bin/mksquashfs", "usr/bin/grub-mkimage"];

/// This repository's files that the builder reads.
#[derive(Clone, Debug)]
pub struct Sources {
    root: PathBuf,
}

/// Where packages come from.
#[derive(Clone, Debug)]
pub struct Archive {
    /// Directory of verified package files.
    pub cache: PathBuf,
    /// Whether the network must not be used.
    pub offline: bool,
    /// What to do about versions that have left the archive.
    pub strictness: Strictness,
}

/// A build to be done.
#[derive(Debug)]
pub struct Request<'a> {
    /// Name of the board.
    pub board: &'a str,
    /// `coracle-init` for the board's architecture.
    pub init: &'a Path,
    /// `coracle` for the board's architecture.
    pub coracle: &'a Path,
    /// Key directory.
    pub keys: &'a Path,
    /// Output directory; the board's name is added.
    pub out: &'a Path,
    /// Where packages come from.
    pub archive: Archive,
    /// Offset of the tools' clock (`+3d`), by the lock's libfaketime: how tests show that the time of day does not matter.
    pub tool_clock: Option<&'a str>,
}

/// Why a build stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A board or module set.
    #[error(transparent)]
    Board(#[from] board::Error),
    /// A file.
    #[error(transparent)]
    File(#[from] files::Error),
    /// The keys.
    #[error(transparent)]
    Keys(#[from] keys::Error),
    /// The package lock.
    #[error(transparent)]
    Lock(#[from] lock::Error),
    /// The package list.
    #[error(transparent)]
    Request(#[from] request::Error),
    /// The table of container images.
    #[error(transparent)]
    Table(#[from] images::Invalid),
    /// The container images.
    #[error(transparent)]
    Images(#[from] images::Error),
    /// The packages.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Files of packages.
    #[error("the packages do not fit together")]
    Tree(#[from] tree::Error),
    /// Tools of the lock.
    #[error(transparent)]
    Libraries(#[from] libraries::Error),
    /// An executable that the board cannot run.
    #[error("{} is {what}; a static executable for {architecture} is needed", path.display())]
    Executable {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        what: &'static str,
        /// The board's architecture.
        architecture: &'static str,
    },
    /// The kernel package.
    #[error(transparent)]
    Kernel(#[from] modules::Error),
    /// The initrd.
    #[error("cannot make the initrd")]
    Initrd(#[from] initrd::Error),
    /// The root.
    #[error("cannot make the root")]
    Root(#[from] root::Error),
    /// The slot.
    #[error(transparent)]
    Slot(#[from] slot::Error),
    /// GRUB's core image.
    #[error("cannot make GRUB's core image")]
    Core(#[source] process::Error),
    /// The FAT partition.
    #[error(transparent)]
    Esp(#[from] esp::Error),
    /// The disk.
    #[error(transparent)]
    Disk(#[from] disk::Error),
    /// The manifest.
    #[error("cannot write the manifest")]
    Manifest(#[from] toml::ser::Error),
}

impl Sources {
    /// The repository at `root`.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Board rows and module sets.
    #[must_use]
    pub fn boards(&self) -> PathBuf {
        self.root.join("board-configs")
    }

    /// The package lock.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.root.join("image-builder/packages.lock")
    }

    fn package_list(&self) -> PathBuf {
        self.root.join("image-builder/packages.toml")
    }

    /// The container images.
    fn images(&self) -> PathBuf {
        self.root.join("image-builder/images.toml")
    }

    /// A file of `image-builder/grub/`, whose README says which is which.
    fn grub(&self, name: &str) -> PathBuf {
        self.root.join("image-builder/grub").join(name)
    }

    /// The pinned archive keys.
    ///
    /// # Errors
    /// The directory cannot be listed.
    pub fn archive_keys(&self) -> Result<Vec<PathBuf>, files::Error> {
        let keys = files::list(&self.root.join("image-builder/keys"))?;
        Ok(keys.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "gpg")).collect())
    }
}

/// Makes the current state of the archive the lock; with `keep` what is locked stays as it is.
///
/// # Errors
/// The archive cannot be read or lacks a package, or the lock cannot be read or written.
pub fn update_lock(sources: &Sources, cache: &Path, keep: bool, progress: &Progress) -> Result<Lock, Error> {
    let boards = Boards::load(&sources.boards())?;
    let keys = List::load(&sources.package_list())?.all(boards.all(), &Table::load(&sources.images())?);
    progress.stage("reading the archive's package lists");
    files::create_dirs(cache)?;
    let _alone = files::lock(cache)?;
    let apt = open_archive(sources, cache)?;
    let wanted: Vec<_> = keys.iter().map(|(_, machine, name)| (*machine, name.clone())).collect();
    let offers = store::offers(&apt, &wanted)?;
    let old = if keep { Lock::load(&sources.lock())? } else { Lock::default() };
    let mut lock = Lock::default();
    for key in &keys {
        lock.add(old.get(key).cloned().or_else(|_| store::resolve(key, &offers))?)?;
    }
    files::write(&sources.lock(), lock.text()?.as_bytes())?;
    Ok(lock)
}

/// Fills the package cache for a board, and for the tests when `tests` is set.
///
/// # Errors
/// The lock lacks a package or the archive cannot give it.
pub fn fetch(
    sources: &Sources,
    board: &Board,
    archive: &Archive,
    tests: bool,
    progress: &Progress,
) -> Result<Store, Error> {
    let list = List::load(&sources.package_list())?;
    let host = Architecture::host();
    let mut keys = list.for_board(board, host);
    let images = Table::load(&sources.images())?;
    keys.extend(images.packages(images.of_slots(), board.architecture.debian()));
    if tests {
        keys.extend(list.for_tests(host));
    }
    fill(sources, &keys, archive, progress)
}

/// Writes a program of a package that only tests need, for this host, to the file `out`.
///
/// # Errors
/// The lock lacks the package, the archive cannot give it, it lacks the program, or the file cannot be written.
pub fn extract(
    sources: &Sources,
    (package, program): (&str, &str),
    archive: &Archive,
    out: &Path,
    progress: &Progress,
) -> Result<(), Error> {
    let key = (Role::Test, Architecture::host(), package.to_owned());
    let tree = fill(sources, std::slice::from_ref(&key), archive, progress)?.open(&key)?;
    if let Some(directory) = out.parent() {
        files::create_dirs(directory)?;
    }
    files::write(out, tree.content(program)?)?;
    Ok(files::set_mode(out, 0o755)?)
}

/// Writes the layout of all container images, those of the tests too, for `machine` into the directory `out`, and tells
/// their names.
///
/// # Errors
/// The lock lacks a package, the archive cannot give it, an image cannot be made, or `out` cannot be written.
pub fn write_images(
    sources: &Sources,
    machine: Architecture,
    archive: &Archive,
    out: &Path,
    progress: &Progress,
) -> Result<Vec<String>, Error> {
    let table = Table::load(&sources.images())?;
    let store = fill(sources, &table.packages(table.images(), machine), archive, progress)?;
    progress.stage("making the container images");
    let layout = make_images(&table, table.images(), machine, &store)?;
    layout.write(out).map_err(|source| files::Error::new("write an image layout to", out, source))?;
    Ok(table.images().map(|image| image.name.clone()).collect())
}

fn make_images<'a>(
    table: &Table,
    images: impl Iterator<Item = &'a images::Image>,
    machine: Architecture,
    store: &Store,
) -> Result<Builder, images::Error> {
    images::layout(table, images, machine, |name| {
        let key = (Role::Image, machine, name.to_owned());
        let entry = store.entries().find(|entry| entry.key() == key);
        let version = entry.map(|entry| entry.version.clone()).unwrap_or_default();
        Ok(Package { version, files: store.open(&key)? })
    })
}

fn fill(sources: &Sources, keys: &[Key], archive: &Archive, progress: &Progress) -> Result<Store, Error> {
    let lock = Lock::load(&sources.lock())?;
    let open = || {
        if archive.offline {
            return Err(store::Error::Offline("a locked package".to_owned()));
        }
        progress.stage("reading the archive's package lists");
        open_archive(sources, &archive.cache)
    };
    Ok(Store::fill(&archive.cache, &lock, keys, archive.strictness, progress, open)?)
}

fn open_archive(sources: &Sources, cache: &Path) -> Result<Apt, store::Error> {
    let mirror = mirror::find(Path::new("/etc/apt"))?.ok_or(store::Error::NoMirror)?;
    let keys = sources.archive_keys()?;
    let transport = apt::host_transport()?;
    let settings = Settings { mirror: &mirror, suite: SUITE, keys: &keys, transport: &transport };
    Ok(Apt::update(&cache.join("apt"), &settings)?)
}

/// Builds a board's disk, slot and manifest.
///
/// # Errors
/// See [`Error`].
pub fn build(sources: &Sources, request: &Request<'_>, progress: &Progress) -> Result<Manifest, Error> {
    let boards = Boards::load(&sources.boards())?;
    let board = boards.find(request.board)?;
    let keys = keys::load(request.keys, request.archive.strictness)?;
    let store = fetch(sources, board, &request.archive, request.tool_clock.is_some(), progress)?;
    let out = request.out.join(&board.id);
    files::create_dirs(&out)?;
    let scratch = tempfile::tempdir_in(&out)
        .map_err(|source| files::Error::new("create a scratch directory in", &out, source))?;

    progress.stage("unpacking packages");
    let packages = Packages::open(&store, board)?;
    let tools = Tools::install(
        &packages.tools,
        Architecture::host().library_directory(),
        &TOOLS,
        &scratch.path().join("tools"),
        request.tool_clock.map(|offset| clock(&store, offset)).transpose()?,
    )?;
    let kernel = Kernel::new(&packages.kernel)?;
    progress.stage("making the container images");
    let table = Table::load(&sources.images())?;
    let images = make_images(&table, table.of_slots(), board.architecture.debian(), &store)?;
    let inputs = SlotInputs {
        board,
        modules: boards.modules(board),
        init: executable(request.init, board)?,
        coracle: executable(request.coracle, board)?,
        slot_script: files::read_text(&sources.grub("slot.cfg"))?,
        packages: &packages.slot,
        images: images.files().map_err(images::Error::Layout)?,
        kernel: &kernel,
    };
    let made = make_slot(&inputs, &keys, &tools, scratch.path(), progress)?;

    progress.stage("writing the disk");
    let core_modules = files::read_text(&sources.grub("core-modules.txt"))?;
    let bios = match board.firmware.bios {
        true => Some(make_core(&packages.boot, &core_modules, &tools, scratch.path())?),
        false => None,
    };
    let grub_config = files::read(&sources.grub("grub.cfg"))?;
    let esp = esp::make(board, &grub_config, |efi| {
        let package = store.open(&(Role::Boot, board.architecture.debian(), efi.package.clone()));
        let package = package.map_err(|_| tree::Error::NoFile(efi.package.clone()))?;
        package.content(&efi.path).map(|bytes| bytes.to_vec())
    })?;
    let (raw, qcow2) = (out.join("disk.raw"), out.join("disk.qcow2"));
    disk::write(&disk::Content { board: &board.id, bios, esp, slot: &made.slot }, &raw)?;
    qcow2::convert(&raw, &qcow2)?;
    files::write(&out.join("slot.img"), &made.slot.content)?;
    files::write(&out.join("slot.footer"), &made.slot.footer)?;

    progress.stage("writing the manifest");
    let manifest = manifest(board, &keys, &store, &kernel, &made, &out)?;
    files::write(&out.join("manifest.toml"), toml::to_string(&manifest)?.as_bytes())?;
    Ok(manifest)
}

/// The packages of one build by use, unpacked.
#[derive(Debug)]
struct Packages {
    tools: Tree,
    slot: Tree,
    boot: Tree,
    kernel: Tree,
}

impl Packages {
    fn open(store: &Store, board: &Board) -> Result<Self, Error> {
        let merged = |role: Role| {
            let mut tree = Tree::default();
            for entry in store.entries().filter(|entry| entry.role == role) {
                tree.merge_first(&store.open(&entry.key())?);
            }
            Ok::<_, Error>(tree)
        };
        let kernel: Key = (Role::Kernel, board.architecture.debian(), board.kernel_package.clone());
        Ok(Self {
            tools: merged(Role::Tool)?,
            slot: merged(Role::Slot)?,
            boot: merged(Role::Boot)?,
            kernel: store.open(&kernel)?,
        })
    }
}

/// A slot and the sizes on the way to it.
struct Made {
    slot: Slot,
    initrd: usize,
    root: u64,
    module_bytes: usize,
    module_count: usize,
}

/// The library that moves the tools' clock.
fn clock(store: &Store, offset: &str) -> Result<Preload, Error> {
    let host = Architecture::host();
    let package = store.open(&(Role::Test, host, "libfaketime".to_owned()))?;
    let library = package.content(&format!("{}/faketime/libfaketimeMT.so.1", host.library_directory()))?;
    // Threads that wait for each other measure with the monotonic clock.
    let variables = vec![("FAKETIME", offset.to_owned()), ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned())];
    Ok(Preload { library: Arc::clone(library), variables })
}

/// Reads an executable, and refuses one for another machine or with an interpreter: the root has libraries for e2fsprogs
/// alone.
fn executable(path: &Path, board: &Board) -> Result<Arc<[u8]>, Error> {
    let bytes = files::read(path)?;
    let refuse = |what| Error::Executable { path: path.to_owned(), what, architecture: board.architecture.name() };
    let elf = Elf::parse(&bytes).map_err(|_| refuse("not an executable"))?;
    if elf.machine() != Ok(board.architecture.debian().elf_machine()) {
        return Err(refuse("for another architecture"));
    }
    if elf.interpreter().is_some() {
        return Err(refuse("dynamically linked"));
    }
    Ok(bytes.into())
}

/// What a slot is made of.
struct SlotInputs<'a> {
    board: &'a Board,
    modules: ModuleSet,
    init: Arc<[u8]>,
    coracle: Arc<[u8]>,
    slot_script: String,
    packages: &'a Tree,
    images: BTreeMap<String, Vec<u8>>,
    kernel: &'a Kernel<'a>,
}

fn make_slot(
    inputs: &SlotInputs<'_>,
    keys: &Keys,
    tools: &Tools,
    scratch: &Path,
    progress: &Progress,
) -> Result<Made, Error> {
    let SlotInputs { board, modules, kernel, .. } = inputs;
    progress.stage("making the initrd");
    let content = initrd::Content { board, modules, init: Arc::clone(&inputs.init), footer_keys: &keys.trusted };
    let initrd: Arc<[u8]> = initrd::make(&content, kernel)?.into();
    progress.stage("composing the root");
    let content = root::Content {
        board,
        modules,
        init: Arc::clone(&inputs.init),
        coracle: Arc::clone(&inputs.coracle),
        packages: inputs.packages,
        images: &inputs.images,
        initrd: Arc::clone(&initrd),
        slot_script: &inputs.slot_script,
    };
    let root = root::make(&content, kernel)?;
    progress.stage("making the slot");
    let image = slot::squash(&root.tree, tools, scratch)?;
    let plain = root.tree.nodes().map(|(_, node)| if let Node::File(_, bytes) = node { bytes.len() as u64 } else { 0 });
    Ok(Made {
        slot: slot::seal(image, board, &keys.signing)?,
        initrd: initrd.len(),
        root: plain.sum(),
        module_bytes: root.module_bytes,
        module_count: root.module_count,
    })
}

/// GRUB for BIOS machines, from the lock's modules by the lock's grub-mkimage.
fn make_core(boot: &Tree, core_modules: &str, tools: &Tools, scratch: &Path) -> Result<Bios, Error> {
    let (directory, core) = (scratch.join("grub"), scratch.join("core.img"));
    let mut modules = Tree::default();
    for (path, node) in boot.below(GRUB_BIOS) {
        modules.add(&path[GRUB_BIOS.len() + 1..], node.clone())?;
    }
    files::create_dirs(&directory)?;
    modules.write_to(&directory)?;
    tools
        .program("grub-mkimage")
        .arguments(["--format=i386-pc", "--prefix", CORE_PREFIX, "--directory"])
        .argument(&directory)
        .argument("--output")
        .argument(&core)
        .arguments(core_modules.lines().filter(|line| !line.is_empty() && !line.starts_with('#')))
        .run()
        .map_err(Error::Core)?;
    Ok(Bios { boot_image: modules.content("boot.img")?.to_vec(), core: files::read(&core)? })
}

fn manifest(
    board: &Board,
    keys: &Keys,
    store: &Store,
    kernel: &Kernel<'_>,
    made: &Made,
    out: &Path,
) -> Result<Manifest, Error> {
    let mut output = Vec::new();
    for name in ["disk.raw", "disk.qcow2", "slot.img", "slot.footer"] {
        let path = out.join(name);
        let bytes = size(&path)?;
        output.push(Output { name: name.to_owned(), bytes, sha256: Digest::of_file(&path)? });
    }
    Ok(Manifest {
        board: board.id.clone(),
        architecture: board.architecture.name(),
        version: crate::VERSION,
        kernel: kernel.version().to_owned(),
        module_count: made.module_count,
        key_id: keys.id.to_string(),
        key_role: keys.role.name(),
        root_hash: hex::encode(made.slot.root_hash),
        trust_level: board.trust_level,
        sizes: Sizes {
            kernel: kernel.image()?.len() as u64,
            initrd: made.initrd as u64,
            modules: made.module_bytes as u64,
            root: made.root,
            squashfs: made.slot.image_bytes as u64,
            slot: made.slot.content.len() as u64,
            disk: size(&out.join("disk.raw"))?,
            qcow2: size(&out.join("disk.qcow2"))?,
        },
        output,
        package: store.entries().filter(|entry| entry.role != Role::Test).cloned().collect(),
    })
}

fn size(path: &Path) -> Result<u64, files::Error> {
    Ok(std::fs::metadata(path).map_err(|source| files::Error::new("stat", path, source))?.len())
}

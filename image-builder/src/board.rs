//! Boards: one TOML file each in `board-configs/`. A new board is a file, not code.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::files;
use crate::packages::lock;

/// Machine architecture, as the footer names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    /// 64-bit x86.
    #[serde(rename = "x86_64")]
    X86_64,
    /// 64-bit Arm.
    Aarch64,
}

/// A file of a locked package that the firmware or a boot loader reads from the FAT.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct EfiFile {
    /// Name of the package, as in `packages.toml`.
    pub package: String,
    /// Path in the package.
    pub path: String,
    /// Name below `/EFI/BOOT/` on the FAT.
    pub name: String,
}

/// How the board's firmware starts GRUB.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Firmware {
    /// Files for UEFI machines.
    pub efi: Vec<EfiFile>,
    /// Whether the disk also carries a boot sector and core image for BIOS machines.
    pub bios: bool,
}

/// A board row: what its file says, and its name from the file's name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Board {
    /// Identity in the footer and in `/etc/coracle/board`: the file's name without `.toml`.
    #[serde(skip)]
    pub id: String,
    /// One sentence for people.
    pub description: String,
    /// Machine architecture.
    pub architecture: Architecture,
    /// Debian package of the kernel; a meta package, resolved by the lock.
    pub kernel_package: String,
    /// Kernel arguments of `slot.cfg`, beside those that the chooser passes.
    pub kernel_arguments: Vec<String>,
    /// Names of module sets in `board-configs/module-sets/`, in the order of loading.
    pub module_sets: Vec<String>,
    /// 0: damage and remote attackers; 1: also starts with Secure Boot on. ARCHITECTURE.md explains the levels.
    pub trust_level: u8,
    /// How the firmware starts GRUB.
    pub firmware: Firmware,
}

/// A named set of kernel modules. Entries are module names, or directories of the module tree ending in `/`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ModuleSet {
    /// One sentence for people.
    pub description: String,
    /// Loaded in the initrd, in this order, before the disk is looked for.
    #[serde(default)]
    pub initrd: Vec<String>,
    /// In the initrd, loaded there when a device asks for them by modalias.
    #[serde(default)]
    pub initrd_devices: Vec<String>,
    /// Loaded by PID 1 on the root, in this order.
    #[serde(default)]
    pub boot: Vec<String>,
    /// In the root, loaded when a device asks for them by modalias.
    #[serde(default)]
    pub devices: Vec<String>,
    /// In the root, loaded when the kernel asks for them by name or alias: the helper's allow-list.
    #[serde(default)]
    pub request: Vec<String>,
}

/// Why a board cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file is not readable.
    #[error(transparent)]
    File(#[from] files::Error),
    /// A file does not follow the schema.
    #[error("{path} does not follow the schema")]
    Parse {
        /// The file.
        path: String,
        /// What is wrong with it.
        source: Box<toml::de::Error>,
    },
    /// There is no such board.
    #[error("there is no board {wanted}; known boards: {known}")]
    Unknown {
        /// The name asked for.
        wanted: String,
        /// The names there are.
        known: String,
    },
    /// A board names a module set without file.
    #[error("board {board} names the module set {set}, which has no file")]
    NoSet {
        /// The board.
        board: String,
        /// The set.
        set: String,
    },
    /// A value that the formats cannot hold.
    #[error("board {board}: {what}")]
    Value {
        /// The board.
        board: String,
        /// What is wrong.
        what: &'static str,
    },
}

/// All boards and module sets of a `board-configs` directory.
#[derive(Clone, Debug)]
pub struct Boards {
    boards: Vec<Board>,
    sets: BTreeMap<String, ModuleSet>,
}

impl Architecture {
    /// The name in footers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        }
    }

    /// The name in Debian.
    #[must_use]
    pub const fn debian(self) -> lock::Architecture {
        match self {
            Self::X86_64 => lock::Architecture::Amd64,
            Self::Aarch64 => lock::Architecture::Arm64,
        }
    }
}

impl Boards {
    /// Reads all boards and module sets, and checks that they fit together.
    ///
    /// # Errors
    /// A file is unreadable or breaks the schema, or a board names a set that is not there.
    pub fn load(directory: &Path) -> Result<Self, Error> {
        let sets: BTreeMap<String, ModuleSet> = read_all(&directory.join("module-sets"))?.into_iter().collect();
        let mut boards = Vec::new();
        for (id, board) in read_all::<Board>(directory)? {
            let board = Board { id, ..board };
            board.check(&sets)?;
            boards.push(board);
        }
        Ok(Self { boards, sets })
    }

    /// All boards by name.
    #[must_use]
    pub fn all(&self) -> &[Board] {
        &self.boards
    }

    /// The board of that name.
    ///
    /// # Errors
    /// There is none.
    pub fn find(&self, id: &str) -> Result<&Board, Error> {
        self.boards.iter().find(|board| board.id == id).ok_or_else(|| Error::Unknown {
            wanted: id.to_owned(),
            known: self.boards.iter().map(|board| board.id.as_str()).collect::<Vec<_>>().join(", "),
        })
    }

    /// The module sets of a board, merged in the board's order.
    #[must_use]
    pub fn modules(&self, board: &Board) -> ModuleSet {
        let mut merged = ModuleSet { description: board.description.clone(), ..ModuleSet::default() };
        for set in board.module_sets.iter().filter_map(|name| self.sets.get(name)) {
            merged.initrd.extend_from_slice(&set.initrd);
            merged.initrd_devices.extend_from_slice(&set.initrd_devices);
            merged.boot.extend_from_slice(&set.boot);
            merged.devices.extend_from_slice(&set.devices);
            merged.request.extend_from_slice(&set.request);
        }
        merged
    }
}

impl Board {
    fn check(&self, sets: &BTreeMap<String, ModuleSet>) -> Result<(), Error> {
        let board = || self.id.clone();
        let value = |what| Err(Error::Value { board: board(), what });
        if let Some(set) = self.module_sets.iter().find(|set| !sets.contains_key(*set)) {
            return Err(Error::NoSet { board: board(), set: set.clone() });
        }
        // The arguments are pasted into a GRUB script.
        let plain = |argument: &String| {
            !argument.is_empty()
                && argument.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._,:=-/".contains(&byte))
        };
        if !self.kernel_arguments.iter().all(plain) {
            return value("a kernel argument is empty or has characters that mean something to GRUB");
        }
        if self.kernel_arguments.iter().any(|argument| argument.starts_with("coracle.")) {
            return value("coracle.* arguments belong to the slot chooser");
        }
        if self.firmware.efi.is_empty() {
            return value("no EFI files");
        }
        Ok(())
    }
}

/// Name and content of each `.toml` file of a directory.
fn read_all<T: serde::de::DeserializeOwned>(directory: &Path) -> Result<Vec<(String, T)>, Error> {
    let mut found = Vec::new();
    for path in files::list(directory)? {
        let is_toml = path.extension().is_some_and(|extension| extension == "toml");
        let Some(name) = path.file_stem().and_then(|stem| stem.to_str()).filter(|_| is_toml) else { continue };
        let value = toml::from_str(&files::read_text(&path)?)
            .map_err(|source| Error::Parse { path: path.display().to_string(), source: Box::new(source) })?;
        found.push((name.to_owned(), value));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOARD: &str = "description = \"d\"\narchitecture = \"x86_64\"\nkernel-package = \"k\"\n\
        kernel-arguments = [\"panic=10\"]\nmodule-sets = []\ntrust-level = 1\n\
        [firmware]\nbios = true\nefi = [{ package = \"p\", path = \"f\", name = \"BOOTX64.EFI\" }]\n";

    fn load(board: &str) -> Result<Boards, Error> {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("module-sets")).unwrap();
        std::fs::write(directory.path().join("x.toml"), board).unwrap();
        Boards::load(directory.path())
    }

    #[test]
    fn a_board_is_named_by_its_file_and_unknown_names_list_the_known() {
        let boards = load(BOARD).unwrap();
        assert_eq!(boards.find("x").unwrap().id, "x");
        assert!(boards.find("y").unwrap_err().to_string().ends_with("known boards: x"));
    }

    #[test]
    fn what_the_schema_or_the_formats_do_not_know_is_refused() {
        for (from, to) in [
            ("trust-level", "trustlevel"),
            ("x86_64", "riscv64"),
            ("module-sets = []", "module-sets = [\"none\"]"),
            ("panic=10", "a;reboot"),
            ("panic=10", "coracle.slot=a"),
            ("bios = true\n", ""),
        ] {
            assert!(load(&BOARD.replace(from, to)).is_err(), "{from} -> {to}");
        }
    }

    #[test]
    fn the_committed_boards_follow_the_schema() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../board-configs");
        let boards = Boards::load(&directory).unwrap();
        let ids: Vec<&str> = boards.all().iter().map(|board| board.id.as_str()).collect();
        assert_eq!(ids, ["arm64-vm", "arm64", "x86_64-vm", "x86_64"]);
        for board in boards.all() {
            assert!(board.id.len() <= 32, "the footer holds 32 bytes of the board's name");
            let arguments = &board.kernel_arguments;
            for wanted in ["panic=10", "oops=panic"] {
                assert!(arguments.iter().any(|argument| argument == wanted), "{} lacks {wanted}", board.id);
            }
            assert!(boards.modules(board).boot.iter().any(|module| module == "quota_v2"), "{}", board.id);
        }
    }
}

//! `manifest.toml`: what was built from what, with sizes and digests.

use std::fmt;

use serde::Serialize;

use crate::digest::Digest;
use crate::packages::lock::Entry;

/// One file of the build's output.
#[derive(Debug, Serialize)]
pub struct Output {
    /// File name in the output directory.
    pub name: String,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 of its content.
    pub sha256: Digest,
}

/// Sizes in bytes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Sizes {
    /// Kernel image.
    pub kernel: u64,
    /// Compressed initrd.
    pub initrd: u64,
    /// Kernel modules of the root, uncompressed.
    pub modules: u64,
    /// Files of the root, uncompressed.
    pub root: u64,
    /// Squashfs image.
    pub squashfs: u64,
    /// Squashfs image with verity tree.
    pub slot: u64,
    /// The raw disk, holes included.
    pub disk: u64,
    /// The qcow2 file.
    pub qcow2: u64,
}

/// The manifest.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Manifest {
    /// Board.
    pub board: String,
    /// Machine architecture.
    pub architecture: &'static str,
    /// OS version.
    pub version: &'static str,
    /// Kernel release.
    pub kernel: String,
    /// Number of kernel modules in the root.
    pub module_count: usize,
    /// Key that signed the footer.
    pub key_id: String,
    /// Its role.
    pub key_role: &'static str,
    /// Root hash of the verity tree.
    pub root_hash: String,
    /// Trust level of the board.
    pub trust_level: u8,
    /// Sizes.
    pub sizes: Sizes,
    /// Files beside this one.
    pub output: Vec<Output>,
    /// Packages that it was made of, tools included.
    pub package: Vec<Entry>,
}

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = [
            ("kernel", self.kernel),
            ("initrd", self.initrd),
            ("modules (plain)", self.modules),
            ("root (plain)", self.root),
            ("squashfs", self.squashfs),
            ("slot with verity", self.slot),
            ("disk.raw", self.disk),
            ("disk.qcow2", self.qcow2),
        ];
        rows.iter().try_for_each(|(name, bytes)| {
            let tenths = bytes * 10 / (1 << 20);
            writeln!(f, "  {name:<18} {:>6}.{} MiB", tenths / 10, tenths % 10)
        })
    }
}

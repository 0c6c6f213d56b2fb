//! A slot: squashfs image, verity tree and signed footer.
//!
//! The squashfs is gzip because GRUB 2.12 reads no zstd; what GRUB reads (`/boot`) is stored plain, so that it is read at
//! the speed of the disk and a damaged block is not fed to a decompressor.

use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::Path;

use coracle_slots::footer::{FOOTER_BYTES, Footer, KeyId, Text, TextError};
use coracle_slots::layout::Role;
use coracle_slots::verity::{self, BLOCK, Params};
use ed25519_dalek::SigningKey;

use crate::board::Board;
use crate::digest::Digest;
use crate::files;
use crate::libraries::Tools;
use crate::process;
use crate::tree::Tree;

/// Devices that have run a slot with this number accept none with a lower one.
const SECURITY_FLOOR: u32 = 1;

/// A slot, ready to be written into its partition.
#[derive(Debug)]
pub struct Slot {
    /// Bytes of the squashfs image, whole blocks.
    pub image_bytes: usize,
    /// Image and verity tree.
    pub content: Vec<u8>,
    /// The partition's last 4,096 bytes.
    pub footer: [u8; FOOTER_BYTES],
    /// Root hash of the verity tree.
    pub root_hash: [u8; 32],
}

/// Why a slot cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] files::Error),
    /// The tool fails.
    #[error("cannot make the squashfs image")]
    Tool(#[source] process::Error),
    /// The tree cannot be built.
    #[error("cannot build the verity tree")]
    Verity(#[source] verity::Error),
    /// A name is too long for the footer.
    #[error("the footer cannot hold {0:?}")]
    Text(String, #[source] TextError),
    /// The slot does not fit.
    #[error("the slot has {size} bytes, its partition {available}")]
    Size {
        /// Bytes of image, tree and footer.
        size: u64,
        /// Bytes of the partition.
        available: u64,
    },
}

/// Makes the squashfs image of a tree in `scratch`.
///
/// # Errors
/// The tree cannot be written or mksquashfs fails.
pub fn squash(root: &Tree, tools: &Tools, scratch: &Path) -> Result<Vec<u8>, Error> {
    let (staging, image) = (scratch.join("root"), scratch.join("root.squashfs"));
    files::create_dirs(&staging)?;
    // mksquashfs takes the mode of the image's root from here; the umask must not decide it.
    files::set_mode(&staging, 0o755)?;
    root.write_to(&staging)?;
    let time = crate::IMAGE_TIME.to_string();
    tools
        .program("mksquashfs")
        .argument(&staging)
        .argument(&image)
        .arguments(["-noappend", "-no-progress", "-quiet", "-no-xattrs", "-all-root"])
        .arguments(["-mkfs-time", &time, "-all-time", &time])
        .arguments(["-comp", "gzip", "-Xcompression-level", "9", "-b", "131072"])
        .arguments(["-action", "uncompressed@subpathname(boot)", "-action", "no-fragments@subpathname(boot)"])
        .run()
        .map_err(Error::Tool)?;
    let mut bytes = Vec::new();
    let file = File::open(&image).map_err(|source| files::Error::new("open", &image, source))?;
    BufReader::new(file).read_to_end(&mut bytes).map_err(|source| files::Error::new("read", &image, source))?;
    Ok(bytes)
}

/// Adds verity tree and footer to a squashfs image.
///
/// The salt is the image's own digest: not secret, different for different images, and the same at the next build.
///
/// # Errors
/// The board's names do not fit the footer or the slot does not fit its partition.
pub fn seal(image: Vec<u8>, board: &Board, key: &SigningKey) -> Result<Slot, Error> {
    let exact = image.len();
    let mut content = image;
    content.resize(exact.next_multiple_of(BLOCK), 0);
    let image_bytes = content.len();
    let blocks = (image_bytes / BLOCK) as u64;
    let salt = *Digest::of_parts(&[b"coracle verity salt\0", &content]).bytes();
    let tree = verity::Tree::build(&content[..], blocks, &salt).map_err(Error::Verity)?;
    content.extend(&tree.bytes);
    let available = Role::SlotA.size_bytes().unwrap_or(0);
    let size = (content.len() + FOOTER_BYTES) as u64;
    if size > available {
        return Err(Error::Size { size, available });
    }
    let footer = Footer {
        board: text(&board.id)?,
        architecture: text(board.architecture.name())?,
        version: text(crate::VERSION)?,
        security_floor: SECURITY_FLOOR,
        image_bytes: exact as u64,
        verity: Params { data_blocks: blocks, hash_start_block: blocks, salt, root_hash: tree.root_hash },
        key_id: KeyId::NONE,
    };
    Ok(Slot { image_bytes, content, footer: footer.sign(key), root_hash: tree.root_hash })
}

fn text<const N: usize>(value: &str) -> Result<Text<N>, Error> {
    Text::new(value).map_err(|source| Error::Text(value.to_owned(), source))
}

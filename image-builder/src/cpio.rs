//! Writer of `newc` cpio archives, the format of an initrd. Same tree, same bytes: inode numbers count from 1 and all
//! times are [`crate::IMAGE_TIME`].

use std::fmt::Write as _;

use crate::IMAGE_TIME;
use crate::tree::{Node, Tree};

/// File type bits of a mode.
const DIRECTORY: u32 = 0o040_000;
const REGULAR: u32 = 0o100_000;
const LINK: u32 = 0o120_000;

/// An entry's data or a number in it does not fit its eight hexadecimal digits.
#[derive(Debug, thiserror::Error)]
#[error("{0} is too large for a cpio archive")]
pub struct TooLarge(String);

/// The archive of a tree. All entries belong to user and group 0.
///
/// # Errors
/// A file of 4 GiB or more.
pub fn archive(tree: &Tree) -> Result<Vec<u8>, TooLarge> {
    let mut bytes = Vec::new();
    for (inode, (path, node)) in (1u32..).zip(tree.nodes()) {
        let (mode, data): (u32, &[u8]) = match node {
            Node::Directory(mode) => (DIRECTORY | mode, &[]),
            Node::File(mode, content) => (REGULAR | mode, content),
            Node::Symlink(target) => (LINK | 0o777, target.as_bytes()),
        };
        let links = if matches!(node, Node::Directory(_)) { 2 } else { 1 };
        entry(&mut bytes, path, inode, mode, links, data)?;
    }
    entry(&mut bytes, "TRAILER!!!", 0, 0, 1, &[])?;
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    Ok(bytes)
}

fn entry(bytes: &mut Vec<u8>, path: &str, inode: u32, mode: u32, links: u32, data: &[u8]) -> Result<(), TooLarge> {
    let too_large = |_| TooLarge(path.to_owned());
    let size = u32::try_from(data.len()).map_err(too_large)?;
    let name_size = u32::try_from(path.len() + 1).map_err(too_large)?;
    let time = if inode == 0 { 0 } else { IMAGE_TIME };
    let mut header = "070701".to_owned();
    for field in [inode, mode, 0, 0, links, time, size, 0, 0, 0, 0, name_size, 0] {
        // Writing to a String cannot fail.
        let _ = write!(header, "{field:08X}");
    }
    bytes.extend(header.as_bytes());
    bytes.extend(path.as_bytes());
    bytes.push(0);
    pad(bytes);
    bytes.extend(data);
    pad(bytes);
    Ok(())
}

/// Headers and data start at multiples of four.
fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

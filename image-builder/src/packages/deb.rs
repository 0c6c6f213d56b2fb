//! Reader of Debian binary packages: an `ar` archive whose `data.tar` member holds the files.
//!
//! Own code rather than the host's dpkg-deb, so that every Debian release (and any other host) reads the same bytes.

use std::io::{Cursor, Read as _};

use crate::tree::{self, Node, Tree};

/// Why a package cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The outer archive is damaged.
    #[error("not an ar archive, or cut short")]
    Archive,
    /// There is no `data.tar` in a known compression.
    #[error("no data.tar, data.tar.xz or data.tar.zst member")]
    NoData,
    /// The member cannot be decompressed or is no tar.
    #[error("cannot unpack data.tar")]
    Unpack(#[source] std::io::Error),
    /// The files do not form a tree.
    #[error("the package's paths collide")]
    Tree(#[source] tree::Error),
    /// A path is not UTF-8.
    #[error("a path in the package is not UTF-8")]
    Encoding,
}

/// The files of a package. Hard links become second files, device nodes do not occur in packages and are left out.
///
/// # Errors
/// The package is damaged.
pub fn read(bytes: &[u8]) -> Result<Tree, Error> {
    let data = members(bytes)?
        .into_iter()
        .find_map(|(name, content)| {
            let suffix = name.strip_prefix("data.tar")?;
            Some(match suffix {
                "" => Ok(content.to_vec()),
                ".xz" => unxz(content),
                ".zst" => zstd::decode_all(content),
                _ => return None,
            })
        })
        .ok_or(Error::NoData)?
        .map_err(Error::Unpack)?;
    unpack(&data)
}

/// Decompresses an xz stream.
///
/// # Errors
/// The stream is damaged.
pub fn unxz(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    liblzma::read::XzDecoder::new_multi_decoder(bytes).read_to_end(&mut plain)?;
    Ok(plain)
}

/// Names and contents of an `ar` archive's members.
fn members(bytes: &[u8]) -> Result<Vec<(&str, &[u8])>, Error> {
    let mut rest = bytes.strip_prefix(b"!<arch>\n").ok_or(Error::Archive)?;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let header = rest.get(..60).ok_or(Error::Archive)?;
        let field = |range: std::ops::Range<usize>| {
            header.get(range).and_then(|field| std::str::from_utf8(field).ok()).map(str::trim_end).ok_or(Error::Archive)
        };
        let name = field(0..16)?.trim_end_matches('/');
        let size: usize = field(48..58)?.parse().map_err(|_| Error::Archive)?;
        let end = size.checked_add(60).ok_or(Error::Archive)?;
        found.push((name, rest.get(60..end).ok_or(Error::Archive)?));
        // Members start at even offsets; the last one may lack its padding.
        rest = rest.get(end + size % 2..).unwrap_or_default();
    }
    Ok(found)
}

fn unpack(data: &[u8]) -> Result<Tree, Error> {
    let mut tree = Tree::default();
    let mut archive = tar::Archive::new(Cursor::new(data));
    for entry in archive.entries().map_err(Error::Unpack)? {
        let mut entry = entry.map_err(Error::Unpack)?;
        let path = plain_path(&entry.path_bytes())?;
        if path.is_empty() {
            continue;
        }
        let mode = entry.header().mode().map_err(Error::Unpack)? & 0o7777;
        let node = match entry.header().entry_type() {
            tar::EntryType::Directory => Node::Directory(mode),
            tar::EntryType::Regular | tar::EntryType::Continuous => {
                let mut content = Vec::new();
                entry.read_to_end(&mut content).map_err(Error::Unpack)?;
                Node::File(mode, content.into())
            }
            tar::EntryType::Symlink => {
                let target = entry.link_name_bytes().unwrap_or_default();
                Node::Symlink(String::from_utf8(target.into_owned()).map_err(|_| Error::Encoding)?)
            }
            tar::EntryType::Link => {
                let target = plain_path(&entry.link_name_bytes().unwrap_or_default())?;
                Node::File(mode, tree.content(&target).map_err(Error::Tree)?.clone())
            }
            _ => continue,
        };
        tree.add(&path, node).map_err(Error::Tree)?;
    }
    Ok(tree)
}

/// `./usr/bin/` → `usr/bin`.
fn plain_path(raw: &[u8]) -> Result<String, Error> {
    let path = std::str::from_utf8(raw).map_err(|_| Error::Encoding)?;
    Ok(path.strip_prefix("./").unwrap_or(path).trim_matches('/').trim_start_matches('.').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(data_name: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = b"!<arch>\n".to_vec();
        for (name, content) in [("debian-binary", &b"2.0\n"[..]), ("control.tar.xz", b"odd"), (data_name, data)] {
            bytes.extend(format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 100_644, content.len()).bytes());
            bytes.extend(content);
            if content.len() % 2 == 1 {
                bytes.push(b'\n');
            }
        }
        bytes
    }

    fn data() -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        let mut add = |kind, path: &str, link: Option<&str>, content: &[u8]| {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(kind);
            header.set_mode(0o4755);
            header.set_size(content.len() as u64);
            if let Some(link) = link {
                builder.append_link(&mut header, path, link).unwrap();
            } else {
                builder.append_data(&mut header, path, content).unwrap();
            }
        };
        add(tar::EntryType::Directory, "./usr/", None, b"");
        add(tar::EntryType::Regular, "./usr/a", None, b"content");
        add(tar::EntryType::Symlink, "./usr/s", Some("../usr/a"), b"");
        add(tar::EntryType::Link, "./usr/h", Some("./usr/a"), b"");
        builder.into_inner().unwrap()
    }

    #[test]
    fn all_compressions_give_the_same_tree() {
        let mut xz = Vec::new();
        liblzma::read::XzEncoder::new(&data()[..], 1).read_to_end(&mut xz).unwrap();
        let zst = zstd::encode_all(&data()[..], 1).unwrap();
        for (name, bytes) in [("data.tar", data()), ("data.tar.xz", xz), ("data.tar.zst", zst)] {
            let tree = read(&package(name, &bytes)).unwrap();
            assert_eq!(tree.get("usr/a"), Some(&Node::File(0o4755, (*b"content").into())), "{name}");
            assert_eq!(tree.get("usr/s"), Some(&Node::Symlink("../usr/a".into())), "{name}");
            assert_eq!(tree.content("usr/h").unwrap().as_ref(), b"content", "{name}");
        }
    }

    #[test]
    fn damaged_packages_are_refused() {
        assert!(matches!(read(b"not an archive"), Err(Error::Archive)));
        assert!(matches!(read(&package("data.tar.lzma", b"x")), Err(Error::NoData)));
        assert!(matches!(read(&package("data.tar.xz", b"not xz")), Err(Error::Unpack(_))));
        let whole = package("data.tar", &data());
        assert!(matches!(read(&whole[..whole.len() - 40]), Err(Error::Archive)));
    }
}

//! Finds the images that `image-builder` has made.

use crate::error::{Error, Result};
use crate::machine::Machine;
use ed25519_dalek::SigningKey;
use std::path::{Path, PathBuf};

/// The built files of one board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    board: &'static str,
    directory: PathBuf,
}

impl Image {
    /// The image that this machine kind boots, below `CORACLE_IMAGES` or the workspace's `target/images`.
    #[must_use]
    pub fn of(machine: &Machine) -> Self {
        let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/images");
        let root = std::env::var_os("CORACLE_IMAGES").map_or(beside, PathBuf::from);
        Self { board: machine.board, directory: root.join(machine.board) }
    }

    /// The raw disk image, truncated after SLOT-A.
    ///
    /// # Errors
    /// It has not been built; the error names the command.
    pub fn disk(&self) -> Result<PathBuf> {
        self.file("disk.raw")
    }

    /// Another file of the build.
    ///
    /// # Errors
    /// It has not been built; the error names the command.
    pub fn file(&self, name: &str) -> Result<PathBuf> {
        let path = self.directory.join(name);
        if path.is_file() {
            return Ok(path);
        }
        let command = format!(".ci/images {}", self.board);
        Err(Error::MissingImage { path, command })
    }
}

/// The development key that signed the images, from the directory that `image-builder` uses by default or from
/// `CORACLE_KEYS`. A fault that changes a slot signs it again with this key.
///
/// # Errors
/// There is no key, which means that no image was built on this machine.
pub fn development_key() -> Result<SigningKey> {
    let home = || std::env::var_os("HOME").map_or_else(|| PathBuf::from("/root"), PathBuf::from);
    let data = || std::env::var_os("XDG_DATA_HOME").map_or_else(|| home().join(".local/share"), PathBuf::from);
    let directory = std::env::var_os("CORACLE_KEYS").map_or_else(|| data().join("coracle/keys"), PathBuf::from);
    let path = directory.join("signing.key");
    let text = std::fs::read_to_string(&path).map_err(Error::file("read development key", &path))?;
    let seed = seed(text.trim()).ok_or_else(|| Error::Unexpected {
        subject: path.display().to_string(),
        message: "it does not hold 64 hexadecimal digits".into(),
    })?;
    Ok(SigningKey::from_bytes(&seed))
}

fn seed(text: &str) -> Option<[u8; 32]> {
    let mut seed = [0; 32];
    if text.len() != 2 * seed.len() {
        return None;
    }
    for (index, byte) in seed.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_image_names_the_command() {
        let image = Image { board: "arm64-vm", directory: "/nonexistent/arm64-vm".into() };
        let text = image.disk().unwrap_err().to_string();
        assert!(text.contains("/nonexistent/arm64-vm/disk.raw") && text.contains(".ci/images arm64-vm"), "{text}");
    }

    #[test]
    fn a_key_is_64_digits() {
        let text = "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1fff";
        assert_eq!(seed(text).map(|seed| (seed[0], seed[31])), Some((1, 255)));
        for bad in [&text[1..], "", &text.replace('f', "g"), &text.replace("01", "é")] {
            assert_eq!(seed(bad), None, "{bad}");
        }
    }
}

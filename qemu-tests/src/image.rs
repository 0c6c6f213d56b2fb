//! Finds the images that `image-builder` has made.

use crate::error::{Error, Result};
use crate::machine::Machine;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_image_names_the_command() {
        let image = Image { board: "arm64-vm", directory: "/nonexistent/arm64-vm".into() };
        let text = image.disk().unwrap_err().to_string();
        assert!(text.contains("/nonexistent/arm64-vm/disk.raw") && text.contains(".ci/images arm64-vm"), "{text}");
    }
}

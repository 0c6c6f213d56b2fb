//! Disks of guests: copy-on-write overlays over built images, blank ones, and changes made from outside.
//!
//! A disk is read and changed only while no guest uses it; QEMU's own image lock refuses anything else.

use crate::error::{Error, Result};
use crate::process;
use std::path::{Path, PathBuf};

/// A qcow2 file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    path: PathBuf,
}

impl Disk {
    /// A disk that exists.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// An empty disk of this size in bytes.
    ///
    /// # Errors
    /// `qemu-img` failed.
    pub fn blank(path: impl Into<PathBuf>, bytes: u64) -> Result<Self> {
        let disk = Self::at(path);
        image_tool(&["create", "-q", "-f", "qcow2", &disk.text(), &bytes.to_string()])?;
        Ok(disk)
    }

    /// A disk of this size onto whose beginning a raw image was written, without copying it.
    ///
    /// # Errors
    /// `qemu-img` failed, for example because the image is larger.
    pub fn flashed(path: impl Into<PathBuf>, image: &Path, bytes: u64) -> Result<Self> {
        let disk = Self::at(path);
        let image_bytes = image.metadata().map_err(Error::file("measure", image))?.len();
        if image_bytes > bytes {
            let message = format!("the image has {image_bytes} bytes and does not fit a disk of {bytes}");
            return Err(Error::Disk { subject: disk.text(), message });
        }
        let backing = image.canonicalize().map_err(Error::file("find", image))?.display().to_string();
        image_tool(&["create", "-q", "-f", "qcow2", "-F", "raw", "-b", &backing, &disk.text(), &bytes.to_string()])?;
        Ok(disk)
    }

    /// A copy in its present state: a second device flashed from the same image, or a state to return to.
    ///
    /// # Errors
    /// The copy failed.
    pub fn copy_to(&self, path: impl Into<PathBuf>) -> Result<Self> {
        let copy = Self::at(path);
        std::fs::copy(&self.path, &copy.path).map_err(Error::file("copy", &self.path))?;
        Ok(copy)
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the disk larger, as when a virtual disk is resized or an image is flashed onto a larger card.
    ///
    /// # Errors
    /// `qemu-img` failed.
    pub fn enlarge(&self, bytes: u64) -> Result<()> {
        image_tool(&["resize", "-q", "-f", "qcow2", &self.text(), &bytes.to_string()])?;
        Ok(())
    }

    /// Size in bytes as the guest sees it.
    ///
    /// # Errors
    /// `qemu-img` failed or is not understood.
    pub fn size(&self) -> Result<u64> {
        let answer = image_tool(&["info", "--output=json", "-f", "qcow2", &self.text()])?;
        let size = serde_json::from_slice::<serde_json::Value>(&answer).ok();
        let size = size.and_then(|value| value.get("virtual-size")?.as_u64());
        size.ok_or_else(|| Error::Disk { subject: self.text(), message: "qemu-img info told no size".into() })
    }

    /// Reads bytes.
    ///
    /// # Errors
    /// `qemu-img` failed, or the disk ends before.
    pub fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>> {
        // qemu-img dd works in whole blocks; sectors are what GPT, FAT and footers are made of.
        const SECTOR: u64 = 512;
        let first = offset / SECTOR;
        let within = usize::try_from(offset % SECTOR).unwrap_or(0);
        let sectors = (within + length).div_ceil(512);
        // It counts from the beginning of the input, skipped blocks included.
        let last = first + sectors as u64;
        let file = self.scratch()?;
        let (from, count) = (format!("skip={first}"), format!("count={last}"));
        let (input, output) = (format!("if={}", self.text()), format!("of={}", file.path().display()));
        image_tool(&["dd", "-f", "qcow2", "-O", "raw", "bs=512", &from, &count, &input, &output])?;
        let mut bytes = std::fs::read(file.path()).map_err(Error::file("read", file.path()))?;
        if bytes.len() < within + length {
            return Err(Error::Disk { subject: self.text(), message: format!("no {length} bytes at {offset}") });
        }
        bytes.drain(..within);
        bytes.truncate(length);
        Ok(bytes)
    }

    /// Writes bytes.
    ///
    /// # Errors
    /// `qemu-io` failed, or the disk ends before.
    pub fn write(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        let file = self.scratch()?;
        std::fs::write(file.path(), bytes).map_err(Error::file("write", file.path()))?;
        let command = format!("write -q -s {} {offset} {}", file.path().display(), bytes.len());
        self.io(&command)
    }

    /// Writes zeroes without storing them.
    ///
    /// # Errors
    /// `qemu-io` failed.
    pub fn zero(&self, offset: u64, length: u64) -> Result<()> {
        self.io(&format!("write -q -z {offset} {length}"))
    }

    /// Inverts one bit.
    ///
    /// # Errors
    /// As [`Self::read`] and [`Self::write`].
    pub fn flip_bit(&self, offset: u64, bit: u8) -> Result<()> {
        let mut byte = self.read(offset, 1)?;
        byte.iter_mut().for_each(|byte| *byte ^= 1 << (bit & 7));
        self.write(offset, &byte)
    }

    fn io(&self, command: &str) -> Result<()> {
        process::output("qemu-io", &["-f", "qcow2", "-c", command, &self.text()].map(str::to_owned))?;
        Ok(())
    }

    fn text(&self) -> String {
        self.path.display().to_string()
    }

    fn scratch(&self) -> Result<tempfile::NamedTempFile> {
        tempfile::NamedTempFile::new().map_err(Error::file("make a scratch file for", &self.path))
    }
}

fn image_tool(arguments: &[&str]) -> Result<Vec<u8>> {
    let arguments: Vec<String> = arguments.iter().map(|&word| word.to_owned()).collect();
    process::output("qemu-img", &arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overlay_changes_and_the_image_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let image = directory.path().join("image.raw");
        let content: Vec<u8> = (0..40_960_u32).map(|n| n.to_le_bytes()[0]).collect();
        std::fs::write(&image, &content).unwrap();
        let disk = Disk::flashed(directory.path().join("disk.qcow2"), &image, 1 << 20).unwrap();

        assert_eq!(disk.size().unwrap(), 1 << 20);
        assert_eq!(disk.read(1000, 1000).unwrap(), content[1000..2000]);
        disk.write(1001, b"changed").unwrap();
        assert_eq!(disk.read(1000, 9).unwrap(), [&content[1000..1001], b"changed", &content[1008..1009]].concat());
        let copy = disk.copy_to(directory.path().join("copy.qcow2")).unwrap();
        disk.zero(0, 4096).unwrap();
        assert_eq!(disk.read(1000, 9).unwrap(), [0; 9]);
        assert_eq!(copy.read(1001, 7).unwrap(), b"changed");
        copy.flip_bit(1001, 0).unwrap();
        assert_eq!(copy.read(1001, 7).unwrap(), b"bhanged");

        disk.enlarge(2 << 20).unwrap();
        assert_eq!(disk.read((2 << 20) - 512, 512).unwrap(), [0; 512]);
        assert!(disk.read((2 << 20) - 10, 20).is_err(), "beyond the end");
        assert!(disk.write(2 << 20, b"x").is_err(), "beyond the end");
        assert_eq!(std::fs::read(&image).unwrap(), content);
        assert!(Disk::flashed(directory.path().join("small.qcow2"), &image, 512).is_err());
    }
}

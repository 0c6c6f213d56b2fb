//! Disks of guests: copy-on-write overlays over built images, blank ones, and changes made from outside.
//!
//! A disk is read and changed only while no guest uses it; QEMU's own image lock refuses anything else.

use crate::error::{Error, Result};
use crate::process;
use std::path::{Path, PathBuf};

/// GPT, FAT and footers are made of these.
const SECTOR: usize = 512;
/// Slots are read in these.
const LARGE: usize = 1 << 20;

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
        disk.fits(image, bytes)?;
        let backing = image.canonicalize().map_err(Error::file("find", image))?.display().to_string();
        image_tool(&["create", "-q", "-f", "qcow2", "-F", "raw", "-b", &backing, &disk.text(), &bytes.to_string()])?;
        Ok(disk)
    }

    /// A disk of this size with a copy of a raw image at its beginning, for a life longer than the image's.
    ///
    /// # Errors
    /// `qemu-img` failed, for example because the image is larger.
    pub fn copied(path: impl Into<PathBuf>, image: &Path, bytes: u64) -> Result<Self> {
        let disk = Self::at(path);
        disk.fits(image, bytes)?;
        let from = image.display().to_string();
        image_tool(&["convert", "-q", "-f", "raw", "-O", "qcow2", &from, &disk.text()])?;
        disk.enlarge(bytes)?;
        Ok(disk)
    }

    fn fits(&self, image: &Path, bytes: u64) -> Result<()> {
        let image_bytes = image.metadata().map_err(Error::file("measure", image))?.len();
        if image_bytes <= bytes {
            return Ok(());
        }
        let message = format!("the image has {image_bytes} bytes and does not fit a disk of {bytes}");
        Err(Error::Unexpected { subject: self.text(), message })
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
        size.ok_or_else(|| Error::Unexpected { subject: self.text(), message: "qemu-img info told no size".into() })
    }

    /// True when nothing was ever written to this overlay.
    ///
    /// # Errors
    /// `qemu-img` failed.
    pub fn is_untouched(&self) -> Result<bool> {
        let answer = image_tool(&["map", "--output=json", "-f", "qcow2", &self.text()])?;
        let map: serde_json::Value = serde_json::from_slice(&answer)
            .map_err(|error| Error::Unexpected { subject: self.text(), message: format!("qemu-img map: {error}") })?;
        let own = |extent: &serde_json::Value| extent["depth"] == 0 && extent["present"] == true;
        Ok(!map.as_array().is_some_and(|extents| extents.iter().any(own)))
    }

    /// Reads bytes.
    ///
    /// # Errors
    /// `qemu-img` failed, or the disk ends before.
    pub fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>> {
        // qemu-img dd works in whole blocks; large ones make it fast.
        let block = if length < LARGE { SECTOR } else { LARGE };
        let first = offset / block as u64;
        let within = usize::try_from(offset % block as u64).unwrap_or(0);
        // It counts from the beginning of the input, skipped blocks included.
        let last = first + (within + length).div_ceil(block) as u64;
        let file = self.scratch()?;
        let (size, from, count) = (format!("bs={block}"), format!("skip={first}"), format!("count={last}"));
        let (input, output) = (format!("if={}", self.text()), format!("of={}", file.path().display()));
        image_tool(&["dd", "-f", "qcow2", "-O", "raw", &size, &from, &count, &input, &output])?;
        let mut bytes = std::fs::read(file.path()).map_err(Error::file("read", file.path()))?;
        if bytes.len() < within + length {
            return Err(Error::Unexpected { subject: self.text(), message: format!("no {length} bytes at {offset}") });
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
        assert!(disk.is_untouched().unwrap());
        assert_eq!(disk.read(1000, 1000).unwrap(), content[1000..2000]);
        disk.write(1001, b"changed").unwrap();
        assert!(!disk.is_untouched().unwrap());
        assert_eq!(disk.read(1000, 9).unwrap(), [&content[1000..1001], b"changed", &content[1008..1009]].concat());
        let copy = disk.copy_to(directory.path().join("copy.qcow2")).unwrap();
        disk.zero(0, 4096).unwrap();
        assert_eq!(disk.read(1000, 9).unwrap(), [0; 9]);
        assert_eq!(copy.read(1001, 7).unwrap(), b"changed");
        copy.flip_bit(1001, 0).unwrap();
        assert_eq!(copy.read(1001, 7).unwrap(), b"bhanged");

        disk.enlarge(4 << 20).unwrap();
        disk.write((1 << 20) + 7, b"far").unwrap();
        let far = disk.read(10, 2 << 20).unwrap();
        assert_eq!((far.len(), &far[(1 << 20) - 3..][..3]), (2 << 20, b"far".as_slice()), "large blocks");
        assert_eq!(disk.read((4 << 20) - 512, 512).unwrap(), [0; 512]);
        assert!(disk.read((4 << 20) - 10, 20).is_err(), "beyond the end");
        assert!(disk.write(4 << 20, b"x").is_err(), "beyond the end");
        assert_eq!(std::fs::read(&image).unwrap(), content);
        assert!(Disk::flashed(directory.path().join("small.qcow2"), &image, 512).is_err());

        let own = Disk::copied(directory.path().join("own.qcow2"), &image, 1 << 20).unwrap();
        assert!(Disk::copied(directory.path().join("small.qcow2"), &image, 512).is_err());
        std::fs::remove_file(&image).unwrap();
        assert_eq!((own.size().unwrap(), own.read(1000, 1000).unwrap()), (1 << 20, content[1000..2000].to_vec()));
    }
}

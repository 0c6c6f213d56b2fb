//! What a kernel module says about itself.

use crate::elf::{self, Elf};

/// The parts of `.modinfo` that matter for loading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Info {
    /// Modules that must be loaded first, by normalised name.
    pub depends: Vec<String>,
    /// Patterns by which devices and the kernel ask for it.
    pub aliases: Vec<String>,
    /// Modules to load before it when they exist.
    pub soft_before: Vec<String>,
    /// Modules to load after it when they exist.
    pub soft_after: Vec<String>,
}

impl Info {
    /// Reads an uncompressed module.
    ///
    /// # Errors
    /// The file is not an ELF object. One without `.modinfo` has no dependencies.
    pub fn read(module: &[u8]) -> Result<Self, elf::Error> {
        Ok(Self::parse(Elf::parse(module)?.section(".modinfo").unwrap_or_default()))
    }

    /// Reads the NUL-separated `key=value` strings of the section.
    fn parse(section: &[u8]) -> Self {
        let mut info = Self::default();
        for string in section.split(|byte| *byte == 0) {
            let string = String::from_utf8_lossy(string);
            match string.split_once('=') {
                Some(("depends", names)) => {
                    info.depends.extend(names.split(',').filter(|name| !name.is_empty()).map(name_of));
                }
                Some(("alias", alias)) => info.aliases.push(alias.to_owned()),
                Some(("softdep", text)) => info.soft(text),
                _ => {}
            }
        }
        info
    }

    /// `pre: a b post: c`
    fn soft(&mut self, text: &str) {
        let mut list = None;
        for word in text.split_whitespace() {
            match word {
                "pre:" => list = Some(&mut self.soft_before),
                "post:" => list = Some(&mut self.soft_after),
                name => {
                    if let Some(list) = list.as_deref_mut() {
                        list.push(name_of(name));
                    }
                }
            }
        }
    }
}

/// A module's name from its name or file name: the kernel treats `-` and `_` as one.
#[must_use]
pub fn name_of(file: &str) -> String {
    let base = file.rsplit('/').next().unwrap_or(file);
    base.split(".ko").next().unwrap_or(base).replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_normalised() {
        for (file, want) in [
            ("kernel/drivers/md/dm-verity.ko.xz", "dm_verity"),
            ("dm-mod", "dm_mod"),
            ("kernel/x/i6300esb.ko", "i6300esb"),
        ] {
            assert_eq!(name_of(file), want);
        }
    }

    #[test]
    fn modinfo_gives_dependencies_aliases_and_soft_dependencies() {
        let section = b"license=GPL\0depends=dm-mod,dm-bufio\0\0alias=fs-ext4\0alias=pci:v*\0\
            softdep=pre: crc32c aes-generic post: x\0depends=\0";
        let info = Info::parse(section);
        assert_eq!(info.depends, ["dm_mod", "dm_bufio"]);
        assert_eq!(info.aliases, ["fs-ext4", "pci:v*"]);
        assert_eq!(info.soft_before, ["crc32c", "aes_generic"]);
        assert_eq!(info.soft_after, ["x"]);
        assert_eq!(Info::parse(b""), Info::default());
    }
}

//! The text files beside the modules: `modules.dep`, `modules.alias`, `modules.softdep`, in kmod's formats.

use std::fmt::Write as _;

use super::select::Selection;
use crate::tree::{self, Tree};

/// The index of a selection of modules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    /// `FILE: FILE...`, every direct and indirect dependency, the one to load first standing last.
    pub dependencies: String,
    /// `alias PATTERN NAME`.
    pub aliases: String,
    /// `softdep NAME pre: NAME... post: NAME...`.
    pub soft: String,
}

impl Index {
    /// The index of exactly these modules.
    #[must_use]
    pub fn of(selection: &Selection) -> Self {
        let mut index = Self { dependencies: String::new(), aliases: String::new(), soft: String::new() };
        // Writing to a String cannot fail.
        for (name, module) in selection.modules() {
            let mut order = Vec::new();
            place(selection, name, &mut order);
            let files: Vec<&str> = order.iter().rev().skip(1).copied().collect();
            let space = if files.is_empty() { "" } else { " " };
            let _ = writeln!(index.dependencies, "{}:{space}{}", module.file, files.join(" "));
            for alias in &module.info.aliases {
                let _ = writeln!(index.aliases, "alias {alias} {name}");
            }
            let soft = [("pre:", &module.info.soft_before), ("post:", &module.info.soft_after)];
            let parts: Vec<String> = soft
                .iter()
                .filter(|(_, names)| !names.is_empty())
                .map(|(word, names)| format!("{word} {}", names.join(" ")))
                .collect();
            if !parts.is_empty() {
                let _ = writeln!(index.soft, "softdep {name} {}", parts.join(" "));
            }
        }
        index
    }

    /// Adds modules and index below `usr/lib/modules/VERSION/` of a tree.
    ///
    /// # Errors
    /// The tree has something there already.
    pub fn install(&self, selection: &Selection, directory: &str, tree: &mut Tree) -> Result<(), tree::Error> {
        for (_, module) in selection.modules() {
            tree.file(&format!("{directory}/{}", module.file), 0o644, module.bytes.clone())?;
        }
        for (name, text) in
            [("modules.dep", &self.dependencies), ("modules.alias", &self.aliases), ("modules.softdep", &self.soft)]
        {
            tree.file(&format!("{directory}/{name}"), 0o644, text.as_bytes())?;
        }
        Ok(())
    }
}

/// Appends the files of `name` and what it depends on, dependencies first, each once.
fn place<'s>(selection: &'s Selection, name: &str, order: &mut Vec<&'s str>) {
    let Some(module) = selection.get(name) else { return };
    if order.contains(&module.file.as_str()) {
        return;
    }
    for needed in &module.info.depends {
        place(selection, needed, order);
    }
    order.push(&module.file);
}

#[cfg(test)]
pub(super) mod tests {
    /// A minimal ELF object with a `.modinfo` section.
    pub(crate) fn object(modinfo: &[u8]) -> Vec<u8> {
        let names = b"\0.modinfo\0.shstrtab\0";
        let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
        bytes.resize(64, 0);
        let (info_at, names_at) = (64, 64 + modinfo.len());
        let table = names_at + names.len();
        bytes.extend(modinfo);
        bytes.extend(names);
        let mut section = |name: u32, kind: u32, at: usize, size: usize| {
            let mut header = [0u8; 64];
            header[0..4].copy_from_slice(&name.to_le_bytes());
            header[4..8].copy_from_slice(&kind.to_le_bytes());
            header[24..32].copy_from_slice(&(at as u64).to_le_bytes());
            header[32..40].copy_from_slice(&(size as u64).to_le_bytes());
            bytes.extend(header);
        };
        section(0, 0, 0, 0);
        section(1, 1, info_at, modinfo.len());
        section(10, 3, names_at, names.len());
        bytes[0x28..0x30].copy_from_slice(&(table as u64).to_le_bytes());
        bytes[0x3c] = 3;
        bytes[0x3e] = 2;
        bytes
    }
}

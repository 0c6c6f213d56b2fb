//! `modules.dep`, `modules.alias` and `modules.softdep` as one index, and the load order it gives. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::pattern;

/// What a module tree offers.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// File below the module directory, and what it needs first, by normalised name.
    modules: BTreeMap<String, Module>,
    /// Alias pattern and module name, in file order.
    aliases: Vec<(String, String)>,
    /// Modules to load before a module if they exist.
    soft: BTreeMap<String, Vec<String>>,
}

#[derive(Debug)]
struct Module {
    file: String,
    needs: Vec<String>,
}

impl Index {
    /// Reads the three files; a missing one is empty.
    pub(crate) fn parse(dependencies: &str, aliases: &str, soft: &str) -> Self {
        let mut index = Self::default();
        for (file, needs) in dependencies.lines().filter_map(|line| line.split_once(':')) {
            let needs = needs.split_ascii_whitespace().map(name_of_file).collect();
            index.modules.insert(name_of_file(file), Module { file: file.trim().to_owned(), needs });
        }
        for line in aliases.lines() {
            let mut words = line.split_ascii_whitespace();
            if let (Some("alias"), Some(alias), Some(name)) = (words.next(), words.next(), words.next()) {
                index.aliases.push((alias.to_owned(), normalise(name)));
            }
        }
        for line in soft.lines() {
            let mut words = line.split_ascii_whitespace();
            if let (Some("softdep"), Some(name)) = (words.next(), words.next()) {
                let before = words.skip_while(|word| *word != "pre:").skip(1).take_while(|word| *word != "post:");
                index.soft.entry(normalise(name)).or_default().extend(before.map(normalise));
            }
        }
        index
    }

    /// The modules that a name or an alias of a device or of the kernel means, without order.
    pub(crate) fn resolve(&self, wanted: &str) -> Vec<String> {
        let name = normalise(wanted);
        if self.modules.contains_key(&name) {
            return vec![name];
        }
        let mut found: Vec<String> = Vec::new();
        for (alias, module) in &self.aliases {
            if !found.contains(module) && self.modules.contains_key(module) && pattern::matches(alias, wanted) {
                found.push(module.clone());
            }
        }
        found
    }

    /// Files to load for a name or alias, in order, without those in `loaded`. Empty when nothing is known by it.
    pub(crate) fn plan(&self, wanted: &str, loaded: &BTreeSet<String>) -> Vec<Step> {
        let mut order = Vec::new();
        let mut seen = loaded.clone();
        // Depth-first with an own stack: a module is placed when everything it needs has been placed.
        let mut stack: Vec<(String, bool)> = self.resolve(wanted).into_iter().rev().map(|name| (name, false)).collect();
        while let Some((name, expanded)) = stack.pop() {
            let Some(module) = self.modules.get(&name) else { continue };
            if expanded {
                order.push(Step { name, file: module.file.clone() });
            } else if seen.insert(name.clone()) {
                let soft = self.soft.get(&name).into_iter().flatten().flat_map(|soft| self.resolve(soft));
                let needs: Vec<String> = soft.chain(module.needs.iter().cloned()).collect();
                stack.push((name, true));
                stack.extend(needs.into_iter().rev().map(|need| (need, false)));
            }
        }
        order
    }
}

/// One module to load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// Normalised name, as in `/proc/modules`.
    pub(crate) name: String,
    /// File below the module directory.
    pub(crate) file: String,
}

/// The kernel treats `-` and `_` in names as equal.
pub(crate) fn normalise(name: &str) -> String {
    name.replace('-', "_")
}

fn name_of_file(file: &str) -> String {
    let base = file.trim().rsplit('/').next().unwrap_or_default();
    normalise(base.split('.').next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEPENDENCIES: &str = "kernel/fs/ext4/ext4.ko: kernel/fs/mbcache.ko kernel/fs/jbd2/jbd2.ko\n\
         kernel/fs/mbcache.ko:\nkernel/fs/jbd2/jbd2.ko: kernel/crc32c-x.ko\nkernel/crc32c-x.ko:\n\
         kernel/a.ko: kernel/b.ko\nkernel/b.ko: kernel/a.ko\nkernel/drivers/virtio_net.ko.xz: kernel/net_failover.ko.xz\n\
         kernel/net_failover.ko.xz:\n";
    const ALIASES: &str = "# Aliases\nalias fs-ext4 ext4\nalias virtio:d00000001v* virtio-net\nalias crypto-crc32c \
         crc32c_x\nalias virtio:d0000000* missing\n";
    const SOFT: &str = "softdep ext4 pre: crc32c-x absent post: a\n";

    fn order(wanted: &str, loaded: &[&str]) -> Vec<String> {
        let loaded = loaded.iter().map(|name| (*name).to_owned()).collect();
        let index = Index::parse(DEPENDENCIES, ALIASES, SOFT);
        index.plan(wanted, &loaded).into_iter().map(|step| step.name).collect()
    }

    #[test]
    fn needs_come_first_and_once() {
        assert_eq!(order("ext4", &[]), ["crc32c_x", "mbcache", "jbd2", "ext4"]);
        assert_eq!(order("fs-ext4", &["crc32c_x", "mbcache"]), ["jbd2", "ext4"]);
        assert_eq!(order("ext4", &["ext4"]), Vec::<String>::new());
    }

    #[test]
    fn a_circle_ends() {
        assert_eq!(order("a", &[]), ["b", "a"]);
    }

    #[test]
    fn aliases_find_modules_that_exist() {
        assert_eq!(order("virtio:d00000001v00001AF4", &[]), ["net_failover", "virtio_net"]);
        assert_eq!(order("crypto-crc32c", &[]), ["crc32c_x"]);
        assert_eq!(order("virtio:d00000009v1", &[]), Vec::<String>::new());
        assert_eq!(order("virtio-net", &[]), ["net_failover", "virtio_net"]);
    }

    #[test]
    fn files_keep_their_suffix() {
        let step = Index::parse(DEPENDENCIES, ALIASES, "").plan("virtio_net", &BTreeSet::new()).pop().unwrap();
        assert_eq!(step.file, "kernel/drivers/virtio_net.ko.xz");
    }
}

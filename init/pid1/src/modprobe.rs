//! The helper that `kernel.modprobe` names: the kernel asks for an alias, an allow-list decides, nothing else loads.

use coracle_contract::paths;

use crate::error::chain;
use crate::files;
use crate::modules::load::Loader;
use crate::modules::pattern;

const ALLOW_LIMIT: u64 = 256 * 1024;

/// Runs as `modprobe [-q] [--] NAME...`, as the kernel calls it. True when every name was loaded (or is there already).
#[must_use]
pub fn main(arguments: impl Iterator<Item = String>) -> bool {
    let allow = files::read_text(paths::MODPROBE_ALLOW, ALLOW_LIMIT).unwrap_or_default();
    let mut loader: Option<Loader> = None;
    let mut all = true;
    for name in names(arguments) {
        if !allowed(&allow, &name) {
            note(&format!("modprobe: {name} is not in {}", paths::MODPROBE_ALLOW));
            all = false;
            continue;
        }
        if let Err(error) = loader.get_or_insert_with(Loader::open).load(&name) {
            note(&format!("modprobe: {}", chain(&error)));
            all = false;
        }
    }
    all
}

/// The names among the arguments; options are of no interest.
fn names(arguments: impl Iterator<Item = String>) -> Vec<String> {
    arguments.filter(|argument| !argument.starts_with('-')).collect()
}

/// Whether a list (one name or alias pattern a line, `#` comments) allows a name. `-` and `_` are equal.
fn allowed(list: &str, name: &str) -> bool {
    let name = name.replace('-', "_");
    list.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .any(|line| pattern::matches(&line.replace('-', "_"), &name))
}

/// The helper has no console of its own; the kernel log is where its caller looks.
fn note(text: &str) {
    let _ = files::write_kernel("/dev/kmsg", &format!("<4>coracle: {text}\n"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_options_are_skipped() {
        let arguments = ["-q", "--", "fs-ext4"].map(str::to_owned);
        assert_eq!(names(arguments.into_iter()), ["fs-ext4"]);
    }

    #[test]
    fn only_listed_names_are_allowed() {
        let list = "# quota\nquota_v2\nfs-ext4\nnft-*\n\n";
        for (name, want) in [
            ("quota_v2", true),
            ("quota-v2", true),
            ("fs-ext4", true),
            ("fs-ext4x", false),
            ("nft-chain-1-nat", true),
            ("net-pf-9", false),
            ("# quota", false),
            ("", false),
        ] {
            assert_eq!(allowed(list, name), want, "{name}");
        }
        assert!(!allowed("", "ext4"), "an empty list allows nothing");
        assert!(allowed("*\n", "ext4"));
    }
}

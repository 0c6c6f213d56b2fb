//! What the machine's cgroup hierarchy offers, judged from the texts of `/proc` alone, and how to mend it.

use std::path::{Path, PathBuf};

use coracle_contract::cgroups;

/// What groups are used for: the values of `--cgroup-mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Membership, kill, freeze, limits and figures.
    Full,
    /// Membership, kill and freeze only, for tests on machines whose cgroup v2 tree has no controllers.
    GroupOnly,
}

/// Controllers of a tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Controllers {
    /// Controllers that are enabled for the groups.
    pub available: Vec<String>,
    /// Controllers that a node uses and this kernel lacks.
    pub missing: Vec<String>,
}

/// Without these a node cannot keep its promises to any pod.
const REQUIRED: [&str; 3] = ["cpu", "memory", "pids"];

/// Beyond those of the contract: limits of encryption keys and the like, where there are any.
const MISC: &str = "misc";

/// Texts to judge from.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// Where the tree is to be.
    pub root: &'a Path,
    /// `/proc/self/mountinfo`.
    pub mounts: &'a str,
    /// `cgroup.controllers` of `root`, if there is one.
    pub controllers: Option<&'a str>,
    /// `/proc/cgroups`, if there is one.
    pub subsystems: Option<&'a str>,
}

/// Why a hierarchy cannot be used. The text names the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Nothing of cgroups is mounted there.
    #[error("there is no cgroup v2 hierarchy at {}: mount -t cgroup2 none {}", root.display(), root.display())]
    NotMounted {
        /// Where it was expected.
        root: PathBuf,
    },
    /// Only the old version.
    #[error(
        "this machine has cgroup v1 only ({}), and a node needs cgroup v2: boot it with the kernel argument \
         cgroup_no_v1=all (with systemd: systemd.unified_cgroup_hierarchy=1)",
        controllers.join(", ")
    )]
    Version1 {
        /// What version 1 holds.
        controllers: Vec<String>,
    },
    /// Both versions.
    #[error(
        "this machine has a hybrid cgroup hierarchy: version 1 holds {}, version 2 is at {}. Boot it with the kernel \
         argument cgroup_no_v1=all (with systemd: systemd.unified_cgroup_hierarchy=1), or, for tests without limits, \
         use --cgroup-mode=group-only with the tree at {}",
        controllers.join(", "), unified.display(), unified.display()
    )]
    Hybrid {
        /// What version 1 holds.
        controllers: Vec<String>,
        /// Where version 2 is.
        unified: PathBuf,
    },
    /// Version 2, but a controller that a node needs is not in it.
    #[error("the cgroup controller {controller} is not available at {}: {remedy}", root.display())]
    Lacks {
        /// The tree.
        root: PathBuf,
        /// The controller.
        controller: &'static str,
        /// What can be done.
        remedy: String,
    },
}

impl Controllers {
    /// From names.
    pub fn new<'a>(available: impl IntoIterator<Item = &'a str>) -> Self {
        let available: Vec<String> = available.into_iter().map(str::to_owned).collect();
        let missing = cgroups::CONTROLLERS.iter().filter(|name| !available.iter().any(|have| have == *name));
        Self { missing: missing.map(|name| (*name).to_owned()).collect(), available }
    }

    /// Whether a controller is there.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.available.iter().any(|have| have == name)
    }
}

/// Judges a hierarchy.
///
/// # Errors
/// It cannot be used in `mode`.
pub fn judge(evidence: Evidence<'_>, mode: Mode) -> Result<Controllers, Fault> {
    let mounts: Vec<Mount> = evidence.mounts.lines().filter_map(Mount::parse).collect();
    // The longest mount point above the root covers it; of several mounts on one point the last one is on top.
    let covering = mounts
        .iter()
        .filter(|mount| evidence.root.starts_with(&mount.point))
        .max_by_key(|mount| mount.point.components().count());
    let held = held_by_version_1(&mounts);
    if covering.is_none_or(|mount| mount.kind != "cgroup2") {
        return Err(missing_tree(evidence.root, &mounts, held));
    }
    let offered: Vec<&str> = evidence.controllers.unwrap_or("").split_ascii_whitespace().collect();
    let known = |name: &&str| cgroups::CONTROLLERS.contains(name) || *name == MISC;
    if mode == Mode::GroupOnly {
        return Ok(Controllers::new([]));
    }
    for controller in REQUIRED {
        if offered.contains(&controller) {
            continue;
        }
        if held.iter().any(|name| name == controller) {
            return Err(Fault::Hybrid { controllers: held, unified: evidence.root.to_owned() });
        }
        let remedy = remedy(controller, evidence.subsystems);
        return Err(Fault::Lacks { root: evidence.root.to_owned(), controller, remedy });
    }
    Ok(Controllers::new(offered.into_iter().filter(known)))
}

fn missing_tree(root: &Path, mounts: &[Mount], controllers: Vec<String>) -> Fault {
    let unified = mounts.iter().find(|mount| mount.kind == "cgroup2");
    match unified {
        Some(mount) if !controllers.is_empty() => Fault::Hybrid { controllers, unified: mount.point.clone() },
        None if !controllers.is_empty() => Fault::Version1 { controllers },
        _ => Fault::NotMounted { root: root.to_owned() },
    }
}

/// Controllers in mounts of version 1.
fn held_by_version_1(mounts: &[Mount]) -> Vec<String> {
    // Options that are no controllers.
    let other = |word: &str| {
        matches!(word, "rw" | "ro" | "clone_children" | "noprefix" | "xattr" | "none" | "all") || word.contains('=')
    };
    let version_1 = mounts.iter().filter(|mount| mount.kind == "cgroup");
    let mut names: Vec<String> =
        version_1.flat_map(|mount| mount.options.split(',')).filter(|word| !other(word)).map(str::to_owned).collect();
    names.sort();
    names.dedup();
    names
}

/// How to get a controller that version 2 does not offer, from the row of `/proc/cgroups`: name, hierarchy, groups, enabled.
fn remedy(controller: &str, subsystems: Option<&str>) -> String {
    let row = subsystems.unwrap_or("").lines().find_map(|line| {
        let mut words = line.split_ascii_whitespace();
        (words.next() == Some(controller)).then(|| words.collect::<Vec<_>>())
    });
    let switch_on = if controller == "memory" {
        "add cgroup_enable=memory to the kernel's command line (kernels of the Raspberry Pi switch it off; older ones \
         need cgroup_memory=1 as well)"
            .to_owned()
    } else {
        format!("remove cgroup_disable={controller} from the kernel's command line")
    };
    match row.as_deref() {
        Some([_, _, "0", ..]) => format!("it is switched off; {switch_on}"),
        Some([hierarchy, ..]) if *hierarchy != "0" => {
            "a hierarchy of version 1 still holds it; boot with the kernel argument cgroup_no_v1=all".to_owned()
        }
        Some(_) => "the group above does not pass it on in its cgroup.subtree_control".to_owned(),
        // Newer kernels list only what version 1 could hold, so an absent row proves nothing.
        None => format!("the kernel was built without it, or it is switched off: {switch_on}"),
    }
}

/// One line of mountinfo, as far as it matters here.
#[derive(Debug)]
struct Mount {
    point: PathBuf,
    kind: String,
    options: String,
}

impl Mount {
    fn parse(line: &str) -> Option<Self> {
        let (first, second) = line.split_once(" - ")?;
        let point = unescape(first.split(' ').nth(4)?);
        let mut words = second.split(' ');
        let kind = words.next()?.to_owned();
        let options = words.nth(1).unwrap_or("").to_owned();
        Some(Self { point: PathBuf::from(point), kind, options })
    }
}

/// Blanks in mount points are written as `\040`.
fn unescape(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut result = parts.next().unwrap_or("").to_owned();
    for part in parts {
        let code = part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match (code, part.get(3..)) {
            (Some(code), Some(rest)) => {
                result.push(char::from(code));
                result.push_str(rest);
            }
            _ => {
                result.push('\\');
                result.push_str(part);
            }
        }
    }
    result
}

#[cfg(test)]
#[path = "hierarchy_tests.rs"]
mod tests;

//! The top of the cgroup v2 tree.

use std::fs;
use std::path::Path;

use coracle_contract::cgroups;

use crate::error::{Attempt as _, Error, Result};
use crate::files;

/// What the tree looks like after [`make`].
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tree {
    /// Controllers that are enabled for the groups.
    pub(crate) enabled: Vec<String>,
    /// Controllers that this kernel lacks.
    pub(crate) missing: Vec<String>,
}

/// Makes the groups, moves this process out of the root (a group with children must hold no processes to pass
/// controllers on) and enables the controllers.
pub(crate) fn make(root: &Path) -> Result<Tree> {
    for name in cgroups::ALL {
        let group = root.join(name);
        match fs::create_dir(&group) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            outcome => outcome.attempt("make cgroup", &group)?,
        }
    }
    files::write_kernel(root.join(cgroups::INIT).join("cgroup.procs"), "0")?;
    let available = files::read_text(root.join("cgroup.controllers"), 4096)?;
    let tree = plan(&available);
    for controller in &tree.enabled {
        files::write_kernel(root.join("cgroup.subtree_control"), &format!("+{controller}"))
            .map_err(|error| Error::Found(format!("enable {controller}: {}", crate::error::chain(&error))))?;
    }
    Ok(tree)
}

fn plan(available: &str) -> Tree {
    let has = |controller: &&str| available.split_ascii_whitespace().any(|word| word == *controller);
    let (enabled, missing): (Vec<&str>, Vec<&str>) = cgroups::CONTROLLERS.into_iter().partition(has);
    let owned = |list: Vec<&str>| list.into_iter().map(str::to_owned).collect();
    Tree { enabled: owned(enabled), missing: owned(missing) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_controllers_are_told_and_foreign_ones_left_out() {
        let tree = plan("cpu memory rdma pids\n");
        assert_eq!(tree.enabled, ["cpu", "memory", "pids"]);
        assert_eq!(tree.missing, ["cpuset", "io", "hugetlb"]);
    }
}

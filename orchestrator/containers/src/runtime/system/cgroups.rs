//! The control groups of pods.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use coracle_cgroups::devices::{DEFAULT, Rule};
use coracle_cgroups::levels::{ContainerResources, PodResources, container, pod};
use coracle_cgroups::{ContainerId, Limits, Mode, PodUid, Quality, Tree};

use crate::runtime::parts::{Cgroups, Group};
use crate::spec::resources::Resources;

/// How long what was killed may take to end.
const WITHIN: Duration = Duration::from_secs(30);

/// The tree of control groups.
#[derive(Debug, Clone)]
pub struct GroupTree {
    tree: Tree,
    /// Where the tree begins below the mount point, `/` for most.
    below: PathBuf,
}

impl GroupTree {
    /// On a tree that was prepared, which begins at `below` in the hierarchy.
    #[must_use]
    pub fn new(tree: Tree, below: PathBuf) -> Self {
        Self { tree, below }
    }

    /// Puts limits in force. Where groups have none, a pod that asks for them is refused.
    fn limit(&self, group: &coracle_cgroups::Group, limits: &Limits, asked: &Resources) -> Result<(), String> {
        let wants = asked.cpu_limit_millis.is_some() || asked.memory_max.is_some() || !asked.huge_pages.is_empty();
        if self.tree.mode() == Mode::GroupOnly && !wants {
            return Ok(());
        }
        let applied = group.apply(limits).map_err(|error| error.to_string())?;
        if !applied.left_out.is_empty() {
            tracing::debug!(left_out = ?applied.left_out, group = %group.path().display(), "limits that this kernel lacks");
        }
        Ok(())
    }
}

fn quality(text: &str) -> Quality {
    match text {
        "Guaranteed" => Quality::Guaranteed,
        "BestEffort" => Quality::BestEffort,
        _ => Quality::Burstable,
    }
}

fn huge(limits: &Resources) -> BTreeMap<u64, u64> {
    limits.huge_pages.iter().copied().collect()
}

#[expect(clippy::needless_pass_by_value, reason = "the form that `map_err` wants")]
fn words(error: coracle_cgroups::Error) -> String {
    error.to_string()
}

impl Cgroups for GroupTree {
    fn shims(&self) -> Result<PathBuf, String> {
        self.tree.prepare().map_err(words)?;
        Ok(self.tree.shims().path().to_owned())
    }

    fn pod(&self, uid: &str, of: &str, limits: &Resources) -> Result<(), String> {
        self.tree.prepare().map_err(words)?;
        let quality = quality(of);
        let group = self.tree.make_pod(quality, &PodUid::new(uid).map_err(words)?).map_err(words)?;
        let resources = PodResources {
            quality,
            cpu_request_millis: limits.cpu_request_millis,
            cpu_limit_millis: limits.cpu_limit_millis,
            memory_limit: limits.memory_max,
            pids: limits.pids_max,
            hugepages: huge(limits),
        };
        self.limit(&group, &pod(&resources, self.tree.page_sizes()), limits)
    }

    fn container(&self, uid: &str, of: &str, id: &str, limits: &Resources, open: bool) -> Result<Group, String> {
        let (uid, id) = (PodUid::new(uid).map_err(words)?, ContainerId::new(id).map_err(words)?);
        let group = self.tree.make_container(quality(of), &uid, &id).map_err(words)?;
        let resources = ContainerResources {
            cpu_request_millis: limits.cpu_request_millis,
            cpu_limit_millis: limits.cpu_limit_millis,
            memory_limit: limits.memory_max,
            hugepages: huge(limits),
            ..ContainerResources::default()
        };
        self.limit(&group, &container(&resources, self.tree.page_sizes()), limits)?;
        let rules = if open { &[Rule::EVERYTHING][..] } else { &DEFAULT[..] };
        group.guard_devices(rules).map_err(words)?;
        let path = self.tree.oci_path(&group).ok_or("the group lies outside of its tree")?;
        let path = self.below.join(path.trim_start_matches('/'));
        Ok(Group { folder: group.path().to_owned(), path })
    }

    fn remove_container(&self, uid: &str, of: &str, id: &str) -> Result<(), String> {
        let (uid, id) = (PodUid::new(uid).map_err(words)?, ContainerId::new(id).map_err(words)?);
        let group = self.tree.container(quality(of), &uid, &id);
        if group.exists() { group.destroy(WITHIN).map_err(words) } else { Ok(()) }
    }

    fn remove_pod(&self, uid: &str) -> Result<(), String> {
        let uid = PodUid::new(uid).map_err(words)?;
        for quality in [Quality::Guaranteed, Quality::Burstable, Quality::BestEffort] {
            let group = self.tree.pod(quality, &uid);
            if group.exists() {
                group.destroy(WITHIN).map_err(words)?;
            }
        }
        Ok(())
    }
}

//! The levels of the tree, made from the top with the controllers passed on from level to level.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use coracle_contract::cgroups;

use crate::error::{Attempt as _, Error, Result};
use crate::files;
use crate::group::Group;
use crate::hierarchy::{Controllers, Evidence, Mode, judge};
use crate::limits::page_size_of_folder;
use crate::name::{ContainerId, PodUid, Quality};

/// Where the kernel lists its sizes of huge pages.
const HUGE_PAGES: &str = "/sys/kernel/mm/hugepages";

/// Bounds on the groups a payload may make below its pod, kept by the kernel: systemd, docker and a nested cluster need
/// fewer, and removal is bounded with them. A payload cannot raise them from inside its cgroup namespace.
pub(crate) const NESTED: usize = 16_384;

/// Levels below a pod; see [`NESTED`].
pub(crate) const NESTED_LEVELS: usize = 48;

/// What all groups of a tree have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) mode: Mode,
    pub(crate) controllers: Controllers,
}

/// A node's tree.
#[derive(Debug, Clone)]
pub struct Tree {
    root: PathBuf,
    page_sizes: Vec<u64>,
    shared: Arc<Shared>,
}

impl Tree {
    /// Opens the hierarchy at `root`, the mount point or a group that was handed to this node. Changes nothing.
    ///
    /// # Errors
    /// The machine's hierarchy cannot be used in `mode`; the text says what to do about it.
    pub fn open(root: &Path, mode: Mode) -> Result<Self> {
        let mounts = files::read(Path::new("/proc/self/mountinfo"))?.unwrap_or_default();
        let offered = files::read(&root.join("cgroup.controllers"))?;
        let subsystems = files::read(Path::new("/proc/cgroups"))?;
        let evidence =
            Evidence { root, mounts: &mounts, controllers: offered.as_deref(), subsystems: subsystems.as_deref() };
        let controllers = judge(evidence, mode)?;
        let page_sizes = if controllers.has("hugetlb") { page_sizes(Path::new(HUGE_PAGES)) } else { Vec::new() };
        Ok(Self { root: root.to_owned(), page_sizes, shared: Arc::new(Shared { mode, controllers }) })
    }

    /// What groups are used for.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.shared.mode
    }

    /// Controllers that the groups have, and those that this kernel lacks.
    #[must_use]
    pub fn controllers(&self) -> &Controllers {
        &self.shared.controllers
    }

    /// Sizes of huge pages whose use can be limited; none without the controller.
    #[must_use]
    pub fn page_sizes(&self) -> &[u64] {
        &self.page_sizes
    }

    /// Makes `kubepods`, its quality levels and the group of the shims, as far as they are not there, and passes the
    /// controllers on. Limits are applied by the caller: [`crate::levels`].
    ///
    /// # Errors
    /// A group cannot be made, or a controller cannot be passed on.
    pub fn prepare(&self) -> Result<()> {
        self.pass_on(&self.root)?;
        for group in [self.pods(), self.quality(Quality::Burstable), self.quality(Quality::BestEffort)] {
            make(group.path())?;
            self.pass_on(group.path())?;
        }
        make(self.shims().path())
    }

    /// The group in which the tree begins.
    #[must_use]
    pub fn root(&self) -> Group {
        self.at(self.root.clone())
    }

    /// `kubepods`.
    #[must_use]
    pub fn pods(&self) -> Group {
        self.at(self.root.join(cgroups::PODS))
    }

    /// A quality level; that of Guaranteed pods is `kubepods` itself.
    #[must_use]
    pub fn quality(&self, quality: Quality) -> Group {
        let pods = self.root.join(cgroups::PODS);
        self.at(quality.folder().map_or_else(|| pods.clone(), |folder| pods.join(folder)))
    }

    /// The group of all shims.
    #[must_use]
    pub fn shims(&self) -> Group {
        self.at(self.root.join(cgroups::PODS).join(cgroups::SHIMS))
    }

    /// A pod's group, which need not be there.
    #[must_use]
    pub fn pod(&self, quality: Quality, uid: &PodUid) -> Group {
        self.at(self.quality(quality).path().join(uid.folder()))
    }

    /// A container's group, which need not be there.
    #[must_use]
    pub fn container(&self, quality: Quality, uid: &PodUid, id: &ContainerId) -> Group {
        self.at(self.pod(quality, uid).path().join(id.as_str()))
    }

    /// Makes a pod's group, bounds what payloads may make below it, and passes the controllers on.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn make_pod(&self, quality: Quality, uid: &PodUid) -> Result<Group> {
        let group = self.pod(quality, uid);
        make(group.path())?;
        files::write(&group.path().join("cgroup.max.descendants"), &NESTED.to_string())?;
        files::write(&group.path().join("cgroup.max.depth"), &NESTED_LEVELS.to_string())?;
        self.pass_on(group.path())?;
        Ok(group)
    }

    /// Makes a container's group, a leaf. Its pod's group must be there.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn make_container(&self, quality: Quality, uid: &PodUid, id: &ContainerId) -> Result<Group> {
        let group = self.container(quality, uid, id);
        make(group.path())?;
        Ok(group)
    }

    /// Every pod that has a group: what a node finds after a restart. Folders that are no pods are passed over.
    ///
    /// # Errors
    /// A level cannot be read.
    pub fn list_pods(&self) -> Result<Vec<(Quality, PodUid)>> {
        let mut found = Vec::new();
        for quality in [Quality::Guaranteed, Quality::Burstable, Quality::BestEffort] {
            let level = self.quality(quality);
            found.extend(level.children()?.iter().filter_map(|name| Some((quality, PodUid::from_folder(name)?))));
        }
        Ok(found)
    }

    /// A container's path as an OCI document names it: relative to the mount point, with a slash in front. Only right for
    /// a tree that begins at the mount point.
    #[must_use]
    pub fn oci_path(&self, group: &Group) -> Option<String> {
        let below = group.path().strip_prefix(&self.root).ok()?;
        Some(format!("/{}", below.to_str()?))
    }

    fn at(&self, path: PathBuf) -> Group {
        Group::new(path, Arc::clone(&self.shared))
    }

    /// Enables the controllers for the groups below `group`, one write each, so that a failure names its controller.
    fn pass_on(&self, group: &Path) -> Result<()> {
        let path = group.join("cgroup.subtree_control");
        let enabled = files::read(&path)?.unwrap_or_default();
        for controller in &self.shared.controllers.available {
            if enabled.split_ascii_whitespace().any(|word| word == controller) {
                continue;
            }
            match files::try_write(&path, &format!("+{controller}")) {
                Err(error) if error.kind() == ErrorKind::ResourceBusy => {
                    return Err(Error::Io {
                        operation: "pass controllers on, while processes are in the group,",
                        path,
                        source: error,
                    });
                }
                outcome => outcome.attempt("pass a controller on in", &path)?,
            }
        }
        Ok(())
    }
}

fn make(path: &Path) -> Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        outcome => outcome.attempt("make the group", path),
    }
}

fn page_sizes(folder: &Path) -> Vec<u64> {
    // A kernel without huge pages has no such folder.
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut sizes: Vec<u64> = names.filter_map(|name| page_size_of_folder(&name)).collect();
    sizes.sort_unstable();
    sizes
}

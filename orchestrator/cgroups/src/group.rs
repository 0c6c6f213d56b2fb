//! One group: limits, figures, events. Membership is in `membership.rs`, removal in `remove.rs`.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::io::Errno;

use crate::error::{Attempt as _, Result};
use crate::events::{GroupEvents, MemoryEvents};
use crate::files;
use crate::limits::Limits;
use crate::plan::{Applied, Current, plan};
use crate::stats::Stats;
use crate::tree::Shared;

/// A group by its path. Holding one holds nothing open: the group may not be there yet or any more.
#[derive(Debug, Clone)]
pub struct Group {
    path: PathBuf,
    shared: Arc<Shared>,
}

impl Group {
    pub(crate) fn new(path: PathBuf, shared: Arc<Shared>) -> Self {
        Self { path, shared }
    }

    /// Its folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is there.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.path.join("cgroup.procs").exists()
    }

    /// Names of the groups directly below; none when the group is gone.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn children(&self) -> Result<Vec<String>> {
        let entries = match fs::read_dir(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            outcome => outcome.attempt("list", &self.path)?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.attempt("list", &self.path)?;
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                names.extend(entry.file_name().into_string());
            }
        }
        names.sort();
        Ok(names)
    }

    /// Puts limits in force, on a fresh group as on a running one; only what differs is written.
    ///
    /// # Errors
    /// The group is not there; as [`plan`], before anything is written; or the kernel refuses a write, and the ones before it stay.
    pub fn apply(&self, limits: &Limits) -> Result<Applied> {
        if !self.exists() {
            return Err(Errno::NOENT).attempt("limit", &self.path);
        }
        let current = Current::read(&self.path, limits)?;
        let plan = plan(limits, &current, self.shared.mode, &self.shared.controllers)?;
        for write in &plan.writes {
            files::write(&self.path.join(&write.file), &write.value)?;
        }
        Ok(Applied { written: plan.writes.len(), left_out: plan.left_out })
    }

    /// What the group used so far. What the kernel does not offer is absent.
    ///
    /// # Errors
    /// A file is there and cannot be read.
    pub fn stats(&self) -> Result<Stats> {
        Stats::gather(|file| files::read(&self.path.join(file)), &self.page_size_names()?)
    }

    /// Out-of-memory counters, also of a group whose processes are all dead, until it is removed. Absent without the
    /// memory controller.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub fn memory_events(&self) -> Result<Option<MemoryEvents>> {
        Ok(files::read(&self.path.join("memory.events"))?.map(|text| MemoryEvents::parse(&text)))
    }

    /// Whether there are processes in the group or below, and whether it is frozen; absent when the group is gone.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub fn events(&self) -> Result<Option<GroupEvents>> {
        Ok(files::read(&self.path.join("cgroup.events"))?.map(|text| GroupEvents::parse(&text)))
    }

    /// Sizes of huge pages that the group has figures of, as the kernel names them: `2MB`.
    fn page_size_names(&self) -> Result<Vec<String>> {
        let entries = match fs::read_dir(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            outcome => outcome.attempt("list", &self.path)?,
        };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let size = |name: String| Some(name.strip_prefix("hugetlb.")?.strip_suffix(".current")?.to_owned());
        let mut sizes: Vec<String> = names.filter_map(size).filter(|size| !size.contains('.')).collect();
        sizes.sort();
        Ok(sizes)
    }
}

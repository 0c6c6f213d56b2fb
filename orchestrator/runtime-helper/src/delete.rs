//! `delete`: nothing is left of a container, whatever state it was in.

use std::fs;
use std::io;
use std::path::Path;

use coracle_shim_protocol::helper::Report;
use coracle_shim_protocol::message::{Failure, Reason};
use libcontainer::container::Container;

use super::cgroup;
use super::failure::Problem;
use super::process::load;

/// Removes a container. Processes that still run are killed through their control group.
pub(super) fn delete(id: &str, state: &Path) -> Result<Report, Failure> {
    let failed = |problem: Problem| problem.failure(Reason::Internal, "failed to delete container: ");
    let bundle = super::start::bundle(state, id);
    let folder = state.join(id);
    // libcontainer removes only a group without groups below, and waits a tenth of a second for its processes.
    let config = load(&bundle).ok();
    if let Some(path) = config.as_ref().and_then(|config| config.pointer("/linux/cgroupsPath")?.as_str()) {
        cgroup::folder(path).and_then(|group| cgroup::remove(&group)).map_err(failed)?;
    }
    if folder.exists() {
        // A container that was half made has no state that can be loaded, and its group is gone by now; what is left
        // of it are files.
        let loaded = Container::load(folder.clone());
        if let Ok(mut container) = loaded {
            let _ = container.delete(true);
        }
    }
    for path in [&folder, &bundle] {
        match fs::remove_dir_all(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed(Problem::io(&format!("remove {}", path.display()), &error)));
            }
            _ => {}
        }
    }
    Ok(Report::Done)
}

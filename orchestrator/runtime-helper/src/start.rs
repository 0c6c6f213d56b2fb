//! `start`: lets a created container go on to its program.

use std::path::{Path, PathBuf};

use coracle_shim_protocol::helper::Report;
use coracle_shim_protocol::message::{Failure, Reason};
use libcontainer::container::Container;

use super::create::chain;
use super::failure::{CREATE, Problem};

/// Starts a container. That its program could be started is told elsewhere.
pub(super) fn start(id: &str, state: &Path) -> Result<Report, Failure> {
    let folder = state.join(id);
    if !folder.exists() {
        return Err(Failure::new(Reason::NotFound, format!("container {id:?} not found")));
    }
    let mut container = Container::load(folder).map_err(|error| failed(&error))?;
    if !container.can_start() {
        let status = container.status();
        let text = format!("cannot start a container in the {status} state");
        return Err(Failure::new(Reason::FailedPrecondition, text));
    }
    container.start().map_err(|error| failed(&error))?;
    Ok(Report::Done)
}

fn failed(error: &dyn std::error::Error) -> Failure {
    Problem::new(chain(error)).failure(Reason::StartError, CREATE)
}

/// Folder with libcontainer's part of a container's configuration. Ids do not start with a dot.
pub(super) fn bundle(state: &Path, id: &str) -> PathBuf {
    state.join(format!(".{id}.bundle"))
}

//! How processes end, and the file that keeps it.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use coracle_shim_protocol::files::{EXIT, Exit};
use rustix::process::WaitStatus;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    /// As Kubernetes shows it.
    pub(super) code: i32,
    /// The signal that ended it.
    pub(super) signal: Option<i32>,
}

impl Ended {
    /// `None` for stops and continues.
    pub(super) fn of(status: WaitStatus) -> Option<Self> {
        let exited = status.exit_status().map(|code| Self { code, signal: None });
        exited.or_else(|| {
            status.terminating_signal().map(|signal| Self { code: signal.saturating_add(128), signal: Some(signal) })
        })
    }
}

/// Writes the exit file of a container into its folder: whole or not at all.
pub(super) fn keep(bundle: &Path, exit: &Exit) -> io::Result<()> {
    replace(&bundle.join(EXIT), &serde_json::to_vec(exit)?)
}

/// Replaces a file by rename.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(new, path)
}

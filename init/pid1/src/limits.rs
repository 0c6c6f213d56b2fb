//! Resource limits that all programs inherit from PID 1.

use rustix::process::{Resource, Rlimit, setrlimit};

use crate::error::{Attempt as _, Result};

/// Resource, name, soft and hard limit.
const TABLE: [(Resource, &str, u64, u64); 2] = [
    // Open files: what containerd and kubelet run with.
    (Resource::Nofile, "open files", 1 << 20, 1 << 20),
    // No core dumps: they would hold keys.
    (Resource::Core, "core size", 0, 0),
];

/// Sets the table.
pub(crate) fn apply() -> Result<()> {
    for (resource, name, current, maximum) in TABLE {
        setrlimit(resource, Rlimit { current: Some(current), maximum: Some(maximum) }).attempt("set limit of", name)?;
    }
    Ok(())
}

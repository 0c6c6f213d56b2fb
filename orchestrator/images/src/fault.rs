//! Points at which a test ends the store as if its process were killed there.
//!
//! Once a point has failed, all later ones fail too: after a kill nothing more reaches the disk.

use std::io;
#[cfg(test)]
use std::sync::Arc;
#[cfg(test)]
use std::sync::atomic::{AtomicU64, Ordering};

/// How many more steps are let through. Outside tests there is no end and no cost.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults {
    #[cfg(test)]
    left: Option<Arc<AtomicU64>>,
}

impl Faults {
    /// Lets `steps` steps through and fails from then on.
    #[cfg(test)]
    pub(crate) fn after(steps: u64) -> Self {
        Self { left: Some(Arc::new(AtomicU64::new(steps))) }
    }

    /// Stands before each step that changes the disk.
    #[cfg(not(test))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "only a test has something to fail")]
    #[inline]
    pub(crate) const fn point(&self) -> io::Result<()> {
        Ok(())
    }

    /// Stands before each step that changes the disk.
    #[cfg(test)]
    pub(crate) fn point(&self) -> io::Result<()> {
        let Some(left) = &self.left else { return Ok(()) };
        match left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)) {
            Ok(_) => Ok(()),
            Err(_) => Err(io::Error::other("killed")),
        }
    }
}

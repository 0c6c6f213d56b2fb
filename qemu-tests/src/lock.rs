//! Guests of all test processes take turns: two at once on two cores starve each other until kernels panic.

use crate::error::{Error, Result};
use std::fs::File;
use std::path::Path;

/// The right to run guests; given back on drop, and by the kernel when the process dies.
#[derive(Debug)]
pub struct Turn {
    _held: File,
}

impl Turn {
    /// Waits until no other test runs a guest. The bound is the other tests' own bounds.
    ///
    /// # Errors
    /// The lock file cannot be made or locked.
    pub fn take() -> Result<Self> {
        Self::take_from(&std::env::temp_dir().join("coracle-guest.lock"))
    }

    fn take_from(path: &Path) -> Result<Self> {
        let file = File::options().create(true).append(true).open(path).map_err(Error::file("open", path))?;
        file.lock().map_err(Error::file("lock", path))?;
        Ok(Self { _held: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_turn_waits_for_the_first() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let first = Turn::take_from(&path).unwrap();
        let other = File::open(&path).unwrap();
        assert!(other.try_lock().is_err(), "held");
        drop(first);
        other.lock().unwrap();
    }
}

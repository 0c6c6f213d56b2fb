//! Guests of all test processes take turns: two at once on two cores starve each other until kernels panic. Starts of the
//! user's own machine take turns too, at a lock of their own.

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
        Self::take_at(&std::env::temp_dir().join("coracle-guest.lock"), || {})
    }

    /// Waits at another lock file; `told` is called when it is held.
    pub(crate) fn take_at(path: &Path, told: impl FnOnce()) -> Result<Self> {
        let file = File::options().create(true).append(true).open(path).map_err(Error::file("open", path))?;
        if file.try_lock().is_err() {
            told();
            file.lock().map_err(Error::file("lock", path))?;
        }
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
        let first = Turn::take_at(&path, || panic!("nobody holds it")).unwrap();
        let other = File::open(&path).unwrap();
        assert!(other.try_lock().is_err(), "held");
        let (sender, told) = std::sync::mpsc::channel();
        let waiting = std::thread::spawn(move || Turn::take_at(&path, || sender.send(()).unwrap()).unwrap());
        told.recv().unwrap();
        drop(first);
        drop(waiting.join().unwrap());
        other.lock().unwrap();
    }
}

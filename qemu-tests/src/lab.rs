//! Where a scenario runs: its directory, its turn, its accelerator.

use crate::acceleration::{self, Accelerator, Setting};
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::image::Image;
use crate::lock::Turn;
use crate::machine::{Architecture, Machine};
use crate::probe;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;

/// Size of the disk that a test flashes an image onto, in bytes: room for both slots, STATE and a DATA of 2 GiB.
pub const DISK_BYTES: u64 = 6 << 30;

/// The surroundings of one run of a scenario.
#[derive(Debug)]
pub struct Lab {
    name: String,
    directory: TempDir,
    forced: Option<Accelerator>,
    serial: AtomicUsize,
    turn: Arc<Turn>,
}

/// Runs a scenario: waits for its turn, and repeats it once under TCG if a KVM guest falls silent. The body makes its
/// disks itself, so that a repetition starts from the same state.
///
/// # Errors
/// Those of the body.
pub fn scenario<T>(name: &str, mut body: impl FnMut(&Lab) -> Result<T>) -> Result<T> {
    acceleration::with_one_rerun(|forced| body(&Lab::open(name, forced)?), |text| say(&format!("{name}: {text}")))
}

impl Lab {
    /// Makes the directory and waits for the turn.
    pub(crate) fn open(name: &str, forced: Option<Accelerator>) -> Result<Self> {
        let turn = Arc::new(Turn::take()?);
        // A short path: addresses of Unix sockets have at most 107 bytes.
        let root = std::env::temp_dir();
        let directory = tempfile::Builder::new().prefix("coracle-guest-").tempdir_in(&root);
        let directory = directory.map_err(Error::file("make a directory in", &root))?;
        Ok(Self { name: name.to_owned(), directory, forced, serial: AtomicUsize::new(0), turn })
    }

    /// The scenario's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A new path in the scenario's directory, which goes with it.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        let number = self.serial.fetch_add(1, Ordering::Relaxed);
        self.directory.path().join(format!("{name}-{number}"))
    }

    /// A new directory in the scenario's directory.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn subdirectory(&self, name: &str) -> Result<PathBuf> {
        let path = self.path(name);
        std::fs::create_dir(&path).map_err(Error::file("make directory", &path))?;
        Ok(path)
    }

    /// A disk of [`DISK_BYTES`] freshly flashed with the machine's image.
    ///
    /// # Errors
    /// The image has not been built.
    pub fn flashed(&self, machine: &Machine) -> Result<Disk> {
        Disk::flashed(self.path("disk.qcow2"), &Image::of(machine).disk()?, DISK_BYTES)
    }

    /// The right to run guests, which each guest keeps too.
    pub(crate) fn turn(&self) -> Arc<Turn> {
        Arc::clone(&self.turn)
    }

    /// The accelerator for a machine kind.
    ///
    /// # Errors
    /// `CORACLE_ACCEL` is not understood.
    pub fn accelerator(&self, machine: &Machine) -> Result<Accelerator> {
        if let Some(forced) = self.forced {
            return Ok(forced);
        }
        let setting = Setting::from_environment()?;
        let opens = || std::fs::File::options().read(true).write(true).open("/dev/kvm").is_ok();
        let host = Architecture::of_host();
        let decision = acceleration::decide(setting, machine.architecture, host, opens(), || probe::verdict(self));
        if decision.accelerator == Accelerator::Kvm {
            say(&format!("{}: KVM, {}", self.name, decision.reason));
        }
        Ok(decision.accelerator)
    }
}

/// Prints past the test harness, which hides the output of tests that pass.
pub(crate) fn say(text: &str) {
    let mut terminal = std::io::stderr().lock();
    if writeln!(terminal, "{text}").is_err() {
        eprintln!("{text}");
    }
}

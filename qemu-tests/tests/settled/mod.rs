//! A disk that has booted healthily once and was powered off in order, made once for all tests of a program.

use qemu_tests::command_line::Spec;
use qemu_tests::disk::Disk;
use qemu_tests::healthy;
use qemu_tests::machine::{Machine, X86_64_BIOS};
use qemu_tests::{Guest, Lab, Result};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// The machine kind of tests whose subject is not the firmware: the BIOS is the fastest.
pub(crate) const KIND: &Machine = &X86_64_BIOS;

/// A fresh copy of the settled disk.
///
/// # Errors
/// The first boot failed.
pub(crate) fn settled(lab: &Lab) -> Result<Disk> {
    static MADE: Mutex<Option<PathBuf>> = Mutex::new(None);
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let path = match &*made {
        Some(path) => path.clone(),
        None => made.insert(boot_once(lab)?).clone(),
    };
    Disk::at(path).copy_to(lab.path("settled.qcow2"))
}

fn boot_once(lab: &Lab) -> Result<PathBuf> {
    let disk = lab.flashed(KIND)?;
    let mut guest = Guest::start(lab, &Spec::new(KIND).disk(&disk))?;
    healthy::boot(&mut guest)?;
    healthy::power_off(guest)?;
    // Below cargo's directory for tests, because the scenario's own directory goes with the scenario.
    let program = std::env::current_exe().ok();
    let stem = program.as_deref().and_then(|path| path.file_stem()).unwrap_or_default();
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(stem).with_extension("settled.qcow2");
    disk.copy_to(&path)?;
    Ok(path)
}

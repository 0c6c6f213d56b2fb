//! Copies of what the sources of the machine configuration hold, for the orchestrator. Nothing is parsed here, nothing
//! is mounted, and nothing that is found stops a boot.

mod volume;

use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use coracle_contract::marker::Marker;
use coracle_contract::paths;
use coracle_slots::gpt::Table;
use coracle_slots::layout::Role;
use coracle_slots::{Part, ReadAt, fat};

use crate::boot_facts::Facts;
use crate::context::Context;
use crate::disk::{self, Disk};
use crate::error::{Error, Result, chain, invalid};
use crate::files;

/// Largest document that is copied, in bytes.
const MOST_BYTES: u64 = 1 << 20;

/// More devices than any machine has that this is for.
const MOST_DEVICES: usize = 256;

/// The document on the ESP.
const ESP_FILE: &str = "/CORACLE/CONFIG.YAML";

/// What a source held.
#[derive(Debug)]
enum Found {
    /// There is no such source.
    Absent,
    /// Its bytes, and where they were.
    Document { device: String, bytes: Vec<u8> },
    /// Several volumes have different documents.
    Ambiguous(Vec<String>),
    /// There is one, and it is larger than a configuration may be.
    TooLarge(Error),
    /// There is one, and it cannot be read.
    Unreadable(Error),
}

/// Copies all sources and says what was found: a marker each, and a fact `seed-NAME` for the orchestrator.
pub(crate) fn copy(context: &mut Context, disk: &Disk, table: &Table, facts: &mut Facts) {
    let esp = of_esp(disk, &disk.name, table);
    keep(context, facts, Path::new(paths::SEED), "esp", esp);
    let nocloud = of_volumes(disk::volumes().into_iter().take(MOST_DEVICES), |name| {
        // A device that is slow to answer must not starve the watchdog together with the others.
        context.watchdog.feed();
        // Not there any more, or a drive without a medium: no source.
        let Ok(device) = File::open(Path::new("/dev").join(name)) else { return Ok(None) };
        volume::document(&device, name, MOST_BYTES)
    });
    keep(context, facts, Path::new(paths::SEED), "nocloud", nocloud);
    if let Err(error) = facts.write() {
        context.warn(&error);
    }
}

fn of_esp(disk: &impl ReadAt, name: &str, table: &Table) -> Found {
    let Some(esp) = table.find(Role::Esp) else { return Found::Absent };
    let part = Part::new(disk, esp.offset_bytes(), esp.size_bytes());
    match fat::find(&part, ESP_FILE).and_then(|file| file.read(&part, MOST_BYTES)) {
        Ok(bytes) => Found::Document { device: name.to_owned(), bytes },
        Err(fat::Error::NotFound(_)) => Found::Absent,
        Err(error) => failed(name, error),
    }
}

/// The document of the volumes with the label, looked at in the order of their names. The same document twice is one:
/// a disk and its first partition may show the same volume.
fn of_volumes(
    names: impl Iterator<Item = String>,
    mut document: impl FnMut(&str) -> std::result::Result<Option<Vec<u8>>, fat::Error>,
) -> Found {
    let mut documents: Vec<(String, Vec<u8>)> = Vec::new();
    let mut failure = None;
    for name in names {
        match document(&name) {
            Ok(None) => {}
            // Two different ones are enough to know that there is no answer.
            Ok(Some(bytes)) if documents.len() < 2 => {
                if documents.iter().all(|(_, known)| *known != bytes) {
                    documents.push((name, bytes));
                }
            }
            Ok(Some(_)) => {}
            Err(error) => failure = failure.or(Some(failed(&name, error))),
        }
    }
    let mut documents = documents.into_iter();
    match (documents.next(), documents.next(), failure) {
        // One that cannot be read may be the one that was meant.
        (_, _, Some(failure)) => failure,
        (Some((device, bytes)), None, None) => Found::Document { device, bytes },
        (Some((one, _)), Some((other, _)), None) => Found::Ambiguous(vec![one, other]),
        (None, ..) => Found::Absent,
    }
}

fn failed(name: &str, error: fat::Error) -> Found {
    let too_large = matches!(error, fat::Error::TooLarge { .. });
    let error = invalid("read the machine configuration of", name)(Box::new(error));
    if too_large { Found::TooLarge(error) } else { Found::Unreadable(error) }
}

/// Writes the copy of a source and says what it is.
fn keep(context: &mut Context, facts: &mut Facts, folder: &Path, source: &str, found: Found) {
    let marker = Marker::new("seed").with("source", source);
    let (status, marker) = match found {
        Found::Absent => ("absent", marker.with("status", "absent")),
        Found::Document { device, bytes } => match write(folder, source, &bytes) {
            Ok(()) => {
                let marker = marker.with("status", "copied").with("bytes", bytes.len()).with("device", device);
                ("copied", marker)
            }
            Err(error) => {
                context.warn(&error);
                ("unreadable", marker.with("status", "unreadable").with("device", device))
            }
        },
        Found::Ambiguous(devices) => {
            context.console.say(&format!(
                "warning: the volumes {} have different machine configurations; none of them is taken",
                devices.join(" and ")
            ));
            ("ambiguous", marker.with("status", "ambiguous"))
        }
        Found::TooLarge(error) => {
            context.console.say(&format!("warning: {}", chain(&error)));
            ("too-large", marker.with("status", "too-large"))
        }
        Found::Unreadable(error) => {
            context.console.say(&format!("warning: {}", chain(&error)));
            ("unreadable", marker.with("status", "unreadable"))
        }
    };
    context.console.marker(&marker);
    facts.set(&format!("seed-{source}"), status);
}

fn write(folder: &Path, source: &str, bytes: &[u8]) -> Result<()> {
    use crate::error::Attempt as _;
    DirBuilder::new().recursive(true).mode(0o700).create(folder).attempt("make directory", folder)?;
    files::write_private(folder.join(source), bytes)
}

#[cfg(test)]
mod tests;
